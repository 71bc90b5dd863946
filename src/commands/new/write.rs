//! `liveops new KIND`: writes one document, or only shows it.

use std::path::Path;

use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::document::block::open_questions;
use liveops_domain::document::kind::{Kind, Options};
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;
use liveops_engine::document::render::render;
use liveops_engine::document::runbooks::write_missing;
use liveops_engine::document::store::{Written, draft, place, write};

/// What was written.
#[derive(Debug, Serialize)]
struct NewDocument {
    kind: Kind,
    path: String,
    state: Written,
    /// Questions that are open in it.
    questions: usize,
    /// The template of the project that was used.
    template: Option<String>,
    /// The copy of what `--force` replaced.
    copy: Option<String>,
    /// Runbooks that were written with the rules.
    runbooks: Vec<String>,
    dry_run: bool,
    /// With `--dry-run`, what would be in it.
    text: Option<String>,
}

pub(super) fn run(kind: Kind, options: &Options, out: Option<&Path>, force: bool, cx: &Context) -> Result<Exit> {
    let dry_run = cx.choices.dry_run;
    if cx.is_read_only()? && !dry_run {
        return Err(Error::Refused {
            why: "read-only: will not write a document".into(),
            hint: "leave out `--read-only`, or look with `--dry-run`".into(),
        });
    }
    let rendered = render(cx, kind, options)?;
    let draft = draft(place(cx, kind, options, out)?, &rendered.text, kind, force)?;
    let mut copy = None;
    let mut runbooks = Vec::new();
    if !dry_run {
        copy = write(&draft)?;
        let alerts: Vec<_> = rendered.alerts.iter().map(|alert| (alert.name.clone(), alert.service.clone())).collect();
        runbooks = write_missing(cx, &alerts, &draft.text, &draft.place.shown)?;
    }
    let report = NewDocument {
        kind,
        questions: open_questions(&draft.text),
        state: draft.written,
        template: rendered.template,
        copy,
        runbooks,
        dry_run,
        text: dry_run.then_some(draft.text),
        path: draft.place.shown,
    };
    cx.show(&report, Meta::steps(report.next()).dense())?;
    Ok(Exit::Good)
}

impl NewDocument {
    fn next(&self) -> Vec<Recommendation> {
        if self.dry_run {
            return Vec::new();
        }
        let path = word(&self.path);
        // The rules beside it count, too: those of the SLOs have runbooks of their own.
        let rules = Path::new(&self.path).parent().and_then(Path::to_str).filter(|folder| !folder.is_empty());
        let next = match self.kind {
            Kind::Prometheus => ("have it checked", format!("promtool check config {path}")),
            Kind::AlertRules => (
                "check runbooks and rules",
                format!("liveops runbook check --rules {}", word(rules.unwrap_or(&self.path))),
            ),
            Kind::Alertmanager => ("have it checked", format!("amtool check-config {path}")),
            _ => ("see all", "liveops new --list".into()),
        };
        vec![Recommendation::new(next.0, next.1)]
    }
}

impl Report for NewDocument {
    fn schema(&self) -> &'static str {
        "liveops.new/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        if let Some(text) = &self.text {
            let mut blocks: Vec<Block> = text.lines().map(|line| Block::Whole(vec![plain(line)])).collect();
            let note = format!("dry run, nothing is written: this would be {}", self.path);
            blocks.push(Block::Line(vec![span(note, Tone::Dim)]));
            return blocks;
        }
        let what = match self.state {
            Written::Created => "is written",
            Written::Refreshed => "is refreshed",
            Written::Unchanged => "is up to date",
        };
        let mut blocks =
            vec![Block::Whole(vec![tone::mark(Tone::Good, view), plain(format!(" {} {what}", self.path))])];
        if let Some(copy) = &self.copy {
            blocks.push(Block::text(format!("  what was there before: {copy}")));
        }
        if !self.runbooks.is_empty() {
            let one = count(self.runbooks.len(), "runbook");
            blocks.push(Block::text(format!("  {one} written for alerts that had none")));
        }
        if self.questions > 0 {
            let one = count(self.questions, "question");
            blocks.push(Block::text(format!("  {one} that only you can answer: look for `TODO(`")));
        }
        blocks
    }
}
