//! How to revert a rollout: by the way back that the rollout itself keeps, if it is still the service's last one.

use serde::{Deserialize, Serialize};

use crate::domain::shell::word;
use crate::domain::undo::{Impossible, Undo};

/// The reverse of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum RolloutUndo {
    /// Give the version before it its traffic back.
    #[serde(rename = "rollback")]
    Rollback {
        service: String,
        /// What was rolled out.
        image: String,
        /// Where, for a rollout over several regions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        regions: Vec<String>,
    },
}

impl RolloutUndo {
    /// What it does, in words.
    pub(crate) fn summary(&self) -> String {
        let Self::Rollback {
            service,
            image,
            regions,
        } = self;
        if regions.is_empty() {
            return format!("take {image} of {service} back");
        }
        format!("take {image} of {service} back in {}", regions.join(", "))
    }

    /// The command that does the same without the audit log.
    pub(crate) fn by_hand(&self) -> String {
        let Self::Rollback { service, .. } = self;
        format!("rollout undo {}", word(service))
    }

    /// What can be done once it is reverted: nobody should get the version back without new evidence.
    pub(crate) fn again(&self) -> Undo {
        let Self::Rollback { service, image, .. } = self;
        Impossible::Nothing {
            why: "a version that was taken back gets its traffic step by step again".into(),
            instead: format!("rollout canary {} --image {}", word(service), word(image)),
        }
        .into()
    }
}
