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
use liveops_domain::rollout::state::Phase;

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
fn tone(record: &ChangeRecord) -> Tone {
    match record.state {
        ChangeState::Done if came_back(record) => Tone::Warn,
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
        (ChangeState::Done, _) if came_back(record) => "rolled back".to_owned(),
        (state, _) => state.word().to_owned(),
    }
}

/// A rollout that ended where it began.
fn came_back(record: &ChangeRecord) -> bool {
    let phase = record.result.as_ref().and_then(|result| result.get("phase"));
    phase.and_then(|phase| serde_json::from_value::<Phase>(phase.clone()).ok()).is_some_and(Phase::is_back)
}

/// The moment before which changes are left out.
fn horizon(now: DateTime<Utc>, since: Option<std::time::Duration>) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(chrono::TimeDelta::from_std(since?).ok()?)
}
