//! Sending what is still in the outbox.

use futures_util::{StreamExt, stream};

use crate::change::confirmed::Confirmed;
use crate::files::outbox::OutboxItem;
use crate::incident::deliver::{Deliveries, attempt, discard, moot, next_group, now as incident_now, page, queue};
use crate::incident::incidents_here;
use crate::incident::news::fold;
use crate::incident::unsent_pages::queue_forgotten;
use crate::session::{Session, outbox};
use liveops_domain::error::Result;
use liveops_domain::incident::event::DeliveryState;

/// Messages that are sent at once.
const AT_ONCE: usize = 32;

/// Delivers what is due in the outbox; with `all`, what is not due yet, and calls and their ends that were refused for good, too. A page
/// that fails goes to the next channels, as it does the first time.
pub async fn flush(cx: &Session, all: bool, confirmed: &Confirmed) -> Result<Deliveries> {
    let here = incidents_here(cx).map(Iterator::collect::<Vec<_>>);
    let forgotten = here.and_then(|here| queue_forgotten(cx, cx.clock.now(), &here));
    if let Err(error) = forgotten {
        cx.voice.warn(&format!("whether a page was forgotten is not known: {error}"));
    }
    for lost in outbox(cx)?.unreadable() {
        cx.voice.warn(&lost);
    }
    deliver_due(cx, all, confirmed).await
}

/// As [`flush`], without a look for what was forgotten.
pub async fn deliver_due(cx: &Session, all: bool, confirmed: &Confirmed) -> Result<Deliveries> {
    let now = cx.clock.now();
    let mut due = fold(cx, outbox(cx)?.items()?);
    due.retain(|item| all || (item.next_at <= now && item.given_up.is_none()));
    due.sort_by_key(|item| (item.queued_at, item.id()));
    let mut deliveries = Deliveries::default();
    let mut worth = Vec::new();
    for item in due {
        let why = moot(cx, &item).or_else(|| item.is_stale(now).then_some("too late for it"));
        match why.or_else(|| taken(cx, &item)) {
            Some(why) => deliveries.results.push(discard(cx, &item, why)),
            None => worth.push(item),
        }
    }
    let tries = stream::iter(worth.into_iter().map(|item| attempt(cx, item, confirmed))).buffered(AT_ONCE);
    let tried: Vec<_> = tries.collect().await;
    for (result, item) in tried {
        let mut next = None;
        match result.state {
            _ if !result.page => {}
            DeliveryState::Accepted => deliveries.paged = deliveries.paged.or(Some(true)),
            state => {
                // Where another command is at it, that one calls those who come next.
                let is_ours = state != DeliveryState::Queued;
                next = next_group(&item, now).filter(|group| is_ours && !group.is_empty() && moot(cx, &item).is_none());
                // Another channel may have taken the same page before.
                let is_paged = incident_now(cx, &item.message.incident).is_ok_and(|one| one.is_paged() == Some(true));
                deliveries.paged = Some(deliveries.paged.unwrap_or(true) && is_paged);
            }
        }
        deliveries.results.push(result);
        if let Some(group) = next {
            // Those further down the line are called by `page`; this one waits no more for them.
            let on = page(cx, queue(cx, group), confirmed).await;
            deliveries.paged = on.paged.or(deliveries.paged);
            deliveries.results.extend(on.results);
        }
    }
    Ok(deliveries)
}

/// Did another channel take the page that this one refused?
fn taken(cx: &Session, item: &OutboxItem) -> Option<&'static str> {
    item.given_up.as_ref().filter(|_| item.message.page)?;
    let is_paged = incident_now(cx, &item.message.incident).ok()?.is_paged();
    (is_paged == Some(true)).then_some("another channel took it")
}
