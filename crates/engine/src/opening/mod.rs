//! An incident begins, by a person or by Alertmanager: the journal first, then evidence and people at once.

pub mod evidence;
pub mod intake;
pub mod listen;
pub mod receive;

use serde_json::json;

use crate::change::confirmed::Confirmed;
use crate::incident::deliver::{Deliveries, notify, recipients};
use crate::incident::incident;
use crate::incident::message::message;
use crate::incident::record::{IncidentChange, flush_outbox, unkept};
use crate::incident::summary::IncidentSummary;
use crate::incident::sync::push;
use crate::opening::evidence::capture;
use crate::session::{Session, store};
use liveops_domain::alert::Alert;
use liveops_domain::change::journal::Event;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::{Amended, Field, Opened, kind};
use liveops_domain::incident::name::name;
use liveops_domain::incident::notice::About;
use liveops_domain::incident::state::{in_order, replay};
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::shell::word;
use liveops_domain::text::time::rfc3339;

/// Opens an incident, whatever it is known from.
pub async fn open(cx: &Session, opened: Opened, warnings: Vec<String>) -> Result<IncidentChange> {
    let summary = format!("open {} {}", opened.severity, opened.title);
    let now = cx.clock.now();
    let Some(confirmed) = cx.unasked(&summary)? else {
        let event = Event {
            seq: 1,
            id: None,
            at: now,
            by: cx.actor.clone(),
            kind: kind::OPENED.into(),
            data: json!(opened),
            hash: String::new(),
        };
        let incident = replay("not opened", &in_order(vec![event]))
            .ok_or_else(|| Error::internal("an opening that opens nothing"))?;
        return Ok(IncidentChange { warnings, ..IncidentChange::planned(cx, "open", summary, incident)? });
    };
    let id = match store(cx)?.open(now, &cx.actor, &opened) {
        Ok(id) => id,
        Err(error @ Error::Io { .. }) => return tell_unkept(cx, opened, &error, warnings, &confirmed).await,
        Err(error) => return Err(error),
    };
    // What comes of it is said at the end.
    let calls = if cx.config()?.settings.notify.channels.is_empty() { "" } else { "people are paged, and " };
    cx.voice.note(&format!("{id} is open and in the journal; {calls}evidence is collected"));
    let text = match &opened.alert {
        Some(alert) if !opened.title.contains(alert.as_str()) => format!("{} (alert {alert})", opened.title),
        _ => opened.title.clone(),
    };
    let response = respond(cx, &id, text, &confirmed).await?;
    let runbook = runbook(cx, &id, &opened, &response.alerts);
    let mut report = IncidentChange {
        dry_run: false,
        event: response.event,
        deliveries: response.deliveries,
        details: response.evidence,
        warnings,
        ..IncidentChange::planned(
            cx,
            "open",
            format!("opened {} {}", opened.severity, opened.title),
            incident(cx, &id)?,
        )?
    };
    report.deliveries.results.extend(flush_outbox(cx, &confirmed).await);
    report.warnings.extend(push(cx, &id, &confirmed).await);
    report.shown = IncidentSummary::of(cx, incident(cx, &id)?)?;
    report.details.extend(runbook.map(|runbook| format!("runbook: {runbook}")));
    if response.nobody_to_tell {
        report.details.push("nobody was paged: no channel is configured for this (`notify`)".into());
        report.next.push(Recommendation::new("who would be paged", "liveops page list"));
    }
    Ok(report)
}

/// People are called where the journal cannot be written: a full disk is no reason to let them sleep.
async fn tell_unkept(
    cx: &Session,
    opened: Opened,
    error: &Error,
    warnings: Vec<String>,
    confirmed: &Confirmed,
) -> Result<IncidentChange> {
    let event = unkept(cx, kind::OPENED, json!(opened));
    let id = name(event.at, opened.severity, &opened.title);
    let incident =
        replay(&id, std::slice::from_ref(&event)).ok_or_else(|| Error::internal("an opening that opens nothing"))?;
    let recipients = recipients(cx, &incident, About::Opened)?;
    let message = message(&incident, About::Opened, opened.title.clone(), &event);
    let deliveries = notify(cx, &recipients, message, confirmed).await;
    let started = opened.started_at.unwrap_or(event.at);
    let mut again = format!("incident open --sev {} --title {}", opened.severity.key(), word(&opened.title));
    for (flag, value) in [("service", &opened.service), ("alert", &opened.alert)] {
        if let Some(value) = value {
            again.push_str(&format!(" --{flag} {}", word(value)));
        }
    }
    again.push_str(&format!(" --started-at {}", rfc3339(started)));
    let summary = format!("{} {}", opened.severity, opened.title);
    Ok(IncidentChange {
        dry_run: false,
        deliveries,
        warnings,
        unkept: Some((error.to_string(), cx.command(&again))),
        ..IncidentChange::planned(cx, "open", summary, incident)?
    })
}

/// What was found and who was told when an incident was opened.
struct Response {
    /// The id of the opening.
    event: Option<String>,
    /// A line for each piece of evidence.
    evidence: Vec<String>,
    alerts: Vec<Alert>,
    deliveries: Deliveries,
    nobody_to_tell: bool,
}

/// Keeps the evidence and tells the people of an incident that is in the journal.
async fn respond(cx: &Session, id: &str, text: String, confirmed: &Confirmed) -> Result<Response> {
    let log = store(cx)?.log(id)?;
    let event = log.events.first().ok_or_else(|| Error::internal("an incident without an opening"))?;
    let recipients = recipients(cx, &log.incident, About::Opened)?;
    let message = message(&log.incident, About::Opened, text, event);
    let ((evidence, alerts), deliveries) = tokio::join!(capture(cx, id), notify(cx, &recipients, message, confirmed));
    let nobody_to_tell = recipients.is_empty();
    Ok(Response { event: event.id.clone(), evidence, alerts, deliveries, nobody_to_tell })
}

/// The runbook of the alert, which is known once the alerts are.
fn runbook(cx: &Session, id: &str, opened: &Opened, alerts: &[Alert]) -> Option<String> {
    if opened.runbook.is_some() {
        return opened.runbook.clone();
    }
    let name = opened.alert.as_deref()?;
    let alert = alerts.iter().find(|alert| alert.name == name)?;
    let runbook = alert.runbook.clone()?;
    let amended =
        Amended { field: Field::Runbook, to: runbook.clone(), was: None, text: Some("the alert says so".into()) };
    let written = store(cx).and_then(|store| store.append(id, cx.clock.now(), &cx.actor, kind::AMENDED, &amended));
    if let Err(error) = written {
        cx.voice.warn(&format!("not in the journal: {error}"));
    }
    Some(runbook)
}
