//! What a command hands to `Output`: a report, which is data that can draw itself, and its frame.
//!
//! The serialised struct is the JSON contract (`data` of the envelope); `blocks` is the view for people.

use std::iter::once;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::block::{Block, Table};
use crate::output::format::Format;
use crate::output::view::View;
use liveops_domain::status::source::{Outcome, Recommendation, Source, Verdict};

/// The frame of a report: the members of the envelope around `data`, and the last lines of the screen.
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
    /// The last lines of the screen: what to type next.
    pub(crate) tail: Vec<Block>,
}

impl Meta {
    /// The screen ends with `next: COMMAND`, below an empty line; `text` is what it is good for, for programs.
    pub(crate) fn next(text: impl Into<String>, command: impl Into<String>) -> Self {
        let command = command.into();
        Self {
            tail: vec![Block::Blank, Block::next("next", &command)],
            recommendations: vec![Recommendation::new(text, command)],
            ..Self::default()
        }
    }

    /// The screen ends with a line for each step that has a command, below an empty line.
    pub(crate) fn steps(recommendations: Vec<Recommendation>) -> Self {
        let tail = once(Block::Blank).chain(step_lines(&recommendations)).collect();
        Self { recommendations, tail, ..Self::default() }
    }

    /// The same, without the empty line.
    pub(crate) fn dense(self) -> Self {
        Self { tail: self.tail.into_iter().filter(|block| *block != Block::Blank).collect(), ..self }
    }
}

/// As many next commands stand below a screen; programs get all.
const STEPS: usize = 2;

/// `next: COMMAND` for the first steps that have a command.
pub(crate) fn step_lines(steps: &[Recommendation]) -> impl Iterator<Item = Block> {
    steps.iter().filter_map(|step| Some(Block::next("next", step.command.as_ref()?))).take(STEPS)
}

/// What every report is, beside what it says of itself: data.
pub(crate) trait Data {
    /// The JSON contract.
    fn data(&self) -> Result<Value, serde_json::Error>;
}

impl<T: Serialize> Data for T {
    fn data(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

/// A command's result. Commands never ask for a format; `Output` does, of a report whose type it does not know, so that
/// printing is compiled once and not once for each report.
pub(crate) trait Report: Data {
    /// Name and version of the JSON shape, such as `liveops.status/1`.
    fn schema(&self) -> &'static str;

    /// The view for people.
    fn blocks(&self, view: &View) -> Vec<Block>;

    /// The rows, where the report is a list: what `-o csv` and `-o name` print. The first column is the name.
    fn rows(&self, _view: &View) -> Option<Table> {
        None
    }

    /// What `-o name` prints, where that is not the first column of the rows. What changed something has one always: that
    /// it cannot be shown must not be found out afterwards.
    fn names(&self) -> Option<Vec<String>> {
        None
    }

    /// The whole document, where this report can be one of this format ([`Format::is_document`]).
    fn document(&self, _format: Format) -> Option<String> {
        None
    }

    /// The frame, where `Context::show` is not given one.
    fn meta(&self) -> Meta {
        Meta::default()
    }
}
