//! `liveops audit`: what was changed through liveops, by whom, and whether the record is whole.

pub(crate) mod list;
mod show;
mod verify;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::output::block::Tone;
use liveops_domain::change::record::{ChangeRecord, ChangeState};
use liveops_domain::error::{Exit, Result};

/// Read and verify the log of every change
///
/// Each change is written down before and after it is made. The lines are chained by hashes, so that an edited,
/// removed or reordered one is noticed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops audit list --since 24h
  liveops audit show c1a2b3c4d
  liveops audit verify")]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Verify(verify::VerifyArgs),
}

pub(crate) async fn run(args: AuditArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::List(args) => list::run(&args, cx),
        Verb::Show(args) => show::run(&args, cx),
        Verb::Verify(args) => verify::run(&args, cx),
    }
}

/// The tone of a change's state.
fn tone(state: ChangeState) -> Tone {
    match state {
        ChangeState::Done => Tone::Good,
        ChangeState::Undone => Tone::Dim,
        ChangeState::Failed => Tone::Bad,
        ChangeState::Unclear => Tone::Unknown,
        ChangeState::Unfinished => Tone::Warn,
    }
}

/// The state, and what there is to know with it.
fn state(record: &ChangeRecord) -> String {
    match (record.state, &record.undone_by) {
        (ChangeState::Undone, Some(by)) => format!("undone by {by}"),
        (ChangeState::Unfinished, _) => "unfinished: begun, and its end was never written".to_owned(),
        (ChangeState::Unclear, _) => "unclear: failed, and it may have happened".to_owned(),
        (state, _) => state.word().to_owned(),
    }
}

/// The moment before which changes are left out.
fn horizon(now: DateTime<Utc>, since: Option<std::time::Duration>) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(chrono::TimeDelta::from_std(since?).ok()?)
}
