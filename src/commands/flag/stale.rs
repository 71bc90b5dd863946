//! `liveops flag stale`: flags that have long been the same for everybody, and can leave the code.

use liveops_domain::text::count::count;

use clap::Args;
use serde::Serialize;

use crate::commands::flag::labels;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::Report;
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::shell::word;
use liveops_domain::text::time::rfc3339;
use liveops_engine::flag::stale::{AFTER_DAYS, StaleFlag, StaleFlags, stale_flags};

/// Find flags that decide nothing any more
///
/// Those that are on for everybody or off for everybody, and have not been changed for so long, by the history. Whether
/// a service still asks for them is not known here: search the code for the name before you take it away. A flag that
/// was changed past liveops is left out, since nobody knows when.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag stale
  liveops flag stale --days 90 -o name | xargs -n 1 git grep -n")]
pub(crate) struct StaleArgs {
    /// Unchanged for so many days
    #[arg(long, value_name = "N", default_value_t = AFTER_DAYS)]
    days: u64,
}

impl Default for StaleArgs {
    fn default() -> Self {
        Self { days: AFTER_DAYS }
    }
}

/// The stale flags, the oldest first.
#[derive(Debug, Serialize)]
struct StaleList {
    days: u64,
    flags: Vec<StaleFlag>,
    /// Flags that the history says nothing about.
    untold: usize,
    #[serde(skip)]
    environment: String,
}

impl Report for StaleList {
    fn schema(&self) -> &'static str {
        "liveops.flag.stale/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let days = count(usize::try_from(self.days).unwrap_or(usize::MAX), "day");
        let heading = match self.flags.len() {
            0 => format!("no flag in {} has been the same for everybody for {days}", self.environment),
            n => {
                format!("{} in {}, the same for everybody for {days} or more", count(n, "flag"), self.environment)
            }
        };
        let mut blocks = vec![Block::text(heading)];
        for one in &self.flags {
            let reason = one.reason.as_ref().map(|reason| format!(": {reason}"));
            blocks.push(Block::Line(vec![
                tone::mark(Tone::Dim, view),
                span(format!(" {}", one.name), Tone::Strong),
                plain(format!("  {}", one.stale)),
                span(format!(", by {}{}", one.by, reason.unwrap_or_default()), Tone::Dim),
            ]));
        }
        if self.untold > 0 {
            blocks.push(Block::Line(vec![span(
                format!("{} without a history, or changed past liveops: not judged", self.untold),
                Tone::Dim,
            )]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["name", "answer", "since", "days", "by", "reason"]);
        for one in &self.flags {
            table.row(vec![
                plain(&one.name),
                plain(one.stale.answer.word()),
                plain(rfc3339(one.stale.since)),
                plain(one.stale.days.to_string()),
                plain(&one.by),
                plain(one.reason.clone().unwrap_or_default()),
            ]);
        }
        Some(table)
    }
}

pub(super) async fn run(args: StaleArgs, cx: &Context) -> Result<Exit> {
    let StaleFlags { flags, untold, catalog } = stale_flags(cx, args.days).await?;
    let next = match flags.first() {
        Some(first) => {
            labels::command(cx, "when the code asks no more", &format!("flag rm {} --dry-run", word(&first.name)))
        }
        None => labels::command(cx, "all flags", "flag list"),
    };
    let report = StaleList { days: args.days, flags, untold, environment: catalog.environment };
    cx.show(&report, labels::frame(next, catalog.source))?;
    Ok(Exit::Good)
}
