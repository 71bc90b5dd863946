//! What a rollout has been told to do, fixed at its start: steps, times, conditions. A later edit of the configuration
//! does not change a rollout that is under way.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::rollout::exposure::Percent;

/// Steps, times and conditions of one rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// What is rolled out, as it was typed.
    pub(crate) image: String,
    /// Name of the policy.
    pub(crate) policy: String,
    /// Kind of the target, such as `gateway-api`.
    pub(crate) target: String,
    /// Shares of the canary, rising; the last is 100.
    pub(crate) steps: Vec<Percent>,
    /// How long each step is observed at least.
    #[serde(with = "millis")]
    pub(crate) interval: Duration,
    /// Time between two looks.
    #[serde(with = "millis")]
    pub(crate) poll: Duration,
    /// Looks in a row that must agree before a rollback.
    pub(crate) confirmations: u32,
    /// Time between a weight that is accepted and traffic that follows it.
    #[serde(with = "millis")]
    pub(crate) propagation: Duration,
    /// Longest observation of a step; then it is held for a person.
    #[serde(with = "millis")]
    pub(crate) max_step: Duration,
    /// Longest time without any evidence while the canary has traffic; then back.
    #[serde(with = "millis")]
    pub(crate) max_blind: Duration,
    /// Longest hold while the canary has traffic; then back.
    #[serde(with = "millis")]
    pub(crate) hold_timeout: Duration,
    /// Longest wait for the canary to become ready.
    #[serde(with = "millis")]
    pub(crate) start_deadline: Duration,
    /// How long the old version is kept after the promotion, for an instant way back.
    #[serde(with = "millis")]
    pub(crate) window: Duration,
    /// Requests that a verdict needs.
    pub(crate) min_samples: u64,
    /// Conditions to go on; guard expressions.
    pub(crate) success: Vec<String>,
    /// Conditions to go back; guard expressions.
    pub(crate) rollback: Vec<String>,
    /// Steps that need people's approval before they begin.
    pub(crate) approval: Option<ApprovalRule>,
    /// Preflight gates that were waived, and why.
    pub(crate) waived: Vec<Waiver>,
}

/// Which steps need approval, and of how many people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ApprovalRule {
    /// Before the first step that reaches each of these shares; 0 is before anything.
    pub(crate) before: Vec<Percent>,
    /// Different people that must agree.
    pub(crate) by: u32,
    /// How long an approval is good.
    #[serde(with = "millis")]
    pub(crate) expires: Duration,
}

/// A preflight gate that somebody passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiver {
    pub(crate) gate: String,
    pub(crate) reason: String,
}

/// Durations in JSON as whole milliseconds.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// # Errors
    /// Those of the serializer.
    pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    /// # Errors
    /// When it is not a whole number.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
