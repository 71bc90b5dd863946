//! What a period came to, out of everything that is kept. A source that does not answer leaves its own part unknown.

pub mod deployments;
pub mod dora;
pub mod incidents;
pub mod weekly;

use chrono::{DateTime, Utc};
use serde::Serialize;

use liveops_domain::status::source::{Source, SourceState};

/// A part of a report: what is known, who said so and when it was true, or why nothing is.
#[derive(Debug, Serialize)]
pub struct Part<T> {
    pub source: String,
    pub as_of: DateTime<Utc>,
    pub data: Option<T>,
    /// Why there is no data, or what of it is missing.
    pub reason: Option<String>,
}

impl<T> Part<T> {
    fn new(source: impl Into<String>, as_of: DateTime<Utc>, data: Option<T>, reason: Option<String>) -> Self {
        Self { source: source.into(), as_of, data, reason }
    }
}

/// Why a source said nothing, in words; `None` where it did.
fn silence(source: &Source) -> Option<String> {
    let why = match source.state {
        SourceState::Ok => return None,
        SourceState::Unconfigured => "not configured",
        SourceState::Degraded | SourceState::Down => source.error.as_deref().unwrap_or("no answer"),
    };
    Some(format!("{}: {why}", source.name))
}
