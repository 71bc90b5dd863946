//! The one path of a mutation: plan → confirm → journal → act → journal → undo hint. Nothing else can make a
//! [`Confirmed`], and every client method that changes something takes one.

pub mod confirmed;
pub mod incident_events;

use serde::Serialize;
use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::change::incident_events::{ChangeNotice, IncidentEvents};
use crate::clock::Clock;
use crate::files::journal::Journal;
use crate::interrupts::Interrupts;
use crate::voice::{Ask, Voice};
use liveops_domain::change::scope::ChangeScope;
use liveops_domain::change::undo::Undo;
use liveops_domain::error::{Error, Result};
use liveops_domain::text::paste::Repeat;

/// Who changes something, where, and what holds for it; a session hands it in.
#[derive(Debug)]
pub struct ChangeContext<'a> {
    pub dry_run: bool,
    /// Was it confirmed on the command line?
    pub yes: bool,
    pub read_only: bool,
    pub environment: &'a str,
    /// What its record says of where it was made.
    pub scope: ChangeScope,
    /// The environment's name is typed to confirm.
    pub protected: bool,
    pub actor: &'a str,
    pub command_line: &'a str,
    pub repeat: &'a Repeat,
    pub clock: Clock,
    pub voice: &'a dyn Voice,
    pub ask: &'a dyn Ask,
    pub interrupts: &'a Interrupts,
    pub audit_log: Journal,
    /// The incidents that are open here are told of it.
    pub incidents: IncidentEvents,
}

/// What is going to happen, for the person to judge.
#[derive(Debug)]
pub struct Plan {
    /// Machine name of the change, such as `silence.add`.
    pub action: &'static str,
    /// One line: `silence 3 alerts for 2h`.
    pub summary: String,
    /// The undo, as far as it is known before the act: what `undo` looks for when the end is not in the audit log.
    pub undo: Option<Undo>,
    /// Takes effect on the safe side (expire, kill, abort): acts even when the audit log cannot be written.
    pub kill_switch: bool,
    /// The change that this one reverts.
    pub undoes: Option<String>,
}

/// What the act did.
#[derive(Debug)]
pub struct Done<T = Value> {
    /// The result, for the report and the audit log.
    pub result: T,
    /// How to revert it.
    pub undo: Option<Undo>,
}

/// How the change went.
#[derive(Debug)]
pub enum Changed<T = Value> {
    /// `--dry-run`: nothing happened.
    Planned,
    /// It happened. Without an id it is not in the audit log (a kill switch does not wait for that).
    Done { id: Option<String>, done: Box<Done<T>> },
}

/// Permission without a question, for what is a record of its own and must never be held up at night: an incident's
/// journal, and telling people of it. `None` for a dry run.
pub fn unasked(cx: &ChangeContext<'_>, summary: &str) -> Result<Option<Confirmed>> {
    if cx.dry_run {
        return Ok(None);
    }
    refuse_read_only(cx, summary)?;
    // It is in a journal of its own, and in no audit log.
    Ok(Some(Confirmed::new(String::new())))
}

fn refuse_read_only(cx: &ChangeContext<'_>, summary: &str) -> Result<()> {
    if !cx.read_only {
        return Ok(());
    }
    Err(Error::Refused {
        why: format!("read-only: will not {summary}"),
        hint: "leave out `--read-only`, or look at `read_only` in `liveops config show --origin`; `--dry-run` shows the plan".into(),
    })
}

impl Plan {
    /// Asks, journals, acts. `show` draws what is planned, with this last line. With `--dry-run` it stops after the
    /// preview, which `--read-only` allows too.
    ///
    /// # Errors
    /// `Refused` (read-only, not confirmed), `Io` when the audit log cannot be written before the act, whatever the
    /// act fails with, and `HalfDone` when it was done but could not be journalled.
    pub async fn carry_out<T: Serialize>(
        self,
        cx: &ChangeContext<'_>,
        show: impl FnOnce(String),
        act: impl AsyncFnOnce(&Confirmed) -> Result<Done<T>>,
    ) -> Result<Changed<T>> {
        if !cx.dry_run {
            refuse_read_only(cx, &self.summary)?;
        }
        let tail = if cx.dry_run { " (dry run: nothing is changed)" } else { "" };
        if cx.dry_run || !cx.yes {
            show(format!("{}{tail}", self.summary));
        }
        if cx.dry_run {
            return Ok(Changed::Planned);
        }
        self.confirm(cx)?;
        let id = format!("c{:08x}", fastrand::u32(..));
        let confirmed = Confirmed::new(id.clone());
        let begun = self.begin(cx, &id)?;
        let notice =
            || ChangeNotice { id: &id, action: self.action, summary: &self.summary, at: cx.clock.now(), by: cx.actor };
        let told = cx.incidents.begin(&notice(), cx.voice);
        cx.interrupts.hold();
        let done = act(&confirmed).await;
        let written = self.end(cx, &id, &done);
        cx.incidents.end(&told, &notice(), done.as_ref().err(), cx.voice);
        cx.interrupts.release();
        let done = done?;
        match written {
            Ok(ended) => Ok(Changed::Done { id: (begun && ended).then_some(id), done: Box::new(done) }),
            Err(error) => Err(Error::HalfDone {
                done: self.summary,
                left: format!("its end is not in the audit log: {error}"),
                command: match &done.undo {
                    Some(undo) => cx.repeat.apply(&format!("liveops {}", undo.by_hand())),
                    None => cx.repeat.apply(&format!("liveops audit show {id}")),
                },
            }),
        }
    }

    fn confirm(&self, cx: &ChangeContext<'_>) -> Result<()> {
        if cx.yes {
            return Ok(());
        }
        if !cx.ask.can_ask() {
            return Err(Error::Refused {
                why: format!("not confirmed, and nobody can be asked here: {}", self.summary),
                hint: "pass `--yes` to do it, `--dry-run` to look".into(),
            });
        }
        let agreed = if cx.protected && !self.kill_switch {
            let question = format!("`{}` is protected; type its name to go on", cx.environment);
            cx.ask.text(&question, Some(""))? == cx.environment
        } else {
            cx.ask.confirm(&format!("go on in `{}`?", cx.environment))?
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
    fn begin(&self, cx: &ChangeContext<'_>, id: &str) -> Result<bool> {
        let origin = cx.scope.origin(self.action, self.undo.as_ref());
        let data = json!({
            "id": id,
            "action": self.action,
            "project": origin.project,
            "environment": cx.environment,
            "backend": origin.backend,
            "summary": self.summary,
            "command": cx.command_line,
            "undo": self.undo,
            "undoes": self.undoes,
        });
        let written = cx.audit_log.append(cx.clock.now(), cx.actor, "change.begun", data);
        match written {
            Ok(_) => Ok(true),
            Err(error) if self.kill_switch => {
                cx.voice.warn(&format!("the audit log cannot be written, going on: {error}"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn end<T: Serialize>(&self, cx: &ChangeContext<'_>, id: &str, done: &Result<Done<T>>) -> Result<bool> {
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
        match cx.audit_log.append(cx.clock.now(), cx.actor, kind, data) {
            Ok(_) => Ok(true),
            Err(error) if self.kill_switch => {
                cx.voice.warn(&format!("its end is not in the audit log: {error}"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
