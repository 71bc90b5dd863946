//! Reads what a metrics endpoint gives: the Prometheus text format 0.0.4 and OpenMetrics 1.0, with
//! Prometheus' strictness: one bad line fails the scrape. Never panics, and stops at a bound.
//! What Prometheus 2.42 takes is taken; in blanks and metadata a little more is.
//!
//! Sources: Prometheus "Exposition formats" (text format 0.0.4), the OpenMetrics 1.0 text format,
//! and for quoted UTF-8 names Prometheus 3. Types, help and exemplars are checked for
//! form and left out.

mod reader;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::metric::exposition::reader::Reader;
use crate::metric::labels::Labels;

/// The most samples that are kept of one body.
pub const MAX_SAMPLES: usize = 200_000;

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4.
    Text,
    /// OpenMetrics text.
    OpenMetrics,
}

impl Format {
    /// What a `Content-Type` says; Prometheus' own format when it says nothing that is known, as
    /// Prometheus 2 does.
    pub fn from_content_type(content_type: &str) -> Self {
        let media = content_type.split(';').next().unwrap_or("").trim();
        if media.eq_ignore_ascii_case("application/openmetrics-text") { Format::OpenMetrics } else { Format::Text }
    }
}

/// One value of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Metric name.
    pub name: String,
    /// Labels, without empty ones.
    pub labels: Labels,
    /// The value, which may be `NaN` or infinite.
    #[serde(with = "crate::metric::number")]
    pub value: f64,
}

/// What a body holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposition {
    /// The wanted samples in their order; of samples of the same series, the first.
    pub samples: Vec<Sample>,
    /// The time that each sample carries, in milliseconds since the epoch; most carry none.
    pub stamps: Vec<Option<f64>>,
    /// How many wanted samples were left out because their series had come before.
    pub duplicates: usize,
    /// How many samples there are in all, wanted or not.
    pub total: usize,
}

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {message}")]
pub struct ExpositionError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

/// Reads a body, and keeps the samples whose metric name is `wanted`.
///
/// # Errors
/// [`ExpositionError`] at the first line that is not of the format, and when there are more than
/// [`MAX_SAMPLES`] wanted samples.
pub fn parse(body: &str, format: Format, wanted: impl Fn(&str) -> bool) -> Result<Exposition, ExpositionError> {
    let mut reader = Reader::new(body, format);
    let mut found = Exposition::default();
    if body.trim_start().starts_with('<') {
        return Err(reader.error("this is HTML or XML, not metrics"));
    }
    while let Some(sample) = reader.next_sample()? {
        found.total += 1;
        if !wanted(&sample.name) {
            continue;
        }
        if found.samples.len() == MAX_SAMPLES {
            return Err(reader.error(&format!("more than {MAX_SAMPLES} samples")));
        }
        found.samples.push(sample);
        found.stamps.push(reader.stamp());
    }
    found.duplicates = drop_repeated(&mut found);
    Ok(found)
}

/// Leaves the first sample of each series; says how many went.
fn drop_repeated(found: &mut Exposition) -> usize {
    let samples = &mut found.samples;
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let key = |at: &usize| (&samples[*at].name, &samples[*at].labels);
    order.sort_by(|a, b| key(a).cmp(&key(b)).then(a.cmp(b)));
    let mut repeated = vec![false; samples.len()];
    for pair in order.windows(2) {
        repeated[pair[1]] = key(&pair[0]) == key(&pair[1]);
    }
    let before = samples.len();
    let mut flags = repeated.iter();
    samples.retain(|_| flags.next() == Some(&false));
    let mut flags = repeated.iter();
    found.stamps.retain(|_| flags.next() == Some(&false));
    before - samples.len()
}
