//! How to revert a rollout: by the way back that the rollout itself keeps, if it is still the service's last one.

use serde::{Deserialize, Serialize};

use crate::change::undo::{Impossible, Undo};
use crate::rollout::state::Rollout;
use crate::text::shell::word;

/// The reverse of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum RolloutUndo {
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
    /// Give the flag the percentage of before its ramp.
    #[serde(rename = "ramp_back")]
    RampBack { flag: String },
}

impl RolloutUndo {
    /// Of this rollout.
    pub fn of(rollout: &Rollout) -> Self {
        let name = rollout.service.clone();
        match rollout.plan.is_exact() {
            true => Self::RampBack { flag: name },
            false => Self::Rollback { service: name, image: rollout.plan.image.clone(), regions: Vec::new() },
        }
    }

    /// What it does, in words.
    pub fn summary(&self) -> String {
        match self {
            Self::Rollback { service, image, regions } if !regions.is_empty() => {
                format!("take {image} of {service} back in {}", regions.join(", "))
            }
            Self::Rollback { service, image, .. } => format!("take {image} of {service} back"),
            Self::RampBack { flag } => format!("take flag `{flag}` back to before its ramp"),
        }
    }

    /// The command that does the same without the audit log.
    pub fn by_hand(&self) -> String {
        match self {
            Self::Rollback { service, .. } => format!("rollout undo {}", word(service)),
            Self::RampBack { flag } => format!("flag history {}", word(flag)),
        }
    }

    /// What can be done once it is reverted: nobody should get the version back without new evidence.
    pub fn again(&self) -> Undo {
        let (why, instead) = match self {
            Self::Rollback { service, image, .. } => (
                "a version that was rolled back gets its traffic step by step again",
                format!("rollout canary {} --image {}", word(service), word(image)),
            ),
            Self::RampBack { flag } => (
                "a flag that was rolled back gets its users step by step again",
                format!("flag ramp start {} --steps 1,10,50,100", word(flag)),
            ),
        };
        Impossible::Nothing { why: why.into(), instead }.into()
    }
}
