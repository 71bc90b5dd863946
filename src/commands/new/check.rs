//! `liveops new --check`: are the files what would be written now?

use std::path::PathBuf;

use serde::Serialize;

use crate::commands::new::list::{rows, state};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_domain::text::count::count;
use liveops_engine::document::store::{Document, Standing, check};

#[derive(Debug, Serialize)]
struct DocumentsCheck {
    documents: Vec<Document>,
    stale: usize,
    edited: usize,
    questions: usize,
}

pub(super) fn run(paths: &[PathBuf], cx: &Context) -> Result<Exit> {
    let documents = check(cx, paths)?;
    if documents.is_empty() {
        return Err(Error::usage(
            "there is nothing to check: no file of the project was written by `liveops new`",
            "see what can be written with `liveops new --list`",
        ));
    }
    let many = |state: Standing| documents.iter().filter(|one| one.state == state).count();
    let report = DocumentsCheck {
        stale: many(Standing::Stale),
        edited: many(Standing::Edited),
        questions: documents.iter().map(|one| one.questions).sum(),
        documents,
    };
    let verdict = if report.stale + report.edited == 0 { Verdict::Pass } else { Verdict::Fail };
    let steps = report.documents.iter().filter(|one| one.state != Standing::UpToDate).take(2);
    let steps = steps.map(|one| Recommendation::new("refresh it", one.command.clone())).collect();
    cx.show(&report, Meta { verdict, ..Meta::steps(steps) })?;
    Ok(verdict.into())
}

impl Report for DocumentsCheck {
    fn schema(&self) -> &'static str {
        "liveops.new.check/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let bad: Vec<&Document> = self.documents.iter().filter(|one| one.state != Standing::UpToDate).collect();
        let (tone, title) = match bad.len() {
            0 => (Tone::Good, format!("{} up to date", count(self.documents.len(), "document"))),
            n => (Tone::Bad, format!("{n} of {} not up to date", count(self.documents.len(), "document"))),
        };
        let mut blocks = vec![Block::Whole(vec![tone::mark(tone, view), span(format!(" {title}"), tone)])];
        if self.questions > 0 {
            blocks.push(Block::text(format!("  {} open: look for `TODO(`", count(self.questions, "question"))));
        }
        for one in bad {
            blocks.push(Block::Blank);
            let mut line = vec![state(one.state), plain(format!(" {}", one.path))];
            if !one.edited.is_empty() {
                line.push(plain(format!(": edited by hand: {}", one.edited.join(", "))));
            }
            if let Some(error) = &one.error {
                line.push(plain(format!(": {error}")));
            }
            blocks.push(Block::Whole(line));
            for line in one.diff.iter().flat_map(|diff| diff.lines()) {
                let tone = match line.chars().next() {
                    Some('+') => Tone::Good,
                    Some('-') => Tone::Bad,
                    _ => Tone::Dim,
                };
                blocks.push(Block::Whole(vec![span(line, tone)]));
            }
            blocks.push(Block::text(format!("refresh it: {}", one.command)));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        Some(rows(&self.documents))
    }
}
