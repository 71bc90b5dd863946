//! The result of a query as the report holds it: sorted series with their labels.

use chrono::{DateTime, Utc};
use serde::Serialize;

use liveops_domain::metric::labels;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::{Answer, Measured, Point, Series};

/// The label that holds a metric's name.
pub const NAME: &str = "__name__";

/// A series with its value at one time.
#[derive(Debug, Serialize)]
pub struct Sample {
    pub labels: Labels,
    #[serde(flatten)]
    pub point: Point,
}

/// The result: `{"type": "vector", "result": [{"labels", "at", "value"}]}`,
/// `{"type": "matrix", "result": [{"labels", "points": [{"at", "value"}]}]}`,
/// `{"type": "scalar", "result": {"at", "value"}}`, `{"type": "string", "result": {"at", "text"}}`.
/// A value is a number, `"NaN"`, `"+Inf"`, `"-Inf"`, or a native histogram `{"count", "sum", "buckets": […]}`.
/// Series are sorted by their labels, unless the expression itself sorts.
#[derive(Debug, Serialize)]
#[serde(tag = "type", content = "result", rename_all = "lowercase")]
pub enum QueryData {
    Vector(Vec<Sample>),
    Matrix(Vec<Series>),
    Scalar(Point),
    String { at: DateTime<Utc>, text: String },
}

impl From<Answer> for QueryData {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Vector(series) => {
                let sample = |series: Series| {
                    let point = series.points.into_iter().next()?;
                    let labels = series.labels;
                    Some(Sample { labels, point })
                };
                Self::Vector(series.into_iter().filter_map(sample).collect())
            }
            Answer::Matrix(series) => Self::Matrix(series),
            Answer::Scalar(point) => Self::Scalar(point),
            Answer::String { at, text } => Self::String { at, text },
        }
    }
}

impl QueryData {
    /// Sorts the series by their labels.
    pub fn sort(&mut self) {
        match self {
            Self::Vector(samples) => samples.sort_by(|a, b| a.labels.cmp(&b.labels)),
            Self::Matrix(series) => series.sort_by(|a, b| a.labels.cmp(&b.labels)),
            Self::Scalar(_) | Self::String { .. } => {}
        }
    }

    /// Was nothing found?
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Vector(samples) => samples.is_empty(),
            Self::Matrix(series) => series.is_empty(),
            Self::Scalar(_) | Self::String { .. } => false,
        }
    }

    /// The labels of each series.
    pub fn labels(&self) -> Vec<&Labels> {
        match self {
            Self::Vector(samples) => samples.iter().map(|sample| &sample.labels).collect(),
            Self::Matrix(series) => series.iter().map(|series| &series.labels).collect(),
            Self::Scalar(_) | Self::String { .. } => Vec::new(),
        }
    }
}

/// A series as PromQL writes it: `up{job="game"}`.
pub fn full_name(labels: &Labels) -> String {
    let mut rest = labels.clone();
    let name = rest.remove(NAME).unwrap_or_default();
    if !name.is_empty() && !labels::is_bare_metric(&name) {
        // As Prometheus 3 takes it: the name in quotes, before the labels.
        let labels = labels::show(&rest);
        let more = labels.trim_start_matches('{');
        return format!("{{{}{}{more}", labels::quote(&name), if rest.is_empty() { "" } else { "," });
    }
    if rest.is_empty() && !name.is_empty() {
        return name;
    }
    format!("{name}{}", labels::show(&rest))
}

/// The number of a point; NaN for a native histogram, which is a gap in a line.
pub fn float(point: &Point) -> f64 {
    match &point.value {
        Measured::Float(value) => *value,
        Measured::Histogram(_) => f64::NAN,
    }
}
