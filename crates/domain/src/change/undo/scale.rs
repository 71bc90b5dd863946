//! How to revert a change of size: of a Deployment, or of the bounds of its autoscaler.

use serde::{Deserialize, Serialize};

use crate::kubernetes::autoscaler::Bounds;
use crate::text::count::count;

/// The reverse of a change of size. Each holds what it expects to find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum ScaleUndo {
    /// Give a Deployment its old number of replicas, if it still wants ours.
    SetReplicas { service: String, deployment: String, replicas: u64, expected: u64 },
    /// Give an autoscaler its old bounds, if it still has ours.
    SetBounds { service: String, bounds: Bounds, expected: Bounds },
}

impl ScaleUndo {
    /// What it does, in words.
    pub fn summary(&self) -> String {
        match self {
            Self::SetReplicas { service, replicas, .. } => format!(
                "scale {service} back to {}",
                count(usize::try_from(*replicas).unwrap_or(usize::MAX), "replica")
            ),
            Self::SetBounds { service, bounds, .. } => {
                format!("set the autoscaler of {service} back to {}-{}", bounds.min, bounds.max)
            }
        }
    }

    /// The command that does the same without the audit log; words after `liveops`.
    pub fn by_hand(&self) -> String {
        match self {
            Self::SetReplicas { service, replicas, .. } => format!("scale {service} --replicas {replicas}"),
            Self::SetBounds { service, bounds, .. } => {
                format!("scale {service} --min {} --max {}", bounds.min, bounds.max)
            }
        }
    }

    /// The undo of this undo.
    pub fn inverse(&self) -> Self {
        match self.clone() {
            Self::SetReplicas { service, deployment, replicas, expected } => {
                Self::SetReplicas { service, deployment, replicas: expected, expected: replicas }
            }
            Self::SetBounds { service, bounds, expected } => {
                Self::SetBounds { service, bounds: expected, expected: bounds }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undo_of_an_undo_is_the_change() {
        let undo =
            ScaleUndo::SetReplicas { service: "game".into(), deployment: "game".into(), replicas: 3, expected: 5 };
        assert_eq!(undo.by_hand(), "scale game --replicas 3");
        assert_eq!(undo.inverse().by_hand(), "scale game --replicas 5");
        assert_eq!(undo.inverse().inverse(), undo);
    }
}
