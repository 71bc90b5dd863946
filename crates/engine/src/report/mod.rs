//! What a period came to, out of everything that is kept. A source that does not answer leaves its own part unknown.

pub mod deployments;
pub mod dora;
pub mod incidents;
pub mod weekly;

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::files::file::write_shared;
use crate::files::open;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
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

/// What every report that was written to a file says of itself.
pub const MARK: &str = "liveops report";

/// Writes a report to a file. One that is no report is not overwritten.
///
/// # Errors
/// `Refused`, `Io`.
pub fn write(cx: &Session, path: &Path, text: &str) -> Result<()> {
    let refused = |why: String, hint: &str| Error::Refused { why, hint: hint.into() };
    if cx.is_read_only()? {
        return Err(refused("read-only: will not write the report".into(), "leave out `--read-only` or `--out`"));
    }
    let full = cx.dirs.work.join(path);
    let is_report = |text: &String| text.contains(MARK) || text.contains("\"liveops.report.");
    let foreign = open::read_text(&full).is_ok_and(|text| !text.trim().is_empty() && !is_report(&text));
    if foreign && path.extension().is_none_or(|ending| ending != "csv") {
        let why = format!("{} exists and is no report; nothing was written to it", path.display());
        return Err(refused(why, "choose another `--out`"));
    }
    write_shared(&full, text, true)
}
