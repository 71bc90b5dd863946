//! What a command hands to `Output`: a serialisable report that can also draw itself.
//!
//! The serialised struct is the JSON contract (`data` of the envelope); `blocks` is the view for people.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::block::{Block, Table};
use crate::output::view::View;
use liveops_domain::status::source::{Outcome, Recommendation, Source, Verdict};

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
