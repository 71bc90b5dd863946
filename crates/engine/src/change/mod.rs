//! The one path of a mutation: plan → confirm → journal → act → journal → undo hint. Nothing else can make a
//! [`Confirmed`], and every client method that changes something takes one.

pub mod confirmed;
pub mod incident_events;

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::change::confirmed::Confirmed;
use crate::change::incident_events::{ChangeNotice, IncidentEvents};
use crate::clock::Clock;
use crate::files::journal::{Journal, PATIENCE};
use crate::interrupts::Interrupts;
use crate::voice::{Ask, Voice};
use liveops_domain::change::journal::Entry;
use liveops_domain::change::scope::ChangeScope;
use liveops_domain::change::undo::Undo;
use liveops_domain::error::{Error, Result};
use liveops_domain::text::paste::Repeat;

/// How long a kill switch waits for another writer of the audit log: before it is thrown, and after.
const HASTE: Duration = Duration::from_millis(50);
const PATIENCE_AFTER: Duration = Duration::from_secs(1);

/// Who changes something, where, and what holds for it; a session hands it in.
#[derive(Debug)]
pub struct ChangeContext<'a> {
    pub dry_run: bool,
    /// Was it confirmed on the command line?
    pub yes: bool,
    /// The environment that `--confirm` names.
    pub named: Option<&'a str>,
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
        show: impl FnOnce(String) -> Result<()>,
        act: impl AsyncFnOnce(&Confirmed) -> Result<Done<T>>,
    ) -> Result<Changed<T>> {
        if let Some(code) = cx.interrupts.ending() {
            return Err(Error::Interrupted { code });
        }
        if !cx.dry_run {
            refuse_read_only(cx, &self.summary)?;
        }
        let tail = if cx.dry_run { " (dry run: nothing is changed)" } else { "" };
        let asks = !cx.yes || (cx.protected && !self.kill_switch && cx.named.is_none());
        if cx.dry_run || asks {
            show(format!("{}{tail}", self.summary))?;
        }
        if cx.dry_run {
            return Ok(Changed::Planned);
        }
        self.confirm(cx)?;
        let id = format!("c{:08x}", fastrand::u32(..));
        let confirmed = Confirmed::new(id.clone());
        let begun = Entry::new(cx.clock.now(), cx.actor, "change.begun", self.begun(cx, &id));
        // A kill switch that finds the log busy is thrown first, and written down as a whole afterwards.
        let patience = if self.kill_switch { HASTE } else { PATIENCE };
        let left = match cx.audit_log.hasty(patience).extend(vec![begun.clone()]) {
            Ok(_) => None,
            Err(_) if self.kill_switch => Some(begun),
            Err(error) => return Err(error),
        };
        let notice = || ChangeNotice {
            id: &id,
            action: self.action,
            summary: &self.summary,
            at: cx.clock.now(),
            by: cx.actor,
            patience: if self.kill_switch { PATIENCE_AFTER } else { PATIENCE },
        };
        let tell = || cx.incidents.begin(&notice(), cx.voice);
        let told = (!self.kill_switch).then(tell);
        cx.interrupts.hold();
        let done = act(&confirmed).await;
        let written = self.end(cx, &id, left, &done);
        let told = told.unwrap_or_else(tell);
        cx.incidents.end(&told, &notice(), done.as_ref().err(), cx.voice);
        cx.interrupts.release();
        let done = done?;
        match written {
            Ok(ended) => Ok(Changed::Done { id: ended.then_some(id), done: Box::new(done) }),
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
        let wants_name = cx.protected && !self.kill_switch;
        match cx.named {
            Some(named) if named != cx.environment => {
                return Err(Error::Refused {
                    why: format!(
                        "`--confirm {named}` does not name the environment that this changes, `{}`; nothing was changed",
                        cx.environment
                    ),
                    hint: format!("`-e {named}` works in `{named}`; `--dry-run` shows the plan"),
                });
            }
            Some(_) if cx.yes => return Ok(()),
            None if cx.yes && !wants_name => return Ok(()),
            _ => {}
        }
        if !cx.ask.can_ask() {
            return Err(Error::Refused {
                why: format!("not confirmed, and nobody can be asked here: {}", self.summary),
                hint: match wants_name {
                    true => format!(
                        "`{0}` is protected: pass `--yes --confirm {0}` to do it, `--dry-run` to look",
                        cx.environment
                    ),
                    false => "pass `--yes` to do it, `--dry-run` to look".into(),
                },
            });
        }
        let agreed = if wants_name {
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

    /// What is written down of the beginning.
    fn begun(&self, cx: &ChangeContext<'_>, id: &str) -> Value {
        let origin = cx.scope.origin(self.action, self.undo.as_ref());
        json!({
            "id": id,
            "action": self.action,
            "project": origin.project,
            "environment": cx.environment,
            "backend": origin.backend,
            "summary": self.summary,
            "command": cx.command_line,
            "undo": self.undo,
            "undoes": self.undoes,
        })
    }

    /// Writes down how it ended, and what is left of its beginning; `false` when a kill switch goes on without.
    fn end<T: Serialize>(
        &self,
        cx: &ChangeContext<'_>,
        id: &str,
        begun: Option<Entry>,
        done: &Result<Done<T>>,
    ) -> Result<bool> {
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
        let patience = if self.kill_switch { PATIENCE_AFTER } else { PATIENCE };
        let ended = Entry::new(cx.clock.now(), cx.actor, kind, data);
        match cx.audit_log.hasty(patience).extend(begun.into_iter().chain([ended]).collect()) {
            Ok(_) => Ok(true),
            Err(error) if self.kill_switch => {
                cx.voice.warn(&format!("this change is not in the audit log: {error}"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
