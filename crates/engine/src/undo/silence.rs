//! The undo of a change of silences: looks at Alertmanager, carries out what it comes to, and says how to revert that in
//! turn.

use serde::Serialize;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::clients::alertmanager::Alertmanager;
use crate::session::{Session, alertmanager};
use crate::undo::{Revert, RevertFailure, Step};
use liveops_domain::alert::silence::Draft;
use liveops_domain::change::undo::silence::{Reverse, SilenceUndo, Stale};
use liveops_domain::error::{Error, Result};

/// The silence that it left.
#[derive(Debug, Serialize)]
pub struct SilenceWritten {
    silence: String,
}

/// The undo, and the Alertmanager that it is for.
pub struct Silences<'a> {
    cx: &'a Session,
    client: Alertmanager<'a>,
    undo: &'a SilenceUndo,
    /// Is the change known to have happened?
    certain: bool,
}

impl<'a> Silences<'a> {
    pub fn new(cx: &'a Session, undo: &'a SilenceUndo, certain: bool) -> Result<Self> {
        let client = alertmanager(cx)?;
        Ok(Self { cx, client, undo, certain })
    }

    /// The error for a world that has moved on.
    fn stale(&self, why: &Stale) -> RevertFailure {
        let cx = self.cx;
        let look = format!("look at it: `{}`", cx.command("silence list --all"));
        let by_hand = format!("to do it by hand: `{}`", cx.command(&self.undo.by_hand()));
        let hint = match why {
            Stale::DidNotHappen(_) => return RevertFailure::DidNotHappen(why.to_string()),
            Stale::Expired { .. } | Stale::Exists { .. } => look,
            Stale::Changed { id, .. } => {
                format!("{look}; to end it all the same: `{}`", cx.command(&format!("silence expire {id}")))
            }
            Stale::Gone { .. } | Stale::Over { .. } => by_hand,
        };
        let error = Error::Conflict { what: why.to_string(), hint };
        match why {
            Stale::Expired { .. } | Stale::Exists { .. } | Stale::Over { .. } => RevertFailure::Over(error),
            _ => RevertFailure::Failed(error),
        }
    }
}

impl Revert for Silences<'_> {
    type Reverse = Reverse;
    type Result = SilenceWritten;

    async fn decide(&self) -> Result<Reverse, RevertFailure> {
        let silences = self.client.silences().await?;
        self.undo.decide(&silences, self.cx.clock.now(), self.certain).map_err(|why| self.stale(&why))
    }

    fn step(&self, reverse: &Reverse) -> Step {
        Step { summary: summary(reverse), flags: None, undo: undo(reverse).into(), safe_side: self.undo.is_safe_side() }
    }

    async fn act(&self, reverse: &Reverse, confirmed: &Confirmed) -> Result<Done<SilenceWritten>> {
        let (client, now) = (&self.client, self.cx.clock.now());
        let (id, undo) = match reverse {
            Reverse::Expire { silence } => {
                client.expire_silence(&silence.id, confirmed).await?;
                (silence.id.clone(), undo(reverse))
            }
            Reverse::SetEnd { silence, ends_at } => {
                let draft = Draft { ends_at: *ends_at, ..silence.draft.clone() };
                let id = client.set_silence(&draft, Some(&silence.id), confirmed).await?;
                let undo =
                    SilenceUndo::SetSilenceEnd { id: id.clone(), ends_at: silence.draft.ends_at, expected: *ends_at };
                (id, undo)
            }
            Reverse::Add { draft, .. } => {
                // One that had not begun yet keeps its start.
                let draft = Draft { starts_at: draft.starts_at.max(now), ..draft.clone() };
                let id = client.set_silence(&draft, None, confirmed).await?;
                let undo = SilenceUndo::ExpireSilence { id: id.clone(), expected: draft.ends_at };
                (id, undo)
            }
        };
        Ok(Done { result: SilenceWritten { silence: id }, undo: Some(undo.into()) })
    }
}

/// What it does, in words.
fn summary(reverse: &Reverse) -> String {
    match reverse {
        Reverse::Expire { silence } => {
            format!("expire silence {} {}", silence.id, silence.draft.summary())
        }
        Reverse::SetEnd { silence, ends_at } => format!(
            "set the end of silence {} back from {} to {}",
            silence.id,
            silence.draft.ends_at.format("%FT%TZ"),
            ends_at.format("%FT%TZ")
        ),
        Reverse::Add { draft, .. } => format!("silence {} again", draft.summary()),
    }
}

/// How it is reverted, as far as that is known before it is done.
fn undo(reverse: &Reverse) -> SilenceUndo {
    match reverse {
        Reverse::Expire { silence } => {
            SilenceUndo::AddSilence { id: silence.id.clone(), silence: silence.draft.clone() }
        }
        Reverse::SetEnd { silence, ends_at } => {
            SilenceUndo::SetSilenceEnd { id: silence.id.clone(), ends_at: silence.draft.ends_at, expected: *ends_at }
        }
        Reverse::Add { draft, .. } => SilenceUndo::ExpireSilenceLike { silence: draft.clone() },
    }
}
