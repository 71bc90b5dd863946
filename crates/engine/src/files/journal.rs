//! A journal as a file: append-only, locked, fsynced, hash-chained; a line torn by a crash is set aside, never dropped.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::files::file::{private_folder, sync_folder, write_private};
use liveops_domain::change::journal::{Entry, Event, Fault, Forks, Head, Line, Sealed, TAMPERED, open, seal, verify};
use liveops_domain::error::{Error, Result};

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
    /// Verifies every line, and reads the events, or only as much of them as a `Line` has.
    pub fn read<'a, E: Sealed + Deserialize<'a> + Send>(&'a self) -> Reading<E> {
        let (whole, torn) = match self.text.rfind('\n') {
            Some(end) => self.text.split_at(end + 1),
            None => ("", self.text.as_str()),
        };
        let (events, faults) = verify(whole, self.known.as_ref(), self.forks);
        Reading { events, faults, torn: (!torn.is_empty()).then(|| torn.to_owned()) }
    }
}

impl Journal {
    /// A journal at this path; nothing is created before the first append.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), copied: false, patience: PATIENCE }
    }

    /// A journal of which there are copies, in git or in Redis: each event gets an id, so that copies can be merged.
    pub fn copied(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), copied: true, patience: PATIENCE }
    }

    /// The same journal, for a writer that has no time to wait for another.
    #[must_use]
    pub fn hasty(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
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
    pub fn extend(&self, mut entries: Vec<Entry>) -> Result<Vec<Event>> {
        private_folder(self.path.parent().unwrap_or_else(|| Path::new(".")))
            .map_err(|source| self.io("create the folder of", source))?;
        let _lock = self.lock()?;
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
            return Ok(Vec::new());
        };
        let (at, by) = (first.at, first.by.clone());
        let fresh = !self.path.exists();
        let mut file = private(OpenOptions::new().read(true).append(true).create(true))
            .open(&self.path)
            .map_err(|source| self.io("open", source))?;
        let mut head = self.repair(&mut file, at, &by)?;
        if let Some(known) = self.known_head()
            && (known.seq > head.seq || (known.seq == head.seq && known != head))
            && !(self.copied && self.holds(&known)?)
        {
            // Going on in silence would hide for ever that lines were removed.
            let data = json!({ "expected": known, "found": head });
            let entry = Entry::new(at, &by, TAMPERED, data);
            self.write(&mut file, &mut head, vec![entry])?;
        }
        let events = self.write(&mut file, &mut head, entries)?;
        if fresh {
            sync_folder(self.path.parent().unwrap_or_else(|| Path::new(".")))
                .map_err(|source| self.io("sync", source))?;
        }
        write_private(&self.beside("head"), serde_json::to_string(&head)?.as_bytes())
            .map_err(|source| self.io("write the head of", source))?;
        Ok(events)
    }

    /// Is this event anywhere in the file? After a merge by git it need not be the last.
    fn holds(&self, known: &Head) -> Result<bool> {
        let bytes = fs::read(&self.path).map_err(|source| self.io("read", source))?;
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
        let text = match fs::read(&self.path) {
            Ok(bytes) => {
                String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(self.io("read", source)),
        };
        let forks = if self.copied { Forks::Merged } else { Forks::Faults };
        Ok(Pages { text, known, forks })
    }

    /// The events since a time, oldest first, read from the end of the file and not verified: for a screen that is
    /// drawn often. What cannot be read is left out.
    pub fn recent(&self, since: DateTime<Utc>) -> Vec<Event> {
        let mut events = Vec::new();
        let Ok(mut file) = File::open(&self.path) else {
            return events;
        };
        let Ok(mut end) = file.metadata().map(|data| data.len()) else {
            return events;
        };
        while let Ok((start, bytes)) = self.tail(&mut file, end) {
            if let Ok(event) = serde_json::from_slice::<Event>(&bytes) {
                if event.at < since {
                    break;
                }
                events.push(event);
            }
            if start == 0 {
                break;
            }
            end = start - 1;
        }
        events.reverse();
        events
    }

    /// The head that was last written down.
    pub(super) fn known_head(&self) -> Option<Head> {
        serde_json::from_slice(&fs::read(self.beside("head")).ok()?).ok()
    }

    fn write(&self, file: &mut File, head: &mut Head, entries: Vec<Entry>) -> Result<Vec<Event>> {
        let mut next = head.clone();
        let mut bytes = Vec::new();
        let mut events = Vec::with_capacity(entries.len());
        for mut entry in entries {
            if self.copied && entry.id.is_none() {
                // The place comes first, so that two events of one millisecond keep their order everywhere.
                entry.id = Some(format!("{:08x}-{:08x}", next.seq + 1, fastrand::u32(..)));
            }
            let (line, event) = seal(&next, entry);
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            next.seq = event.seq;
            next.hash.clone_from(&event.hash);
            events.push(event);
        }
        let before = file.metadata().map_err(|source| self.io("read", source))?.len();
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        if let Err(source) = written {
            // A full disk may have taken half of the line: take it back, so that the journal stays whole.
            let _ = file.set_len(before);
            return Err(self.io("append to", source));
        }
        *head = next;
        Ok(events)
    }

    /// The head of the file; a torn last line is moved aside first, and the journal says so.
    fn repair(&self, file: &mut File, at: DateTime<Utc>, by: &str) -> Result<Head> {
        let torn = self.torn(file)?;
        let mut head = self.head(file)?;
        let Some((start, bytes)) = torn else {
            return Ok(head);
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if open(&head, &text).is_ok() {
            // Only the newline is missing.
            file.write_all(b"\n").map_err(|source| self.io("append to", source))?;
            return self.head(file);
        }
        let aside = self.beside(&format!("torn-{}", head.seq + 1));
        write_private(&aside, &bytes).map_err(|source| self.io("set the torn line aside of", source))?;
        file.set_len(start).map_err(|source| self.io("repair", source))?;
        let data = json!({ "torn_line": text, "kept_in": aside.display().to_string() });
        let entry = Entry::new(at, by, "journal.repaired", data);
        self.write(file, &mut head, vec![entry])?;
        Ok(head)
    }

    /// Bytes after the last newline, and where they start.
    fn torn(&self, file: &mut File) -> Result<Option<(u64, Vec<u8>)>> {
        let end = file.metadata().map_err(|source| self.io("read", source))?.len();
        let (start, bytes) = self.tail(file, end)?;
        Ok(if bytes.is_empty() { None } else { Some((start, bytes)) })
    }

    /// The head that the last whole line makes.
    fn head(&self, file: &mut File) -> Result<Head> {
        let end = file.metadata().map_err(|source| self.io("read", source))?.len();
        let (start, _) = self.tail(file, end)?;
        if start == 0 {
            return Ok(Head::default());
        }
        let (_, line) = self.tail(file, start - 1)?;
        let event: Event = serde_json::from_slice(&line).map_err(|error| Error::Damaged {
            path: self.path.clone(),
            what: format!("its last line is not an event: {error}"),
            hint: "run `liveops audit verify` to see all that is wrong; move the file away to begin a new one".into(),
        })?;
        Ok(Head { seq: event.seq, hash: event.hash })
    }

    /// The bytes between the last newline before `end` and `end`: read backwards, however long the file is.
    fn tail(&self, file: &mut File, end: u64) -> Result<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        let mut start = end;
        while start > 0 {
            let size = start.min(8192);
            let mut chunk = vec![0; usize::try_from(size).unwrap_or(8192)];
            file.seek(SeekFrom::Start(start - size))
                .and_then(|_| file.read_exact(&mut chunk))
                .map_err(|source| self.io("read", source))?;
            if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
                let mut bytes = chunk.split_off(at + 1);
                bytes.append(&mut found);
                return Ok((start - size + at as u64 + 1, bytes));
            }
            chunk.append(&mut found);
            found = chunk;
            start -= size;
        }
        Ok((0, found))
    }

    fn lock(&self) -> Result<File> {
        let path = self.beside("lock");
        let file = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(&path)
            .map_err(|source| self.io("lock", source))?;
        let deadline = Instant::now() + self.patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked { path: self.path.clone() });
                }
                Err(TryLockError::Error(source)) => return Err(self.io("lock", source)),
            }
        }
    }

    /// Waits for a writer to finish. A folder that cannot be written to has no writers, and no lock to hold.
    pub(super) fn lock_shared(&self) -> Option<File> {
        let file = File::open(self.beside("lock")).ok()?;
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

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{suffix}"));
        name.into()
    }

    pub(super) fn io(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io { action, path: self.path.clone(), source }
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
