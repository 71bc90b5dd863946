//! From an event to the people: outbox, tries, the next channel when nobody takes a page, and all of it in the journal.
//!
//! Nothing here may hold an incident up. Every wait is bounded, what fails is written down and tried again by the next
//! command, and a journal or an outbox that cannot be written only makes a warning.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use crate::change::confirmed::Confirmed;
use crate::clients::notify::{Sent, send};
use crate::config::notify::{Channel, ChannelKind};
use crate::files::outbox::{Claim, Claimed, OutboxItem};
use crate::incident::news::fold;
use crate::incident::on_call::with_people;
use crate::incident::transport::{channel, transport};
use crate::incident::wording::words;
use crate::session::{Session, outbox, store};
use liveops_domain::change::journal::Entry;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::{Delivery, DeliveryState, kind};
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::{About, Recipients};
use liveops_domain::incident::severity::Severity;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::Phase;

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
    /// Pagers that go on ringing, since they could not be told that somebody has it.
    pub ringing: Vec<String>,
}

/// Messages that are in the outbox.
#[derive(Debug, Default)]
pub struct Enqueued {
    pages: Vec<OutboxItem>,
    news: Vec<OutboxItem>,
}

pub fn is_pager(cx: &Session, name: &str) -> bool {
    channel(cx, name).is_ok_and(|channel| channel.kind == ChannelKind::PagerDuty)
}

/// Where an incident stands, from its journal alone: what is asked for each message may not read all others.
pub fn now(cx: &Session, id: &str) -> Result<Incident> {
    Ok(store(cx)?.summary(id)?.incident)
}

/// Who is to be told of this.
pub fn recipients(cx: &Session, incident: &Incident, about: About) -> Result<Recipients> {
    // Who was called by earlier escalations is passed over.
    let passed = if about == About::Escalated { incident.escalations.len() } else { 0 };
    let mut recipients = meant(cx, about, incident.severity, passed)?;
    // A pager knows three things only: somebody is to come, somebody has it, it is over. See `stop_pagers`.
    recipients.tell.retain(|name| !is_pager(cx, name));
    Ok(recipients)
}

/// Who is told of this, by rules and schedule.
pub fn meant(cx: &Session, about: About, severity: Severity, passed: usize) -> Result<Recipients> {
    let notify = &cx.config()?.settings.notify;
    let channels: Vec<_> = notify.channels.iter().map(|channel| (channel.name.clone(), channel.reach())).collect();
    with_people(cx, liveops_domain::incident::notice::recipients(&notify.rules, &channels, about, severity), passed)
}

/// Adds the pagers that may have heard of a call: they are told that somebody has it, or that it is over.
pub fn stop_pagers(cx: &Session, incident: &Incident, recipients: &mut Recipients, message: &mut Message) {
    let heard = incident.heard(|name| is_pager(cx, name));
    if heard.is_empty() {
        return;
    }
    message.keys = heard.iter().map(|(_, key)| (*key).to_owned()).collect();
    recipients.tell.extend(heard.iter().map(|(channel, _)| (*channel).to_owned()));
    for list in [&mut message.keys, &mut recipients.tell] {
        list.sort();
        list.dedup();
    }
}

/// Tells everybody who is to be told, and returns within a bound.
pub async fn notify(cx: &Session, recipients: &Recipients, message: Message, confirmed: &Confirmed) -> Deliveries {
    dispatch(cx, enqueue(cx, recipients, message), confirmed).await
}

/// Puts a message for everybody into the outbox, pages first: from here on it will be delivered, whatever happens.
#[allow(clippy::needless_pass_by_value, reason = "what is queued belongs to the outbox")]
pub fn enqueue(cx: &Session, recipients: &Recipients, message: Message) -> Enqueued {
    let now = cx.clock.now();
    let pages = pages(recipients, &message, now);
    // A channel that is paged need not be told as well.
    let told = recipients.tell.iter().filter(|name| pages.iter().all(|page| page.channel != **name));
    let news: Vec<OutboxItem> = told.map(|name| OutboxItem::new(name, message.clone(), now)).collect();
    let count = pages.len();
    let mut pages = queue(cx, pages.into_iter().chain(news).collect());
    let news = pages.split_off(count);
    Enqueued { pages, news }
}

/// Delivers what was just put into the outbox.
pub async fn dispatch(cx: &Session, Enqueued { pages, news }: Enqueued, confirmed: &Confirmed) -> Deliveries {
    // Whoever may yet be paged is told only when nobody was to call them.
    let is_next =
        |item: &OutboxItem| pages.iter().flat_map(|page| &page.then).flatten().any(|name| *name == item.channel);
    let (later, news): (Vec<_>, Vec<_>) = fold(cx, news).into_iter().partition(is_next);
    let (mut deliveries, told) = tokio::join!(page(cx, pages, confirmed), tell(cx, news, confirmed));
    let is_paged = |item: &OutboxItem| {
        let took = |one: &DeliveryResult| one.page && one.state == DeliveryState::Accepted;
        deliveries.results.iter().any(|one| one.channel == item.channel && took(one))
    };
    let (paged, later): (Vec<_>, Vec<_>) = later.into_iter().partition(is_paged);
    for item in &paged {
        discard(cx, item, "paged instead");
    }
    for result in told.into_iter().chain(tell(cx, later, confirmed).await) {
        if is_pager(cx, &result.channel) && result.state != DeliveryState::Accepted {
            deliveries.ringing.push(result.channel.clone());
        }
        deliveries.results.push(result);
    }
    deliveries
}

/// Tells news; what is not through in time stays in the outbox.
async fn tell(cx: &Session, news: Vec<OutboxItem>, confirmed: &Confirmed) -> Vec<DeliveryResult> {
    let until = Instant::now() + NEWS_PATIENCE;
    let each = news.into_iter().map(|item| async {
        let late = result(cx, &item, DeliveryState::Queued, "still under way".into());
        timeout_at(until, attempt(cx, item, confirmed)).await.map_or(late, |(result, _)| result)
    });
    join_all(each).await
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
        let worth = tried.iter().find(|(_, item)| moot(cx, item).is_none());
        let next = worth.and_then(|(_, item)| next_group(item, cx.clock.now()));
        deliveries.results.extend(tried.into_iter().map(|(result, _)| result));
        if taken {
            deliveries.paged = Some(true);
            break;
        }
        group = queue(cx, next.unwrap_or_default());
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

/// Puts messages of one incident into the outbox, and into the journal that they are there.
pub fn queue(cx: &Session, mut items: Vec<OutboxItem>) -> Vec<OutboxItem> {
    for item in &mut items {
        let kept = outbox(cx).and_then(|outbox| outbox.put(item));
        if let Err(error) = kept {
            cx.voice.warn(&format!("the outbox cannot be written, so this is tried once only: {error}"));
            item.kept = false;
        }
    }
    record(cx, items.iter().map(|item| delivery(item, DeliveryState::Queued, None, false)), &items);
    items
}

/// Why it is not worth delivering any more: nobody is to be woken for what somebody has already.
pub fn moot(cx: &Session, item: &OutboxItem) -> Option<&'static str> {
    let message = &item.message;
    if !message.page {
        return None;
    }
    let incident = now(cx, &message.incident).ok()?;
    let is_answered = incident.is_answered(&message.id);
    if !incident.phase.is_open() {
        return Some("it is over");
    }
    // What is not in the journal, since that could not be written, is judged by the phase.
    let is_answered = is_answered.unwrap_or(message.about == About::Opened && incident.phase > Phase::Open);
    is_answered.then_some("acknowledged")
}

/// One try. The item comes back as it is afterwards.
pub async fn attempt(cx: &Session, item: OutboxItem, confirmed: &Confirmed) -> (DeliveryResult, OutboxItem) {
    let _claim = match claim(cx, &item).await {
        Ok(claim) => claim,
        Err(other) => return (other, item),
    };
    if let Some(why) = moot(cx, &item) {
        return (discard(cx, &item, why), item);
    }
    let (item, sent) = once(cx, item, confirmed).await;
    let is_heard = matches!(sent, Sent::Accepted(_) | Sent::Unanswered(_));
    let settled = settle(cx, item, sent);
    let (_, item) = &settled;
    if is_heard && item.message.page && is_pager(cx, &item.channel) && moot(cx, item).is_some() {
        // While it was on its way, somebody acknowledged: the pager may have heard that before it heard of the call.
        end_call(cx, item, confirmed).await;
    }
    settled
}

/// Takes an item for this command; where another command has it, waits and reports what came of that.
async fn claim(cx: &Session, item: &OutboxItem) -> std::result::Result<Option<Claim>, DeliveryResult> {
    let patience = cx.http().map_or(NEWS_PATIENCE, |http| http.call_timeout() + Duration::from_secs(1));
    let until = Instant::now() + patience;
    loop {
        let claimed = outbox(cx).map_or(Claimed::Gone, |outbox| outbox.claim(item));
        match claimed {
            Claimed::Mine(claim) => return Ok(Some(claim)),
            _ if !item.kept => return Ok(None),
            Claimed::Busy if Instant::now() < until => sleep(Duration::from_millis(20)).await,
            Claimed::Busy => return Err(result(cx, item, DeliveryState::Queued, "another command is at it".into())),
            Claimed::Gone => {
                let known = now(cx, &item.message.incident).ok();
                let known = known.and_then(|mut one| one.deliveries.remove(&item.id()));
                let (state, reason) = known.map_or((DeliveryState::Queued, None), |one| (one.state, one.reason));
                let reason = format!("by another command: {}", reason.as_deref().unwrap_or("delivered"));
                return Err(result(cx, item, state, reason));
            }
        }
    }
}

async fn once(cx: &Session, mut item: OutboxItem, confirmed: &Confirmed) -> (OutboxItem, Sent) {
    let found = channel(cx, &item.channel).and_then(|channel| Ok((transport(cx, channel)?, channel, cx.http()?)));
    let sent = match found {
        Ok((transport, channel, http)) => {
            let words = words(cx, channel.word(), &item.message);
            send(http, &transport, &item.message, &words, cx.clock.now(), confirmed).await
        }
        // A secret may be there the next time.
        Err(error @ Error::Secret { .. }) => Sent::Later { reason: error.to_string(), after: None },
        Err(error) => Sent::Refused(error.to_string()),
    };
    match &sent {
        Sent::Later { after, .. } => item.put_off(cx.clock.now(), *after),
        Sent::Unanswered(_) => item.put_off(cx.clock.now(), None),
        Sent::Accepted(_) | Sent::Refused(_) => {}
    }
    (item, sent)
}

/// Tells a pager that a call which it took late is answered already.
async fn end_call(cx: &Session, item: &OutboxItem, confirmed: &Confirmed) {
    let is_over = now(cx, &item.message.incident).is_ok_and(|one| !one.phase.is_open());
    let about = if is_over { About::Resolved } else { About::Acked };
    let id = format!("{}-late", item.message.id);
    let message = Message { id, about, page: false, ..item.message.clone() };
    for end in queue(cx, vec![OutboxItem::new(&item.channel, message, cx.clock.now())]) {
        let (end, sent) = once(cx, end, confirmed).await;
        settle(cx, end, sent);
    }
}

/// What came of a try, and the words for it.
pub fn state_of(sent: Sent) -> (DeliveryState, String) {
    match sent {
        Sent::Accepted(what) => (DeliveryState::Accepted, what),
        Sent::Refused(why) => (DeliveryState::GivenUp, why),
        Sent::Later { reason, .. } | Sent::Unanswered(reason) => (DeliveryState::Failed, reason),
    }
}

/// Writes down what came of a try.
fn settle(cx: &Session, mut item: OutboxItem, sent: Sent) -> (DeliveryResult, OutboxItem) {
    let may_have_arrived = matches!(sent, Sent::Unanswered(_));
    let (state, reason) = state_of(sent);
    record(cx, [delivery(&item, state, Some(&reason), may_have_arrived)], std::slice::from_ref(&item));
    item.given_up = (state == DeliveryState::GivenUp).then(|| reason.clone());
    if let Ok(outbox) = outbox(cx) {
        // A call, or the end of one, that was refused waits until somebody has mended what was wrong and asks again.
        let is_call = item.message.page || (is_pager(cx, &item.channel) && item.message.about != About::Test);
        if item.kept && (state == DeliveryState::Failed || (state == DeliveryState::GivenUp && is_call)) {
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

/// Takes a message out of the outbox that nobody needs any more, and writes down why.
pub fn discard(cx: &Session, item: &OutboxItem, why: &str) -> DeliveryResult {
    record(cx, [delivery(item, DeliveryState::GivenUp, Some(why), false)], std::slice::from_ref(item));
    if let Ok(outbox) = outbox(cx) {
        outbox.remove(item);
    }
    result(cx, item, DeliveryState::GivenUp, why.to_owned())
}

fn result(cx: &Session, item: &OutboxItem, state: DeliveryState, reason: String) -> DeliveryResult {
    let kind = channel(cx, &item.channel).map_or("unknown", Channel::word);
    DeliveryResult { channel: item.channel.clone(), kind, page: item.message.page, state, reason }
}

fn delivery(item: &OutboxItem, state: DeliveryState, reason: Option<&str>, may_have_arrived: bool) -> Delivery {
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
    Delivery {
        message: item.id(),
        channel: item.channel.clone(),
        about: item.message.about.word().into(),
        state,
        page: item.message.page,
        key: item.message.keys.first().filter(|_| item.message.page).cloned(),
        may_have_arrived,
        reason: reason.map(ToOwned::to_owned),
        attempt: item.attempts,
        text: format!(
            "{what} about `{}` {word} {}{}",
            item.message.about,
            item.channel,
            reason.map_or_else(String::new, |reason| format!(" ({reason})"))
        ),
    }
}

/// The journal's lines for messages of one incident, in one write. A test belongs to no incident.
fn record(cx: &Session, deliveries: impl IntoIterator<Item = Delivery>, items: &[OutboxItem]) {
    let Some(message) = items.first().map(|item| &item.message).filter(|message| message.about != About::Test) else {
        return;
    };
    let at = cx.clock.now();
    let written = store(cx).and_then(|store| {
        let deliveries: Vec<Delivery> = deliveries.into_iter().collect();
        // After a power cut that takes the line, what was accepted is told once more at worst.
        let is_safe = |one: &Delivery| matches!(one.state, DeliveryState::Queued | DeliveryState::Accepted);
        let is_in_outbox = deliveries.iter().all(is_safe) && items.iter().all(|item| item.kept);
        let entry = |one: Delivery| Ok(Entry::new(at, &cx.actor, kind::NOTIFICATION, serde_json::to_value(one)?));
        let entries = deliveries.into_iter().map(entry).collect::<Result<_>>()?;
        match is_in_outbox {
            true => store.append_unsynced(&message.incident, entries),
            false => store.append_all(&message.incident, entries),
        }
    });
    match written {
        // That the incident itself is in no journal is said once, by who opened it.
        Ok(_) | Err(Error::NotFound { .. }) => {}
        Err(error) => cx.voice.warn(&format!("not in the journal: {error}")),
    }
}
