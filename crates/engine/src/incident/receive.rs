//! Incidents from deliveries of Alertmanager.

use serde::{Serialize, Serializer};
use serde_json::json;

use crate::change::confirmed::Confirmed;
use crate::incident::deliver::{Told, calls, tell};
use crate::incident::evidence::capture;
use crate::incident::message::message;
use crate::incident::record::{left_over, told_json};
use crate::incident::summary::Shown;
use crate::incident::sync::push;
use crate::incident::{index, standing};
use crate::session::Session;
use crate::session::store;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::kind;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::webhook::{Meaning, Webhook};

/// What a delivery came to.
pub struct Received {
    /// `opened`, `updated`, `known`, `nothing`.
    pub what: &'static str,
    pub dry_run: bool,
    pub shown: Option<Shown>,
    pub alerts: Vec<String>,
    pub details: Vec<String>,
    pub told: Vec<Told>,
    pub paged: Option<bool>,
}

impl Serialize for Received {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "action": self.what,
            "dry_run": self.dry_run,
            "incident": self.shown.as_ref().map(Shown::json),
            "alerts": self.alerts,
            "deliveries": self.told.iter().map(told_json).collect::<Vec<_>>(),
            "paged": self.paged,
            "details": self.details,
        })
        .serialize(serializer)
    }
}

/// A delivery that is in the journal.
pub struct Written {
    what: &'static str,
    id: Option<String>,
    alerts: Vec<String>,
}

/// Puts it into the journal: after this, it is not lost. One at a time, so that two deliveries never open two.
///
/// # Errors
/// As the journal.
pub fn write(cx: &Session, webhook: &Webhook) -> Result<Written> {
    let store = store(cx)?;
    let _lock = store.lock()?;
    let (now, by) = (cx.clock.now(), "alertmanager");
    let incidents: Vec<_> = index(cx)?.summaries.into_iter().map(|summary| summary.incident).collect();
    let (what, id, signals) = match webhook.meaning(&incidents, cx.environment()?) {
        Meaning::Nothing => ("nothing", None, Vec::new()),
        Meaning::Open(opened, signals) => {
            let id = store.open(now, by, &opened)?;
            ("opened", Some(id), signals)
        }
        Meaning::Update(id, signals) if signals.is_empty() => ("known", Some(id), signals),
        Meaning::Update(id, signals) => ("updated", Some(id), signals),
    };
    if let Some(id) = &id {
        for signal in &signals {
            store.append(id, now, by, kind::SIGNAL, signal)?;
        }
    }
    Ok(Written { what, id, alerts: signals.into_iter().map(|signal| signal.text).collect() })
}

/// Evidence and people, for an incident that was opened.
///
/// # Errors
/// When the journal cannot be read.
pub async fn follow(cx: &Session, written: Written, confirmed: &Confirmed) -> Result<Received> {
    let table = &cx.config()?.settings.incidents.severities;
    let store = store(cx)?;
    let mut report = Received {
        what: written.what,
        dry_run: false,
        shown: None,
        alerts: written.alerts,
        details: Vec::new(),
        told: Vec::new(),
        paged: None,
    };
    let Some(id) = written.id else {
        return Ok(report);
    };
    if written.what == "opened" {
        let story = store.story(&id)?;
        let event = story.events.first().ok_or_else(|| Error::internal("an incident without an opening"))?;
        let calls = calls(cx, &story.incident, About::Opened)?;
        let text = report.alerts.join("\n");
        let message = message(&story.incident, About::Opened, text, event);
        let ((lines, _), tale) = tokio::join!(capture(cx, &id), tell(cx, &calls, message, confirmed));
        report.details = lines;
        report.told = tale.told;
        report.paged = tale.paged;
    }
    report.told.extend(left_over(cx, confirmed).await);
    if let Some(warning) = push(cx, &id, confirmed).await {
        cx.voice.warn(&warning);
    }
    let incident = standing(cx, &id)?.incident;
    if written.what == "updated" && incident.signals.values().all(|signal| !signal.firing) {
        report.details.push("all its alerts have ended; it is over when you say so".into());
    }
    report.shown = Some(Shown::new(incident, table, cx.clock.now()));
    Ok(report)
}
