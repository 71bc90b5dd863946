//! An alerting rule as Prometheus lists it.

use chrono::{DateTime, Utc};

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
