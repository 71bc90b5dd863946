//! `liveops undo`: revert a change that was made through liveops, unless the world has moved on since.

mod flag;
mod rollout;
mod scale;
mod silence;

use clap::Args;
use serde_json::{Value, json};

use crate::change::{Confirmed, Done, Plan};
use crate::commands::audit::list::ChangeList;
use crate::commands::audit::{complaint, find, read};
use crate::commands::changed::ChangeReport;
use crate::commands::rollout::Rollouts;
use crate::commands::undo::flag::FlagChange;
use crate::commands::undo::scale::Scales;
use crate::commands::undo::silence::Silences;
use crate::context::Context;
use crate::domain::record::{ChangeRecord, ChangeState, undoable};
use crate::domain::undo::{Impossible, Undo};
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
        let possible = |record: &&ChangeRecord| record.undo.as_ref().is_some_and(Undo::is_possible);
        let candidates = candidates.into_iter().filter(possible).collect();
        return list(cx, candidates, complaint(&reading));
    }
    if let Some(complaint) = complaint(&reading) {
        cx.output.warn(&complaint);
    }
    match args.id {
        Some(id) => {
            let record = find(&records, &id)?;
            may(cx, record, &records)?;
            revert(cx, record, &records).await
        }
        None => {
            for record in candidates {
                match revert(cx, record, &records).await {
                    Err(Reverted::DidNotHappen(why)) => {
                        cx.output.note(&format!("{} ({}): {why}; looking further back", record.id, record.summary))
                    }
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

/// One kind of change, as it is reverted. Each noun has its own, in a file beside this.
trait Revert {
    /// What the undo comes to in the world as it is now.
    type Reverse;

    /// Looks at the world. It is asked twice: for the plan, and after the answer to the question.
    ///
    /// # Errors
    /// `DidNotHappen`; `Conflict` when somebody has changed it since.
    async fn decide(&self) -> Result<Self::Reverse, Reverted>;

    /// What to tell the person.
    fn step(&self, reverse: &Self::Reverse) -> Step;

    /// Does it, and says how to revert that in turn.
    ///
    /// # Errors
    /// As the outside system.
    async fn act(&self, reverse: &Self::Reverse, confirmed: &Confirmed) -> Result<Done>;

    /// What else a person should know of the result.
    fn detail(&self, _result: &Value) -> Option<String> {
        None
    }
}

/// An undo as a plan.
struct Step {
    /// What it does, in words.
    summary: String,
    /// What else there is to know.
    preview: Vec<Block>,
    /// How it is reverted, as far as that is known before it is done.
    undo: Undo,
    /// Does it only make things safer? Then nothing may hold it up.
    safe_side: bool,
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
    let report = ChangeList::new(changes, 0, "there is nothing to undo in this environment", warnings, next);
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// Refuses what can be refused without asking anybody.
fn may(cx: &Context, record: &ChangeRecord, records: &[ChangeRecord]) -> Result<()> {
    let environment = cx.environment()?;
    let id = &record.id;
    if record.environment != environment {
        return Err(Error::usage(
            format!("change {id} was made in `{}`, and this is `{environment}`", record.environment),
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
            hint: format!("`{}` reverts the last of that, {}", cx.command(&format!("undo {}", last.id)), last.summary),
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

async fn revert(cx: &Context, record: &ChangeRecord, records: &[ChangeRecord]) -> Result<Exit, Reverted> {
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

/// The refusal for what has no way back. It names the change before it, which nobody should revert by accident.
fn impossible(cx: &Context, record: &ChangeRecord, records: &[ChangeRecord], (why, instead): (&str, &str)) -> Error {
    let mut hint = format!("instead: `{}`", cx.command(instead));
    let before = undoable(records, &record.environment).into_iter().skip_while(|other| other.id != record.id).nth(1);
    if let Some(before) = before {
        hint.push_str(&format!(
            "; the change before it, {}, can be: `{}`",
            before.summary,
            cx.command(&format!("undo {}", before.id))
        ));
    }
    Error::Refused { why: format!("change {} ({}) cannot be undone: {why}", record.id, record.summary), hint }
}

async fn carry_out(cx: &Context, record: &ChangeRecord, kind: impl Revert) -> Result<Exit, Reverted> {
    let reverse = kind.decide().await?;
    let step = kind.step(&reverse);
    let mut preview = vec![
        Block::text(format!("change {} of {} at {}:", record.id, record.by, record.at.format("%FT%TZ"))),
        Block::text(format!("  {}", record.summary)),
    ];
    preview.extend(step.preview);
    let plan = Plan {
        action: "undo",
        summary: format!("{} (undoes {})", step.summary, record.id),
        preview,
        undo: Some(step.undo),
        kill_switch: step.safe_side,
        undoes: Some(record.id.clone()),
    };
    let summary = plan.summary.clone();
    let planned = json!({ "undoes": record.id });
    let mut detail = None;
    let changed = plan
        .carry_out(cx, async |confirmed| {
            // The answer to the question may have taken a while.
            let reverse = kind.decide().await?;
            let mut done = kind.act(&reverse, confirmed).await?;
            done.result["undoes"] = json!(record.id);
            detail = kind.detail(&done.result);
            Ok(done)
        })
        .await?;
    let mut report = ChangeReport::new(cx, "undo", summary, changed, planned)?;
    if let Some(detail) = detail {
        report = report.detail(detail);
    }
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}
