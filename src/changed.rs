//! The report of every change: what happened, and how to revert it. One shape for all nouns.

use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::output::block::{Block, Tone, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::change::undo::{Impossible, Undo};
use liveops_domain::error::Result;
use liveops_domain::status::source::{Recommendation, Verdict};
use liveops_engine::change::confirmed::Confirmed;
use liveops_engine::change::{Changed, Done, Plan};

/// What a change did, or would do.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeReport<T = Value> {
    /// Its id in the audit log; none for a dry run, and where the audit log could not be written.
    id: Option<String>,
    action: &'static str,
    summary: String,
    dry_run: bool,
    /// Did anything change? Not in a dry run, and not where it was so already.
    pub(crate) changed: bool,
    /// What came of it; for a dry run, what is known of it beforehand.
    result: T,
    /// The command that reverts it.
    undo: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_undo: Option<NoUndo>,
    #[serde(skip)]
    environment: String,
    #[serde(skip)]
    details: Vec<String>,
    #[serde(skip)]
    warnings: Vec<String>,
    /// Said after the undo line: label and command.
    #[serde(skip)]
    next: Option<(&'static str, String)>,
}

/// A change that cannot be reverted.
#[derive(Debug, Serialize)]
struct NoUndo {
    why: String,
    /// The command that comes nearest.
    instead: String,
}

impl<T: Serialize> ChangeReport<T> {
    /// Carries a change out, and reports it; `planned` is its result when it is only a dry run.
    pub(crate) async fn of(
        cx: &Context,
        plan: Plan,
        preview: Vec<Block>,
        planned: T,
        act: impl AsyncFnOnce(&Confirmed) -> Result<Done<T>>,
    ) -> Result<Self> {
        let (action, summary) = (plan.action, plan.summary.clone());
        let changed = cx.change(plan, preview, act).await?;
        Self::new(cx, action, summary, changed, planned)
    }

    /// The report of a change; `planned` is its result when it is only a dry run.
    pub(crate) fn new(
        cx: &Context,
        action: &'static str,
        summary: String,
        changed: Changed<T>,
        planned: T,
    ) -> Result<Self> {
        let mut report = Self::nothing(cx, action, summary, planned)?;
        match changed {
            Changed::Planned => {
                report.dry_run = true;
                let real = cx.command_line.replacen(" --dry-run", "", 1);
                report.next = Some(("to do it", real));
            }
            Changed::Done { id, done } => {
                match done.undo {
                    Some(Undo::Impossible(Impossible::Nothing { why, instead })) => {
                        let instead = cx.command(&instead);
                        report.no_undo = Some(NoUndo { why, instead });
                    }
                    Some(undo) => {
                        report.undo = Some(cx.command(&match &id {
                            Some(id) => format!("undo {id}"),
                            None => undo.by_hand(),
                        }));
                    }
                    None => {}
                }
                report.id = id;
                report.result = done.result;
                report.changed = true;
            }
        }
        Ok(report)
    }

    /// The report of a change that was not needed.
    pub(crate) fn nothing(cx: &Context, action: &'static str, summary: String, result: T) -> Result<Self> {
        Ok(Self {
            id: None,
            action,
            summary,
            dry_run: false,
            changed: false,
            result,
            undo: None,
            no_undo: None,
            environment: cx.environment()?.to_owned(),
            details: Vec::new(),
            warnings: Vec::new(),
            next: None,
        })
    }

    /// Adds a line below what happened.
    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// After a dry run: the line that does it, where that is not the same without `--dry-run`.
    pub(crate) fn repeated_by(mut self, line: String) -> Self {
        if self.dry_run {
            self.next = Some(("to do it", line));
        }
        self
    }

    /// Adds warnings: on stderr for a person, in the envelope for a program.
    pub(crate) fn warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// Prints it.
    pub(crate) fn show(&self, cx: &Context) -> Result<()> {
        cx.output.show(self, cx.clock.now())
    }

    /// What came of it.
    pub(crate) fn result(&self) -> &T {
        &self.result
    }
}

impl<T: Serialize> Report for ChangeReport<T> {
    fn schema(&self) -> &'static str {
        "liveops.change/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let (tone, word) = match (self.dry_run, self.changed) {
            (true, _) => (Tone::Dim, "dry run, nothing is changed: "),
            (false, true) => (Tone::Good, "done: "),
            (false, false) => (Tone::Dim, "nothing to do: "),
        };
        let mut blocks = vec![Block::Whole(vec![
            tone::mark(tone, view),
            span(format!(" {word}"), tone),
            span(self.summary.clone(), Tone::Plain),
        ])];
        for detail in &self.details {
            blocks.push(Block::Whole(vec![span(format!("  {detail}"), Tone::Plain)]));
        }
        if let Some(undo) = &self.undo {
            blocks.push(Block::next("undo", undo));
        }
        if let Some(NoUndo { why, instead }) = &self.no_undo {
            blocks.push(Block::Whole(vec![span(format!("cannot be undone: {why}"), Tone::Dim)]));
            blocks.push(Block::next("next", instead));
        }
        if let Some((_, command)) = &self.next {
            blocks.push(Block::next("next", command));
        }
        blocks
    }

    fn meta(&self) -> Meta {
        let recommend = |text: &str, command: &String| Recommendation::new(text, command);
        let undo = self.undo.iter().map(|command| recommend("revert it", command));
        let next = self.next.iter().map(|(label, command)| recommend(label, command));
        Meta {
            environment: Some(self.environment.clone()),
            verdict: Verdict::Pass,
            recommendations: undo.chain(next).collect(),
            warnings: self.warnings.clone(),
            ..Meta::default()
        }
    }
}
