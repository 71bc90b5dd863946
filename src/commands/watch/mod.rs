//! `liveops watch`: the status as a screen to operate from. It has no logic of its own: what it shows is the report of
//! `status`, what it opens is the output of a command, what it changes goes through the command that is typed for it.

mod ansi;
mod board;
mod completion;
mod draw;
mod filter;
mod keys;
mod run;
#[cfg(test)]
mod screens;
mod sections;
mod sources;
mod state;
mod terminal;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::ValueHint;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::text::duration::parse_interval;
use liveops_engine::files::recording;

use crate::commands::watch::board::Board;
use crate::commands::watch::run::{Watch, no_screen};
use crate::context::Context;

/// The smallest screen, in columns and rows.
const SMALLEST: (u16, u16) = (60, 15);

/// Watch everything on one screen, open what is wrong, and act on it
///
/// The verdict first, then the open incident, what is not normal, what changed, rollouts, flags; what is normal is
/// folded. Enter opens a line, `:` runs any liveops command, `u` undoes, `[` and `]` go back and forth in time, `?` shows all keys. Every change asks as on
/// the command line.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  liveops watch
  liveops watch --service game-backend --interval 2s
  liveops watch --record last-night.jsonl
  liveops watch --replay last-night.jsonl          # [ and ] go back and forth")]
pub(crate) struct WatchArgs {
    /// Only this service; may be repeated
    #[arg(short, long, value_name = "NAME")]
    pub(crate) service: Vec<String>,

    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_interval)]
    pub(crate) interval: Duration,

    /// Write what is seen to a new file, a JSON object a look
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "replay")]
    pub(crate) record: Option<PathBuf>,

    /// Show what was recorded; nothing is asked
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) replay: Option<PathBuf>,
}

impl WatchArgs {
    /// Would lines not do?
    pub(crate) fn needs_screen(&self) -> bool {
        self.record.is_some() || self.replay.is_some()
    }
}

/// Can the screen be taken here? Otherwise the lines of `status --watch` serve.
pub(crate) fn has_room(cx: &Context) -> bool {
    let (columns, rows) = terminal::dimensions();
    cx.output.has_screen() && columns >= SMALLEST.0 && rows >= SMALLEST.1
}

pub(crate) async fn run(args: WatchArgs, cx: &Context) -> Result<Exit> {
    cx.services(&args.service)?;
    let replay = args.replay.as_deref().map(looks).transpose()?;
    if !has_room(cx) {
        return Err(no_screen());
    }
    let watch = Watch { cx, services: &args.service, interval: args.interval };
    watch.run(args.record.as_deref(), replay).await
}

/// The looks of a recording: each is the one before with what changed.
fn looks(path: &std::path::Path) -> Result<Vec<Board>> {
    let changes: Vec<Board> = recording::read(path)?;
    let mut looks: Vec<Board> = Vec::with_capacity(changes.len());
    for change in changes {
        let look = match looks.last() {
            Some(before) => before.with(change),
            None => change,
        };
        looks.push(look);
    }
    if looks.is_empty() {
        return Err(Error::usage(
            format!("`{}` holds no look", path.display()),
            "`liveops watch --record FILE` records one at each look",
        ));
    }
    Ok(looks)
}
