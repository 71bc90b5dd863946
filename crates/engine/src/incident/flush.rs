//! Sending what is still in the outbox.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::change::confirmed::Confirmed;
use crate::clients::notify::Sent;
use crate::files::outbox::Item;
use crate::incident::deliver::{Tale, attempt, next_group, page, queue, settle};
use crate::incident::standing;
use crate::incident::unsent_pages::queue_forgotten;
use crate::session::Session;
use crate::session::outbox;
use liveops_domain::error::Result;
use liveops_domain::incident::event::DeliveryState;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::transition::Phase;

/// Delivers what is due in the outbox. A page that fails goes to the next channels, as it does the first time.
///
/// # Errors
/// When the outbox cannot be read.
pub async fn flush(cx: &Session, all: bool, confirmed: &Confirmed) -> Result<Tale> {
    let now = cx.clock.now();
    if let Err(error) = queue_forgotten(cx, now) {
        cx.voice.warn(&format!("whether a page was forgotten is not known: {error}"));
    }
    let mut due = outbox(cx)?.items()?;
    due.retain(|item| all || item.next_at <= now);
    let mut tale = Tale::default();
    let mut worth = Vec::new();
    for item in due {
        match moot(cx, &item, now) {
            Some(why) => {
                let (told, _) = settle(cx, item, Sent::Refused(why.into()));
                tale.told.push(told);
            }
            None => worth.push(item),
        }
    }
    let tries = worth.into_iter().map(|item| attempt(cx, item, confirmed));
    for (told, item) in join_all(tries).await {
        let mut next = None;
        if told.page && told.state != DeliveryState::Accepted {
            next = next_group(&item, now);
            let incident = &item.message.incident;
            // Another channel may have taken the same page before.
            let is_paged = standing(cx, incident).is_ok_and(|summary| summary.incident.is_paged() == Some(true));
            tale.paged = Some(tale.paged.unwrap_or(true) && is_paged);
        } else if told.page {
            tale.paged = tale.paged.or(Some(true));
        }
        tale.told.push(told);
        if let Some(group) = next.filter(|group| !group.is_empty()) {
            let group = group.into_iter().map(|item| queue(cx, item)).collect();
            // Those further down the line are called by `page`; this one waits no more for them.
            let on = page(cx, group, confirmed).await;
            tale.paged = on.paged.or(tale.paged);
            tale.told.extend(on.told);
        }
    }
    Ok(tale)
}

/// Why it is not worth delivering any more: nobody is to be woken for what somebody has already.
pub fn moot(cx: &Session, item: &Item, now: DateTime<Utc>) -> Option<&'static str> {
    if item.is_stale(now) {
        return Some("too late for it");
    }
    let calls = item.message.page && item.message.about != About::Escalated;
    let phase = standing(cx, &item.message.incident).map(|summary| summary.incident.phase);
    match phase {
        Ok(phase) if calls && phase > Phase::Open => Some("somebody has it"),
        Ok(phase) if item.message.page && !phase.is_open() => Some("it is over"),
        _ => None,
    }
}
