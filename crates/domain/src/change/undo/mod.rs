//! How to revert a change, as data in the audit log: what to do, and what must still be true for it. One module a
//! noun; what the noun's undo comes to in the world as it is now stands there. Pure: the caller brings the world.

pub mod flag;
pub mod rollout;
pub mod scale;
pub mod silence;

use serde::{Deserialize, Serialize};

pub use crate::change::undo::flag::FlagUndo;
pub use crate::change::undo::rollout::RolloutUndo;
pub use crate::change::undo::scale::ScaleUndo;
pub use crate::change::undo::silence::SilenceUndo;

/// The reverse of a change. Each variant holds what it expects to find, so that somebody else's later change is
/// never overwritten. In JSON it is one object whose `do` says what; the nouns share that name space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Undo {
    /// Of a change of silences.
    Silence(SilenceUndo),
    /// Of a change of feature flags.
    Flag(FlagUndo),
    /// Of a rollout.
    Rollout(RolloutUndo),
    /// Of a change of size.
    Scale(ScaleUndo),
    /// There is none.
    Impossible(Impossible),
}

/// A change that cannot be reverted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Impossible {
    /// There is nothing to do about it.
    Nothing {
        /// Such as `a page that was sent cannot be called back`.
        why: String,
        /// The command that comes nearest; words after `liveops`.
        instead: String,
    },
}

impl From<SilenceUndo> for Undo {
    fn from(undo: SilenceUndo) -> Self {
        Self::Silence(undo)
    }
}

impl From<FlagUndo> for Undo {
    fn from(undo: FlagUndo) -> Self {
        Self::Flag(undo)
    }
}

impl From<RolloutUndo> for Undo {
    fn from(undo: RolloutUndo) -> Self {
        Self::Rollout(undo)
    }
}

impl From<ScaleUndo> for Undo {
    fn from(undo: ScaleUndo) -> Self {
        Self::Scale(undo)
    }
}

impl From<Impossible> for Undo {
    fn from(undo: Impossible) -> Self {
        Self::Impossible(undo)
    }
}

impl Undo {
    /// What it does, in words.
    pub fn summary(&self) -> String {
        match self {
            Self::Silence(undo) => undo.summary(),
            Self::Flag(undo) => undo.summary(),
            Self::Rollout(undo) => undo.summary(),
            Self::Scale(undo) => undo.summary(),
            Self::Impossible(Impossible::Nothing { why, .. }) => format!("cannot be undone: {why}"),
        }
    }

    /// The command that does the same without the audit log, or comes nearest to it; words after `liveops`.
    pub fn by_hand(&self) -> String {
        match self {
            Self::Silence(undo) => undo.by_hand(),
            Self::Flag(undo) => undo.by_hand(),
            Self::Rollout(undo) => undo.by_hand(),
            Self::Scale(undo) => undo.by_hand(),
            Self::Impossible(Impossible::Nothing { instead, .. }) => instead.clone(),
        }
    }

    /// Is there a way back?
    pub fn is_possible(&self) -> bool {
        !matches!(self, Self::Impossible(_))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_undone_says_why_in_the_audit_log() {
        let undo = Undo::from(Impossible::Nothing {
            why: "a page that was sent cannot be called back".into(),
            instead: "incident note 'false alarm'".into(),
        });
        let written = serde_json::to_value(&undo).expect("serialises");
        assert_eq!(
            written,
            json!({ "do": "nothing", "why": "a page that was sent cannot be called back",
                "instead": "incident note 'false alarm'" })
        );
        assert_eq!(serde_json::from_value::<Undo>(written).ok(), Some(undo));
    }

    #[test]
    fn an_undo_of_a_later_version_is_not_mistaken_for_another() {
        for unknown in [
            json!({ "do": "fly", "why": "x", "instead": "y", "id": "a", "expected": "2026-01-01T00:00:00Z" }),
            json!({ "why": "x", "instead": "y" }),
        ] {
            assert_eq!(serde_json::from_value::<Undo>(unknown.clone()).ok(), None, "{unknown}");
        }
    }
}
