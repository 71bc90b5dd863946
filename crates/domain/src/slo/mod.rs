//! Service level objectives: how good is good enough, how much of the error budget is spent, how fast, and the rules
//! that page when it burns too fast. Formulas: Google's SRE Workbook, chapter 5, "Alerting on SLOs".

pub mod budget;
pub mod burn;
pub mod expression;
pub mod firing;
pub mod indicator;
pub mod objective;
pub mod openslo;
pub mod replay;
pub mod rules;
pub mod sample;
pub mod window;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::slo::indicator::Indicator;
use crate::slo::objective::Objective;
use crate::slo::window::Window;

/// Fewer bad events than this in the long window page nobody: at low traffic one error would be many times the budget.
pub const MIN_BAD: u32 = 3;

/// How bad events become a share (OpenSLO's `budgetingMethod`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Bad events by all events.
    Occurrences,
    /// Bad slices by the slices that had traffic; a slice is bad below the target.
    Timeslices { target: Objective, slice: Duration },
    /// The mean of the slices' shares of bad events.
    RatioTimeslices { slice: Duration },
}

impl Method {
    /// OpenSLO's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Occurrences => "Occurrences",
            Self::Timeslices { .. } => "Timeslices",
            Self::RatioTimeslices { .. } => "RatioTimeslices",
        }
    }

    /// What is counted.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Occurrences => "event",
            Self::Timeslices { .. } | Self::RatioTimeslices { .. } => "slice",
        }
    }

    /// The length of a slice.
    pub fn slice(self) -> Option<Duration> {
        match self {
            Self::Occurrences => None,
            Self::Timeslices { slice, .. } | Self::RatioTimeslices { slice } => Some(slice),
        }
    }
}

/// One indicator of an objective; a composite has several.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Empty where it is the only one.
    pub name: String,
    pub indicator: Indicator,
    pub objective: Objective,
    pub weight: f64,
}

/// A time that does not count against the budget, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    pub owner: String,
    pub reason: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// What the alerts carry, and when they stay quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerting {
    pub min_bad: u32,
    pub runbook: Option<String>,
    pub dashboard: Option<String>,
}

impl Default for Alerting {
    fn default() -> Self {
        Self { min_bad: MIN_BAD, runbook: None, dashboard: None }
    }
}

/// A service level objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    pub name: String,
    pub service: Option<String>,
    pub description: Option<String>,
    pub objective: Objective,
    pub window: Window,
    pub method: Method,
    /// At least one.
    pub parts: Vec<Part>,
    pub exclusions: Vec<Exclusion>,
    pub alerting: Alerting,
    /// Where it was written, such as `liveops.yaml:12`.
    pub place: String,
}

impl Slo {
    /// Is it made of several indicators?
    pub fn is_composite(&self) -> bool {
        self.parts.len() > 1
    }

    /// So many bad events at least page somebody. Mean shares of slices are no number of events.
    pub fn min_bad(&self) -> u32 {
        match self.method {
            Method::RatioTimeslices { .. } => 0,
            Method::Occurrences | Method::Timeslices { .. } => self.alerting.min_bad,
        }
    }

    /// The parts of exclusions within a stretch of time, joined where they overlap: seconds from and to.
    pub fn excluded(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<(i64, i64)> {
        let mut inside: Vec<(i64, i64)> = self
            .exclusions
            .iter()
            .map(|one| (one.from.max(from).timestamp(), one.to.min(to).timestamp()))
            .filter(|(from, to)| from < to)
            .collect();
        inside.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, to) in inside {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        joined
    }
}

/// Is it a DNS label, as OpenSLO and label values want a name?
pub fn is_name(text: &str) -> bool {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(sound) && !text.starts_with('-') && !text.ends_with('-')
}
