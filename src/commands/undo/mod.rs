//! `liveops undo`: revert a change that was made through liveops, unless the world has moved on since.

use clap::Args;
use serde::Serialize;

use crate::changed::ChangeReport;
use crate::commands::audit::list::ChangeList;
use crate::commands::flag::impact::blocks;
use crate::context::Context;
use crate::output::block::Block;
use liveops_domain::change::record::{ChangeRecord, undoable};
use liveops_domain::change::scope::Locality;
use liveops_domain::change::undo::{Impossible, Undo};
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::change::{Done, Plan};
use liveops_engine::rollout::undo::Rollouts;
use liveops_engine::undo::audit::{complaint, find, newest};
use liveops_engine::undo::flag::FlagChange;
use liveops_engine::undo::scale::Scales;
use liveops_engine::undo::silence::Silences;
use liveops_engine::undo::{Revert, RevertFailure, impossible, may};

/// Revert the last change, or the one with this id
///
/// Looks first whether what the change left behind is still so; if somebody has changed it since, nothing is done.
/// Without an id it takes the latest change of this environment that holds. An undo is itself a change: its id undoes
/// the undo.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops undo --list              # what can be undone
  liveops undo --dry-run           # what would be done
  liveops undo                     # revert the last change
  liveops undo c1a2b3c4d --yes     # revert this one")]
pub(crate) struct UndoArgs {
    /// Id of the change, or the beginning of it [default: the latest that holds]
    #[arg(value_name = "ID")]
    id: Option<String>,

    /// List what can be undone in this environment
    #[arg(long, conflicts_with = "id")]
    list: bool,

    /// List also what was changed in other projects, environments and systems; it is undone there
    #[arg(long, requires = "list")]
    everywhere: bool,
}

/// So many changes make a list.
const LISTED: usize = 100;

pub(crate) async fn run(args: UndoArgs, cx: &Context) -> Result<Exit> {
    let environment = cx.environment()?;
    let here = cx.change_scope()?;
    let is_here = |record: &ChangeRecord| here.locate(record) == Locality::Here;
    if let Some(id) = args.id {
        let (record, log) = find(cx, &id)?;
        if let Some(complaint) = complaint(log.faults) {
            cx.output.warn(&complaint);
        }
        may(cx, &record, &log.records)?;
        return revert(cx, &record, &log.records).await.map_err(Into::into);
    }
    let possible = |record: &&ChangeRecord| record.undo.as_ref().is_some_and(Undo::is_possible);
    let wanted = if args.list { LISTED } else { 1 };
    let log = newest(cx, |records| undoable(records, is_here).into_iter().filter(possible).count() >= wanted)?;
    let candidates = undoable(&log.records, is_here);
    if args.list {
        let next = candidates.iter().copied().find(possible).map(|first| first.id.clone());
        let all = undoable(&log.records, |_| true).into_iter().filter(possible);
        let listed: Vec<&ChangeRecord> =
            all.clone().filter(|one| args.everywhere || candidates.contains(one)).collect();
        let elsewhere = all.count() - listed.len();
        return list(cx, listed, elsewhere, next, complaint(log.faults));
    }
    if let Some(complaint) = complaint(log.faults) {
        cx.output.warn(&complaint);
    }
    for record in candidates {
        let why = match revert(cx, record, &log.records).await {
            Err(RevertFailure::DidNotHappen(why)) => why,
            Err(RevertFailure::Over(error)) => error.to_string(),
            done => return done.map_err(Into::into),
        };
        cx.output.note(&format!("{} ({}): {why}; looking further back", record.id, record.summary));
    }
    let older = if log.has_older { " among the newest changes; an older one is undone by its id" } else { "" };
    Err(Error::Refused {
        why: format!("there is nothing to undo in `{environment}`{older}"),
        hint: "`liveops audit list --everywhere` lists every change that you made, and where".into(),
    })
}

fn list(
    cx: &Context,
    candidates: Vec<&ChangeRecord>,
    elsewhere: usize,
    next: Option<String>,
    complaint: Option<String>,
) -> Result<Exit> {
    let next = cx.command(&match next {
        Some(id) => format!("undo {id}"),
        None => "audit list".into(),
    });
    let changes = candidates.into_iter().cloned().collect();
    let warnings = complaint.into_iter().collect();
    let report = ChangeList { changes, left_out: 0, elsewhere, empty: "there is nothing to undo in this environment" };
    report.show(cx, warnings, next)
}

async fn revert(cx: &Context, record: &ChangeRecord, records: &[ChangeRecord]) -> Result<Exit, RevertFailure> {
    let by_hand = || Error::Refused {
        why: format!("liveops does not know how to undo change {}", record.id),
        hint: format!("`liveops audit show {}` shows what it did; revert it by hand", record.id),
    };
    let certain = record.state.is_certain();
    match record.undo.as_ref().ok_or_else(by_hand)? {
        Undo::Silence(undo) => carry_out(cx, record, Silences::new(cx, undo, certain)?).await,
        Undo::Flag(undo) => carry_out(cx, record, FlagChange::new(cx, undo, record)?).await,
        Undo::Rollout(undo) => carry_out(cx, record, Rollouts::new(cx, undo, &record.id).await?).await,
        Undo::Scale(undo) => carry_out(cx, record, Scales::new(cx, undo)?).await,
        Undo::Impossible(Impossible::Nothing { why, instead }) => {
            Err(impossible(cx, record, records, (why, instead)).into())
        }
    }
}

/// What came of the undo.
#[derive(Serialize)]
struct Undone<T> {
    /// None in a dry run.
    #[serde(flatten)]
    result: Option<T>,
    undoes: String,
}

async fn carry_out(cx: &Context, record: &ChangeRecord, kind: impl Revert) -> Result<Exit, RevertFailure> {
    let reverse = kind.decide().await?;
    let step = kind.step(&reverse);
    let mut preview = vec![
        Block::text(format!("change {} of {} at {}:", record.id, record.by, record.at.format("%FT%TZ"))),
        Block::text(format!("  {}", record.summary)),
    ];
    preview.extend(step.flags.iter().flat_map(blocks));
    let plan = Plan {
        action: "undo",
        summary: format!("{} (undoes {})", step.summary, record.id),

        undo: Some(step.undo),
        kill_switch: step.safe_side,
        undoes: Some(record.id.clone()),
    };
    let result = |result| Undone { result, undoes: record.id.clone() };
    let mut detail = None;
    let mut report = ChangeReport::of(cx, plan, preview, result(None), async |confirmed| {
        // The answer to the question may have taken a while.
        let reverse = kind.decide().await?;
        let done = kind.act(&reverse, confirmed).await?;
        detail = kind.detail(&done.result);
        Ok(Done { result: result(Some(done.result)), undo: done.undo })
    })
    .await?;
    if let Some(detail) = detail {
        report = report.detail(detail);
    }
    report.show(cx)?;
    Ok(Exit::Good)
}
