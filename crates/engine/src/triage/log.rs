//! Where answers are kept: in the incident's journal; without an incident, in one of this user and environment.

use serde_json::Value;

use crate::files::file::encoded;
use crate::files::journal::Journal;
use crate::incident::resolve;
use crate::session::{Session, store};
use liveops_domain::change::journal::Event;
use liveops_domain::error::Result;
use liveops_domain::incident::state::Incident;
use liveops_domain::text::shell::word;
use liveops_domain::triage::ANSWERED;

/// Answers older than this belong to another night, where there is no incident.
const FRESH: chrono::TimeDelta = chrono::TimeDelta::hours(12);

/// The journal of a checklist.
#[derive(Debug)]
pub struct TriageLog {
    incident: Option<Incident>,
    journal: Journal,
}

impl TriageLog {
    /// Of the incident that is named, of the only open one, or of none.
    ///
    /// # Errors
    /// `NotFound`; `Usage` when several are open.
    pub fn open(cx: &Session, named: Option<&str>) -> Result<Self> {
        let id = if named.is_none() && resolve::open_incidents(cx)?.is_empty() {
            None
        } else {
            Some(resolve::id_of(cx, named, "triage --incident")?)
        };
        let log = id.map(|id| store(cx)?.log(&id)).transpose()?;
        let journal = match &log {
            Some(log) => store(cx)?.journal(&log.incident.id),
            None => {
                let file = format!("{}.jsonl", encoded(cx.environment()?));
                Journal::at(cx.project_state("triage")?.join(file))
            }
        };
        Ok(Self { incident: log.map(|log| log.incident), journal })
    }

    pub fn incident(&self) -> Option<&Incident> {
        self.incident.as_ref()
    }

    /// The answers so far.
    pub fn events(&self, cx: &Session) -> Result<Vec<Event>> {
        let mut events = self.journal.read()?.events;
        if self.incident.is_none() {
            let oldest = cx.clock.now() - FRESH;
            events.retain(|event| event.at >= oldest);
        }
        Ok(events)
    }

    /// The command that goes on.
    pub fn resume(&self) -> String {
        match &self.incident {
            Some(incident) => format!("triage --resume --incident {}", word(&incident.id)),
            None => "triage --resume".into(),
        }
    }

    /// Keeps an answer.
    pub fn keep(&self, cx: &Session, data: Value) {
        self.write(cx, ANSWERED, data);
    }

    /// Writes something down; where that cannot be, it is said, and the checklist goes on.
    pub fn write(&self, cx: &Session, kind: &str, data: Value) {
        if cx.is_read_only().unwrap_or(true) {
            return cx.voice.warn("read-only: what is answered is not kept");
        }
        if let Err(error) = self.journal.append(cx.clock.now(), &cx.actor, kind, data) {
            cx.voice.warn(&format!("this is not kept: {error}"));
        }
    }
}
