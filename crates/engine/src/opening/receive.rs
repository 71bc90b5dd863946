//! Incidents from deliveries of Alertmanager.

use serde::{Serialize, Serializer};
use serde_json::json;

use crate::change::confirmed::Confirmed;
use crate::incident::deliver::Deliveries;
use crate::incident::record::flush_outbox;
use crate::incident::summary::IncidentSummary;
use crate::incident::sync::push;
use crate::incident::{incident, index};
use crate::opening::respond;
use crate::session::{Session, store};
use liveops_domain::error::Result;
use liveops_domain::incident::event::{Opened, Signal, kind};
use liveops_domain::incident::webhook::{Meaning, Webhook};

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
    let (what, _, signals) = decide(cx, webhook)?;
    ReceiveReport::planned(what, texts(signals))
}

/// Which incident a delivery belongs to.
enum Belongs {
    New(Box<Opened>),
    To(String),
    None,
}

fn decide(cx: &Session, webhook: &Webhook) -> Result<(&'static str, Belongs, Vec<Signal>)> {
    let incidents: Vec<_> = index(cx)?.incidents().collect();
    Ok(match webhook.meaning(&incidents, cx.environment()?) {
        Meaning::Nothing => ("nothing", Belongs::None, Vec::new()),
        Meaning::Open(opened, signals) => ("opened", Belongs::New(opened), signals),
        Meaning::Update(id, signals) if signals.is_empty() => ("known", Belongs::To(id), signals),
        Meaning::Update(id, signals) => ("updated", Belongs::To(id), signals),
    })
}

fn texts(signals: Vec<Signal>) -> Vec<String> {
    signals.into_iter().map(|signal| signal.text).collect()
}

/// A delivery that is in the journal.
pub struct Journalled {
    what: &'static str,
    id: Option<String>,
    alerts: Vec<String>,
}

/// Puts it into the journal: after this, it is not lost. One at a time, so that two deliveries never open two.
pub fn journal(cx: &Session, webhook: &Webhook) -> Result<Journalled> {
    let store = store(cx)?;
    let _lock = store.lock()?;
    let (now, by) = (cx.clock.now(), "alertmanager");
    let (what, belongs, signals) = decide(cx, webhook)?;
    let id = match belongs {
        Belongs::New(opened) => Some(store.open(now, by, &opened)?),
        Belongs::To(id) => Some(id),
        Belongs::None => None,
    };
    if let Some(id) = &id {
        for signal in &signals {
            store.append(id, now, by, kind::SIGNAL, signal)?;
        }
    }
    Ok(Journalled { what, id, alerts: texts(signals) })
}

/// Evidence and people, for an incident that was opened.
pub async fn follow_up(cx: &Session, journalled: Journalled, confirmed: &Confirmed) -> Result<ReceiveReport> {
    let mut report = ReceiveReport { dry_run: false, ..ReceiveReport::planned(journalled.what, journalled.alerts)? };
    let Some(id) = journalled.id else {
        return Ok(report);
    };
    if report.what == "opened" {
        let response = respond(cx, &id, report.alerts.join("\n"), confirmed).await?;
        report.details = response.evidence;
        report.deliveries = response.deliveries;
    }
    report.deliveries.results.extend(flush_outbox(cx, confirmed).await);
    if let Some(warning) = push(cx, &id, confirmed).await {
        cx.voice.warn(&warning);
    }
    let incident = incident(cx, &id)?;
    if report.what == "updated" && incident.signals.values().all(|signal| !signal.firing) {
        report.details.push("all its alerts have ended; it is over when you say so".into());
    }
    report.shown = Some(IncidentSummary::of(cx, incident)?);
    Ok(report)
}
