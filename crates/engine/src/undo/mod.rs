//! Taking a change back.

pub mod audit;
pub mod flag;
pub mod rollout;
pub mod scale;
pub mod silence;

use serde::Serialize;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::flag::impact::ChangeImpact;
use crate::session::Session;
use liveops_domain::change::record::{ChangeRecord, ChangeState, undoable};
use liveops_domain::change::scope::Locality;
use liveops_domain::change::undo::Undo;
use liveops_domain::error::{Error, Result};

/// One kind of change, as it is reverted. Each noun has its own, in a file beside this.
pub trait Revert {
    /// What the undo comes to in the world as it is now.
    type Reverse;

    /// What came of it.
    type Result: Serialize;

    /// Looks at the world. It is asked twice: for the plan, and after the answer to the question.
    ///
    /// # Errors
    /// `DidNotHappen`; `Conflict` when somebody has changed it since.
    async fn decide(&self) -> Result<Self::Reverse, RevertFailure>;

    /// What to tell the person.
    fn step(&self, reverse: &Self::Reverse) -> Step;

    /// Does it, and says how to revert that in turn.
    async fn act(&self, reverse: &Self::Reverse, confirmed: &Confirmed) -> Result<Done<Self::Result>>;

    /// What else a person should know of the result.
    fn detail(&self, _result: &Self::Result) -> Option<String> {
        None
    }
}

/// An undo as a plan.
pub struct Step {
    /// What it does, in words.
    pub summary: String,
    /// What it does to flags, where it is about flags.
    pub flags: Option<ChangeImpact>,
    /// How it is reverted, as far as that is known before it is done.
    pub undo: Undo,
    /// Does it only make things safer? Then nothing may hold it up.
    pub safe_side: bool,
}

/// How a revert did not come about.
pub enum RevertFailure {
    /// The change itself did not happen.
    DidNotHappen(String),
    /// Nothing is left of it: a silence that has ended.
    Over(Error),
    Failed(Error),
}

impl From<Error> for RevertFailure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<RevertFailure> for Error {
    fn from(reverted: RevertFailure) -> Self {
        match reverted {
            RevertFailure::Failed(error) | RevertFailure::Over(error) => error,
            RevertFailure::DidNotHappen(why) => Self::Conflict {
                what: format!("there is nothing to undo: {why}"),
                hint: "`liveops undo --list` shows what can be undone".into(),
            },
        }
    }
}

/// Refuses what can be refused without asking anybody.
pub fn may(cx: &Session, record: &ChangeRecord, records: &[ChangeRecord]) -> Result<()> {
    let environment = cx.environment()?;
    let id = &record.id;
    let here = cx.change_scope()?;
    if record.environment != environment {
        return Err(Error::usage(
            format!("change {id} was made in `{}`, and this is `{environment}`", record.environment),
            format!("run `liveops undo {id} -e {}`", record.environment),
        ));
    }
    if here.locate(record) == Locality::Elsewhere {
        let project = |project: &Option<String>| match project {
            Some(project) => format!("project `{project}`"),
            None => "no project".to_owned(),
        };
        let there = record.origin.clone().unwrap_or_default();
        let why = if there.project == here.project {
            let kind = there.backend.map_or_else(|| "system".to_owned(), |backend| backend.kind);
            format!("change {id} was made to another {kind} than the one that is configured here")
        } else {
            format!("change {id} was made in {}, and this is {}", project(&there.project), project(&here.project))
        };
        let hint = format!("run it where the change was made; `liveops audit show {id}` has the command");
        return Err(Error::usage(why, hint));
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

/// The refusal for what has no way back. It names the change before it, which nobody should revert by accident.
pub fn impossible(
    cx: &Session,
    record: &ChangeRecord,
    records: &[ChangeRecord],
    (why, instead): (&str, &str),
) -> Error {
    let mut hint = format!("instead: `{}`", cx.command(instead));
    let here = cx.change_scope().unwrap_or_default();
    let is_here = |record: &ChangeRecord| here.locate(record) == Locality::Here;
    let before = undoable(records, is_here).into_iter().skip_while(|other| other.id != record.id).nth(1);
    if let Some(before) = before {
        hint.push_str(&format!(
            "; the change before it, {}, can be: `{}`",
            before.summary,
            cx.command(&format!("undo {}", before.id))
        ));
    }
    Error::Refused { why: format!("change {} ({}) cannot be undone: {why}", record.id, record.summary), hint }
}
