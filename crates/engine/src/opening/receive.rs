//! Incidents from deliveries of Alertmanager.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::change::confirmed::Confirmed;
use crate::files::incident_index::LiveIndex;
use crate::incident::deliver::{Deliveries, Enqueued, dispatch, enqueue, now as incident_now, recipients};
use crate::incident::message::message;
use crate::incident::record::flush_outbox;
use crate::incident::summary::IncidentSummary;
use crate::incident::sync::push;
use crate::opening::evidence::capture;
use crate::session::{Session, store};
use liveops_domain::change::journal::{Entry, Event};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::{Note, Opened, SeverityChanged, Signal, kind};
use liveops_domain::incident::notice::About;
use liveops_domain::incident::severity::Severity;
use liveops_domain::incident::state::{Incident, in_order, replay};
use liveops_domain::incident::transition::Phase;
use liveops_domain::incident::webhook::{Meaning, Webhook};
use liveops_domain::text::count::count;

/// Who writes what a delivery says.
const BY: &str = "alertmanager";

/// Incidents of one period that get evidence of their own: of a flood, the first ones, however long it lasts. All would
/// keep the same, and each look reads all incidents and takes a moment from the people who wait for a page.
const LOOKS: usize = 4;

const LOOKS_PERIOD: Duration = Duration::from_secs(10);

/// Deliveries whose messages are sent at once.
const SENT_AT_ONCE: usize = 64;

/// What a delivery came to.
pub struct ReceiveReport {
    /// `opened`, `updated`, `known`, `nothing`.
    pub what: &'static str,
    pub dry_run: bool,
    pub shown: Option<IncidentSummary>,
    pub alerts: Vec<String>,
    pub details: Vec<String>,
    pub deliveries: Deliveries,
}

impl ReceiveReport {
    fn planned(what: &'static str, alerts: Vec<String>) -> Result<Self> {
        Ok(Self { what, dry_run: true, shown: None, alerts, details: Vec::new(), deliveries: Deliveries::default() })
    }
}

impl Serialize for ReceiveReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "action": self.what,
            "dry_run": self.dry_run,
            "incident": self.shown.as_ref().map(IncidentSummary::json),
            "alerts": self.alerts,
            "deliveries": self.deliveries.results,
            "paged": self.deliveries.paged,
            "details": self.details,
        })
        .serialize(serializer)
    }
}

/// What a delivery comes to: the word for it, and the alerts that it tells of.
pub fn plan(cx: &Session, webhook: &Webhook) -> Result<ReceiveReport> {
    let mut index = LiveIndex::default();
    index.refresh(&store(cx)?)?;
    let (what, _, signals) = decide(&index, webhook, cx.environment()?, cx.clock.now());
    ReceiveReport::planned(what, texts(&signals))
}

/// Which incident a delivery belongs to.
enum Belongs {
    New(Box<Opened>),
    To(String),
    None,
}

fn decide(
    index: &LiveIndex,
    webhook: &Webhook,
    environment: &str,
    now: DateTime<Utc>,
) -> (&'static str, Belongs, Vec<Signal>) {
    match webhook.meaning(index.incidents(), environment, now) {
        Meaning::Nothing => ("nothing", Belongs::None, Vec::new()),
        Meaning::Open(opened, signals) => ("opened", Belongs::New(opened), signals),
        Meaning::Update(id, signals) if signals.is_empty() => ("known", Belongs::To(id), signals),
        Meaning::Update(id, signals) => ("updated", Belongs::To(id), signals),
    }
}

fn texts(signals: &[Signal]) -> Vec<String> {
    signals.iter().map(|signal| signal.text.clone()).collect()
}

/// A delivery that is in the journal, with its messages in the outbox.
pub struct Journalled {
    what: &'static str,
    id: Option<String>,
    alerts: Vec<String>,
    unread: Vec<String>,
    enqueued: Enqueued,
    /// Was somebody to be told, and is nobody configured?
    nobody_to_tell: bool,
}

/// Puts it into the journal, and what people are told of it into the outbox: after this, it is not lost, and whoever is
/// to be paged will be. One at a time, so that two deliveries never open two.
pub fn journal(cx: &Session, index: &mut LiveIndex, webhook: &Webhook) -> Result<Journalled> {
    let store = store(cx)?;
    let _lock = store.lock()?;
    let environment = cx.environment()?;
    index.refresh_only(&store, |one| webhook.is_of_group(one, environment))?;
    let now = cx.clock.now();
    let (what, belongs, signals) = decide(index, webhook, environment, now);
    let mut done = Journalled {
        what,
        id: None,
        alerts: texts(&signals),
        unread: webhook.unread.clone(),
        enqueued: Enqueued::default(),
        nobody_to_tell: false,
    };
    if webhook.truncated > 0 {
        done.unread.push(format!(
            "Alertmanager left out {} (`max_alerts`)",
            count(usize::try_from(webhook.truncated).unwrap_or(usize::MAX), "alert")
        ));
    }
    let mut entries = entries(now, kind::SIGNAL, &signals)?;
    if what != "known" {
        let notes: Vec<Note> = done.unread.iter().map(|text| Note { text: text.clone() }).collect();
        entries.extend(self::entries(now, kind::NOTE, &notes)?);
    }
    match belongs {
        Belongs::New(opened) => {
            let (id, events) = store.open_with(now, BY, &opened, entries)?;
            let nothing = || Error::internal("an incident without an opening");
            let events = in_order(events);
            let incident = replay(&id, &events).ok_or_else(nothing)?;
            tell(cx, &incident, About::Opened, events.first().ok_or_else(nothing)?, &mut done)?;
            done.id = Some(id);
        }
        Belongs::To(id) => {
            let known = incident_now(cx, &id)?;
            let worst = signals.iter().filter(|signal| signal.firing).filter_map(|signal| signal.severity).min();
            let raised = worst.filter(|worst| *worst < known.severity && known.phase.is_open());
            if let Some(severity) = raised {
                entries.insert(0, raise(now, severity, &signals)?);
            }
            let calls = signals.iter().position(|signal| known.is_called_by(signal));
            if !entries.is_empty() {
                let events = store.append_all(&id, entries)?;
                let cause = match (raised, calls) {
                    (Some(_), _) => events.first().map(|event| (About::Severity, event)),
                    (None, Some(at)) => events.get(at).map(|event| (About::Alert, event)),
                    (None, None) => None,
                };
                if let Some((about, event)) = cause {
                    tell(cx, &incident_now(cx, &id)?, about, event, &mut done)?;
                }
            }
            done.id = Some(id);
        }
        Belongs::None => {}
    }
    Ok(done)
}

fn tell(cx: &Session, incident: &Incident, about: About, event: &Event, done: &mut Journalled) -> Result<()> {
    let recipients = recipients(cx, incident, about)?;
    done.nobody_to_tell = recipients.is_empty();
    done.enqueued = enqueue(cx, &recipients, message(incident, about, done.alerts.join("\n"), event));
    Ok(())
}

fn entries<T: Serialize>(now: DateTime<Utc>, kind: &str, all: &[T]) -> Result<Vec<Entry>> {
    all.iter().map(|one| Ok(Entry::new(now, BY, kind, serde_json::to_value(one)?))).collect()
}

fn raise(now: DateTime<Utc>, severity: Severity, signals: &[Signal]) -> Result<Entry> {
    let alert = signals.iter().find(|signal| signal.firing && signal.severity == Some(severity));
    let text = alert.map(|signal| format!("alert {} is {}", signal.alert, severity.alias()));
    Ok(Entry::new(now, BY, kind::SEVERITY, serde_json::to_value(SeverityChanged { severity, text })?))
}

/// Takes one delivery.
pub async fn receive(cx: &Session, webhook: &Webhook, confirmed: &Confirmed) -> Result<ReceiveReport> {
    let journalled = journal(cx, &mut LiveIndex::default(), webhook)?;
    let mut report = follow_up(cx, journalled, &Turns::default(), confirmed).await?;
    report.deliveries.results.extend(flush_outbox(cx, confirmed).await);
    // Alertmanager reminds of what nobody heard of.
    if let Some(shown) = report.shown.as_ref().filter(|shown| shown.incident.phase == Phase::Open) {
        let paged = incident_now(cx, &shown.incident.id)?.is_paged();
        report.deliveries.paged = report.deliveries.paged.or(paged.filter(|paged| !paged));
    }
    Ok(report)
}

/// What several deliveries share: how many send at once, and how many look at the evidence.
#[derive(Debug)]
pub struct Turns {
    sending: Semaphore,
    looking: Semaphore,
    /// When the last incidents were opened.
    opened: RefCell<VecDeque<Instant>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { sending: Semaphore::new(SENT_AT_ONCE), looking: Semaphore::new(1), opened: RefCell::default() }
    }
}

impl Turns {
    /// Is the one that is opened now among the first in its period?
    fn may_look(&self, now: Instant) -> bool {
        let mut opened = self.opened.borrow_mut();
        opened.retain(|at| now - *at < LOOKS_PERIOD);
        let may = opened.len() < LOOKS;
        if !may {
            opened.pop_front();
        }
        opened.push_back(now);
        may
    }
}

/// People first, then evidence for an incident that was opened.
pub async fn follow_up(
    cx: &Session,
    journalled: Journalled,
    turns: &Turns,
    confirmed: &Confirmed,
) -> Result<ReceiveReport> {
    let Journalled { what, id, alerts, unread, enqueued, nobody_to_tell } = journalled;
    let mut report = ReceiveReport { dry_run: false, details: unread, ..ReceiveReport::planned(what, alerts)? };
    let Some(id) = id else {
        return Ok(report);
    };
    let sending = async {
        // Never closed: both turns come.
        let _turn = turns.sending.acquire().await;
        dispatch(cx, enqueued, confirmed).await
    };
    let looking = async {
        if what != "opened" {
            return Vec::new();
        }
        if !turns.may_look(Instant::now()) {
            return vec!["evidence: left out, since many incidents were opened at once; the first ones have it".into()];
        }
        let _turn = turns.looking.acquire().await;
        if let Ok(http) = cx.http() {
            http.restart();
        }
        capture(cx, &id).await.0
    };
    let (deliveries, evidence) = tokio::join!(sending, looking);
    report.deliveries = deliveries;
    report.details.extend(evidence);
    if let Some(warning) = push(cx, &id, confirmed).await {
        cx.voice.warn(&warning);
    }
    let incident = incident_now(cx, &id)?;
    if what == "updated" && incident.firing().next().is_none() {
        report.details.push("all its alerts have ended; it is over when you say so".into());
    }
    if nobody_to_tell {
        report.details.push("nobody was paged: no channel is configured for this (`notify`)".into());
    }
    report.shown = Some(IncidentSummary::of(cx, incident)?);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_the_first_ones_have_evidence_however_long_it_lasts() {
        let (turns, begun) = (Turns::default(), Instant::now());
        let may = |second: u64| turns.may_look(begun + Duration::from_secs(second));
        assert_eq!([0, 0, 1, 1, 1].map(may), [true, true, true, true, false]);
        assert!((2..60).all(|second| !may(second)), "it goes on");
        assert_eq!([80, 81, 82, 83, 84].map(may), [true, true, true, true, false], "the next one");
    }
}
