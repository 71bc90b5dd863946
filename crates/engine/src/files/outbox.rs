//! Messages that are on their way: a file each, so that a crash loses none and a later command delivers it.
//!
//! Whoever delivers one holds its lock, so that two commands never send the same at once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::{fs, io};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::files::file::write_private;
use crate::files::open::{self, PRIVATE};
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::message::Message;

/// First pause between two tries; it doubles.
const FIRST_PAUSE: i64 = 15;

/// Longest pause, in seconds.
const LONGEST_PAUSE: i64 = 600;

/// A message that is just put here is being delivered; if that ended in a crash, it is due after this.
const BEING_SENT: TimeDelta = TimeDelta::seconds(5);

/// How long a message is worth delivering. A page is not, once somebody has the incident.
const LIFE: TimeDelta = TimeDelta::hours(24);

/// A message for one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxItem {
    pub channel: String,
    pub message: Message,
    /// The groups of channels to call when nobody of this one takes a page.
    pub then: Vec<Vec<String>>,
    pub attempts: u32,
    pub queued_at: DateTime<Utc>,
    /// No try before.
    pub next_at: DateTime<Utc>,
    /// Why it was refused for good; it waits for somebody who mends that and flushes the outbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
    /// Is it in the outbox? Not where that could not be written; then it is tried once only.
    #[serde(skip, default = "kept")]
    pub kept: bool,
}

fn kept() -> bool {
    true
}

impl OutboxItem {
    /// A message to be sent at once.
    pub fn new(channel: &str, message: Message, now: DateTime<Utc>) -> Self {
        Self {
            channel: channel.to_owned(),
            message,
            then: Vec::new(),
            attempts: 0,
            queued_at: now,
            next_at: now.checked_add_signed(BEING_SENT).unwrap_or(now),
            given_up: None,
            kept: true,
        }
    }

    /// Its name: one for each message and channel, and another for a page than for news of the same.
    pub fn id(&self) -> String {
        let to = if self.message.page { '-' } else { '~' };
        format!("{}{to}{}", self.message.id, self.channel)
    }

    /// Puts the next try off, as the service asked or as long as is polite.
    pub fn put_off(&mut self, now: DateTime<Utc>, asked: Option<std::time::Duration>) {
        let polite = FIRST_PAUSE.saturating_mul(1 << self.attempts.min(10)).min(LONGEST_PAUSE);
        let pause = asked.and_then(|asked| TimeDelta::from_std(asked).ok()).unwrap_or(TimeDelta::seconds(polite));
        // Nobody waits an hour for a page because a service was busy once.
        let longest = if self.message.page { TimeDelta::seconds(LONGEST_PAUSE) } else { LIFE };
        let pause = pause.min(longest);
        self.attempts += 1;
        self.next_at = now.checked_add_signed(pause).unwrap_or(now);
    }

    /// Is it too late for it?
    pub fn is_stale(&self, now: DateTime<Utc>) -> bool {
        now - self.queued_at > LIFE
    }
}

/// The messages of a project that are on their way.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

/// An item that nobody else delivers while this lives.
#[derive(Debug)]
pub struct Claim {
    _lock: Option<File>,
}

/// Whose an item is.
#[derive(Debug)]
pub enum Claimed {
    Mine(Claim),
    /// Another command delivers it at this moment.
    Busy,
    /// It was delivered or given up, or never was in the outbox.
    Gone,
}

impl Outbox {
    /// The outbox in this folder; nothing is created before the first message.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Keeps an item, in place of an older state of it.
    pub fn put(&self, item: &OutboxItem) -> Result<()> {
        let path = self.path(&item.id(), "json");
        write_private(&path, &serde_json::to_vec(item)?).map_err(|source| Error::Io { action: "write", path, source })
    }

    /// It is delivered, or given up.
    pub fn remove(&self, item: &OutboxItem) {
        // One that is left over is found delivered in the journal, and goes out twice at worst.
        let _ = fs::remove_file(self.path(&item.id(), "json"));
        let _ = fs::remove_file(self.path(&item.id(), "lock"));
    }

    /// Takes an item for this command.
    pub fn claim(&self, item: &OutboxItem) -> Claimed {
        let json = self.path(&item.id(), "json");
        if !json.is_file() {
            return Claimed::Gone;
        }
        // On a full disk there is no lock: better twice than never.
        let lock = open::lock(&self.path(&item.id(), "lock"), PRIVATE).ok();
        if lock.as_ref().is_some_and(|lock| lock.try_lock().is_err()) {
            return Claimed::Busy;
        }
        if json.is_file() { Claimed::Mine(Claim { _lock: lock }) } else { Claimed::Gone }
    }

    /// All items, the oldest first. What cannot be read is left out here, and named by [`Outbox::unreadable`].
    pub fn items(&self) -> Result<Vec<OutboxItem>> {
        let mut items: Vec<OutboxItem> = self.files()?.iter().filter_map(|path| item(path).ok()).collect();
        items.sort_by_key(|item| (item.queued_at, item.id()));
        Ok(items)
    }

    /// What is to be said of messages that cannot be read: they stay, and nobody gets them.
    pub fn unreadable(&self) -> Vec<String> {
        let said = |path: &PathBuf| {
            let why = item(path).err()?;
            let (file, what) = (path.display(), "A MESSAGE IN THE OUTBOX CANNOT BE READ, AND IS NOT DELIVERED");
            // Delivered in the meantime.
            path.symlink_metadata().is_ok().then(|| format!("{what}: {file}: {why}; tell people, then remove the file"))
        };
        self.files().unwrap_or_default().iter().filter_map(said).collect()
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(Error::Io { action: "read", path: self.folder.clone(), source });
            }
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect())
    }

    fn path(&self, id: &str, end: &str) -> PathBuf {
        // Names of channels are words of the configuration, and may hold what a file's name may not.
        let name: String =
            id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect();
        self.folder.join(format!("{name}.{end}"))
    }
}

fn item(path: &Path) -> io::Result<OutboxItem> {
    Ok(serde_json::from_slice(&open::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use liveops_domain::incident::notice::About;
    use liveops_domain::incident::severity::Severity;

    fn now() -> DateTime<Utc> {
        "2026-11-22T03:12:00Z".parse().expect("a time")
    }

    fn item(channel: &str) -> OutboxItem {
        let message = Message {
            id: "00000001-abcd".into(),
            about: About::Opened,
            page: true,
            incident: "i".into(),
            title: "t".into(),
            severity: Severity::P1,
            phase: "open".into(),
            environment: String::new(),
            service: None,
            alert: None,
            runbook: None,
            text: String::new(),
            by: "ada".into(),
            at: now(),
            keys: Vec::new(),
            earlier: Vec::new(),
            command: String::new(),
        };
        OutboxItem::new(channel, message, now())
    }

    #[test]
    fn items_come_back_and_only_one_delivers() {
        let dir = tempfile::tempdir().expect("temp dir");
        let outbox = Outbox::at(dir.path().join("outbox"));
        assert!(outbox.items().expect("none").is_empty());
        let item = item("team/1");
        outbox.put(&item).expect("put");
        assert_eq!(outbox.items().expect("one"), std::slice::from_ref(&item));
        let claim = outbox.claim(&item);
        assert!(matches!(claim, Claimed::Mine(_)));
        assert!(matches!(outbox.claim(&item), Claimed::Busy), "somebody is at it");
        drop(claim);
        assert!(matches!(outbox.claim(&item), Claimed::Mine(_)));
        outbox.remove(&item);
        assert!(outbox.items().expect("none").is_empty());
        assert!(matches!(outbox.claim(&item), Claimed::Gone), "it is delivered");
    }

    #[test]
    fn tries_are_polite_and_end() {
        let mut one = item("a");
        one.put_off(now(), None);
        assert_eq!(one.next_at - now(), TimeDelta::seconds(15));
        one.put_off(now(), Some(std::time::Duration::from_secs(3)));
        assert_eq!(one.next_at - now(), TimeDelta::seconds(3));
        for _ in 0..50 {
            one.put_off(now(), None);
        }
        assert_eq!(one.next_at - now(), TimeDelta::seconds(LONGEST_PAUSE));
        one.put_off(now(), Some(std::time::Duration::from_secs(86_400)));
        assert_eq!(one.next_at - now(), TimeDelta::seconds(LONGEST_PAUSE), "a page is not put off for a day");
        assert!(!one.is_stale(now() + TimeDelta::hours(23)));
        assert!(one.is_stale(now() + TimeDelta::hours(25)));
    }
}
