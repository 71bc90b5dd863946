//! What people are told of an incident: one message, whatever the channel. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::incident::notice::About;
use crate::incident::severity::Severity;
use crate::incident::state::Incident;

/// A message about an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// One for all tries and channels of one event: what a receiver can tell a second copy by.
    pub id: String,
    pub about: About,
    /// Somebody is to come, not only to know.
    pub page: bool,
    pub incident: String,
    pub title: String,
    pub severity: Severity,
    pub phase: String,
    pub environment: String,
    pub service: Option<String>,
    pub alert: Option<String>,
    pub runbook: Option<String>,
    /// What happened, in the words of who did it.
    pub text: String,
    pub by: String,
    pub at: DateTime<Utc>,
    /// The keys by which a pager knows what it is about: one for a call, those of all calls that it may have heard for
    /// an acknowledgement and the end.
    pub keys: Vec<String>,
    /// News that could not be told in their time, a line each, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
    /// The command that shows the incident.
    pub command: String,
}

impl Message {
    /// The message about what happened to an incident.
    pub fn new(
        id: String,
        incident: &Incident,
        about: About,
        text: String,
        (by, at): (&str, DateTime<Utc>),
        command: String,
    ) -> Self {
        let keys = vec![key(incident, about, &id)];
        Self {
            id,
            about,
            page: false,
            incident: incident.id.clone(),
            title: incident.title.clone(),
            severity: incident.severity,
            phase: incident.phase.word().into(),
            environment: incident.environment.clone(),
            service: incident.service.clone(),
            alert: incident.alert.clone(),
            runbook: incident.runbook.clone(),
            text,
            by: by.into(),
            at,
            keys,
            earlier: Vec::new(),
            command,
        }
    }
}

/// The key by which a pager knows a call. Each has its own: under a key that it has acknowledged, it rings nobody.
fn key(incident: &Incident, about: About, id: &str) -> String {
    let base = format!("liveops/{}/{}", incident.environment, incident.id);
    match about {
        About::Opened => base,
        about => format!("{base}/{about}{}", id.strip_prefix(&incident.id).unwrap_or(id)),
    }
}
