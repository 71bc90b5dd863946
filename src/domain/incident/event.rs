//! What can happen to an incident: the kinds of events that its state is made of, and their data.
//!
//! An event's `at` is when it was written down. Where the thing itself happened earlier, its data says when, as
//! `occurred_at`: deadlines are judged by the first, measures use the second.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::incident::severity::Severity;

/// The kinds of events. Any other kind is kept, counted and shown, and changes no state.
pub(crate) mod kind {
    /// [`super::Opened`]: the first event of every incident.
    pub(crate) const OPENED: &str = "incident.opened";
    /// [`super::Moved`]: somebody has it.
    pub(crate) const ACKED: &str = "incident.acked";
    /// [`super::Moved`]: users are well again, the cause may still be there.
    pub(crate) const MITIGATED: &str = "incident.mitigated";
    /// [`super::Moved`]: it is over.
    pub(crate) const RESOLVED: &str = "incident.resolved";
    /// [`super::Moved`]: it is not over after all.
    pub(crate) const REOPENED: &str = "incident.reopened";
    /// [`super::Graded`]: another severity.
    pub(crate) const SEVERITY: &str = "incident.severity";
    /// [`super::Roled`]: somebody takes a role.
    pub(crate) const ROLE: &str = "incident.role";
    /// [`super::Escalated`]: more people are called.
    pub(crate) const ESCALATED: &str = "incident.escalated";
    /// [`super::Amended`]: a fact is corrected; the old one stays in the journal.
    pub(crate) const AMENDED: &str = "incident.amended";
    /// [`super::Said`]: something that a person wants remembered.
    pub(crate) const NOTE: &str = "incident.note";
    /// [`super::HandedOff`]: the next shift takes over.
    pub(crate) const HANDOFF: &str = "incident.handoff";
    /// [`super::Evidence`]: what was seen, with the values copied.
    pub(crate) const EVIDENCE: &str = "incident.evidence";
    /// [`super::Signal`]: an alert of this incident's group fires or has ended.
    pub(crate) const SIGNAL: &str = "incident.signal";
    /// [`super::Delivery`]: how a message to somebody went.
    pub(crate) const NOTIFICATION: &str = "incident.notification";
    /// [`super::Said`]: the postmortem is done; this meets its deadline.
    pub(crate) const POSTMORTEM: &str = "postmortem.done";
}

/// The incident begins to be known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) severity: Severity,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) environment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    /// The alert that told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alert: Option<String>,
    /// Where the alert's runbook is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) runbook: Option<String>,
    /// When users began to feel it, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<DateTime<Utc>>,
    /// Alertmanager's group, for incidents that it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group_key: Option<String>,
}

/// A step from one phase to another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moved {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// When it really happened, where that is not when it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) occurred_at: Option<DateTime<Utc>>,
    /// What the metrics said to it: `recovered`, `not recovered: …`, `unknown: …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) check: Option<String>,
}

/// Another severity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Graded {
    pub(crate) severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// Somebody takes a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Roled {
    /// `commander`, `scribe`, `liaison`, or the team's own word.
    pub(crate) role: String,
    pub(crate) person: String,
}

/// More people are called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Escalated {
    /// The channel or the people; empty means the next in line.
    #[serde(default)]
    pub(crate) to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// What can be corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Field {
    Title,
    Service,
    Alert,
    Runbook,
    StartedAt,
    DetectedAt,
    AcknowledgedAt,
    MitigatedAt,
    ResolvedAt,
}

impl Field {
    /// As it is written in JSON.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Service => "service",
            Self::Alert => "alert",
            Self::Runbook => "runbook",
            Self::StartedAt => "started_at",
            Self::DetectedAt => "detected_at",
            Self::AcknowledgedAt => "acknowledged_at",
            Self::MitigatedAt => "mitigated_at",
            Self::ResolvedAt => "resolved_at",
        }
    }

    /// Is it a time?
    pub(crate) fn is_time(self) -> bool {
        !matches!(self, Self::Title | Self::Service | Self::Alert | Self::Runbook)
    }
}

/// A correction. The journal keeps what was said before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Amended {
    pub(crate) field: Field,
    /// Text, or an RFC 3339 time.
    pub(crate) to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// Words of a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) text: String,
}

/// The next shift takes over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HandedOff {
    pub(crate) to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// Something that was captured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// What of, such as `status`.
    pub(crate) name: String,
    /// File below the incident's folder; none when it could not be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// The line for people: what was seen, or why it is unknown.
    pub(crate) text: String,
}

/// An alert of the incident's group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Signal {
    /// Alertmanager's fingerprint of the labels.
    pub(crate) fingerprint: String,
    pub(crate) alert: String,
    pub(crate) firing: bool,
    pub(crate) starts_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) text: String,
}

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    /// In the outbox.
    Queued,
    /// The service took it. That is not yet a phone that rang.
    Accepted,
    /// A try failed; there will be another.
    Failed,
    /// Tried again.
    Retried,
    /// It cannot be delivered, and will not be tried again.
    GivenUp,
}

/// How a message to somebody went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// The message in the outbox.
    pub(crate) message: String,
    pub(crate) channel: String,
    /// What it tells of: `opened`, `escalated`, …
    pub(crate) about: String,
    pub(crate) state: DeliveryState,
    /// Is it to wake somebody?
    pub(crate) page: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) attempt: u32,
    pub(crate) text: String,
}
