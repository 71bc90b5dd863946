//! Incidents as a folder: `<id>/journal.jsonl` and `<id>/evidence/`, which live in the team's git. Reading is replay.
//!
//! An incident appears whole or not at all: its folder is made aside, with the opening in it, and then renamed.

mod openings;
mod unnamed;

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, io};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::files::durable::sync_folder;
use crate::files::file::{private_folder, write_private};
use crate::files::journal::{Journal, Reading};
use crate::files::open::{self, PRIVATE};
use liveops_domain::change::journal::{Data, Entry, Event, Line};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::event::{Opened, kind};
use liveops_domain::incident::name::{is_sound, name, numbered};
use liveops_domain::incident::state::{Incident, in_order, replay, without_quick_beginnings};

/// How long one waits for another to open an incident.
const PATIENCE: Duration = Duration::from_secs(15);

/// Files of ours that belong to this machine only.
const IGNORED: &str = "# liveops: locks and heads are of one machine only\n*.lock\n*.head\n.new-*\n";

/// Copies of a journal that git merges line by line stay whole: each line continues one above it.
const ATTRIBUTES: &str = "journal.jsonl merge=union -text\n";

/// The incidents of a project.
#[derive(Debug, Clone)]
pub struct Incidents {
    folder: PathBuf,
}

/// An incident with all that was written about it.
#[derive(Debug)]
pub struct IncidentLog<E = Event> {
    pub incident: Incident,
    /// In the order in which they happened.
    pub events: Vec<E>,
    /// What is wrong with the file, in words.
    pub faults: Vec<String>,
}

/// Where an incident stands: its story without the events, but for the last that people look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredIncident {
    pub incident: Incident,
    /// What is wrong with the file, in words.
    pub faults: Vec<String>,
    /// The last events that are neither messages nor evidence, in the order in which they happened.
    pub last: Vec<Event>,
}

/// How many of the last events a summary has.
const LAST: usize = 6;

/// Is this an event that people look at?
fn is_shown(kind: &str) -> bool {
    ![kind::NOTIFICATION, kind::EVIDENCE].contains(&kind)
}

impl StoredIncident {
    /// Takes in an event that came after all others.
    pub fn take_in(&mut self, event: &Event) {
        self.incident.apply(event);
        if is_shown(&event.kind) {
            self.last.push(event.clone());
            self.last.drain(..self.last.len().saturating_sub(LAST));
        }
    }
}

impl Incidents {
    /// The incidents in this folder; nothing is created before the first is opened.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder of one incident: its journal, evidence, postmortem.
    pub fn folder_of(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    pub fn journal(&self, id: &str) -> Journal {
        Journal::copied(self.folder_of(id).join("journal.jsonl"))
    }

    /// Opens an incident: when this returns, it is on the disk under an id that nothing else has.
    pub fn open(&self, at: DateTime<Utc>, by: &str, opened: &Opened) -> Result<String> {
        self.open_with(at, by, opened, Vec::new()).map(|(id, _)| id)
    }

    /// As [`Incidents::open`], with what is known already, in one write; with its events.
    pub fn open_with(
        &self,
        at: DateTime<Utc>,
        by: &str,
        opened: &Opened,
        known: Vec<Entry>,
    ) -> Result<(String, Vec<Event>)> {
        self.prepare()?;
        self.remove_unnamed();
        let wish = name(at, opened.severity, &opened.title);
        let data = serde_json::to_value(opened)?;
        let mut aside = tempfile::Builder::new();
        #[cfg(unix)]
        aside.permissions(private());
        let aside = aside
            .prefix(unnamed::PREFIX)
            .tempdir_in(&self.folder)
            .map_err(|source| self.io("create a folder in", source))?;
        // Whoever finds it and cannot lock it knows that we are at it; where there are no locks, it is its age that says so.
        let ours = open::lock_folder(aside.path());
        let _ours = ours.is_ok_and(|folder| folder.try_lock().is_ok());
        let entries = std::iter::once(Entry::new(at, by, kind::OPENED, data)).chain(known);
        let events = Journal::copied(aside.path().join("journal.jsonl")).extend(entries.collect())?;
        for n in 1..=10_000 {
            let id = numbered(&wish, n);
            // A folder that is not empty is never replaced by a rename.
            match fs::rename(aside.path(), self.folder_of(&id)) {
                Ok(()) => {
                    sync_folder(&self.folder).map_err(|source| self.io("sync", source))?;
                    return Ok((id, events));
                }
                Err(_) if self.folder_of(&id).exists() => {}
                Err(source) => return Err(self.io("create an incident in", source)),
            }
        }
        Err(Error::internal("ten thousand incidents of one name"))
    }

    /// Appends an event to an incident's journal.
    ///
    /// # Errors
    /// `NotFound`, and as [`Journal::append`].
    pub fn append<T: Serialize>(&self, id: &str, at: DateTime<Utc>, by: &str, kind: &str, data: &T) -> Result<Event> {
        self.must_have(id)?;
        self.journal(id).append(at, by, kind, serde_json::to_value(data)?)
    }

    /// Appends events to an incident's journal, in one write.
    ///
    /// # Errors
    /// As [`Incidents::append`].
    pub fn append_all(&self, id: &str, entries: Vec<Entry>) -> Result<Vec<Event>> {
        self.must_have(id)?;
        self.journal(id).extend(entries)
    }

    /// As [`Incidents::append_all`], for what the outbox holds safely: nobody waits for the disk.
    pub fn append_unsynced(&self, id: &str, entries: Vec<Entry>) -> Result<Vec<Event>> {
        self.must_have(id)?;
        self.journal(id).unsynced().extend(entries)
    }

    /// Appends an event while the journal is as long as it was when somebody decided on it; `None` where it grew.
    pub fn append_at(&self, id: &str, length: u64, entry: Entry) -> Result<Option<Event>> {
        self.must_have(id)?;
        self.journal(id).append_at(length, entry)
    }

    /// Takes over events of another copy; those that are here already are left out. The incident may be new here.
    ///
    /// # Errors
    /// `Conflict` when they are of another incident that has the same name.
    pub fn merge(&self, id: &str, events: Vec<Event>) -> Result<usize> {
        self.prepare()?;
        self.must_be_same(id, &events)?;
        // What a file says of itself stays in it.
        let ours = |event: &Event| event.id.is_some() && !event.kind.starts_with("journal.");
        let entries = events.into_iter().filter(ours);
        let entries =
            entries.map(|event| Entry { id: event.id, at: event.at, by: event.by, kind: event.kind, data: event.data });
        Ok(self.journal(id).extend(entries.collect())?.len())
    }

    /// Everything about an incident.
    ///
    /// # Errors
    /// `NotFound`; `Damaged` when its journal has no opening; `Io`.
    pub fn log(&self, id: &str) -> Result<IncidentLog> {
        self.must_have(id)?;
        let (pages, others) = self.pages(id)?;
        self.told(id, pages.read(), others)
    }

    /// Where an incident stands. Every line is verified, but the data is read of those events only that change the
    /// state: this is what makes a journal of a hundred thousand events as good as a short one.
    pub fn summary(&self, id: &str) -> Result<StoredIncident> {
        self.must_have(id)?;
        let (pages, others) = self.pages(id)?;
        let IncidentLog { incident, events, faults } = self.told(id, pages.read::<Line<'_>>(), others)?;
        let shown = |event: &&Line<'_>| is_shown(event.kind.as_ref());
        let lines: Vec<&Line<'_>> = without_quick_beginnings(&events).filter(shown).collect();
        let last = lines[lines.len().saturating_sub(LAST)..].iter().map(|line| line.opened()).collect();
        Ok(StoredIncident { incident, faults, last })
    }

    /// The incident that a journal tells of, its events in order, and what is wrong with the journal.
    fn told<D: Data, S: AsRef<str>>(
        &self,
        id: &str,
        reading: Reading<Event<D, S>>,
        others: Option<String>,
    ) -> Result<IncidentLog<Event<D, S>>> {
        let events = in_order(reading.events);
        let mut faults: Vec<String> =
            reading.faults.iter().map(|fault| format!("line {} {}", fault.line, fault.what)).collect();
        faults.extend(others);
        let incident = replay(id, &events).ok_or_else(|| Error::Damaged {
            path: self.journal(id).path().to_owned(),
            what: match faults.first() {
                Some(fault) => format!("no opening can be read in it; {fault}"),
                None => "it has no opening".into(),
            },
            hint: "look at the file; `git log -p` has its earlier states, where it is in git".into(),
        })?;
        if reading.torn.is_some() {
            faults.push("the last line is half-written: a crash; the next event sets it aside".into());
        }
        Ok(IncidentLog { incident, events, faults })
    }

    /// Held by whoever looks for an incident in order to open one where there is none.
    pub fn lock(&self) -> Result<fs::File> {
        self.prepare()?;
        let path = self.folder.join("opening.lock");
        let file = open::lock(&path, PRIVATE).map_err(|source| self.io("lock", source))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(fs::TryLockError::WouldBlock) => return Err(Error::Locked { path }),
                Err(fs::TryLockError::Error(source)) => return Err(self.io("lock", source)),
            }
        }
    }

    /// The ids of all incidents, the oldest first. A missing folder has none.
    pub fn ids(&self) -> Result<Vec<String>> {
        let mut ids = self.folders()?;
        ids.retain(|name| self.has_journal(name));
        ids.sort();
        Ok(ids)
    }

    /// The folders that have the name of an incident, as they come.
    pub fn folders(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.io("read", source)),
        };
        // A link is no folder here.
        let folder = |entry: fs::DirEntry| entry.file_type().ok()?.is_dir().then(|| entry.file_name());
        let names = entries.filter_map(|entry| folder(entry.ok()?)?.into_string().ok());
        Ok(names.filter(|name| is_sound(name)).collect())
    }

    /// Keeps a file of evidence, and returns its path below the incident's folder. A second one of the same name gets
    /// a number.
    pub fn keep(&self, id: &str, name: &str, bytes: &[u8]) -> Result<String> {
        let folder = self.folder_of(id).join("evidence");
        open::refuse_link(&folder).map_err(|source| self.io("write evidence into", source))?;
        let (stem, end) = name.rsplit_once('.').unwrap_or((name, "txt"));
        let mut path = folder.join(name);
        for n in 2.. {
            if !path.exists() {
                break;
            }
            path = folder.join(format!("{stem}-{n}.{end}"));
        }
        write_private(&path, bytes).map_err(|source| Error::Io { action: "write", path: path.clone(), source })?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(format!("evidence/{file}"))
    }

    fn must_have(&self, id: &str) -> Result<()> {
        if is_sound(id) && self.is_there(id) {
            return Ok(());
        }
        Err(Error::NotFound { what: "incident", name: id.to_owned(), candidates: self.ids().unwrap_or_default() })
    }

    /// A folder of its own with a journal in it, and no link to another.
    fn is_there(&self, id: &str) -> bool {
        !self.folder_of(id).is_symlink() && self.has_journal(id)
    }

    /// A link in its place is not followed: whoever reads it is told, instead of being told that there is no incident.
    fn has_journal(&self, id: &str) -> bool {
        self.journal(id).path().symlink_metadata().is_ok()
    }

    fn prepare(&self) -> Result<()> {
        private_folder(&self.folder).map_err(|source| self.io("create", source))?;
        for (name, text) in [(".gitignore", IGNORED), (".gitattributes", ATTRIBUTES)] {
            let path = self.folder.join(name);
            // They are for git, and an incident does without them.
            if !path.exists()
                && !path.is_symlink()
                && let Err(error) = write_private(&path, text.as_bytes())
            {
                tracing::warn!("{} cannot be written: {error}", path.display());
            }
        }
        Ok(())
    }

    fn io(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io { action, path: self.folder.clone(), source }
    }
}

/// Folders that only their owner can enter.
#[cfg(unix)]
fn private() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o700)
}

#[cfg(test)]
mod tests {
    use super::*;
    use liveops_domain::incident::event::Note;
    use liveops_domain::incident::severity::Severity;

    fn at() -> DateTime<Utc> {
        "2026-11-22T03:12:00Z".parse().expect("a time")
    }

    fn opened(title: &str) -> Opened {
        Opened {
            severity: Severity::P1,
            title: title.into(),
            environment: "prod".into(),
            service: None,
            alert: None,
            runbook: None,
            started_at: None,
            group_key: None,
        }
    }

    fn note(text: &str) -> Note {
        Note { text: text.into() }
    }

    #[test]
    fn an_incident_is_a_folder_and_two_never_share_one() {
        let dir = tempfile::tempdir().expect("temp dir");
        let incidents = Incidents::at(dir.path().join("incidents"));
        assert_eq!(incidents.ids().expect("none"), Vec::<String>::new());
        let first = incidents.open(at(), "ada", &opened("Down")).expect("open");
        let second = incidents.open(at(), "bob", &opened("Down")).expect("open");
        assert_eq!((first.as_str(), second.as_str()), ("2026-11-22-p1-down", "2026-11-22-p1-down-2"));
        assert_eq!(incidents.ids().expect("ids"), [first.clone(), second]);
        incidents.append(&first, at(), "ada", kind::NOTE, &note("é")).expect("append");
        let log = incidents.log(&first).expect("story");
        assert_eq!((log.events.len(), log.incident.notes), (2, 1));
        assert!(log.faults.is_empty());
        let missing = incidents.log("2026-11-22-p1-dwon").expect_err("missing");
        assert!(missing.hint().expect("hint").contains("2026-11-22-p1-down"));
        assert!(incidents.log("../../etc").is_err());
    }

    #[test]
    fn two_copies_merge_both_ways_without_loss() {
        let dir = tempfile::tempdir().expect("temp dir");
        let ours = Incidents::at(dir.path().join("ours"));
        let theirs = Incidents::at(dir.path().join("theirs"));
        let id = ours.open(at(), "ada", &opened("Down")).expect("open");
        let events = ours.log(&id).expect("story").events;
        assert_eq!(theirs.merge(&id, events).expect("merge"), 1);
        for n in 0..3 {
            ours.append(&id, at(), "ada", kind::NOTE, &note(&format!("a{n}"))).expect("append");
            theirs.append(&id, at(), "bob", kind::NOTE, &note(&format!("b{n}"))).expect("append");
        }
        let (a, b) = (ours.log(&id).expect("a"), theirs.log(&id).expect("b"));
        assert_eq!(ours.merge(&id, b.events.clone()).expect("merge"), 3);
        assert_eq!(theirs.merge(&id, a.events).expect("merge"), 3);
        assert_eq!(ours.merge(&id, b.events).expect("again"), 0);
        let (a, b) = (ours.log(&id).expect("a"), theirs.log(&id).expect("b"));
        assert_eq!(a.events.len(), 7);
        assert_eq!(a.incident, b.incident);
        assert!(a.faults.is_empty() && b.faults.is_empty(), "both chains hold");
    }

    #[test]
    fn what_git_merged_line_by_line_is_whole_and_goes_on() {
        let dir = tempfile::tempdir().expect("temp dir");
        let ours = Incidents::at(dir.path().join("ours"));
        let id = ours.open(at(), "ada", &opened("Down")).expect("open");
        let base = fs::read_to_string(ours.journal(&id).path()).expect("read");
        let theirs = Incidents::at(dir.path().join("theirs"));
        fs::create_dir_all(theirs.folder_of(&id)).expect("mkdir");
        fs::write(theirs.journal(&id).path(), &base).expect("clone");
        for n in 0..3 {
            ours.append(&id, at(), "ada", kind::NOTE, &note(&format!("a{n}"))).expect("append");
        }
        theirs.append(&id, at(), "bob", kind::NOTE, &note("b")).expect("append");
        let text = |store: &Incidents| fs::read_to_string(store.journal(&id).path()).expect("read");
        let merged = format!("{}{}", text(&ours), &text(&theirs)[base.len()..]);
        fs::write(ours.journal(&id).path(), merged).expect("merge");
        ours.append(&id, at(), "ada", kind::NOTE, &note("after")).expect("append");
        let log = ours.log(&id).expect("story");
        assert!(log.faults.is_empty(), "{:?}", log.faults);
        assert_eq!(log.incident.notes, 5);
    }

    #[test]
    fn evidence_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("temp dir");
        let incidents = Incidents::at(dir.path());
        let id = incidents.open(at(), "ada", &opened("Down")).expect("open");
        for want in ["evidence/status.json", "evidence/status-2.json"] {
            let kept = incidents.keep(&id, "status.json", b"{\"a\":1}");
            assert_eq!(kept.expect("kept"), want);
            let bytes = fs::read(incidents.folder_of(&id).join(want)).expect("read");
            assert_eq!(bytes, b"{\"a\":1}");
        }
    }
}
