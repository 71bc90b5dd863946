//! Pages that a crash kept from the outbox: what calls for somebody is in the journal, and nobody was called. The next
//! command finds it and puts the page there.

use chrono::{DateTime, TimeDelta, Utc};

use crate::files::outbox::OutboxItem;
use crate::incident::deliver::{pages, queue, recipients};
use crate::incident::message::message;
use crate::session::{Session, store};
use liveops_domain::error::Result;
use liveops_domain::incident::calls::Call;
use liveops_domain::incident::state::Incident;

/// Whoever wrote it may still be on the way to the outbox: that takes milliseconds.
const SETTLED: TimeDelta = TimeDelta::seconds(5);

/// After this, who is on duty has learned of it in another way, or never will by this one.
const FRESH: TimeDelta = TimeDelta::hours(24);

/// Queues the pages of calls of which the journal says nothing.
pub fn queue_forgotten<'a>(
    cx: &Session,
    now: DateTime<Utc>,
    open: impl IntoIterator<Item = &'a Incident>,
) -> Result<()> {
    for incident in open {
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
