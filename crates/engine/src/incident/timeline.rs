//! The journal of an incident as people read it: an event a line.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use liveops_domain::change::journal::{Event, TAMPERED};
use liveops_domain::error::Result;
use liveops_domain::incident::event::kind;

/// An event as people read it.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub id: Option<String>,
    #[serde(serialize_with = "time")]
    pub at: DateTime<Utc>,
    pub by: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub text: String,
    pub data: Value,
}

fn time<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

/// What happened, in words.
pub fn words(event: &Event) -> String {
    let said = |key: &str| event.data.get(key).and_then(Value::as_str);
    let text = said("text");
    let with = |head: String| match text {
        Some(text) => format!("{head}: {text}"),
        None => head,
    };
    let get = |key: &str| said(key).unwrap_or_default().to_owned();
    let happened = said("occurred_at").map_or_else(String::new, |at| format!(" (happened {at})"));
    match event.kind.as_str() {
        kind::OPENED => format!("opened {}: {}", get("severity").to_uppercase(), get("title")),
        kind::ACKED => with("acknowledged".into()),
        kind::MITIGATED => with(format!("mitigated{happened}")),
        kind::RESOLVED => match said("check") {
            Some(check) => format!("{} [{check}]", with(format!("resolved{happened}"))),
            None => with(format!("resolved{happened}")),
        },
        kind::REOPENED => with("reopened".into()),
        kind::SEVERITY => with(format!("severity is {} now", get("severity").to_uppercase())),
        kind::ROLE => format!("{} is {} now", get("person"), get("role")),
        kind::ESCALATED if get("to").is_empty() => with("escalated".into()),
        kind::ESCALATED => with(format!("escalated to {}", get("to"))),
        kind::HANDOFF => with(format!("handed to {}", get("to"))),
        kind::AMENDED => with(format!("{} is {}, was {}", get("field"), get("to"), said("was").unwrap_or("nothing"))),
        kind::EVIDENCE => with(get("name")),
        "journal.repaired" => "what was no event at the end of the journal was set aside".into(),
        TAMPERED => match event.data.pointer("/expected/seq") {
            Some(seq) => format!("event {seq}, which was written before, was not in this copy of the journal"),
            None => "an event that was written before was not in this copy of the journal".into(),
        },
        _ => text.map_or_else(|| event.kind.clone(), ToOwned::to_owned),
    }
}

/// The line of an event: its kind in a word, and its text.
pub fn line(event: &Event) -> Line {
    Line {
        id: event.id.clone(),
        at: event.at,
        by: event.by.clone(),
        kind: event.kind.clone(),
        text: words(event),
        data: event.data.clone(),
    }
}
