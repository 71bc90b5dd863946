//! From an event to the people: outbox, tries, the next channel when nobody takes a page, and all of it in the journal.
//!
//! Nothing here may hold an incident up. Every wait is bounded, what fails is written down and tried again by the next
//! command, and a journal or an outbox that cannot be written only makes a warning.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use crate::change::confirmed::Confirmed;
use crate::clients::notify::{Sent, Transport, probe, send};
use crate::config::environment::variable;
use crate::config::notify::{Channel, ChannelKind};
use crate::files::outbox::OutboxItem;
use crate::incident::wording::words;
use crate::session::{Session, outbox, store};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::{Delivery, DeliveryState, kind};
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::{About, Recipients};
use liveops_domain::incident::state::Incident;

/// How long news may keep a command waiting; what is not through by then stays in the outbox.
const NEWS_PATIENCE: Duration = Duration::from_secs(3);

/// How one message went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryResult {
    pub channel: String,
    pub kind: &'static str,
    pub page: bool,
    pub state: DeliveryState,
    pub reason: String,
}

/// How all messages of one event went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub results: Vec<DeliveryResult>,
    /// Was somebody to be paged, and did a channel take it?
    pub paged: Option<bool>,
}

/// Who is to be told of this.
pub fn recipients(cx: &Session, incident: &Incident, about: About) -> Result<Recipients> {
    let notify = &cx.config()?.settings.notify;
    let channels: Vec<_> = notify.channels.iter().map(|channel| (channel.name.clone(), channel.reach())).collect();
    let mut recipients =
        liveops_domain::incident::notice::recipients(&notify.rules, &channels, about, incident.severity);
    let is_pager =
        |name: &String| notify.channels.iter().any(|known| known.name == *name && known.kind == ChannelKind::PagerDuty);
    // A pager knows three things only: somebody is to come, somebody has it, it is over. It hears the last two where it
    // heard the first.
    recipients.tell.retain(|name| !is_pager(name));
    if matches!(about, About::Acked | About::Resolved) {
        let heard: BTreeSet<String> = incident
            .deliveries
            .values()
            .filter(|page| page.page && page.state == DeliveryState::Accepted)
            .map(|page| page.channel.clone())
            .filter(is_pager)
            .collect();
        recipients.tell.extend(heard);
    }
    Ok(recipients)
}

/// Tells everybody who is to be told, and returns within a bound.
pub async fn notify(cx: &Session, recipients: &Recipients, message: Message, confirmed: &Confirmed) -> Deliveries {
    let now = cx.clock.now();
    let pages = pages(recipients, &message, now);
    // A channel that is paged need not be told as well.
    let news: Vec<OutboxItem> = recipients
        .tell
        .iter()
        .filter(|name| pages.iter().all(|page| page.channel != **name))
        .map(|name| OutboxItem::new(name, message.clone(), now))
        .collect();
    let pages: Vec<OutboxItem> = pages.into_iter().map(|item| queue(cx, item)).collect();
    let news: Vec<OutboxItem> = news.into_iter().map(|item| queue(cx, item)).collect();
    let until = Instant::now() + NEWS_PATIENCE;
    let telling = join_all(news.into_iter().map(|item| async {
        let waiting = result(cx, &item, DeliveryState::Queued, "still under way".into());
        let late = DeliveryResult { page: false, ..waiting };
        timeout_at(until, attempt(cx, item, confirmed)).await.map_or(late, |(result, _)| result)
    }));
    let (mut deliveries, news) = tokio::join!(page(cx, pages, confirmed), telling);
    deliveries.results.extend(news);
    deliveries
}

/// The page for the first in line, each with those to call after them.
pub fn pages(recipients: &Recipients, message: &Message, now: DateTime<Utc>) -> Vec<OutboxItem> {
    let Some((first, then)) = recipients.page.split_first() else {
        return Vec::new();
    };
    let page = |channel: &String| {
        let message = Message { page: true, ..message.clone() };
        OutboxItem { then: then.to_vec(), ..OutboxItem::new(channel, message, now) }
    };
    first.iter().map(page).collect()
}

/// Calls group after group, until one takes it.
pub async fn page(cx: &Session, mut group: Vec<OutboxItem>, confirmed: &Confirmed) -> Deliveries {
    let mut deliveries = Deliveries::default();
    if group.is_empty() {
        return deliveries;
    }
    deliveries.paged = Some(false);
    while !group.is_empty() {
        let tried = join_all(group.into_iter().map(|item| attempt(cx, item, confirmed))).await;
        let taken = tried.iter().any(|(result, _)| result.state == DeliveryState::Accepted);
        let next = tried.iter().find_map(|(_, item)| next_group(item, cx.clock.now()));
        deliveries.results.extend(tried.into_iter().map(|(result, _)| result));
        if taken {
            deliveries.paged = Some(true);
            break;
        }
        let next = next.unwrap_or_default().into_iter();
        group = next.map(|item| queue(cx, item)).collect();
    }
    deliveries
}

/// The same page for the channels that come next.
pub fn next_group(item: &OutboxItem, now: DateTime<Utc>) -> Option<Vec<OutboxItem>> {
    let (group, then) = item.then.split_first()?;
    let to =
        |channel: &String| OutboxItem { then: then.to_vec(), ..OutboxItem::new(channel, item.message.clone(), now) };
    Some(group.iter().map(to).collect())
}

/// Puts a message into the outbox, and into the journal that it is there.
pub fn queue(cx: &Session, mut item: OutboxItem) -> OutboxItem {
    let kept = outbox(cx).and_then(|outbox| outbox.put(&item));
    if let Err(error) = kept {
        cx.voice.warn(&format!("the outbox cannot be written, so this is tried once only: {error}"));
        item.kept = false;
    }
    record(cx, &item, DeliveryState::Queued, None);
    item
}

/// One try. The item comes back as it is afterwards.
pub async fn attempt(cx: &Session, mut item: OutboxItem, confirmed: &Confirmed) -> (DeliveryResult, OutboxItem) {
    let claim = outbox(cx).ok().and_then(|outbox| outbox.claim(&item));
    if claim.is_none() && item.kept {
        let waiting = result(cx, &item, DeliveryState::Queued, "another command is at it".into());
        return (waiting, item);
    }
    let found = channel(cx, &item.channel).and_then(|channel| Ok((transport(cx, channel)?, channel)));
    let sent = match found {
        Ok((transport, channel)) => {
            let words = words(cx, channel.word(), &item.message);
            let http = match cx.http() {
                Ok(http) => http,
                Err(error) => return settle(cx, item, Sent::Refused(error.to_string())),
            };
            send(http, &transport, &item.message, &words, cx.clock.now(), confirmed).await
        }
        // A secret may be there the next time.
        Err(error @ Error::Secret { .. }) => Sent::Later { reason: error.to_string(), after: None },
        Err(error) => Sent::Refused(error.to_string()),
    };
    if let Sent::Later { after, .. } = &sent {
        item.put_off(cx.clock.now(), *after);
    }
    settle(cx, item, sent)
}

/// What came of a try, and the words for it.
fn state_of(sent: Sent) -> (DeliveryState, String) {
    match sent {
        Sent::Accepted(what) => (DeliveryState::Accepted, what),
        Sent::Refused(why) => (DeliveryState::GivenUp, why),
        Sent::Later { reason, .. } => (DeliveryState::Failed, reason),
    }
}

/// Writes down what came of a try.
pub fn settle(cx: &Session, item: OutboxItem, sent: Sent) -> (DeliveryResult, OutboxItem) {
    let (state, reason) = state_of(sent);
    record(cx, &item, state, Some(&reason));
    if let Ok(outbox) = outbox(cx) {
        if state == DeliveryState::Failed {
            // The next in line are called now; a later try must not call them again.
            let kept = OutboxItem { then: Vec::new(), ..item.clone() };
            if let Err(error) = outbox.put(&kept) {
                cx.voice.warn(&error.to_string());
            }
        } else {
            outbox.remove(&item);
        }
    }
    (result(cx, &item, state, reason), item)
}

fn result(cx: &Session, item: &OutboxItem, state: DeliveryState, reason: String) -> DeliveryResult {
    let kind = channel(cx, &item.channel).map_or("unknown", Channel::word);
    DeliveryResult { channel: item.channel.clone(), kind, page: item.message.page, state, reason }
}

/// The journal's line for it. A test belongs to no incident.
fn record(cx: &Session, item: &OutboxItem, state: DeliveryState, reason: Option<&str>) {
    if item.message.about == About::Test {
        return;
    }
    let what = if item.message.page { "page" } else { "news" };
    let word = match state {
        DeliveryState::Queued => "queued for",
        DeliveryState::Accepted => "accepted by",
        DeliveryState::Failed => "failed, to be tried again:",
        DeliveryState::Retried => "tried again:",
        DeliveryState::GivenUp => "GIVEN UP:",
    };
    let state = match state {
        DeliveryState::Failed if item.attempts > 1 => DeliveryState::Retried,
        state => state,
    };
    let delivery = Delivery {
        message: item.id(),
        channel: item.channel.clone(),
        about: item.message.about.word().into(),
        state,
        page: item.message.page,
        reason: reason.map(ToOwned::to_owned),
        attempt: item.attempts,
        text: format!(
            "{what} about `{}` {word} {}{}",
            item.message.about,
            item.channel,
            reason.map_or_else(String::new, |reason| format!(" ({reason})"))
        ),
    };
    let written = store(cx).and_then(|store| {
        let (id, at) = (&item.message.incident, cx.clock.now());
        store.append(id, at, &cx.actor, kind::NOTIFICATION, &delivery)
    });
    if let Err(error) = written {
        cx.voice.warn(&format!("not in the journal: {error}"));
    }
}

fn channel<'a>(cx: &'a Session, name: &str) -> Result<&'a Channel> {
    let channels = &cx.config()?.settings.notify.channels;
    let found = channels.iter().find(|channel| channel.name == name);
    found.ok_or_else(|| Error::NotFound {
        what: "channel",
        name: name.to_owned(),
        candidates: channels.iter().map(|one| one.name.clone()).collect(),
    })
}

/// The channel with its secrets.
fn transport(cx: &Session, channel: &Channel) -> Result<Transport> {
    let target = || {
        let endpoint = channel.endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| Error::internal("a channel without an endpoint"))?;
        cx.target(&channel.name, endpoint)
    };
    let key = || -> Result<Option<_>> {
        let Some(key) = &channel.key else {
            return Ok(None);
        };
        let (_, headers) = cx.config()?.reveal(&channel.name, key)?;
        Ok(headers.into_iter().next().map(|(_, key)| key))
    };
    Ok(match &channel.kind {
        ChannelKind::Slack => Transport::Slack(target()?.hidden()),
        ChannelKind::Discord => Transport::Discord(target()?.hidden()),
        ChannelKind::PagerDuty => Transport::PagerDuty {
            target: target()?,
            key: key()?.ok_or_else(|| Error::internal("a pager without a key"))?,
        },
        ChannelKind::Webhook => Transport::Webhook { target: target()?.hidden(), secret: key()? },
        ChannelKind::Email { from, to } => {
            let endpoint = channel.endpoint.as_ref();
            let endpoint = endpoint.ok_or_else(|| Error::internal("a channel without an endpoint"))?;
            Transport::Email {
                url: cx.config()?.reveal(&channel.name, endpoint)?.0,
                from: from.clone(),
                to: to.clone(),
            }
        }
        ChannelKind::Exec { command, .. } => {
            cx.config()?.permit(channel.wish())?;
            Transport::Exec { command: command.clone(), path: variable("PATH").unwrap_or_default() }
        }
    })
}

/// Tries every channel, or one, with a message that calls nobody; with `real`, as if it were meant.
pub async fn test(
    cx: &Session,
    only: Option<&str>,
    message: &Message,
    real: bool,
    confirmed: &Confirmed,
) -> Result<Vec<DeliveryResult>> {
    if let Some(name) = only {
        channel(cx, name)?;
    }
    let channels = cx.config()?.settings.notify.channels.iter();
    let channels = channels.filter(|channel| only.is_none_or(|name| name == channel.name));
    let tried = channels.map(async |channel| {
        let sent = match (transport(cx, channel), cx.http()) {
            (Ok(transport), Ok(http)) => {
                let words = words(cx, channel.word(), message);
                let now = cx.clock.now();
                if real {
                    let sent = send(http, &transport, message, &words, now, confirmed).await;
                    // What was begun for a test is ended at once.
                    let end = Message { about: About::Resolved, ..message.clone() };
                    if channel.kind == ChannelKind::PagerDuty {
                        let _ = send(http, &transport, &end, &words, now, confirmed).await;
                    }
                    sent
                } else {
                    probe(http, &transport, message, &words, now, confirmed).await
                }
            }
            (Err(error), _) | (_, Err(error)) => Sent::Refused(error.to_string()),
        };
        let (state, reason) = state_of(sent);
        DeliveryResult { channel: channel.name.clone(), kind: channel.word(), page: false, state, reason }
    });
    Ok(join_all(tried).await)
}
