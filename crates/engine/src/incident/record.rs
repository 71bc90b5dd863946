//! Writing one event into the journal of an incident, and telling people.

use chrono::{NaiveTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::change::unasked;
use crate::incident::deliver::{Tale, Told, calls, tell};
use crate::incident::flush::flush;
use crate::incident::message::message;
use crate::incident::standing;
use crate::incident::summary::Shown;
use crate::incident::sync::push;
use crate::session::Session;
use crate::session::store;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::notice::About;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::{Action, Phase};
use liveops_domain::status::source::Recommendation;

/// What a verb says.
pub struct Say {
    pub id: String,
    pub action: Action,
    pub kind: &'static str,
    pub data: Value,
    /// What it is, in words: `mitigated: rolled back 1.42`.
    pub summary: String,
    /// Who is told of it.
    pub about: Option<About>,
    /// Further lines for the person.
    pub details: Vec<String>,
}

/// What a change to an incident came to.
pub struct IncidentChange {
    pub action: &'static str,
    pub summary: String,
    pub dry_run: bool,
    pub shown: Shown,
    pub event: Option<String>,
    pub tale: Tale,
    /// Lines below the head, for people.
    pub details: Vec<String>,
    /// Steps that come before those of the incident.
    pub next: Vec<Recommendation>,
    pub warnings: Vec<String>,
    /// To do what a dry run only showed.
    pub command: String,
}

/// How a message went, in JSON.
pub fn told_json(told: &Told) -> Value {
    json!({
        "channel": told.channel,
        "kind": told.kind,
        "page": told.page,
        "state": told.state,
        "reason": told.reason,
    })
}

impl Serialize for IncidentChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "action": self.action,
            "summary": self.summary,
            "dry_run": self.dry_run,
            "event": self.event,
            "incident": self.shown.json(),
            "paged": self.tale.paged,
            "deliveries": self.tale.told.iter().map(told_json).collect::<Vec<_>>(),
            "details": self.details,
        })
        .serialize(serializer)
    }
}

/// Is this allowed now? The person is told what is.
///
/// # Errors
/// `Conflict`, with what is allowed.
pub fn must_allow(cx: &Session, one: &Incident, action: Action) -> Result<()> {
    if action.is_allowed(one.phase) {
        return Ok(());
    }
    let by = match (action, &one.acked_by) {
        (Action::Ack, Some(by)) if one.phase == Phase::Acknowledged => format!(" by {by}"),
        _ => String::new(),
    };
    Err(Error::Conflict {
        what: format!("{} is {}{by}: `{}` is not possible", one.id, one.phase.word(), action.verb()),
        hint: format!(
            "allowed now: {}; look: `{}`",
            Action::allowed(one.phase).join(", "),
            cx.command(&format!("incident show {}", one.id))
        ),
    })
}

/// Journals it, and tells the people.
///
/// # Errors
/// `Conflict` where it is not allowed now; those of the journal.
pub async fn say(cx: &Session, say: Say) -> Result<IncidentChange> {
    let store = store(cx)?;
    let incident = standing(cx, &say.id)?.incident;
    must_allow(cx, &incident, say.action)?;
    let table = &cx.config()?.settings.incidents.severities;
    let now = cx.clock.now();
    let mut report = IncidentChange {
        action: say.action.verb(),
        summary: say.summary.clone(),
        dry_run: true,
        shown: Shown::new(incident, table, now),
        event: None,
        tale: Tale::default(),
        details: say.details,
        next: Vec::new(),
        warnings: Vec::new(),
        command: cx.command_line.replacen(" --dry-run", "", 1),
    };
    let Some(confirmed) = unasked(cx, &say.summary)? else {
        return Ok(report);
    };
    let event = store.append(&say.id, now, &cx.actor, say.kind, &say.data)?;
    // What this very step changes decides who is told of it.
    let incident = standing(cx, &say.id)?.incident;
    report.event = event.id.clone();
    report.dry_run = false;
    if let Some(about) = say.about {
        let calls = calls(cx, &incident, about)?;
        let message = message(&incident, about, say.summary, &event);
        report.tale = tell(cx, &calls, message, &confirmed).await;
    }
    report.tale.told.extend(left_over(cx, &confirmed).await);
    report.warnings.extend(push(cx, &say.id, &confirmed).await);
    report.shown = Shown::new(standing(cx, &say.id)?.incident, table, cx.clock.now());
    Ok(report)
}

/// Delivers what earlier commands left in the outbox.
pub async fn left_over(cx: &Session, confirmed: &Confirmed) -> Vec<Told> {
    match flush(cx, false, confirmed).await {
        Ok(tale) => tale.told,
        Err(error) => {
            cx.voice.warn(&error.to_string());
            Vec::new()
        }
    }
}

/// Keeps the time of a step that happened earlier.
///
/// # Errors
/// `Usage`: not a time, or one in the future.
pub fn occurred(cx: &Session, text: Option<&str>) -> Result<Option<chrono::DateTime<Utc>>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let now = cx.clock.now();
    let clock = NaiveTime::parse_from_str(text.trim_end_matches('Z'), "%H:%M").ok();
    let at = match clock {
        // The last time that the clock showed this.
        Some(clock) => {
            let today = now.date_naive().and_time(clock).and_utc();
            if today > now { today - chrono::TimeDelta::days(1) } else { today }
        }
        None => crate::query::window::time(text, now).map_err(|_| {
            Error::usage(
                format!("`{text}` is not a time"),
                "write `20m ago`, `03:05` (UTC), `2026-01-15 10:30` (UTC) or RFC 3339",
            )
        })?,
    };
    if at > now {
        return Err(Error::usage(
            format!("`{text}` is in the future"),
            "give the time when it happened, such as `20m ago` or `03:05`",
        ));
    }
    Ok(Some(at))
}
