//! The one path of a mutation: plan → confirm → journal → act → journal → undo hint. Nothing else can make a
//! [`Confirmed`], and every client method that changes something takes one.

use serde_json::{Value, json};

use crate::context::Context;
use crate::domain::undo::Undo;
use crate::error::{Error, Result};
use crate::output::block::{Block, plain};
use crate::output::prompt;
use crate::stores::journal::Journal;

/// Permission to change the world. Only this module makes one. It knows the id that the change has in the audit log,
/// so that what it leaves behind elsewhere can be found by it.
#[derive(Debug)]
#[must_use]
pub(crate) struct Confirmed {
    id: String,
}

#[cfg(test)]
impl Confirmed {
    /// For the tests of what may only be done when it is confirmed.
    pub(crate) fn for_test() -> Self {
        Self { id: "c0".into() }
    }
}

/// What is going to happen, for the person to judge.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Machine name of the change, such as `silence.add`.
    pub(crate) action: &'static str,
    /// One line: `silence 3 alerts for 2h`.
    pub(crate) summary: String,
    /// The preview.
    pub(crate) preview: Vec<Block>,
    /// The undo, as far as it is known before the act: what `undo` looks for when the end is not in the audit log.
    pub(crate) undo: Option<Undo>,
    /// Takes effect on the safe side (expire, kill, abort): acts even when the audit log cannot be written.
    pub(crate) kill_switch: bool,
    /// The change that this one reverts.
    pub(crate) undoes: Option<String>,
}

/// What the act did.
#[derive(Debug)]
pub(crate) struct Done {
    /// The result, for the report and the audit log.
    pub(crate) result: Value,
    /// How to revert it.
    pub(crate) undo: Option<Undo>,
}

/// How the change went.
#[derive(Debug)]
pub(crate) enum Changed {
    /// `--dry-run`: nothing happened.
    Planned,
    /// It happened. Without an id it is not in the audit log (a kill switch does not wait for that).
    Done { id: Option<String>, done: Box<Done> },
}

/// The audit log of this user.
pub(crate) fn audit_log(cx: &Context) -> Journal {
    Journal::at(cx.dirs.state.join("audit.jsonl"))
}

impl Confirmed {
    /// The change's id in the audit log.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// Permission without a question, for what is a record of its own and must never be held up at night: an incident's
/// journal, and telling people of it. `None` for a dry run.
///
/// # Errors
/// `Refused` with `--read-only`.
pub(crate) fn unasked(cx: &Context, summary: &str) -> Result<Option<Confirmed>> {
    if cx.global.dry_run {
        return Ok(None);
    }
    refuse_read_only(cx, summary)?;
    // It is in a journal of its own, and in no audit log.
    Ok(Some(Confirmed { id: String::new() }))
}

fn refuse_read_only(cx: &Context, summary: &str) -> Result<()> {
    if !cx.is_read_only()? {
        return Ok(());
    }
    Err(Error::Refused {
        why: format!("read-only: will not {summary}"),
        hint: "leave out `--read-only`, or look at `read_only` in `liveops config show --origin`; `--dry-run` shows the plan".into(),
    })
}

impl Plan {
    /// Asks, journals, acts. With `--dry-run` it stops after the preview, which `--read-only` allows too.
    ///
    /// # Errors
    /// `Refused` (read-only, not confirmed), `Io` when the audit log cannot be written before the act, whatever the
    /// act fails with, and `HalfDone` when it was done but could not be journalled.
    pub(crate) async fn carry_out(
        self,
        cx: &Context,
        act: impl AsyncFnOnce(&Confirmed) -> Result<Done>,
    ) -> Result<Changed> {
        if !cx.global.dry_run {
            refuse_read_only(cx, &self.summary)?;
        }
        let mut preview = self.preview.clone();
        let tail = if cx.global.dry_run { " (dry run: nothing is changed)" } else { "" };
        preview.push(Block::Whole(vec![plain(format!("{}{tail}", self.summary))]));
        // A program reads the plan from the report, and wants no prose beside the one object of an error.
        let read_by_person = prompt::can_prompt() || !cx.output.format().is_machine();
        if (cx.global.dry_run || !cx.global.yes) && read_by_person {
            cx.output.show_plan(&preview, cx.clock.now());
        }
        if cx.global.dry_run {
            return Ok(Changed::Planned);
        }
        self.confirm(cx)?;
        let id = format!("c{:08x}", fastrand::u32(..));
        let confirmed = Confirmed { id: id.clone() };
        let begun = self.begin(cx, &id)?;
        cx.interrupts.hold();
        let done = act(&confirmed).await;
        let written = self.end(cx, &id, &done);
        cx.interrupts.release();
        let done = done?;
        match written {
            Ok(ended) => Ok(Changed::Done { id: (begun && ended).then_some(id), done: Box::new(done) }),
            Err(error) => Err(Error::HalfDone {
                done: self.summary,
                left: format!("its end is not in the audit log: {error}"),
                command: match &done.undo {
                    Some(undo) => cx.command(&undo.by_hand()),
                    None => cx.command(&format!("audit show {id}")),
                },
            }),
        }
    }

    fn confirm(&self, cx: &Context) -> Result<()> {
        if cx.global.yes {
            return Ok(());
        }
        let environment = cx.environment()?;
        if !prompt::can_prompt() {
            return Err(Error::Refused {
                why: format!("not confirmed, and nobody can be asked here: {}", self.summary),
                hint: "pass `--yes` to do it, `--dry-run` to look".into(),
            });
        }
        let agreed = if cx.config()?.settings.protected && !self.kill_switch {
            let question = format!("`{environment}` is protected; type its name to go on");
            prompt::text(&question, Some(""))? == environment
        } else {
            prompt::confirm(&format!("go on in `{environment}`?"))?
        };
        if agreed {
            Ok(())
        } else {
            Err(Error::Refused {
                why: "not confirmed; nothing was changed".into(),
                hint: "run it again when you are sure".into(),
            })
        }
    }

    /// Writes the beginning down; `false` when a kill switch goes on without.
    fn begin(&self, cx: &Context, id: &str) -> Result<bool> {
        let data = json!({
            "id": id,
            "action": self.action,
            "environment": cx.environment()?,
            "summary": self.summary,
            "command": cx.command_line,
            "undo": self.undo,
            "undoes": self.undoes,
        });
        let written = audit_log(cx).append(cx.clock.now(), &cx.actor, "change.begun", data);
        match written {
            Ok(_) => Ok(true),
            Err(error) if self.kill_switch => {
                cx.output.warn(&format!("the audit log cannot be written, going on: {error}"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn end(&self, cx: &Context, id: &str, done: &Result<Done>) -> Result<bool> {
        let (kind, data) = match done {
            Ok(done) => (
                "change.done",
                json!({ "id": id, "action": self.action, "result": done.result, "undo": done.undo, "undoes": self.undoes }),
            ),
            Err(error) => (
                "change.failed",
                json!({ "id": id, "action": self.action, "error": error.to_string(), "kind": error.kind() }),
            ),
        };
        match audit_log(cx).append(cx.clock.now(), &cx.actor, kind, data) {
            Ok(_) => Ok(true),
            Err(error) if self.kill_switch => {
                cx.output.warn(&format!("its end is not in the audit log: {error}"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
