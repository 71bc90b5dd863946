//! The journal of one run: a file of its own below the state folder, so that the run can be resumed wherever it ended.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::files::journal::Journal;
use crate::session::Session;
use liveops_domain::runbook::run::RunState;

/// A run's journal.
#[derive(Debug)]
pub struct RunLog {
    pub id: String,
    journal: Journal,
    /// It could not be written: said once, and the run goes on.
    broken: bool,
}

/// Of this project: a runbook of another may have the same name.
fn folder(cx: &Session) -> PathBuf {
    cx.project_state("runs").unwrap_or_else(|_| cx.state().join("runs"))
}

/// The runbooks that were run to their end on this machine.
pub fn ended(cx: &Session) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder(cx)) else {
        return BTreeSet::new();
    };
    let logs = entries.filter_map(std::result::Result::ok).map(|entry| Journal::at(entry.path()));
    let runs = logs.filter_map(|log| Some(RunState::replay(&log.read().ok()?.events)));
    runs.filter(|run| run.ended).map(|run| run.runbook).collect()
}

impl RunLog {
    /// A new run; nothing is written yet. Its id sorts by time.
    pub fn new(cx: &Session) -> Self {
        let stamp = cx.clock.now().format("%Y%m%dT%H%M%SZ");
        Self::of(cx, &format!("{stamp}-{:04x}", fastrand::u16(..)))
    }

    fn of(cx: &Session, id: &str) -> Self {
        Self { id: id.to_owned(), journal: Journal::at(folder(cx).join(format!("{id}.jsonl"))), broken: false }
    }

    /// The last run of a runbook in an environment that has not come to its end.
    pub fn last(cx: &Session, runbook: &str, environment: &str) -> Option<(Self, RunState)> {
        let entries = fs::read_dir(folder(cx)).ok()?;
        let mut ids: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .filter_map(|name| Some(name.strip_suffix(".jsonl")?.to_owned()))
            .collect();
        ids.sort();
        ids.iter().rev().find_map(|id| {
            let log = Self::of(cx, id);
            let state = RunState::replay(&log.journal.read().ok()?.events);
            let same = state.runbook == runbook && state.environment == environment;
            (same && !state.ended).then_some((log, state))
        })
    }

    /// Writes an event down. A run must not fail for want of a journal: its steps matter more.
    pub fn write(&mut self, cx: &Session, kind: &str, data: Value) {
        let written = self.journal.append(cx.clock.now(), &cx.actor, kind, data);
        if let Err(error) = written
            && !self.broken
        {
            self.broken = true;
            cx.voice.warn(&format!("this run cannot be journalled, and not be resumed: {error}"));
        }
    }

    /// Can it be resumed?
    pub fn is_sound(&self) -> bool {
        !self.broken
    }
}
