//! The on-call checklist as data, what its checks found, and the answers. Pure.

pub mod logs;
pub mod mitigation;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::journal::Event;
use crate::metric::threshold::Threshold;

/// The event of an answer, in the journal of an incident or of a checklist without one.
pub const ANSWERED: &str = "triage.answered";

/// The event of a mitigation that was run from the end of the checklist.
pub const MITIGATED: &str = "triage.mitigation";

/// What an item looks at by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// KPIs, whole and by their label.
    Scope,
    Alerts,
    Deployments,
    Flags,
    /// Status pages.
    Dependencies,
    /// Scrape targets, and the services' own health.
    Targets,
    /// Errors in the last lines of the services.
    Logs,
    /// PromQL against a limit.
    Query,
    /// Who was told of the incident.
    Told,
    /// A person's to say.
    #[default]
    None,
}

impl Check {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 10] = [
        Self::Scope,
        Self::Alerts,
        Self::Deployments,
        Self::Flags,
        Self::Dependencies,
        Self::Targets,
        Self::Logs,
        Self::Query,
        Self::Told,
        Self::None,
    ];

    /// As it is written in a checklist.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scope => "scope",
            Self::Alerts => "alerts",
            Self::Deployments => "deployments",
            Self::Flags => "flags",
            Self::Dependencies => "dependencies",
            Self::Targets => "targets",
            Self::Logs => "logs",
            Self::Query => "query",
            Self::Told => "told",
            Self::None => "none",
        }
    }

    /// The check of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.word() == text)
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: String,
    pub ask: String,
    pub help: String,
    pub check: Check,
    /// PromQL, for `check: query`.
    pub query: Option<String>,
    /// When a value of the query is suspicious.
    pub limit: Option<Threshold>,
    /// The way to do it, to be pasted.
    pub command: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Checklist {
    pub items: Vec<Item>,
}

/// What a check concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing suspicious.
    Clear,
    /// Worth a closer look.
    Suspicious,
    /// It could not be looked at.
    Unknown,
    /// Nothing is configured that could be looked at.
    #[serde(rename = "not_looked_at")]
    NotLookedAt,
    /// Only a person can say.
    Manual,
}

impl Outcome {
    /// The one that weighs more: suspicious, then unknown, then not looked at, then what only a person can say.
    pub fn worse(self, other: Self) -> Self {
        let weight = |outcome| match outcome {
            Self::Clear => 0,
            Self::Manual => 1,
            Self::NotLookedAt => 2,
            Self::Unknown => 3,
            Self::Suspicious => 4,
        };
        if weight(other) > weight(self) { other } else { self }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Suspicious => "suspicious",
            Self::Unknown => "unknown",
            Self::NotLookedAt => "not looked at",
            Self::Manual => "yours to answer",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckResult {
    pub outcome: Outcome,
    /// Evidence, a line each.
    pub lines: Vec<String>,
}

impl CheckResult {
    /// With these lines.
    pub fn new(outcome: Outcome, lines: Vec<String>) -> Self {
        Self { outcome, lines }
    }

    /// Why it is not known.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, vec![why.into()])
    }
}

/// What a person made of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Fine,
    /// This is (part of) it.
    Problem,
    /// Left out, with a reason.
    Skipped,
}

impl Answer {
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
        }
    }
}

/// An answer with its note.
pub type Said = (Answer, Option<String>);

/// The last answer to an item in a journal, with its note.
pub fn answer(events: &[Event], item: &str) -> Option<Said> {
    let event = events.iter().rev().find(|event| event.kind == ANSWERED && event.data["item"] == item)?;
    let answer = serde_json::from_value(event.data["answer"].clone()).ok()?;
    let note = event.data["note"].as_str().filter(|note| !note.is_empty());
    Some((answer, note.map(ToOwned::to_owned)))
}

/// The data of an answer's event; `text` is the line for people.
pub fn event(item: &Item, found: &CheckResult, answer: Answer, note: &str) -> Value {
    let tail = if note.is_empty() { String::new() } else { format!(" ({note})") };
    serde_json::json!({
        "item": item.id,
        "answer": answer,
        "note": note,
        "outcome": found.outcome,
        "evidence": found.lines,
        "text": format!("triage: {} {}{tail}", item.ask, answer.word()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item() -> Item {
        Item {
            id: "flags".into(),
            ask: "Was it a flag?".into(),
            help: String::new(),
            check: Check::Flags,
            query: None,
            limit: None,
            command: None,
        }
    }

    #[test]
    fn the_last_answer_counts_with_its_note_and_evidence() {
        let found = CheckResult::new(Outcome::Suspicious, vec!["flag a: 10 %".into()]);
        let data = event(&item(), &found, Answer::Problem, "see rev 4");
        assert_eq!(data["text"], "triage: Was it a flag? problem (see rev 4)");
        assert_eq!(data["evidence"], json!(["flag a: 10 %"]));
        let event = |data: Value| Event {
            seq: 1,
            id: None,
            at: chrono::DateTime::default(),
            by: "ada".into(),
            kind: ANSWERED.into(),
            data,
            hash: String::new(),
        };
        let first = super::event(&item(), &found, Answer::Fine, "");
        let events = [event(first), event(data)];
        let note = Some("see rev 4".to_owned());
        assert_eq!(answer(&events, "flags"), Some((Answer::Problem, note)));
        assert_eq!(answer(&events, "impact"), None);
    }

    #[test]
    fn every_check_has_a_word_of_its_own() {
        for check in Check::ALL {
            assert_eq!(Check::parse(check.word()), Some(check));
        }
    }
}
