//! Carries out what an undo came to, and says how to revert that in turn.

use chrono::{DateTime, Utc};

use crate::change::Confirmed;
use crate::clients::alertmanager::Alertmanager;
use crate::domain::silence::Draft;
use crate::domain::undo::{Reverse, Undo};
use crate::error::Result;

/// What it does, in words.
pub(super) fn summary(reverse: &Reverse) -> String {
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
pub(super) fn undo(reverse: &Reverse) -> Undo {
    match reverse {
        Reverse::Expire { silence } => Undo::AddSilence {
            id: silence.id.clone(),
            silence: silence.draft.clone(),
        },
        Reverse::SetEnd { silence, ends_at } => Undo::SetSilenceEnd {
            id: silence.id.clone(),
            ends_at: silence.draft.ends_at,
            expected: *ends_at,
        },
        Reverse::Add { draft, .. } => Undo::ExpireSilenceLike {
            silence: draft.clone(),
        },
    }
}

/// Does it. Returns the id of the silence, and how this is reverted.
///
/// # Errors
/// As Alertmanager.
pub(super) async fn carry_out(
    client: &Alertmanager<'_>,
    reverse: &Reverse,
    now: DateTime<Utc>,
    confirmed: &Confirmed,
) -> Result<(String, Undo)> {
    match reverse {
        Reverse::Expire { silence } => {
            client.expire_silence(&silence.id, confirmed).await?;
            Ok((silence.id.clone(), undo(reverse)))
        }
        Reverse::SetEnd { silence, ends_at } => {
            let draft = Draft {
                ends_at: *ends_at,
                ..silence.draft.clone()
            };
            let id = client
                .set_silence(&draft, Some(&silence.id), confirmed)
                .await?;
            let undo = Undo::SetSilenceEnd {
                id: id.clone(),
                ends_at: silence.draft.ends_at,
                expected: *ends_at,
            };
            Ok((id, undo))
        }
        Reverse::Add { draft, .. } => {
            // One that had not begun yet keeps its start.
            let draft = Draft {
                starts_at: draft.starts_at.max(now),
                ..draft.clone()
            };
            let id = client.set_silence(&draft, None, confirmed).await?;
            let undo = Undo::ExpireSilence {
                id: id.clone(),
                expected: draft.ends_at,
            };
            Ok((id, undo))
        }
    }
}
