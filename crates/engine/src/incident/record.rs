//! Writing one event into the journal of an incident, and telling people.

use chrono::{NaiveTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::files::incident_index::{KnownIncident, known};
use crate::incident::deliver::{Deliveries, DeliveryResult, notify, recipients, stop_pagers};
use crate::incident::flush::flush;
use crate::incident::incident;
use crate::incident::message::message;
use crate::incident::summary::IncidentSummary;
use crate::incident::sync::push;
use crate::session::{Session, cache, store};
use liveops_domain::change::journal::{Entry, Event};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::notice::About;
use liveops_domain::incident::severity::Severity;
use liveops_domain::incident::state::Incident;
use liveops_domain::incident::transition::{Action, Phase};
use liveops_domain::status::source::Recommendation;

/// One step of an incident, as a person takes it.
pub struct IncidentStep {
    pub id: String,
    pub action: Action,
    pub data: Value,
    /// What it is, in words: `mitigated: rolled back 1.42`.
    pub summary: String,
    /// What people are told of.
    pub about: Option<About>,
    /// Further lines for the person.
    pub details: Vec<String>,
    /// The severity that it was decided on, where it hangs on that.
    pub seen: Option<Severity>,
}

impl IncidentStep {
    /// A step with the data of its event.
    pub fn new(id: String, action: Action, data: &impl Serialize, summary: String) -> Result<Self> {
        let (_, about) = action.event();
        Ok(Self { id, action, data: serde_json::to_value(data)?, summary, about, details: Vec::new(), seen: None })
    }
}

/// What a change to an incident came to.
pub struct IncidentChange {
    pub action: &'static str,
    pub summary: String,
    pub dry_run: bool,
    pub shown: IncidentSummary,
    pub event: Option<String>,
    pub deliveries: Deliveries,
    /// Lines below the head, for people.
    pub details: Vec<String>,
    /// Steps that come before those of the incident.
    pub next: Vec<Recommendation>,
    pub warnings: Vec<String>,
    /// To do what a dry run only showed.
    pub command: String,
    /// Why the journal has nothing of it, and what to type when it can be written again.
    pub unkept: Option<(String, String)>,
}

impl IncidentChange {
    /// What is going to happen; nothing is done yet.
    pub fn planned(cx: &Session, action: &'static str, summary: String, incident: Incident) -> Result<Self> {
        Ok(Self {
            action,
            summary,
            dry_run: true,
            shown: IncidentSummary::of(cx, incident)?,
            event: None,
            deliveries: Deliveries::default(),
            details: Vec::new(),
            next: Vec::new(),
            warnings: Vec::new(),
            command: cx.command_line.replacen(" --dry-run", "", 1),
            unkept: None,
        })
    }
}

impl Serialize for IncidentChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "action": self.action,
            "summary": self.summary,
            "dry_run": self.dry_run,
            "event": self.event,
            "incident": self.shown.json(),
            "paged": self.deliveries.paged,
            "deliveries": self.deliveries.results,
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
    if one.allows(action) {
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

/// How often a step is decided on anew because others wrote in between.
const TRIES: usize = 100;

/// Journals a step that is allowed at the very moment at which it is written: of several at once, one wins.
fn journal(cx: &Session, step: &IncidentStep) -> Result<Event> {
    let (kind, _) = step.action.event();
    let (store, cache) = (store(cx)?, cache(cx)?);
    for _ in 0..TRIES {
        let length = store.journal(&step.id).length();
        let known: Option<KnownIncident> = known(&store, &cache, &step.id);
        if !step.action.is_always_allowed() {
            let now = incident(cx, &step.id)?;
            must_allow(cx, &now, step.action)?;
            if step.seen.is_some_and(|seen| seen != now.severity) {
                return Err(Error::Conflict {
                    what: format!("somebody else made {} {} meanwhile", now.id, now.severity),
                    hint: format!("look: `{}`", cx.command(&format!("incident show {}", now.id))),
                });
            }
        }
        let entry = Entry::new(cx.clock.now(), &cx.actor, kind, step.data.clone());
        if let Some(event) = store.append_at(&step.id, length, entry)? {
            if let Some(known) = known {
                known.follow(&store, &cache, &event);
            }
            return Ok(event);
        }
    }
    Err(Error::Locked { path: store.journal(&step.id).path().to_owned() })
}

/// An event that the journal could not take: people are told of it all the same.
pub fn unkept(cx: &Session, kind: &str, data: Value) -> Event {
    let id = format!("unkept-{:08x}", fastrand::u32(..));
    let (at, by, kind) = (cx.clock.now(), cx.actor.clone(), kind.to_owned());
    Event { seq: 0, id: Some(id), at, by, kind, data, hash: String::new() }
}

/// Journals it, and tells the people. A disk that is full, or that cannot be written to, keeps nobody from being told.
///
/// # Errors
/// `Conflict` where it is not allowed now; those of the journal.
pub async fn record(cx: &Session, step: IncidentStep) -> Result<IncidentChange> {
    let before = incident(cx, &step.id)?;
    must_allow(cx, &before, step.action)?;
    let was_called = before.has_unanswered_call();
    let mut report = IncidentChange::planned(cx, step.action.verb(), step.summary.clone(), before.clone())?;
    report.details.clone_from(&step.details);
    let Some(confirmed) = cx.unasked(&format!("write into {}: {}", step.id, step.summary))? else {
        return Ok(report);
    };
    report.dry_run = false;
    let (event, incident_now) = match journal(cx, &step) {
        Ok(event) => {
            report.event = event.id.clone();
            // What this very step changes decides who is told of it.
            let now = if step.about.is_some() { incident(cx, &step.id)? } else { before };
            (event, now)
        }
        Err(error @ Error::Io { .. }) => {
            let event = unkept(cx, step.action.event().0, step.data.clone());
            report.unkept = Some((error.to_string(), cx.command_line.clone()));
            let mut after = before;
            after.apply(&event);
            (event, after)
        }
        Err(error) => return Err(error),
    };
    if let Some(about) = step.about {
        let incident = incident_now;
        let mut recipients = recipients(cx, &incident, about)?;
        let mut message = message(&incident, about, step.summary, &event);
        // Who mitigates without a word has seen it, too.
        if matches!(about, About::Acked | About::Resolved) || (about == About::Mitigated && was_called) {
            stop_pagers(cx, &incident, &mut recipients, &mut message);
        }
        report.deliveries = notify(cx, &recipients, message, &confirmed).await;
        if about == About::Escalated && recipients.page.is_empty() {
            // To call somebody is all that an escalation does.
            report.deliveries.paged = Some(false);
        }
    }
    report.deliveries.results.extend(flush_outbox(cx, &confirmed).await);
    report.warnings.extend(push(cx, &step.id, &confirmed).await);
    if report.unkept.is_none() {
        report.shown = IncidentSummary::of(cx, incident(cx, &step.id)?)?;
    }
    Ok(report)
}

/// Delivers what earlier commands left in the outbox.
pub async fn flush_outbox(cx: &Session, confirmed: &Confirmed) -> Vec<DeliveryResult> {
    match flush(cx, false, confirmed).await {
        Ok(deliveries) => deliveries.results,
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
