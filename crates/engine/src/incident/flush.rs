//! Sending what is still in the outbox.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::change::confirmed::Confirmed;
use crate::clients::notify::Sent;
use crate::files::outbox::OutboxItem;
use crate::incident::deliver::{Deliveries, attempt, next_group, page, queue, settle};
use crate::incident::incident;
use crate::incident::unsent_pages::queue_forgotten;
use crate::session::{Session, outbox};
use liveops_domain::error::Result;
use liveops_domain::incident::event::DeliveryState;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::transition::Phase;

/// Delivers what is due in the outbox. A page that fails goes to the next channels, as it does the first time.
pub async fn flush(cx: &Session, all: bool, confirmed: &Confirmed) -> Result<Deliveries> {
    let now = cx.clock.now();
    if let Err(error) = queue_forgotten(cx, now) {
        cx.voice.warn(&format!("whether a page was forgotten is not known: {error}"));
    }
    let mut due = outbox(cx)?.items()?;
    due.retain(|item| all || item.next_at <= now);
    let mut deliveries = Deliveries::default();
    let mut worth = Vec::new();
    for item in due {
        match moot(cx, &item, now) {
            Some(why) => {
                let (result, _) = settle(cx, item, Sent::Refused(why.into()));
                deliveries.results.push(result);
            }
            None => worth.push(item),
        }
    }
    let tries = worth.into_iter().map(|item| attempt(cx, item, confirmed));
    for (result, item) in join_all(tries).await {
        let mut next = None;
        if result.page && result.state != DeliveryState::Accepted {
            next = next_group(&item, now);
            // Another channel may have taken the same page before.
            let is_paged = incident(cx, &item.message.incident).is_ok_and(|one| one.is_paged() == Some(true));
            deliveries.paged = Some(deliveries.paged.unwrap_or(true) && is_paged);
        } else if result.page {
            deliveries.paged = deliveries.paged.or(Some(true));
        }
        deliveries.results.push(result);
        if let Some(group) = next.filter(|group| !group.is_empty()) {
            let group = group.into_iter().map(|item| queue(cx, item)).collect();
            // Those further down the line are called by `page`; this one waits no more for them.
            let on = page(cx, group, confirmed).await;
            deliveries.paged = on.paged.or(deliveries.paged);
            deliveries.results.extend(on.results);
        }
    }
    Ok(deliveries)
}

/// Why it is not worth delivering any more: nobody is to be woken for what somebody has already.
fn moot(cx: &Session, item: &OutboxItem, now: DateTime<Utc>) -> Option<&'static str> {
    if item.is_stale(now) {
        return Some("too late for it");
    }
    let is_call = item.message.page && item.message.about != About::Escalated;
    let phase = incident(cx, &item.message.incident).map(|one| one.phase);
    match phase {
        Ok(phase) if is_call && phase > Phase::Open => Some("somebody has it"),
        Ok(phase) if item.message.page && !phase.is_open() => Some("it is over"),
        _ => None,
    }
}
