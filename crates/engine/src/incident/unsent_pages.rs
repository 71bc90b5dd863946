//! Pages that a crash kept from the outbox: the incident is in the journal, and nobody was called. The next command finds
//! them and puts them there.

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::deliver::{calls, pages, queue};
use crate::incident::message::message;
use crate::incident::resolve::open_ones;
use crate::session::Session;
use crate::session::store;
use liveops_domain::error::Result;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Phase;

/// Whoever opened it may still be on the way to the outbox: that takes milliseconds.
const SETTLED: TimeDelta = TimeDelta::seconds(10);

/// After this, who is on duty has learned of it in another way, or never will by this one.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// Queues the pages of openings of which the journal says nothing.
///
/// # Errors
/// Those of the configuration and the journals.
pub fn queue_forgotten(cx: &Session, now: DateTime<Utc>) -> Result<()> {
    for incident in open_ones(cx)?.iter().filter(|one| is_forgotten(one, now)) {
        let calls = calls(cx, incident, About::Opened)?;
        if calls.page.is_empty() {
            continue;
        }
        let story = store(cx)?.story(&incident.id)?;
        let Some(opening) = story.events.first() else {
            continue;
        };
        let message = message(incident, About::Opened, incident.title.clone(), opening);
        for page in pages(&calls, &message, now) {
            queue(cx, page);
        }
    }
    Ok(())
}

fn is_forgotten(one: &Incident, now: DateTime<Utc>) -> bool {
    let age = one.detected.recorded.map(|at| now - at);
    let opened = About::Opened.word();
    one.phase == Phase::Open
        && age.is_some_and(|age| (SETTLED..FRESH).contains(&age))
        && one.deliveries.values().all(|told| told.about != opened)
}
