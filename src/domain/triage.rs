//! The on-call checklist as data, what its checks found, and the mitigations that follow from it, ranked. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::changes::rank::Suspect;
use crate::domain::changes::{Change, Kind};
use crate::domain::journal::Event;
use crate::domain::shell::word;

/// The event of an answer, in the journal of an incident or of a checklist without one.
pub(crate) const ANSWERED: &str = "triage.answered";

/// What an item looks at by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Check {
    /// KPIs, whole and by their label.
    Scope,
    Alerts,
    Deployments,
    Flags,
    /// Status pages.
    Dependencies,
    /// Scrape targets.
    Targets,
    Logs,
    /// PromQL against a limit.
    Query,
    #[default]
    None,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) ask: String,
    #[serde(default)]
    pub(crate) help: String,
    #[serde(default)]
    pub(crate) check: Check,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
}

/// The checklist.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checklist {
    pub(crate) items: Vec<Item>,
}

impl Checklist {
    /// Reads YAML.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let list: Self = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        if list.items.is_empty() {
            return Err("it has no items".into());
        }
        for (index, item) in list.items.iter().enumerate() {
            if list.items[..index].iter().any(|other| other.id == item.id) {
                return Err(format!("two items are called `{}`", item.id));
            }
            if item.check == Check::Query && item.query.is_none() {
                return Err(format!(
                    "item `{}` has `check: query` and no `query`",
                    item.id
                ));
            }
        }
        Ok(list)
    }
}

/// What a check concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Nothing suspicious.
    Clear,
    /// Worth a closer look.
    Suspicious,
    /// It could not be looked at.
    Unknown,
    /// Only a person can say.
    Manual,
}

impl Outcome {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Suspicious => "suspicious",
            Self::Unknown => "unknown",
            Self::Manual => "yours to answer",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Found {
    pub(crate) outcome: Outcome,
    /// Evidence, a line each.
    pub(crate) lines: Vec<String>,
}

impl Found {
    /// With these lines.
    pub(crate) fn new(outcome: Outcome, lines: Vec<String>) -> Self {
        Self { outcome, lines }
    }

    /// Why it is not known.
    pub(crate) fn unknown(why: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, vec![why.into()])
    }
}

/// What a person made of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// Not this.
    Fine,
    /// This is (part of) it.
    Problem,
    /// Left out, with a reason.
    Skipped,
}

impl Answer {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
        }
    }
}

/// An answer with its note.
pub(crate) type Said = (Answer, Option<String>);

/// The last answer to an item in a journal, with its note.
pub(crate) fn answer(events: &[Event], item: &str) -> Option<Said> {
    let event = events
        .iter()
        .rev()
        .find(|event| event.kind == ANSWERED && event.data["item"] == item)?;
    let answer = serde_json::from_value(event.data["answer"].clone()).ok()?;
    let note = event.data["note"].as_str().filter(|note| !note.is_empty());
    Some((answer, note.map(ToOwned::to_owned)))
}

/// The data of an answer's event; `text` is the line for people.
pub(crate) fn event(item: &Item, found: &Found, answer: Answer, note: &str) -> Value {
    let tail = if note.is_empty() {
        String::new()
    } else {
        format!(" ({note})")
    };
    serde_json::json!({
        "item": item.id,
        "answer": answer,
        "note": note,
        "outcome": found.outcome,
        "evidence": found.lines,
        "text": format!("triage: {} {}{tail}", item.ask, answer.word()),
    })
}

/// Something that can be done about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Mitigation {
    pub(crate) title: String,
    pub(crate) why: String,
    /// What to type.
    pub(crate) command: String,
    /// 0 to 1, the best first.
    pub(crate) score: f64,
}

/// What may help: the suspects taken back, each by the fastest way; then what helps whatever it is.
pub(crate) fn mitigations(
    suspects: &[Suspect],
    recent: &[Change],
    service: &str,
    kubectl: &str,
) -> Vec<Mitigation> {
    let mut found: Vec<Mitigation> = Vec::new();
    let mut add = |title: String, why: String, command: String, score: f64| {
        if !found.iter().any(|known| known.command == command) {
            found.push(Mitigation {
                title,
                why,
                command,
                score,
            });
        }
    };
    for suspect in suspects {
        let change = &suspect.change;
        if let Some(command) = way_back(change) {
            // What takes seconds is tried before what takes minutes.
            let speed = if change.kind == Kind::Flag { 1.0 } else { 0.85 };
            let why = format!("{}; {}", change.what, suspect.reasons.join("; "));
            add(title(change), why, command, suspect.score * speed);
        }
    }
    // Without a break there are no suspects; what is recent is worth a look all the same.
    for change in recent.iter().rev() {
        if let (Some(command), Kind::Flag | Kind::Deploy | Kind::Config) =
            (way_back(change), change.kind)
        {
            add(title(change), change.what.clone(), command, 0.15);
        }
    }
    let service = word(service);
    add(
        "scale out".into(),
        "helps when load is the cause, and harms little when it is not".into(),
        format!("{kubectl} scale deployment/{service} --replicas=N"),
        0.1,
    );
    add(
        "restart the pods one by one".into(),
        "helps when a process is stuck; its matches are lost unless it drains".into(),
        format!("{kubectl} rollout restart deployment/{service}"),
        0.05,
    );
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

/// The command that takes a change back.
fn way_back(change: &Change) -> Option<String> {
    let service = change.service.as_deref();
    change.revert.clone().or_else(|| {
        (change.kind == Kind::Deploy)
            .then(|| service.map(|name| format!("liveops rollout undo {}", word(name))))?
    })
}

fn title(change: &Change) -> String {
    match change.kind {
        Kind::Flag => "kill the flag".into(),
        Kind::Deploy => "roll the deployment back".into(),
        kind => format!("take the {} back", kind.word()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const SHIPPED: &str = include_str!("../../templates/triage/oncall.yaml");

    #[test]
    fn the_shipped_checklist_is_sound_and_slips_are_named() {
        let list = Checklist::read(SHIPPED).expect("sound");
        assert_eq!(list.items.len(), 9);
        for (text, want) in [
            ("items: []", "no items"),
            ("items: [{ id: a, ask: x }, { id: a, ask: y }]", "two items"),
            ("items: [{ id: a, ask: x, check: query }]", "no `query`"),
            ("items: [{ id: a, ask: x, chek: query }]", "chek"),
            ("items: [{ id: a, ask: x, check: nope }]", "nope"),
        ] {
            let error = Checklist::read(text).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn the_fastest_way_back_of_the_likeliest_comes_first() {
        let suspect = |kind, score, revert: Option<&str>| Suspect {
            change: Change {
                service: Some("game".into()),
                revert: revert.map(ToOwned::to_owned),
                ..Change::new(DateTime::default(), kind, "t", "x")
            },
            score,
            reasons: vec!["12s before the break".into()],
        };
        let suspects = [
            suspect(Kind::Deploy, 0.8, None),
            suspect(Kind::Flag, 0.75, Some("liveops flag kill a")),
        ];
        let all = mitigations(&suspects, &[], "game", "kubectl");
        let commands: Vec<&str> = all.iter().map(|m| m.command.as_str()).collect();
        assert_eq!(
            commands[..2],
            ["liveops flag kill a", "liveops rollout undo game"]
        );
        assert_eq!(all.len(), 4);
    }
}
