//! An alerting rule as Prometheus lists it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::metric::labels::Labels;

/// An alerting or recording rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub group: String,
    pub name: String,
    pub expression: String,
    /// `None` for a recording rule.
    pub alerting: Option<Alerting>,
    /// `ok`, `err`, `unknown`.
    pub health: String,
    pub last_error: String,
    /// Seconds that the last evaluation took.
    pub evaluation: f64,
    /// When it was evaluated last; `None` before the first time.
    pub last_evaluation: Option<DateTime<Utc>>,
    /// Seconds between two evaluations, from its group.
    pub interval: f64,
}

/// What only an alerting rule has.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerting {
    /// `inactive`, `pending`, `firing`.
    pub state: String,
    /// How long the condition must hold, in seconds.
    pub hold: f64,
    pub labels: Labels,
    pub annotations: Labels,
    pub alerts: Vec<crate::alert::Alert>,
}

/// Why nobody knows what a rule gives now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Prometheus fails at it, with these words.
    Fails(String),
    NotYet,
    /// So long ago was the last time, much longer than the interval of its group.
    Overdue(TimeDelta),
}

impl Rule {
    /// What keeps the rule from being evaluated. Where a server does not say how often a rule is evaluated, or when it
    /// was, nothing is overdue.
    pub fn trouble(&self, now: DateTime<Utc>) -> Option<Trouble> {
        match (self.health.as_str(), self.last_evaluation) {
            ("err" | "error", _) => Some(Trouble::Fails(self.last_error.clone())),
            ("unknown", None) => Some(Trouble::NotYet),
            (_, Some(last)) => {
                let age = now - last;
                let late = self.interval * 2.0 + 60.0;
                (self.interval > 0.0 && age.as_seconds_f64() > late).then_some(Trouble::Overdue(age))
            }
            (_, None) => None,
        }
    }
}
