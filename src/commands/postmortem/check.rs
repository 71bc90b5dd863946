//! `liveops postmortem check`: what a document still lacks.

use liveops_domain::text::count::count;
use std::io::ErrorKind;

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::postmortem::check::{ActionItem, Finding, check};
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_domain::text::shell::word;
use liveops_domain::text::time::rfc3339;
use liveops_engine::files::open::read_text;
use liveops_engine::postmortem::source;

/// Check what a postmortem still lacks
///
/// Looks for what is left to fill in, missing sections, an impact without numbers, action items without an owner or a
/// date or past it, words of blame, and the deadline (48 hours for P1 and P2). Exit code 1 when something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops postmortem check
  liveops postmortem check matchmaking-down -o json")]
pub(crate) struct CheckArgs {
    /// Incident, or a part of its id [default: the last without a postmortem]
    #[arg(value_name = "ID")]
    pub(super) id: Option<String>,
}

/// A document, checked.
#[derive(Debug, Serialize)]
pub(super) struct PostmortemCheck {
    pub(super) incident: String,
    path: String,
    due: Option<String>,
    pub(super) findings: Vec<Finding>,
    action_items: Vec<ActionItem>,
}

pub(super) fn run(args: &CheckArgs, cx: &Context) -> Result<Exit> {
    let report = look(args.id.as_deref(), cx)?;
    report.show(cx)
}

/// Reads and checks the document of an incident. That there is none is a finding once it is owed.
pub(super) fn look(id: Option<&str>, cx: &Context) -> Result<PostmortemCheck> {
    let log = source::which(cx, id)?;
    let one = &log.incident;
    let now = cx.clock.now();
    let path = source::document(cx, &one.id)?;
    let due = source::due(cx, one, now)?;
    let text = match read_text(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(source) => {
            return Err(Error::Io { action: "read", path, source });
        }
    };
    let (findings, action_items) = match &text {
        Some(text) => check(text, due, one.postmortem.at().is_some(), now),
        None => {
            let message = match due {
                Some(due) if due < now => {
                    format!("it is not written, and was due at {}", rfc3339(due))
                }
                Some(due) => format!("it is not written; due at {}", rfc3339(due)),
                None => "it is not written".to_owned(),
            };
            let finding = Finding { kind: "not_written", line: None, message };
            (vec![finding], Vec::new())
        }
    };
    Ok(PostmortemCheck {
        incident: one.id.clone(),
        path: path.display().to_string(),
        due: due.map(rfc3339),
        findings,
        action_items,
    })
}

impl PostmortemCheck {
    fn next(&self) -> Recommendation {
        let id = word(&self.incident);
        if self.findings.iter().any(|one| one.kind == "not_written") {
            Recommendation::new("write it", format!("liveops postmortem new {id}"))
        } else if self.findings.is_empty() {
            Recommendation::new("close it", format!("liveops postmortem done {id}"))
        } else {
            Recommendation::new("check again", format!("liveops postmortem check {id}"))
        }
    }

    /// Prints it.
    pub(super) fn show(&self, cx: &Context) -> Result<Exit> {
        let verdict = self.verdict();
        cx.show_anywhere(self, Meta { verdict, ..Meta::steps(vec![self.next()]).dense() })?;
        Ok(verdict.into())
    }

    fn verdict(&self) -> Verdict {
        if self.findings.is_empty() { Verdict::Pass } else { Verdict::Fail }
    }
}

impl Report for PostmortemCheck {
    const SCHEMA: &'static str = "liveops.postmortem.check/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let tone = tone::verdict(self.verdict());
        let head = match self.findings.len() {
            0 => format!(" {}: nothing is missing", self.path),
            n => format!(" {}: {}", self.path, count(n, "finding")),
        };
        let mut blocks = vec![Block::Whole(vec![tone::mark(tone, view), span(head, tone)])];
        for finding in &self.findings {
            let line = finding.line.map_or_else(String::new, |line| format!("line {line}: "));
            blocks.push(Block::Whole(vec![plain(format!("  {line}{}", finding.message))]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["kind", "line", "message"]);
        for finding in &self.findings {
            table.row(vec![
                plain(finding.kind),
                plain(finding.line.map_or_else(String::new, |n| n.to_string())),
                span(&finding.message, Tone::Plain),
            ]);
        }
        Some(table)
    }
}
