//! What a condition came to at one look: one of four answers, with everything that led to it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The four answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Good, on enough evidence.
    Pass,
    /// Bad, and not by luck.
    Fail,
    /// Not known yet: too few samples, none, stale ones, `NaN`, or neither clearly good nor clearly bad.
    NoEvidence,
    /// It cannot be known this way: the query fails, or gives something else than it should.
    Error,
}

impl Outcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::NoEvidence => "no evidence",
            Self::Error => "error",
        }
    }
}

/// What a condition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It must hold for the rollout to go on; looked at while a step is observed.
    Success,
    /// When it holds, the rollout goes back; looked at all the time.
    Rollback,
}

/// Whose fault a failure is, by comparison with the stable version in the same window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The canary is worse than stable, and not by luck.
    Canary,
    /// Stable fails just as much.
    Everything,
    /// Too little of stable to tell.
    Unclear,
}

/// One condition at one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// As it was written.
    pub condition: String,
    pub role: Role,
    pub outcome: Outcome,
    pub at: DateTime<Utc>,
    /// Step of the rollout, and the canary's share.
    pub step: usize,
    pub weight: f64,
    /// The canary's value.
    pub value: Option<f64>,
    /// Stable's value in the same window.
    pub stable: Option<f64>,
    /// Samples of the canary; none for values that have no count.
    pub n: Option<f64>,
    pub stable_n: Option<f64>,
    /// The bound of the value that is held against the threshold: with 99 % confidence it is at least (or at most) this.
    pub bound: Option<f64>,
    pub threshold: Option<f64>,
    /// Of value, bound and threshold: a name as `domain::quantity` knows it.
    pub unit: String,
    pub blame: Option<Blame>,
    /// Why, in words.
    pub reason: String,
    /// Nothing could be seen at all (no series, stale, failed), which is worse than too little.
    pub blind: bool,
    /// Needs no second look: an alert has waited already.
    pub certain: bool,
    /// There was no data, and the policy takes that as good: no evidence for anything.
    #[serde(default)]
    pub assumed: bool,
    /// What was asked.
    pub queries: Vec<String>,
}

impl Verdict {
    /// A verdict without numbers.
    pub fn bare(condition: &str, role: Role, outcome: Outcome, at: DateTime<Utc>, reason: impl Into<String>) -> Self {
        Self {
            condition: condition.to_owned(),
            role,
            outcome,
            at,
            step: 0,
            weight: 0.0,
            value: None,
            stable: None,
            n: None,
            stable_n: None,
            bound: None,
            threshold: None,
            unit: String::new(),
            blame: None,
            reason: reason.into(),
            blind: outcome == Outcome::Error,
            certain: false,
            assumed: false,
            queries: Vec::new(),
        }
    }
}
