//! Pages that a crash kept from the outbox: the incident is in the journal, and nobody was called. The next command finds
//! them and puts them there.

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::deliver::{pages, queue, recipients};
use crate::incident::message::message;
use crate::incident::resolve::open_incidents;
use crate::session::{Session, store};
use liveops_domain::error::Result;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Phase;

/// Whoever opened it may still be on the way to the outbox: that takes milliseconds.
const SETTLED: TimeDelta = TimeDelta::seconds(10);

/// After this, who is on duty has learned of it in another way, or never will by this one.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// Queues the pages of openings of which the journal says nothing.
pub fn queue_forgotten(cx: &Session, now: DateTime<Utc>) -> Result<()> {
    for incident in open_incidents(cx)?.iter().filter(|one| is_forgotten(one, now)) {
        let recipients = recipients(cx, incident, About::Opened)?;
        if recipients.page.is_empty() {
            continue;
        }
        let log = store(cx)?.log(&incident.id)?;
        let Some(opening) = log.events.first() else {
            continue;
        };
        let message = message(incident, About::Opened, incident.title.clone(), opening);
        for page in pages(&recipients, &message, now) {
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
        && one.deliveries.values().all(|result| result.about != opened)
}
