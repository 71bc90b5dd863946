//! `liveops undo`: revert a change that was made through liveops, unless the world has moved on since.

mod act;

use clap::Args;
use serde_json::json;

use crate::change::{Done, Plan};
use crate::commands::audit::list::ChangeList;
use crate::commands::audit::{complaint, find, read};
use crate::commands::changed::ChangeReport;
use crate::commands::silence::alertmanager;
use crate::context::Context;
use crate::domain::record::{ChangeRecord, ChangeState, undoable};
use crate::domain::undo::{Reverse, Stale, Undo};
use crate::error::{Error, Exit, Result};
use crate::output::block::Block;

/// Revert the last change, or the one with this id
///
/// Looks first whether what the change left behind is still so; if somebody has changed it since, nothing is done.
/// Without an id it takes the latest change of this environment that holds. An undo is itself a change: its id undoes
/// the undo.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops undo --list              what can be undone
  liveops undo --dry-run           what would be done
  liveops undo                     revert the last change
  liveops undo c1a2b3c4d --yes     revert this one")]
pub(crate) struct UndoArgs {
    /// Id of the change, or the beginning of it [default: the latest that holds]
    #[arg(value_name = "ID")]
    id: Option<String>,

    /// List what can be undone in this environment
    #[arg(long, conflicts_with = "id")]
    list: bool,
}

pub(crate) async fn run(args: UndoArgs, cx: &Context) -> Result<Exit> {
    let (reading, records) = read(cx)?;
    let environment = cx.environment()?;
    let candidates = undoable(&records, environment);
    if args.list {
        return list(cx, candidates, complaint(&reading));
    }
    if let Some(complaint) = complaint(&reading) {
        cx.output.warn(&complaint);
    }
    match args.id {
        Some(id) => {
            let record = find(&records, &id)?;
            may(cx, record, &records)?;
            revert(cx, record).await
        }
        None => {
            for record in candidates {
                match revert(cx, record).await {
                    Err(Reverted::DidNotHappen(why)) => cx.output.note(&format!(
                        "{} ({}): {why}; looking further back",
                        record.id, record.summary
                    )),
                    done => return done.map_err(Into::into),
                }
            }
            Err(Reverted::Failed(Error::Refused {
                why: format!("there is nothing to undo in `{environment}`"),
                hint: "`liveops audit list` shows every change, of every environment".into(),
            }))
        }
    }
    .map_err(Into::into)
}

/// How a revert did not come about.
enum Reverted {
    /// The change itself did not happen.
    DidNotHappen(String),
    Failed(Error),
}

impl From<Error> for Reverted {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Reverted> for Error {
    fn from(reverted: Reverted) -> Self {
        match reverted {
            Reverted::Failed(error) => error,
            Reverted::DidNotHappen(why) => Self::Conflict {
                what: format!("there is nothing to undo: {why}"),
                hint: "`liveops undo --list` shows what can be undone".into(),
            },
        }
    }
}

fn list(cx: &Context, candidates: Vec<&ChangeRecord>, complaint: Option<String>) -> Result<Exit> {
    let next = cx.command(&match candidates.first() {
        Some(first) => format!("undo {}", first.id),
        None => "audit list".into(),
    });
    let changes = candidates.into_iter().cloned().collect();
    let warnings = complaint.into_iter().collect();
    let report = ChangeList::new(
        changes,
        0,
        "there is nothing to undo in this environment",
        warnings,
        next,
    );
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// Refuses what can be refused without asking anybody.
fn may(cx: &Context, record: &ChangeRecord, records: &[ChangeRecord]) -> Result<()> {
    let environment = cx.environment()?;
    let id = &record.id;
    if record.environment != environment {
        return Err(Error::usage(
            format!(
                "change {id} was made in `{}`, and this is `{environment}`",
                record.environment
            ),
            format!("run `liveops undo {id} -e {}`", record.environment),
        ));
    }
    if record.state == ChangeState::Undone {
        let mut last = record;
        // Undo and undo of undo form a chain; only its end can be reverted. The bound is for a log with a circle.
        for _ in 0..records.len() {
            let next = last.undone_by.as_ref();
            match next.and_then(|by| records.iter().find(|record| record.id == *by)) {
                Some(next) => last = next,
                None => break,
            }
        }
        let by = record.undone_by.as_deref().unwrap_or_default();
        return Err(Error::Conflict {
            what: format!("change {id} has been undone already, by {by}"),
            hint: format!(
                "`{}` reverts the last of that, {}",
                cx.command(&format!("undo {}", last.id)),
                last.summary
            ),
        });
    }
    if record.state == ChangeState::Failed {
        return Err(Error::Refused {
            why: format!(
                "change {id} failed, so there is nothing to undo: {}",
                record.error.as_deref().unwrap_or("no reason is written")
            ),
            hint: format!("`liveops audit show {id}` shows it"),
        });
    }
    Ok(())
}

async fn revert(cx: &Context, record: &ChangeRecord) -> Result<Exit, Reverted> {
    let undo = record.undo.clone().ok_or_else(|| Error::Refused {
        why: format!("liveops does not know how to undo change {}", record.id),
        hint: format!(
            "`liveops audit show {}` shows what it did; revert it by hand",
            record.id
        ),
    })?;
    let certain = record.state.is_certain();
    let client = alertmanager(cx)?;
    let decide = async || -> Result<Reverse, Reverted> {
        let silences = client.silences().await?;
        undo.decide(&silences, cx.clock.now(), certain)
            .map_err(|why| stale(cx, &undo, &why))
    };
    let reverse = decide().await?;
    let summary = act::summary(&reverse);
    let plan = Plan {
        action: "undo",
        summary: format!("{summary} (undoes {})", record.id),
        preview: vec![
            Block::text(format!(
                "change {} of {} at {}:",
                record.id,
                record.by,
                record.at.format("%FT%TZ")
            )),
            Block::text(format!("  {}", record.summary)),
        ],
        undo: Some(act::undo(&reverse)),
        kill_switch: undo.is_safe_side(),
        undoes: Some(record.id.clone()),
    };
    let summary = plan.summary.clone();
    let planned = json!({ "undoes": record.id });
    let changed = plan
        .carry_out(cx, async |confirmed| {
            // The answer to the question may have taken a while.
            let reverse = decide().await?;
            let (silence, undo) =
                act::carry_out(&client, &reverse, cx.clock.now(), confirmed).await?;
            Ok(Done {
                result: json!({ "undoes": record.id, "silence": silence }),
                undo: Some(undo),
            })
        })
        .await?;
    let report = ChangeReport::new(cx, "undo", summary, changed, planned)?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// The error for a world that has moved on.
fn stale(cx: &Context, undo: &Undo, why: &Stale) -> Reverted {
    let look = format!("look at it: `{}`", cx.command("silence list --all"));
    let by_hand = format!("to do it by hand: `{}`", cx.command(&undo.by_hand()));
    let hint = match why {
        Stale::DidNotHappen(_) => return Reverted::DidNotHappen(why.to_string()),
        Stale::Expired { .. } | Stale::Exists { .. } => look,
        Stale::Changed { id, .. } => {
            format!(
                "{look}; to end it all the same: `{}`",
                cx.command(&format!("silence expire {id}"))
            )
        }
        Stale::Gone { .. } | Stale::Over { .. } => by_hand,
    };
    Reverted::Failed(Error::Conflict {
        what: why.to_string(),
        hint,
    })
}
