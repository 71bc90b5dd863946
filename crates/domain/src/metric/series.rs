//! What a Prometheus query answers: vectors, matrices, scalars, strings, native histograms.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::metric::labels::Labels;

/// A native histogram, as the HTTP API gives it: count, sum, and the buckets that are not empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NativeHistogram {
    #[serde(with = "crate::metric::number")]
    pub count: f64,
    #[serde(with = "crate::metric::number")]
    pub sum: f64,
    pub buckets: Vec<Bucket>,
}

/// One bucket: `(lower, upper]` and the like, by `boundaries` (0 open left, 1 open right, 2 open both, 3 closed both).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bucket {
    pub boundaries: u8,
    #[serde(with = "crate::metric::number")]
    pub lower: f64,
    #[serde(with = "crate::metric::number")]
    pub upper: f64,
    #[serde(with = "crate::metric::number")]
    pub count: f64,
}

/// A value of a series: a float, or a native histogram.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Measured {
    Float(#[serde(with = "crate::metric::number")] f64),
    Histogram(Box<NativeHistogram>),
}

impl Measured {
    /// The float, if it is one.
    pub fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Histogram(_) => None,
        }
    }
}

/// A value and its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    pub at: DateTime<Utc>,
    pub value: Measured,
}

/// A series with its points; an instant query gives one point a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    pub labels: Labels,
    pub points: Vec<Point>,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "result", rename_all = "lowercase")]
pub enum Answer {
    Vector(Vec<Series>),
    Matrix(Vec<Series>),
    Scalar(Point),
    String { at: DateTime<Utc>, text: String },
}

/// An answer with what Prometheus wants to have said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Queried {
    pub answer: Answer,
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

impl Queried {
    /// Why the answer is not whole, if it is not. An info is a remark, and takes nothing away.
    pub fn partial(&self) -> Option<&str> {
        self.warnings.first().map(String::as_str)
    }
}

/// A scrape target as Prometheus sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapeTarget {
    pub labels: Labels,
    pub url: String,
    /// `up`, `down`, `unknown` (not scraped yet).
    pub health: String,
    pub last_error: String,
    pub last_scrape: Option<DateTime<Utc>>,
    /// Seconds that the last scrape took.
    pub duration: f64,
    /// Prometheus' own text, such as `15s`.
    pub interval: Option<String>,
}
