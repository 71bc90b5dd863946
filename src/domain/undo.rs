//! How to revert a change, as data in the audit log: what to do, and what must still be true for it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::silence::Draft;

/// The reverse of a change. Each variant holds what it expects to find, so that somebody else's later change is
/// never overwritten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Undo {
    /// Expire a silence that was added.
    ExpireSilence { id: String },
    /// Set a silence's end back, if it still ends when we made it end.
    SetSilenceEnd {
        id: String,
        ends_at: DateTime<Utc>,
        expected: DateTime<Utc>,
    },
    /// Add an expired silence again, until its old end.
    AddSilence { silence: Draft },
}

impl Undo {
    /// What it does, in words.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::ExpireSilence { id } => format!("expire silence {id}"),
            Self::SetSilenceEnd { id, ends_at, .. } => format!(
                "set the end of silence {id} back to {}",
                ends_at.format("%FT%TZ")
            ),
            Self::AddSilence { silence } => format!("silence {} again", silence.summary()),
        }
    }
}
