//! `liveops audit verify`: is every line as it was written, and is none missing?

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone::{mark, verdict};
use crate::output::view::View;
use liveops_domain::change::journal::Fault;
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::Verdict;
use liveops_domain::text::count::count;
use liveops_engine::undo::audit::{AuditCheck, verify};

/// Check that no line of the log or of an incident's journal was edited, removed or moved
///
/// Exit code 1, with each faulty line, when one was. A line that a crash left half-written is reported, and is no
/// fault: the next change sets it aside.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops audit verify
  liveops audit verify -o json | jq .data.faults")]
pub(crate) struct VerifyArgs {}

/// How whole the log is.
#[derive(Debug, Clone, Serialize)]
struct Verification {
    path: String,
    events: usize,
    changes: usize,
    /// Changes that were begun and have no end.
    unfinished: Vec<String>,
    faults: Vec<Fault>,
    /// The half-written last line.
    torn: Option<String>,
    /// Journals of incidents that are not as they were written.
    incidents: Vec<OddJournal>,
}

#[derive(Debug, Clone, Serialize)]
struct OddJournal {
    id: String,
    faults: Vec<String>,
}

impl Verification {
    fn verdict(&self) -> Verdict {
        match (self.faults.is_empty() && self.incidents.is_empty(), &self.torn) {
            (false, _) => Verdict::Fail,
            (true, Some(_)) => Verdict::Warn,
            (true, None) => Verdict::Pass,
        }
    }
}

impl Report for Verification {
    fn schema(&self) -> &'static str {
        "liveops.audit.verify/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let log = Self { incidents: Vec::new(), ..self.clone() };
        let tone = verdict(log.verdict());
        let said = match (self.events, self.faults.len()) {
            (0, 0) => " nothing was changed through liveops yet".to_owned(),
            (1, 0) => " 1 line, and it is as it was written".to_owned(),
            (n, 0) => format!(" {}, all as they were written", count(n, "line")),
            (_, 1) => " a line is not as it was written".to_owned(),
            (_, n) => format!(" {} are not as they were written", count(n, "line")),
        };
        let mut blocks = vec![Block::Line(vec![mark(tone, view), span(said, Tone::Strong)])];
        for fault in &self.faults {
            blocks.push(Block::Whole(vec![span(format!("  line {}: ", fault.line), Tone::Bad), plain(&fault.what)]));
        }
        if let Some(torn) = &self.torn {
            blocks.push(Block::Whole(vec![
                span("  the last line is half-written: ", Tone::Warn),
                plain(torn.chars().take(60).collect::<String>()),
            ]));
        }
        if !self.unfinished.is_empty() {
            blocks.push(Block::Whole(vec![
                span("  begun, and without an end: ", Tone::Warn),
                plain(self.unfinished.join(", ")),
            ]));
        }
        blocks.push(Block::Whole(vec![span(format!("  {}", self.path), Tone::Dim)]));
        for one in &self.incidents {
            blocks.push(Block::Whole(vec![
                mark(Tone::Bad, view),
                span(format!(" the journal of {} is not as it was written", one.id), Tone::Strong),
            ]));
            blocks.extend(one.faults.iter().map(|fault| Block::Whole(vec![plain(format!("  {fault}"))])));
        }
        blocks
    }
}

impl Verification {
    fn next(&self) -> String {
        match self.unfinished.last() {
            Some(id) => format!("liveops audit show {id}"),
            None => "liveops audit list".into(),
        }
    }
}

pub(super) fn run(_args: &VerifyArgs, cx: &Context) -> Result<Exit> {
    let AuditCheck { events, changes, unfinished, faults, torn, incidents } = verify(cx)?;
    let incidents = incidents.into_iter().map(|(id, faults)| OddJournal { id, faults }).collect();
    let path = cx.audit_log().path().display().to_string();
    let report = Verification { path, events, changes, unfinished, faults, torn, incidents };
    let meta = Meta { verdict: report.verdict(), ..Meta::next("next", report.next()) };
    cx.show_anywhere(&report, meta)?;
    Ok(match report.verdict() {
        Verdict::Fail => Exit::Bad,
        _ => Exit::Good,
    })
}
