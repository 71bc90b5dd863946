//! What can happen to an incident: the kinds of events that its state is made of, and their data.
//!
//! An event's `at` is when it was written down. Where the thing itself happened earlier, its data says when, as
//! `occurred_at`: deadlines are judged by the first, measures use the second.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::incident::severity::Severity;

/// The kinds of events. Any other kind is kept, counted and shown, and changes no state.
pub mod kind {
    /// [`super::Opened`]: the first event of every incident.
    pub const OPENED: &str = "incident.opened";
    /// [`super::PhaseChanged`]: somebody has it.
    pub const ACKED: &str = "incident.acked";
    /// [`super::PhaseChanged`]: users are well again, the cause may still be there.
    pub const MITIGATED: &str = "incident.mitigated";
    /// [`super::PhaseChanged`]: it is over.
    pub const RESOLVED: &str = "incident.resolved";
    /// [`super::PhaseChanged`]: it is not over after all.
    pub const REOPENED: &str = "incident.reopened";
    /// [`super::SeverityChanged`]: another severity.
    pub const SEVERITY: &str = "incident.severity";
    /// [`super::RoleAssigned`]: somebody takes a role.
    pub const ROLE: &str = "incident.role";
    /// [`super::Escalated`]: more people are called.
    pub const ESCALATED: &str = "incident.escalated";
    /// [`super::Amended`]: a fact is corrected; the old one stays in the journal.
    pub const AMENDED: &str = "incident.amended";
    /// [`super::Note`]: something that a person wants remembered.
    pub const NOTE: &str = "incident.note";
    /// [`super::HandedOff`]: the next shift takes over.
    pub const HANDOFF: &str = "incident.handoff";
    /// [`super::Evidence`]: what was seen, with the values copied.
    pub const EVIDENCE: &str = "incident.evidence";
    /// [`super::Signal`]: an alert of this incident's group fires or has ended.
    pub const SIGNAL: &str = "incident.signal";
    /// [`super::Delivery`]: how a message to somebody went.
    pub const NOTIFICATION: &str = "incident.notification";
    /// [`super::Changed`]: a change through liveops begins while the incident is open.
    pub const CHANGE_BEGUN: &str = "change.begun";
    /// [`super::Changed`]: it is done.
    pub const CHANGE_DONE: &str = "change.done";
    /// [`super::Changed`]: it failed, or nobody knows whether it happened.
    pub const CHANGE_FAILED: &str = "change.failed";
    /// [`super::Note`]: the postmortem is done; this meets its deadline.
    pub const POSTMORTEM: &str = "postmortem.done";
}

/// The incident begins to be known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub severity: Severity,
    pub title: String,
    #[serde(default)]
    pub environment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The alert that showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// Where the alert's runbook is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// When users began to feel it, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// Alertmanager's group, for incidents that it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_key: Option<String>,
}

/// A step from one phase to another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseChanged {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When it really happened, where that is not when it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// What the metrics said to it: `recovered`, `not recovered: …`, `unknown: …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// Another severity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeverityChanged {
    pub severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Somebody takes a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleAssigned {
    /// `commander`, `scribe`, `liaison`, or the team's own word.
    pub role: String,
    pub person: String,
}

/// More people are called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Escalated {
    /// The channel or the people; empty means the next in line.
    #[serde(default)]
    pub to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What can be corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Title,
    Service,
    Alert,
    Runbook,
    /// What made it: a word of the team, or the deployment's id, version or commit.
    Cause,
    StartedAt,
    DetectedAt,
    AcknowledgedAt,
    MitigatedAt,
    ResolvedAt,
}

impl Field {
    /// As it is written in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Service => "service",
            Self::Alert => "alert",
            Self::Runbook => "runbook",
            Self::Cause => "cause",
            Self::StartedAt => "started_at",
            Self::DetectedAt => "detected_at",
            Self::AcknowledgedAt => "acknowledged_at",
            Self::MitigatedAt => "mitigated_at",
            Self::ResolvedAt => "resolved_at",
        }
    }

    pub fn is_time(self) -> bool {
        !matches!(self, Self::Title | Self::Service | Self::Alert | Self::Runbook | Self::Cause)
    }
}

/// A correction. The journal keeps what was said before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Amended {
    pub field: Field,
    /// Text, or an RFC 3339 time.
    pub to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Words of a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub text: String,
}

/// A change through liveops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// Its id in the audit log.
    pub change: String,
}

/// The next shift takes over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandedOff {
    pub to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Something that was captured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What of, such as `status`.
    pub name: String,
    /// File below the incident's folder; none when it could not be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line for people: what was seen, or why it is unknown.
    pub text: String,
}

/// An alert of the incident's group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Alertmanager's fingerprint of the labels.
    pub fingerprint: String,
    pub alert: String,
    /// What its label says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    pub firing: bool,
    /// [`Signal::UNKNOWN`] where nobody said when.
    pub starts_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    pub text: String,
}

impl Signal {
    /// Stands for a start that is not known.
    pub const UNKNOWN: DateTime<Utc> = DateTime::UNIX_EPOCH;
}

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
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
pub struct Delivery {
    /// The message in the outbox.
    pub message: String,
    pub channel: String,
    /// What it tells of: `opened`, `escalated`, …
    pub about: String,
    pub state: DeliveryState,
    /// Is it to wake somebody?
    pub page: bool,
    /// The key under which a pager has it, and is told of the acknowledgement and the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// No answer came: nobody knows whether it arrived, so it counts as heard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_have_arrived: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default)]
    pub attempt: u32,
    pub text: String,
}
