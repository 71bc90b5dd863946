//! Why is an alert (not) paging? Its way from the rule to the receiver, step by step, each with its evidence. Pure:
//! the caller brings what the backends said, or why they did not.

mod conclude;
mod quieted;
pub mod step;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::alert::Alert;
use crate::alert::deliveries::Deliveries;
use crate::alert::matcher::{Matcher, show};
use crate::alert::probe::Probed;
use crate::alert::rule::Rule;
use crate::alert::silence::Silence;

/// What was asked for, or why it is not known.
pub type Known<T> = Result<T, String>;

/// Everything that the backends said about one alert.
#[derive(Debug, Clone)]
pub struct Facts {
    pub name: String,
    pub now: DateTime<Utc>,
    /// Prometheus' alerting rules of this name, each with its alerts.
    pub rules: Known<Vec<Rule>>,
    /// What the expression of the first rule without an alert gives now, condition by condition.
    pub probes: Vec<Probed>,
    /// Which recording rule, of those that its rules read, is not evaluated, and why.
    pub unrecorded: Option<String>,
    /// The Alertmanagers that Prometheus delivers to, and those that it dropped.
    pub delivery: Known<(Vec<String>, Vec<String>)>,
    /// Alertmanager's alerts of this name.
    pub alerts: Known<Vec<Alert>>,
    /// All of its other alerts, for what inhibits.
    pub others: Vec<Alert>,
    pub silences: Known<Vec<Silence>>,
    pub routing: Known<Routing>,
    /// What Alertmanager has counted of its notifications; none where it does not show its metrics.
    pub deliveries: Vec<Deliveries>,
    /// The conditions that only some alerts of the name may satisfy.
    pub matchers: Vec<Matcher>,
    /// How many alerts of the name do not.
    pub left_out: usize,
}

impl Facts {
    /// No alert satisfies the conditions, while others of the name are there.
    fn misses(&self) -> Option<String> {
        let none = self.rules.as_ref().map_or(true, |rules| rules.iter().all(|rule| steps::own(rule).is_empty()))
            && self.alerts.as_ref().map_or(true, Vec::is_empty);
        (none && self.left_out > 0).then(|| {
            format!(
                "no alert `{}` has {}; {} of the name has other labels",
                self.name,
                show(&self.matchers),
                self.left_out
            )
        })
    }

    /// Each integration of a receiver that fails, in words.
    fn failures(&self, receiver: &str) -> Vec<String> {
        let integrations = self.routing.as_ref().ok().and_then(|routing| routing.integrations.as_ref());
        let has = |one: &Deliveries| match integrations.and_then(|all| all.get(receiver)) {
            Some(integrations) => integrations.iter().any(|integration| one.is_of(receiver, integration)),
            None => one.receiver.as_deref() == Some(receiver),
        };
        self.deliveries.iter().filter(|one| one.fails() && has(one)).map(Deliveries::show).collect()
    }
}

/// What Alertmanager's configuration says about who is told, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// Does it say which alerts are muted by a time interval? (Since 0.28.)
    pub reports_muting: bool,
    /// Does a route have a time interval? `None` when the configuration is not shown.
    pub has_intervals: Option<bool>,
    /// The integrations of each receiver; one without any tells nobody. `None` when the configuration is not shown.
    pub integrations: Option<BTreeMap<String, Vec<String>>>,
    /// How long the first notification of a group waits, by receiver: the longest of its routes.
    pub group_wait: BTreeMap<String, Duration>,
    /// Since when this Alertmanager runs.
    pub since: Option<DateTime<Utc>>,
}

impl Routing {
    /// Does the receiver tell nobody?
    pub fn is_empty(&self, receiver: &str) -> bool {
        self.integrations.as_ref().and_then(|all| all.get(receiver)).is_some_and(Vec::is_empty)
    }
}

/// The answer to a step's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    Yes,
    No,
    Unknown,
}

impl Reply {
    /// Yes for true.
    pub fn from_bool(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Machine name, such as `silenced`.
    pub step: &'static str,
    pub question: &'static str,
    pub answer: Reply,
    /// Does the alert get past this step? `None` when that is not known.
    pub passes: Option<bool>,
    pub evidence: Vec<String>,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub name: String,
    /// Is somebody being told?
    pub paging: Reply,
    /// Something on the way does not work as it should: a page would be lost.
    pub broken: bool,
    pub steps: Vec<Step>,
    /// One sentence.
    pub conclusion: String,
    /// What to type next; words after `liveops`.
    pub next: Option<String>,
}

/// Follows the alert from its rule to its receivers.
pub fn explain(facts: &Facts) -> Explanation {
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
