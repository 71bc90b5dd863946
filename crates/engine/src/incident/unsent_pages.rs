//! Pages, and ends of calls, that a crash kept from the outbox: they are in the journal, and nobody was told. The next
//! command finds it and puts the message there.

use chrono::{DateTime, TimeDelta, Utc};

use crate::files::outbox::OutboxItem;
use crate::incident::deliver::{is_pager, pages, queue, recipients, stop_pagers};
use crate::incident::message::message;
use crate::session::{Session, store};
use liveops_domain::error::Result;
use liveops_domain::incident::calls::Call;
use liveops_domain::incident::event::kind;
use liveops_domain::incident::notice::{About, Recipients};
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Phase;

/// Whoever wrote it may still be on the way to the outbox: that takes milliseconds.
const SETTLED: TimeDelta = TimeDelta::seconds(5);

/// After this, who is on duty has learned of it in another way, or never will by this one.
const FRESH: TimeDelta = TimeDelta::hours(24);

/// Queues the pages of calls, and their ends, of which the journal says that nobody was told.
pub fn queue_forgotten<'a>(
    cx: &Session,
    now: DateTime<Utc>,
    here: impl IntoIterator<Item = &'a Incident>,
) -> Result<()> {
    for incident in here {
        queue_end(cx, now, incident)?;
        if !incident.phase.is_open() {
            continue;
        }
        let mut forgotten = incident.calls.iter().filter(|(_, call)| is_forgotten(call, now));
        let Some((id, call)) = forgotten.next_back() else {
            continue;
        };
        let recipients = recipients(cx, incident, call.about)?;
        if recipients.page.is_empty() {
            continue;
        }
        let log = store(cx)?.log(&incident.id)?;
        let Some(event) = log.events.iter().find(|event| event.id.as_deref() == Some(id)) else {
            continue;
        };
        let text = event.data.get("text").and_then(|text| text.as_str()).unwrap_or(&incident.title);
        let message = message(incident, call.about, text.to_owned(), event);
        // Nobody is delivering it: it is due at once.
        let due = pages(&recipients, &message, now).into_iter().map(|page| OutboxItem { next_at: now, ..page });
        queue(cx, due.collect());
    }
    Ok(())
}

fn is_forgotten(call: &Call, now: DateTime<Utc>) -> bool {
    !call.queued && !call.answered && (SETTLED..FRESH).contains(&(now - call.at))
}

/// Queues for the pagers that somebody has it, or that it is over, where that is in the journal alone.
fn queue_end(cx: &Session, now: DateTime<Utc>, incident: &Incident) -> Result<()> {
    let (about, kind, at) = match incident.phase {
        Phase::Open => return Ok(()),
        Phase::Resolved => (About::Resolved, kind::RESOLVED, incident.resolved.recorded),
        _ => (About::Acked, kind::ACKED, incident.acknowledged.recorded),
    };
    let Some(at) = at.filter(|at| (SETTLED..FRESH).contains(&(now - *at))) else {
        return Ok(());
    };
    let is_meant = |name: &str| is_pager(cx, name);
    if incident.heard(is_meant).is_empty() || incident.was_queued(about, at, is_meant) {
        return Ok(());
    }
    let log = store(cx)?.log(&incident.id)?;
    if let Some(event) = log.events.iter().rfind(|event| event.kind == kind) {
        let mut message = message(incident, about, about.word().to_owned(), event);
        let mut pagers = Recipients::default();
        stop_pagers(cx, incident, &mut pagers, &mut message);
        let item = |name: &String| OutboxItem { next_at: now, ..OutboxItem::new(name, message.clone(), now) };
        queue(cx, pagers.tell.iter().map(item).collect());
    }
    Ok(())
}
