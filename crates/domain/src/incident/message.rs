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
    /// The keys by which a pager knows that two messages are about the same: the first for a new page, all of them
    /// for an acknowledgement and the end.
    pub keys: Vec<String>,
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
            keys: keys(incident, about),
            command,
        }
    }
}

/// An escalation is a page of its own: under the old key, a pager would only add it to what nobody answered.
fn keys(incident: &Incident, about: About) -> Vec<String> {
    let base = format!("liveops/{}/{}", incident.environment, incident.id);
    let count = incident.escalations.len();
    let escalated = |n: usize| format!("{base}/escalated-{n}");
    match about {
        About::Escalated => vec![escalated(count)],
        About::Acked | About::Resolved => std::iter::once(base.clone()).chain((1..=count).map(escalated)).collect(),
        _ => vec![base],
    }
}
