//! A journal as a file: append-only, locked, fsynced, hash-chained; a line torn by a crash is set aside, never dropped.

mod tail;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::files::durable::{sync, sync_folder};
use crate::files::file::{private_folder, write_cache, write_private};
use crate::files::journal::tail::Ending;
use crate::files::open::{self, PRIVATE};
use liveops_domain::change::journal::{
    Entry, Event, Fault, Forks, Head, Line, Sealed, TAMPERED, open as unseal, order, seal, verify,
};
use liveops_domain::error::{Error, Result};
use liveops_domain::text::secret::mask_value;

/// How every journal begins.
const FIRST: &str = "{\"seq\":1,";

/// How long a writer waits for another one.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A journal file, with its lock and its head beside it.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    /// There are copies of it that are merged: its events have ids, and its lines may fork.
    copied: bool,
    /// How long a writer waits for another one.
    patience: Duration,
    /// Does a writer wait for the disk?
    synced: bool,
}

/// What lies beside a journal: where it ended when this machine last wrote to it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct End {
    #[serde(flatten)]
    head: Head,
    /// The latest clock of its events' ids ([`order`]).
    #[serde(default)]
    clock: i64,
}

/// All that a journal holds.
#[derive(Debug)]
pub struct Reading<E = Event> {
    pub events: Vec<E>,
    pub faults: Vec<Fault>,
    /// The half-written last line, if a crash left one.
    pub torn: Option<String>,
}

/// A journal's text as it was at one moment, and its head.
#[derive(Debug)]
pub struct Pages {
    text: String,
    known: Option<Head>,
    forks: Forks,
}

impl Pages {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// These lines of it only, which may lack the last.
    pub fn only(self, text: String) -> Self {
        Self { text, known: None, ..self }
    }

    /// Verifies every line, and reads the events, or only as much of them as a `Line` has.
    pub fn read<'a, E: Sealed + Deserialize<'a> + Send>(&'a self) -> Reading<E> {
        let marked = self.text.strip_prefix('\u{feff}');
        let text = marked.unwrap_or(&self.text);
        let (whole, torn) = match text.rfind('\n') {
            Some(end) => text.split_at(end + 1),
            None => ("", text),
        };
        let (events, mut faults) = verify(whole, self.known.as_ref(), self.forks);
        let mut begins = |what: &str| faults.insert(0, Fault { line: 1, what: what.to_owned() });
        if memchr::memchr(b'\r', whole.as_bytes()).is_some() {
            begins("or a later one ends with CR LF: an editor, or git with `core.autocrlf`, rewrote the file");
        }
        if marked.is_some() {
            begins("begins with a byte order mark: an editor wrote the file");
        }
        Reading { events, faults, torn: (!torn.is_empty()).then(|| torn.to_owned()) }
    }
}

impl Journal {
    /// A journal at this path; nothing is created before the first append.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), copied: false, patience: PATIENCE, synced: true }
    }

    /// A journal of which there are copies, in git or in Redis: each event gets an id, so that copies can be merged.
    pub fn copied(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), copied: true, patience: PATIENCE, synced: true }
    }

    /// The same journal, for a writer that has no time to wait for another.
    #[must_use]
    pub fn hasty(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The same journal, for what another file holds safely: a power cut may take it, a crash of ours does not.
    #[must_use]
    pub fn unsynced(&self) -> Self {
        Self { synced: false, ..self.clone() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one event and returns it once it is on the disk.
    ///
    /// # Errors
    /// `Locked` after five seconds, `Io` (disk full, read-only), `Damaged` when the last line is not ours.
    pub fn append(&self, at: DateTime<Utc>, by: &str, kind: &str, data: Value) -> Result<Event> {
        let mut events = self.extend(vec![Entry::new(at, by, kind, data)])?;
        events.pop().ok_or_else(|| Error::internal("an appended event is gone"))
    }

    /// Appends events in one write and returns them once they are on the disk. Those whose id the journal has
    /// already are left out, so that a merge may be repeated.
    pub fn extend(&self, entries: Vec<Entry>) -> Result<Vec<Event>> {
        self.write_to(entries, None).map(Option::unwrap_or_default)
    }

    /// Appends one event while the file is as long as it was when somebody decided what to write; `None` where it grew.
    pub fn append_at(&self, length: u64, entry: Entry) -> Result<Option<Event>> {
        Ok(self.write_to(vec![entry], Some(length))?.and_then(|mut events| events.pop()))
    }

    /// How long the file is; 0 where there is none.
    pub fn length(&self) -> u64 {
        self.path.metadata().map_or(0, |data| data.len())
    }

    fn write_to(&self, mut entries: Vec<Entry>, length: Option<u64>) -> Result<Option<Vec<Event>>> {
        private_folder(self.folder()).map_err(|source| self.io("create the folder of", source))?;
        for entry in &mut entries {
            mask_value(&mut entry.data);
        }
        let _lock = self.lock()?;
        if length.is_some_and(|length| length != self.length()) {
            return Ok(None);
        }
        if entries.iter().any(|entry| entry.id.is_some()) {
            let known: HashSet<String> = self
                .pages_locked()?
                .read::<Line<'_>>()
                .events
                .into_iter()
                .filter_map(|event| Some(event.id?.as_ref().to_owned()))
                .collect();
            entries.retain(|entry| entry.id.as_ref().is_none_or(|id| !known.contains(id)));
        }
        let Some(first) = entries.first() else {
            return Ok(Some(Vec::new()));
        };
        let (at, by) = (first.at, first.by.clone());
        let fresh = !self.path.exists();
        let mut file = open::append(&self.path, PRIVATE).map_err(|source| self.io("open", source))?;
        let mut end = self.repair(&mut file, at, &by)?;
        if let Some(known) = self.known_head()
            && (known.seq > end.head.seq || (known.seq == end.head.seq && known != end.head))
            && !(self.copied && self.holds(&known)?)
        {
            // Going on in silence would hide for ever that lines were removed.
            let data = json!({ "expected": known, "found": end.head });
            let entry = Entry::new(at, &by, TAMPERED, data);
            self.write(&mut file, &mut end, vec![entry])?;
        }
        let events = self.write(&mut file, &mut end, entries)?;
        // The events are on the disk: what helps to find a loss later must not make their writer fail.
        let beside = if fresh { sync_folder(self.folder()) } else { Ok(()) }
            // Unsynced: after a power cut an older head, or none, accuses nobody.
            .and_then(|()| write_cache(&self.beside("head"), serde_json::to_string(&end)?.as_bytes()));
        if let Err(error) = beside {
            let path = self.path.display();
            tracing::warn!("the head of {path} cannot be kept, so lines that are cut off are not noticed: {error}");
        }
        Ok(Some(events))
    }

    /// Is this event anywhere in the file? After a merge by git it need not be the last.
    fn holds(&self, known: &Head) -> Result<bool> {
        let bytes = open::read(&self.path).map_err(|source| self.io("read", source))?;
        let tail = format!(",\"hash\":\"{}\"}}", known.hash);
        Ok(memchr::memmem::find(&bytes, tail.as_bytes()).is_some())
    }

    /// Reads and verifies everything. A missing file is an empty journal, unless its head says otherwise.
    pub fn read(&self) -> Result<Reading> {
        Ok(self.pages()?.read())
    }

    /// The journal as it is now, to be read. A missing file is an empty one.
    pub fn pages(&self) -> Result<Pages> {
        // Held while reading where it can be, so that no line is seen half-written.
        let _lock = self.lock_shared();
        self.pages_locked()
    }

    fn pages_locked(&self) -> Result<Pages> {
        // The head comes first: a line that is appended in between must not look like one that was removed.
        let known = self.known_head();
        let text = match open::read(&self.path) {
            Ok(bytes) => {
                String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(self.io("read", source)),
        };
        let forks = if self.copied { Forks::Merged } else { Forks::Faults };
        Ok(Pages { text, known, forks })
    }

    /// The head that was last written down.
    pub(super) fn known_head(&self) -> Option<Head> {
        self.known_end().map(|end| end.head)
    }

    /// Where the file ended when it was last written to.
    fn known_end(&self) -> Option<End> {
        serde_json::from_slice(&open::read(&self.beside("head")).ok()?).ok()
    }

    fn write(&self, file: &mut File, end: &mut End, entries: Vec<Entry>) -> Result<Vec<Event>> {
        let mut next = end.clone();
        let mut bytes = Vec::new();
        let mut events = Vec::with_capacity(entries.len());
        for mut entry in entries {
            if self.copied {
                let id = entry.id.take().unwrap_or_else(|| {
                    let clock = order::next(entry.at.timestamp_millis(), next.clock);
                    order::id(clock, fastrand::u32(..))
                });
                next.clock = next.clock.max(order::clock_of(&id).unwrap_or_else(|| entry.at.timestamp_millis()));
                entry.id = Some(id);
            }
            let (line, event) = seal(&next.head, entry);
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            next.head = Head { seq: event.seq, hash: event.hash.clone() };
            events.push(event);
        }
        let before = file.metadata().map_err(|source| self.io("read", source))?.len();
        let written = file.write_all(&bytes).and_then(|()| if self.synced { sync(file) } else { Ok(()) });
        if let Err(source) = written {
            // A full disk may have taken half of the line: take it back, so that the journal stays whole.
            let _ = file.set_len(before);
            return Err(self.io("append to", source));
        }
        *end = next;
        Ok(events)
    }

    /// Where the file ends. What stands behind the last event, such as a line torn by a crash or a marker of git, is
    /// moved aside first, and the journal says so.
    fn repair(&self, file: &mut File, at: DateTime<Utc>, by: &str) -> Result<End> {
        let Ending { last, after } = tail::ending(file).map_err(|source| self.io("read", source))?;
        let mut end = self.end_behind(last)?;
        let Some((start, bytes)) = after else {
            return Ok(end);
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if start == 0 && !FIRST.starts_with(&text) && !text.starts_with(FIRST) && !text.trim().is_empty() {
            return Err(Error::Damaged {
                path: self.path.clone(),
                what: "it is no journal".into(),
                hint: "nothing was written to it; name another file".into(),
            });
        }
        if let Ok(event) = unseal(&end.head, text.trim_end()) {
            // Only the newline is missing.
            file.write_all(b"\n").map_err(|source| self.io("append to", source))?;
            return self.end_behind(Some(event));
        }
        if text.trim().is_empty() {
            file.set_len(start).map_err(|source| self.io("repair", source))?;
            return Ok(end);
        }
        let is_torn = memchr::memchr(b'\n', &bytes).is_none();
        if end.head.seq == 0 && !(is_torn && text.starts_with('{')) {
            return Err(Error::Damaged {
                path: self.path.clone(),
                what: "it has no event that can be read".into(),
                hint: "look at the file: it is not written by liveops; move it away to begin a new one".into(),
            });
        }
        let aside = self.beside(&format!("torn-{}", end.head.seq + 1));
        write_private(&aside, &bytes).map_err(|source| self.io("set the torn line aside of", source))?;
        file.set_len(start).map_err(|source| self.io("repair", source))?;
        let data = json!({ "torn_line": text, "kept_in": aside.display().to_string() });
        let entry = Entry::new(at, by, "journal.repaired", data);
        self.write(file, &mut end, vec![entry])?;
        Ok(end)
    }

    /// What the last event makes of the end of the file.
    fn end_behind(&self, last: Option<Event>) -> Result<End> {
        let Some(last) = last else {
            return Ok(End::default());
        };
        let head = Head { seq: last.seq, hash: last.hash.clone() };
        let clock = match self.known_end() {
            _ if !self.copied => 0,
            Some(known) if known.head == head && known.clock > 0 => known.clock,
            // It was written elsewhere, or merged: any line may have the latest clock.
            _ => self.pages_locked()?.read::<Line<'_>>().events.iter().map(Event::clock).max().unwrap_or_default(),
        };
        Ok(End { head, clock: clock.max(if self.copied { last.clock() } else { 0 }) })
    }

    /// The right to write; nothing where the file system has no locks, or no room for one: an event without a lock is
    /// better than none.
    pub(super) fn lock(&self) -> Result<Option<File>> {
        let Ok(file) = open::lock(&self.beside("lock"), PRIVATE) else {
            return Ok(None);
        };
        let deadline = Instant::now() + self.patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked { path: self.path.clone() });
                }
                Err(TryLockError::Error(_)) => return Ok(None),
            }
        }
    }

    /// Waits for a writer to finish. A folder that cannot be written to has no writers, and no lock to hold.
    pub(super) fn lock_shared(&self) -> Option<File> {
        let file = open::open(&self.beside("lock")).ok()?;
        let deadline = Instant::now() + self.patience;
        loop {
            match file.try_lock_shared() {
                Ok(()) => return Some(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(_) => return None,
            }
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new("."))
    }

    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{suffix}"));
        name.into()
    }

    pub(super) fn io(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io { action, path: self.path.clone(), source }
    }
}
