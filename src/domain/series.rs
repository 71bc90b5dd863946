//! What a Prometheus query answers: vectors, matrices, scalars, strings, native histograms.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::labels::Labels;

/// A native histogram, as the HTTP API gives it: count, sum, and the buckets that are not empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct NativeHistogram {
    #[serde(with = "crate::domain::number")]
    pub(crate) count: f64,
    #[serde(with = "crate::domain::number")]
    pub(crate) sum: f64,
    pub(crate) buckets: Vec<Bucket>,
}

/// One bucket: `(lower, upper]` and the like, by `boundaries` (0 open left, 1 open right, 2 open both, 3 closed both).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Bucket {
    pub(crate) boundaries: u8,
    #[serde(with = "crate::domain::number")]
    pub(crate) lower: f64,
    #[serde(with = "crate::domain::number")]
    pub(crate) upper: f64,
    #[serde(with = "crate::domain::number")]
    pub(crate) count: f64,
}

/// A value of a series: a float, or a native histogram.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Measured {
    Float(#[serde(with = "crate::domain::number")] f64),
    Histogram(Box<NativeHistogram>),
}

impl Measured {
    /// The float, if it is one.
    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Histogram(_) => None,
        }
    }
}

/// A value and its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Point {
    pub(crate) at: DateTime<Utc>,
    pub(crate) value: Measured,
}

/// A series with its points; an instant query gives one point a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) points: Vec<Point>,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "result", rename_all = "lowercase")]
pub(crate) enum Answer {
    Vector(Vec<Series>),
    Matrix(Vec<Series>),
    Scalar(Point),
    String { at: DateTime<Utc>, text: String },
}

/// An answer with what Prometheus wants to have said about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Queried {
    pub(crate) answer: Answer,
    pub(crate) warnings: Vec<String>,
    pub(crate) infos: Vec<String>,
}

/// A scrape target as Prometheus sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScrapeTarget {
    pub(crate) labels: Labels,
    pub(crate) url: String,
    /// `up`, `down`, `unknown` (not scraped yet).
    pub(crate) health: String,
    pub(crate) last_error: String,
    pub(crate) last_scrape: Option<DateTime<Utc>>,
    /// Seconds that the last scrape took.
    pub(crate) duration: f64,
    /// Prometheus' own text, such as `15s`.
    pub(crate) interval: Option<String>,
}

/// An alerting or recording rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) expression: String,
    /// `None` for a recording rule.
    pub(crate) alerting: Option<Alerting>,
    /// `ok`, `err`, `unknown`.
    pub(crate) health: String,
    pub(crate) last_error: String,
    /// Seconds that the last evaluation took.
    pub(crate) evaluation: f64,
    /// When it was evaluated last; `None` before the first time.
    pub(crate) last_evaluation: Option<DateTime<Utc>>,
    /// Seconds between two evaluations, from its group.
    pub(crate) interval: f64,
}

/// What only an alerting rule has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alerting {
    /// `inactive`, `pending`, `firing`.
    pub(crate) state: String,
    /// How long the condition must hold, in seconds.
    pub(crate) hold: f64,
    pub(crate) labels: Labels,
    pub(crate) annotations: Labels,
    pub(crate) alerts: Vec<crate::domain::alert::Alert>,
}
