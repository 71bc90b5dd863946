//! Why is an alert (not) paging? Its way from the rule to the receiver, step by step, each with its evidence. Pure:
//! the caller brings what the backends said, or why they did not.

mod conclude;
mod quieted;
mod steps;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::alert::Alert;
use crate::domain::probe::Probed;
use crate::domain::series::Rule;
use crate::domain::silence::Silence;

/// What was asked for, or why it is not known.
pub(crate) type Known<T> = Result<T, String>;

/// Everything that the backends said about one alert.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) now: DateTime<Utc>,
    /// Prometheus' alerting rules of this name, each with its alerts.
    pub(crate) rules: Known<Vec<Rule>>,
    /// What the expression of the first rule without an alert gives now, condition by condition.
    pub(crate) probes: Vec<Probed>,
    /// The Alertmanagers that Prometheus delivers to, and those that it dropped.
    pub(crate) delivery: Known<(Vec<String>, Vec<String>)>,
    /// Alertmanager's alerts of this name.
    pub(crate) alerts: Known<Vec<Alert>>,
    /// All of its other alerts, for what inhibits.
    pub(crate) others: Vec<Alert>,
    pub(crate) silences: Known<Vec<Silence>>,
    pub(crate) routing: Known<Routing>,
}

/// What Alertmanager's configuration says about who is told, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Routing {
    /// Does it say which alerts are muted by a time interval? (Since 0.28.)
    pub(crate) reports_muting: bool,
    /// Does a route have a time interval? `None` when the configuration is not shown.
    pub(crate) has_intervals: Option<bool>,
    /// Receivers without any integration: they tell nobody. `None` when the configuration is not shown.
    pub(crate) empty_receivers: Option<Vec<String>>,
}

/// The answer to a step's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reply {
    Yes,
    No,
    Unknown,
}

impl Reply {
    /// Yes for true.
    pub(crate) fn from_bool(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// Machine name, such as `silenced`.
    pub(crate) step: &'static str,
    pub(crate) question: &'static str,
    pub(crate) answer: Reply,
    /// Does the alert get past this step? `None` when that is not known.
    pub(crate) passes: Option<bool>,
    pub(crate) evidence: Vec<String>,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Explanation {
    pub(crate) name: String,
    /// Is somebody being told?
    pub(crate) paging: Reply,
    /// Something on the way does not work as it should: a page would be lost.
    pub(crate) broken: bool,
    pub(crate) steps: Vec<Step>,
    /// One sentence.
    pub(crate) conclusion: String,
    /// What to type next; words after `liveops`.
    pub(crate) next: Option<String>,
}

/// Follows the alert from its rule to its receivers.
pub(crate) fn explain(facts: &Facts) -> Explanation {
    let steps = steps::all(facts);
    let conclusion = conclude::conclude(facts, &steps);
    Explanation {
        name: facts.name.clone(),
        paging: conclusion.paging,
        broken: conclusion.broken,
        steps,
        conclusion: conclusion.sentence,
        next: conclusion.next,
    }
}
