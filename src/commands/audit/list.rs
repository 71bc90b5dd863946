//! `liveops audit list`: the changes, one entry each, the latest first.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::commands::audit::{horizon, state, tone};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone::mark;
use crate::output::view::View;
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::change::scope::Locality;
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::Verdict;
use liveops_domain::text::count::count;
use liveops_domain::text::duration;
use liveops_domain::text::time::rfc3339;
use liveops_engine::undo::audit::{complaint, newest, total};

/// List the changes that were made, the latest first
///
/// Of this project, environment and its systems; `--everywhere` lists what you did elsewhere, too. An old record that
/// has no place is listed as `place unknown`. A change that was begun and has no end is shown as unfinished: liveops was killed, or is
/// still at it; `liveops undo ID` finds out whether it happened.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops audit list
  liveops audit list --since 24h --limit 100 -o csv
  liveops audit list --everywhere")]
pub(crate) struct ListArgs {
    /// Only changes of this long, such as 24h
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    since: Option<Duration>,

    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// Also changes of other projects, environments and systems
    #[arg(long)]
    everywhere: bool,
}

/// Changes of the audit log.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeList {
    pub(crate) changes: Vec<ChangeRecord>,
    /// Changes that the conditions left out.
    pub(crate) left_out: usize,
    /// Changes that were made elsewhere.
    pub(crate) elsewhere: usize,
    /// What is said when it has nothing.
    #[serde(skip)]
    pub(crate) empty: &'static str,
}

impl ChangeList {
    /// Prints it.
    pub(crate) fn show(&self, cx: &Context, warnings: Vec<String>, next: String) -> Result<Exit> {
        let verdict = if warnings.is_empty() { Verdict::Pass } else { Verdict::Warn };
        cx.show_anywhere(self, Meta { verdict, warnings, ..Meta::next("next", next) })?;
        Ok(Exit::Good)
    }
}

impl Report for ChangeList {
    fn schema(&self) -> &'static str {
        "liveops.audit.list/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        for record in &self.changes {
            let tone = tone(record);
            // Whole: how it ended stands last, and must not be cut.
            blocks.push(Block::Whole(vec![
                mark(tone, view),
                span(format!(" {}", record.id), Tone::Strong),
                plain(format!("  {}, {} in {}, ", view.time(record.at), record.by, record.place())),
                span(state(record), tone),
            ]));
            blocks.push(Block::Whole(vec![plain(format!("    {}", record.summary))]));
        }
        if self.changes.is_empty() {
            blocks.push(Block::text(self.empty));
        }
        if self.left_out > 0 {
            blocks.push(Block::Line(vec![span(
                format!("{} more; `--limit` and `--since` widen the view", self.left_out),
                Tone::Dim,
            )]));
        }
        if self.elsewhere > 0 {
            let text = format!("{} elsewhere; `--everywhere` lists them", count(self.elsewhere, "change"));
            blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table =
            Table::new(["id", "time", "by", "environment", "action", "state", "undone_by", "summary", "project"]);
        for record in &self.changes {
            table.row(vec![
                plain(&record.id),
                plain(rfc3339(record.at)),
                plain(&record.by),
                plain(&record.environment),
                plain(&record.action),
                plain(record.state.word()),
                plain(record.undone_by.clone().unwrap_or_default()),
                plain(&record.summary),
                plain(record.origin.as_ref().map_or("unknown", |origin| origin.project.as_deref().unwrap_or_default())),
            ]);
        }
        Some(table)
    }
}

pub(super) fn run(args: &ListArgs, cx: &Context) -> Result<Exit> {
    // Where the configuration cannot be read, nobody knows what is elsewhere.
    let here = cx.change_scope().ok().filter(|_| !args.everywhere);
    let is_here = |record: &ChangeRecord| here.as_ref().is_none_or(|here| here.locate(record) != Locality::Elsewhere);
    let horizon = horizon(cx.clock.now(), args.since);
    let recent = |record: &ChangeRecord| horizon.is_none_or(|horizon| record.at >= horizon);
    let here_of = |records: &[ChangeRecord]| records.iter().filter(|record| is_here(record)).count();
    let reaches = |records: &[ChangeRecord]| records.first().is_some_and(|first| !recent(first));
    let log = newest(cx, |records| here_of(records) >= args.limit || reaches(records))?;
    let all = if log.has_older { total(cx)? } else { log.records.len() };
    let total = all - (log.records.len() - here_of(&log.records));
    let wanted = |record: &ChangeRecord| recent(record) && is_here(record);
    let shown: Vec<ChangeRecord> = log.records.into_iter().rev().filter(wanted).take(args.limit).collect();
    let next = match shown.first() {
        Some(first) => format!("liveops audit show {}", first.id),
        None => "liveops audit verify".into(),
    };
    let empty = if all == 0 {
        "nothing was changed through liveops yet"
    } else if total == 0 {
        "nothing was changed through liveops here"
    } else {
        "nothing was changed in this time"
    };
    let warnings = complaint(log.faults).into_iter().collect();
    ChangeList { left_out: total - shown.len(), elsewhere: all - total, changes: shown, empty }.show(cx, warnings, next)
}
