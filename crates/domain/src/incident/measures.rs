//! How long incidents take: median and 90th percentile of each span, with the number that it rests on. Pure.
//!
//! Durations of incidents are skewed, so means and their trends mislead (VOID Report 2021); few incidents prove nothing,
//! so `n` always stands beside the figure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::incident::state::Incident;
use crate::report::statistics::{median, nearest_rank};

/// A span of an incident, and how it is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// MTTD: users began to feel it → it was known.
    Detect,
    /// MTTA: it was known → somebody had it.
    Acknowledge,
    /// It was known → users were well again.
    Mitigate,
    /// MTTR: users began to feel it → it was over.
    Resolve,
}

impl Span {
    /// In the order of an incident's life.
    pub const ALL: [Self; 4] = [Self::Detect, Self::Acknowledge, Self::Mitigate, Self::Resolve];

    /// As operators call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Detect => "MTTD",
            Self::Acknowledge => "MTTA",
            Self::Mitigate => "mitigate",
            Self::Resolve => "MTTR",
        }
    }

    pub fn definition(self) -> &'static str {
        match self {
            Self::Detect => "began to known",
            Self::Acknowledge => "known to acknowledged",
            Self::Mitigate => "known to mitigated",
            Self::Resolve => "began to resolved",
        }
    }

    /// Of this incident; `None` while it lasts, and where its times contradict one another.
    pub fn of(self, one: &Incident) -> Option<TimeDelta> {
        let (from, to) = match self {
            Self::Detect => (&one.started, &one.detected),
            Self::Acknowledge => (&one.detected, &one.acknowledged),
            Self::Mitigate => (&one.detected, &one.mitigated),
            Self::Resolve => (&one.started, &one.resolved),
        };
        let length = to.at()? - from.at()?;
        (length >= TimeDelta::zero()).then_some(length)
    }
}

/// What a number of incidents have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Measure {
    pub span: Span,
    /// How many incidents have this span.
    pub n: usize,
    pub median_s: Option<i64>,
    pub p90_s: Option<i64>,
}

/// The four measures of these incidents.
pub fn measure(incidents: &[&Incident]) -> [Measure; 4] {
    Span::ALL.map(|span| {
        let lengths = incidents.iter().filter_map(|one| span.of(one));
        let mut lengths: Vec<i64> = lengths.map(|length| length.num_seconds()).collect();
        lengths.sort_unstable();
        Measure { span, n: lengths.len(), median_s: median(&lengths), p90_s: nearest_rank(&lengths, 90) }
    })
}

/// Was it opened in this time?
pub fn is_within(one: &Incident, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    one.detected.at().is_some_and(|at| from <= at && at <= to)
}
