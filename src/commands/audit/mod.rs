//! `liveops audit`: what was changed through liveops, by whom, and whether the record is whole.

pub(crate) mod list;
mod show;
mod verify;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use crate::change::audit_log;
use crate::context::Context;
use crate::domain::record::{ChangeRecord, ChangeState, changes};
use crate::error::{Error, Exit, Result};
use crate::output::block::Tone;
use crate::stores::journal::Reading;

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

/// Everything that the audit log holds, and the changes in it, oldest first.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(cx: &Context) -> Result<(Reading, Vec<ChangeRecord>)> {
    let reading = audit_log(cx).read()?;
    let records = changes(&reading.events);
    Ok((reading, records))
}

/// What is wrong with the log, for commands that go on all the same.
pub(crate) fn complaint(reading: &Reading) -> Option<String> {
    match reading.faults.len() {
        0 => None,
        1 => Some("a line of the audit log is not as it was written; `liveops audit verify` shows it".into()),
        n => {
            Some(format!("{n} lines of the audit log are not as they were written; `liveops audit verify` shows them"))
        }
    }
}

/// The shortest beginning of an id that is taken for it.
const SHORTEST: usize = 4;

/// The change with this id, or the only one whose id begins so.
///
/// # Errors
/// `NotFound`, with the latest ids.
pub(crate) fn find<'a>(records: &'a [ChangeRecord], id: &str) -> Result<&'a ChangeRecord> {
    if let Some(exact) = records.iter().find(|record| record.id == id) {
        return Ok(exact);
    }
    let begins = |record: &&ChangeRecord| id.len() >= SHORTEST && record.id.starts_with(id);
    let found: Vec<&ChangeRecord> = records.iter().filter(begins).collect();
    match found.as_slice() {
        [only] => Ok(only),
        _ => Err(Error::NotFound {
            what: "change",
            name: id.to_owned(),
            candidates: records.iter().rev().map(|record| record.id.clone()).collect(),
        }),
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
