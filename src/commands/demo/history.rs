//! The demo's past: deployments, incidents and postmortems of a quarter, told by days before now, so that reports have
//! something to report. All of it is made up, and lies in the demo's throw-away folder.

use std::fmt::Write as _;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use liveops_domain::change::journal::Entry as JournalEntry;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::{Opened, kind};
use liveops_domain::incident::severity::Severity;
use liveops_domain::text::duration;
use liveops_engine::changes::record::{Entry, RECORDED, journal};
use liveops_engine::files::file::write_shared;
use liveops_engine::session::{Session, store};

const STORY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/demo/history.jsonl"));

/// One line of the story.
#[derive(Deserialize)]
struct Step {
    /// So many days before today.
    days: u64,
    /// At this time of day.
    at: NaiveTime,
    by: String,
    deployment: Option<Value>,
    incident: Option<Told>,
}

/// An incident, from the first harm to the postmortem.
#[derive(Deserialize)]
struct Told {
    severity: Severity,
    title: String,
    service: String,
    alert: String,
    /// Users felt it so long before it was known.
    began_before: String,
    cause: String,
    /// Did it wake somebody?
    page: bool,
    /// After how long, who, which phase, in which words.
    steps: Vec<(String, String, String, String)>,
    /// What, who, in how many days, how far.
    actions: Vec<(String, String, i64, String)>,
    summary: String,
}

fn odd(what: &dyn std::fmt::Display) -> Error {
    Error::internal(&format!("the demo's history: {what}"))
}

fn length(text: &str) -> Result<TimeDelta> {
    let length = duration::parse_positive(text).map_err(|error| odd(&error))?;
    TimeDelta::from_std(length).map_err(|error| odd(&error))
}

/// Writes the past into the demo's folder.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn write(cx: &Session) -> Result<()> {
    let now = cx.clock.now();
    let environment = cx.environment()?;
    let mut deployments = Vec::new();
    for line in STORY.lines() {
        let step: Step = serde_json::from_str(line).map_err(|error| odd(&error))?;
        let day = now.date_naive().checked_sub_days(Days::new(step.days)).unwrap_or_default();
        let at = day.and_time(step.at).and_utc();
        if let Some(mut told) = step.deployment {
            told["environment"] = json!(environment);
            told["occurred_at"] = json!(at);
            let entry: Entry = serde_json::from_value(told).map_err(|error| odd(&error))?;
            deployments.push(JournalEntry::new(at, &step.by, RECORDED, json!(entry)));
        }
        if let Some(told) = step.incident {
            incident(cx, &told, (at, &step.by), environment, now)?;
        }
    }
    journal(cx)?.extend(deployments).map(|_| ())
}

fn incident(
    cx: &Session,
    told: &Told,
    (at, by): (DateTime<Utc>, &str),
    environment: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let opened = Opened {
        severity: told.severity,
        title: told.title.clone(),
        environment: environment.to_owned(),
        service: Some(told.service.clone()),
        alert: Some(told.alert.clone()).filter(|alert| !alert.is_empty()),
        runbook: None,
        started_at: Some(at - length(&told.began_before)?),
        group_key: None,
    };
    let mut known = Vec::new();
    if told.page {
        let page = json!({"message": "m1", "channel": "pager", "about": "opened", "state": "accepted", "page": true,
            "attempt": 1, "text": "the pager took it"});
        known.push(JournalEntry::new(at, "liveops", kind::NOTIFICATION, page));
    }
    let mut last = at;
    for (after, by, phase, words) in &told.steps {
        let data = if words.is_empty() { json!({}) } else { json!({ "text": words }) };
        last = at + length(after)?;
        known.push(JournalEntry::new(last, by, &format!("incident.{phase}"), data));
    }
    let cause = json!({"field": "cause", "to": told.cause, "text": "found in the postmortem"});
    known.push(JournalEntry::new(last + TimeDelta::hours(4), "ada", kind::AMENDED, cause));
    if !told.actions.is_empty() {
        let done = json!({"text": "read by the team"});
        known.push(JournalEntry::new(last + TimeDelta::hours(20), "ada", kind::POSTMORTEM, done));
    }
    let store = store(cx)?;
    let (id, _) = store.open_with(at, by, &opened, known)?;
    if told.actions.is_empty() {
        return Ok(());
    }
    let mut items = String::new();
    for (what, who, days, state) in &told.actions {
        let due = (now + TimeDelta::days(*days)).format("%F");
        let due = if who.is_empty() { String::new() } else { due.to_string() };
        let _ = writeln!(items, "| {what} | {who} | {due} | {state} |");
    }
    let text = format!(
        "# Postmortem: {}\n\nMade up for the demo.\n\n## Summary\n\n{}\n\n## Action items\n\n| action | owner | due | status |\n|---|---|---|---|\n{items}",
        told.title, told.summary
    );
    let path = store.folder_of(&id).join("postmortem.md");
    write_shared(&path, &text, true)
}
