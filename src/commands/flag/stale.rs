//! `liveops flag stale`: flags that have long been the same for everybody, and can leave the code.

use liveops_domain::text::count::count;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::commands::flag::labels;
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::Report;
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::stale::{Stale, stale};
use liveops_domain::text::shell::word;
use liveops_domain::text::time::rfc3339;
use liveops_engine::flag::catalog::{FlagCatalog, newest};
use liveops_engine::flagstore::FlagStore as _;

/// Days without a change after which a flag that is the same for everybody is stale.
pub(super) const AFTER: u64 = 30;

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
    #[arg(long, value_name = "N", default_value_t = AFTER)]
    days: u64,
}

impl Default for StaleArgs {
    fn default() -> Self {
        Self { days: AFTER }
    }
}

/// One flag.
#[derive(Debug, Serialize)]
struct StaleEntry {
    name: String,
    #[serde(flatten)]
    stale: Stale,
    by: String,
    reason: Option<String>,
}

/// The stale flags, the oldest first.
#[derive(Debug, Serialize)]
struct StaleList {
    days: u64,
    flags: Vec<StaleEntry>,
    /// Flags that the history says nothing about.
    untold: usize,
    #[serde(skip)]
    environment: String,
}

impl Report for StaleList {
    const SCHEMA: &'static str = "liveops.flag.stale/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        let heading = match self.flags.len() {
            0 => format!("no flag in {} has been the same for everybody for {} days", self.environment, self.days),
            n => format!(
                "{} in {}, the same for everybody for {} days or more",
                count(n, "flag"),
                self.environment,
                self.days
            ),
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
    let store = cx.flags()?;
    let (catalog, history) = tokio::join!(FlagCatalog::of(cx, &store), store.history(None, None));
    let (catalog, history) = (catalog?, history?);
    let newest = newest(&history);
    let after = Duration::from_secs(args.days.saturating_mul(86_400));
    let now = cx.clock.now();
    let mut flags = Vec::new();
    let mut untold = 0;
    for stored in &catalog.flags {
        let Some(last) = newest.get(stored.name.as_str()).filter(|last| last.after.as_ref() == Some(&stored.raw))
        else {
            untold += 1;
            continue;
        };
        flags.extend(stale(&stored.raw, last, now, after).map(|stale| StaleEntry {
            name: stored.name.clone(),
            stale,
            by: last.by.clone(),
            reason: last.reason.clone(),
        }));
    }
    flags.sort_by_key(|one| one.stale.since);
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
