//! What a command hands to `Output`: a serialisable report that can also draw itself.
//!
//! The serialised struct is the JSON contract (`data` of the envelope); `blocks` is the view for people.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::block::{Block, Table};
use crate::output::view::View;

/// What the report found. How it maps to an exit code stands in `error::Exit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Asked, and the answer is good.
    #[default]
    Pass,
    /// Worth a look, not worth a page.
    Warn,
    /// Asked, and the answer is bad.
    Fail,
    /// Could not tell, and nothing is known to be bad.
    Unknown,
}

/// Whether liveops could do its job, whatever it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Every source answered.
    #[default]
    Success,
    /// Some sources did not answer; the rest is shown.
    Partial,
    /// No source answered.
    Error,
}

/// How an outside system took our questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceState {
    /// Answered everything.
    Ok,
    /// Answered some of it.
    Degraded,
    /// Answered nothing.
    Down,
    /// Nobody said where it is.
    Unconfigured,
}

/// One outside system that was asked for this report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Source {
    /// The system's name, such as `prometheus`.
    pub(crate) name: String,
    /// How it answered.
    pub(crate) state: SourceState,
    /// Time to its slowest answer.
    pub(crate) latency_ms: Option<u64>,
    /// Why it is not `ok`.
    pub(crate) error: Option<String>,
}

/// A next step, with the command to paste.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Recommendation {
    /// Why, in a few words.
    pub(crate) text: String,
    /// What to type.
    pub(crate) command: Option<String>,
}

impl Recommendation {
    /// A step with a command.
    pub(crate) fn new(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self { text: text.into(), command: Some(command.into()) }
    }
}

/// The members of the envelope around `data`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meta {
    /// Environment that was asked, when the command asks one.
    pub(crate) environment: Option<String>,
    /// Could liveops do its job?
    pub(crate) outcome: Outcome,
    /// What it found.
    pub(crate) verdict: Verdict,
    /// KPI values by name.
    pub(crate) metrics: Map<String, Value>,
    /// Open incidents.
    pub(crate) incidents: Vec<Value>,
    /// Next steps.
    pub(crate) recommendations: Vec<Recommendation>,
    /// Systems that were asked.
    pub(crate) sources: Vec<Source>,
    /// Things that went less than well; on stderr for people.
    pub(crate) warnings: Vec<String>,
    /// Things worth knowing; notes on stderr for people, after the warnings in JSON.
    pub(crate) notes: Vec<String>,
}

/// A command's result. Commands never ask for a format; `Output` does.
pub(crate) trait Report: Serialize {
    /// Name and version of the JSON shape, such as `liveops.status/1`.
    const SCHEMA: &'static str;

    /// The view for people.
    fn blocks(&self, view: &View) -> Vec<Block>;

    /// The rows, where the report is a list: what `-o csv` and `-o name` print. The first column is the name.
    fn rows(&self, _view: &View) -> Option<Table> {
        None
    }

    /// What `-o name` prints, where that is not the first column of the rows.
    fn names(&self) -> Option<Vec<String>> {
        None
    }

    /// Verdict, sources, next steps.
    fn meta(&self) -> Meta {
        Meta::default()
    }
}
