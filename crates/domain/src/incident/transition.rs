//! What may be done to an incident in which phase. Replay is forgiving, since copies are merged in any order; the
//! person who types is told at once.

use serde::{Deserialize, Serialize};

use crate::incident::event::kind;
use crate::incident::notice::About;

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody has it yet.
    Open,
    /// Somebody has it.
    Acknowledged,
    /// Users are well again.
    Mitigated,
    /// It is over.
    Resolved,
}

impl Phase {
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
        }
    }

    /// Does it still need somebody?
    pub fn is_open(self) -> bool {
        self != Self::Resolved
    }
}

/// What a person can do to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Ack,
    Note,
    Severity,
    Role,
    Escalate,
    Mitigate,
    Resolve,
    Reopen,
    Amend,
    Handoff,
}

/// All actions, in the order that a shift needs them.
const ALL: [Action; 10] = [
    Action::Ack,
    Action::Mitigate,
    Action::Resolve,
    Action::Escalate,
    Action::Reopen,
    Action::Note,
    Action::Severity,
    Action::Role,
    Action::Handoff,
    Action::Amend,
];

impl Action {
    pub fn verb(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Note => "note",
            Self::Severity => "severity",
            Self::Role => "role",
            Self::Escalate => "escalate",
            Self::Mitigate => "mitigate",
            Self::Resolve => "resolve",
            Self::Reopen => "reopen",
            Self::Amend => "amend",
            Self::Handoff => "handoff",
        }
    }

    /// The kind of its event, and what people are told of.
    pub fn event(self) -> (&'static str, Option<About>) {
        match self {
            Self::Ack => (kind::ACKED, Some(About::Acked)),
            Self::Note => (kind::NOTE, Some(About::Note)),
            Self::Severity => (kind::SEVERITY, Some(About::Severity)),
            Self::Role => (kind::ROLE, None),
            Self::Escalate => (kind::ESCALATED, Some(About::Escalated)),
            Self::Mitigate => (kind::MITIGATED, Some(About::Mitigated)),
            Self::Resolve => (kind::RESOLVED, Some(About::Resolved)),
            Self::Reopen => (kind::REOPENED, Some(About::Reopened)),
            Self::Amend => (kind::AMENDED, None),
            Self::Handoff => (kind::HANDOFF, Some(About::Handoff)),
        }
    }

    /// May it be done in this phase? Forward only, and steps may be left out: who mitigates has acknowledged.
    pub fn is_allowed(self, phase: Phase) -> bool {
        match self {
            Self::Ack => phase == Phase::Open,
            Self::Mitigate => phase < Phase::Mitigated,
            Self::Resolve | Self::Severity | Self::Role | Self::Escalate | Self::Handoff => phase.is_open(),
            Self::Reopen => phase >= Phase::Mitigated,
            Self::Note | Self::Amend => self.is_always_allowed(),
        }
    }

    /// May it be done in every phase?
    pub fn is_always_allowed(self) -> bool {
        matches!(self, Self::Note | Self::Amend)
    }

    /// The verbs that are allowed in this phase.
    pub fn allowed(phase: Phase) -> Vec<&'static str> {
        ALL.into_iter().filter(|action| action.is_allowed(phase)).map(Self::verb).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_says_what_it_allows() {
        for (phase, allowed) in [
            (Phase::Open, "ack mitigate resolve escalate note severity role handoff amend"),
            (Phase::Acknowledged, "mitigate resolve escalate note severity role handoff amend"),
            (Phase::Mitigated, "resolve escalate reopen note severity role handoff amend"),
            (Phase::Resolved, "reopen note amend"),
        ] {
            assert_eq!(Action::allowed(phase).join(" "), allowed, "{phase:?}");
        }
    }
}
