//! A change that is made while an incident of the environment is open is an event of it: written before the act and
//! after, so that a crash hides none. It never holds the change up: what cannot be written is said.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::files::cache::Cache;
use crate::files::incident_index;
use crate::files::incidents::Incidents;
use crate::voice::Voice;
use liveops_domain::change::journal::Entry;
use liveops_domain::change::record::is_unclear;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::kind;

/// The incidents of an environment, for the changes that are made in it.
#[derive(Debug)]
pub struct IncidentEvents {
    /// A kill switch is thrown without them, too.
    store: Result<Incidents>,
    cache: Cache,
    environment: String,
}

/// A change as the incidents are told of it.
pub(super) struct ChangeNotice<'a> {
    pub id: &'a str,
    pub action: &'a str,
    pub summary: &'a str,
    pub at: DateTime<Utc>,
    pub by: &'a str,
    /// How long one waits for another writer of a journal.
    pub patience: Duration,
}

impl IncidentEvents {
    pub fn new(store: Result<Incidents>, cache: Cache, environment: &str) -> Self {
        Self { store, cache, environment: environment.to_owned() }
    }

    fn open(&self) -> std::result::Result<Vec<String>, String> {
        let store = self.store.as_ref().map_err(ToString::to_string)?;
        let all = incident_index::read(store, &self.cache).map_err(|error| error.to_string())?.incidents();
        Ok(all.filter(|one| one.phase.is_open() && one.environment == self.environment).map(|one| one.id).collect())
    }

    /// Writes that it begins, and says which incidents know of it.
    pub(super) fn begin(&self, change: &ChangeNotice<'_>, voice: &dyn Voice) -> Vec<String> {
        let open = self.open().unwrap_or_else(|error| {
            voice.warn(&format!("the change is in no incident's journal: {error}"));
            Vec::new()
        });
        // A step of a runbook is in the journal of the only open incident already, with its output.
        if change.action.starts_with("runbook.") && open.len() == 1 {
            return Vec::new();
        }
        self.write(&open, kind::CHANGE_BEGUN, change, &format!("begun: {}", change.summary), voice);
        open
    }

    /// Writes what came of it into the journals of those that know of it, whether they are open still or not.
    pub(super) fn end(&self, told: &[String], change: &ChangeNotice<'_>, failed: Option<&Error>, voice: &dyn Voice) {
        let (kind, text) = match failed {
            None => (kind::CHANGE_DONE, change.summary.to_owned()),
            Some(error) if is_unclear(error.kind()) => {
                (kind::CHANGE_FAILED, format!("{}: not known whether it happened: {error}", change.summary))
            }
            Some(error) => (kind::CHANGE_FAILED, format!("{}: FAILED: {error}", change.summary)),
        };
        self.write(told, kind, change, &text, voice);
    }

    fn write(&self, ids: &[String], kind: &str, change: &ChangeNotice<'_>, text: &str, voice: &dyn Voice) {
        let Ok(store) = &self.store else {
            return;
        };
        let data: Value = json!({ "change": change.id, "action": change.action, "text": text });
        for id in ids {
            let entry = Entry::new(change.at, change.by, kind, data.clone());
            if let Err(error) = store.journal(id).hasty(change.patience).extend(vec![entry]) {
                voice.warn(&format!("the change is not in the journal of {id}: {error}"));
            }
        }
    }
}
