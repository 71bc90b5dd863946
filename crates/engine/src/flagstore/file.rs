//! Flags in a file: one JSON object from name to definition, each kept byte for byte; its history beside it.
//!
//! A write takes the lock, writes down what it is about to do (`FILE.pending`), replaces the file as a whole, appends
//! to the history, and takes the intent away. Whoever finds an intent that a crash has left behind can tell by the
//! bytes in the file whether the change took place, and completes its history or forgets it.

#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::time::{Instant, sleep};

use crate::change::confirmed::Confirmed;
use crate::files::backwards::Backwards;
use crate::files::durable::sync_folder;
use crate::files::file::folder_of;
use crate::files::open::{self, SHARED};
use crate::files::replace::{behind_links, overwrite, replace};
use crate::flagstore::{FlagStore, Write, WriteOutcome, line, wanted};
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::document::Document;
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::name::FlagName;

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(5);

/// As it, for a kill switch.
const HASTE: Duration = Duration::from_millis(200);

/// What the name of a ramp's lock begins with; its epoch follows.
const RAMP_LOCK: &str = "lock-";

/// A file of flags, with its lock, its intent and its history beside it.
#[derive(Debug, Clone)]
pub struct FileFlags {
    path: PathBuf,
}

impl FileFlags {
    /// The flags in this file; nothing is created before the first write.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it is; a missing one has no flags.
    fn load(&self) -> Result<Document> {
        let bytes = match open::read_through(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Document::empty()),
            Err(source) => return Err(io_error("read", &self.path, source)),
        };
        Document::parse(&bytes).map_err(|error| Error::Damaged {
            path: self.path.clone(),
            what: format!("{error}; the services cannot read it either"),
            hint: format!(
                "correct it by hand: it is one JSON object of flags. Earlier values are in {}",
                self.beside("history.jsonl").display()
            ),
        })
    }

    /// The folder with lock and state of each ramp, one folder a flag.
    pub fn ramps(&self) -> PathBuf {
        self.beside("ramps")
    }

    /// The folder of one flag's ramp. Whoever holds its lock has a file there that bears the epoch.
    pub fn ramp(&self, name: &FlagName) -> PathBuf {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let mut folder = String::new();
        for byte in name.as_str().bytes() {
            match plain(byte) {
                true => folder.push(char::from(byte)),
                false => folder.push_str(&format!("%{byte:02x}")),
            }
        }
        self.ramps().join(folder)
    }

    fn ramp_epoch(&self, name: &FlagName) -> Result<Option<u64>> {
        let path = self.ramp(name);
        let names = match fs::read_dir(&path) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", &path, source)),
        };
        let epoch = |name: io::Result<fs::DirEntry>| {
            let name = name.ok()?.file_name();
            name.to_str()?.strip_prefix(RAMP_LOCK)?.parse::<u64>().ok()
        };
        Ok(names.filter_map(epoch).max())
    }

    /// Carries out a write under the lock.
    fn replace(&self, write: &Write) -> Result<WriteOutcome> {
        self.recover()?;
        if let Some(epoch) = write.epoch
            && self.ramp_epoch(&write.name)? != Some(epoch)
        {
            return Ok(WriteOutcome::Fenced);
        }
        let document = self.load()?;
        if document.duplicates().iter().any(|twice| twice == write.name.as_str()) {
            return Err(Error::Damaged {
                path: self.path.clone(),
                what: format!("flag `{}` stands in it more than once, and readers see only the last", write.name),
                hint: "take the others out by hand; `liveops flag kill` works".into(),
            });
        }
        let found = document.get(write.name.as_str()).map(|raw| raw.as_bytes().to_vec());
        if found != write.expected {
            return Ok(WriteOutcome::Conflict { found });
        }
        let before = document.bytes().to_vec();
        let bytes = self.edited(document, write)?;
        self.put(&self.beside("pending"), &line::write(&write.revision)?)?;
        // A kill switch waits for no lock, and may have been thrown since.
        let expected = self.path.exists().then_some(before.as_slice());
        let done = replace(&self.path, &bytes, expected, &self.beside("next"));
        match done.map_err(|source| io_error("write", &self.path, source)) {
            Ok(true) => {}
            Ok(false) => {
                self.forget()?;
                let found = self.load()?.get(write.name.as_str()).map(|raw| raw.as_bytes().to_vec());
                return Ok(WriteOutcome::Conflict { found });
            }
            Err(error) => {
                if !self.took_place(&write.revision)? {
                    self.forget()?;
                }
                return Err(error);
            }
        }
        // From here on it took place: what cannot be written now, on a full disk, the next writer takes from the intent.
        let written = self.append(&write.revision).and_then(|()| self.forget());
        if let Err(error) = written {
            tracing::warn!(%error, "the history is completed by the next change");
        }
        Ok(WriteOutcome::applied(false))
    }

    /// Switches off, whatever cannot be locked, kept or replaced.
    fn kill(&self, write: &Write, lock: &Result<File>) -> Result<WriteOutcome> {
        let mut why = lock.as_ref().err().map(ToString::to_string);
        let mut tried = |done: Result<()>| why = why.take().or_else(|| done.err().map(|error| error.to_string()));
        if lock.is_ok() {
            tried(self.recover());
        }
        let document = self.load()?;
        let found = document.get(write.name.as_str()).map(|raw| raw.as_bytes().to_vec());
        if found != write.expected {
            return Ok(WriteOutcome::Conflict { found });
        }
        let bytes = self.edited(document, write)?;
        if lock.is_ok() {
            tried(line::write(&write.revision).and_then(|line| self.put(&self.beside("pending"), &line)));
        }
        if replace(&self.path, &bytes, None, &self.beside("next")).is_err() {
            let _ = fs::remove_file(self.beside("next"));
            if let Err(source) = overwrite(&behind_links(&self.path), &bytes, None) {
                if lock.is_ok() && !self.took_place(&write.revision)? {
                    self.forget()?;
                }
                return Err(io_error("write", &self.path, source));
            }
        }
        tried(self.append(&write.revision));
        if lock.is_ok() {
            tried(self.forget());
        }
        Ok(WriteOutcome::Applied { notified: false, unrecorded: why })
    }

    /// The file with the new value.
    fn edited(&self, mut document: Document, write: &Write) -> Result<Vec<u8>> {
        let name = write.name.as_str();
        match &write.revision.after {
            Some(value) => {
                Document::parse(value).map_err(|error| {
                    Error::usage(
                        format!("this value of `{name}` cannot stand in a JSON file: {error}"),
                        "only Redis keeps bytes that are no JSON",
                    )
                })?;
                let text = std::str::from_utf8(value).map_err(|_| Error::internal("JSON that is no UTF-8"))?;
                document.set(name, text);
            }
            None => document.remove(name),
        }
        let mut bytes = document.into_bytes();
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        Ok(bytes)
    }

    /// Settles what a crash has left: the bytes in the file say how far it had come.
    fn recover(&self) -> Result<()> {
        let spare = self.beside("next");
        if let Ok(bytes) = open::read(&spare) {
            // Written in place, and cut off in the middle: the whole of it lies beside it.
            let is_cut = self.load().is_err() && Document::parse(&bytes).is_ok();
            if is_cut {
                overwrite(&behind_links(&self.path), &bytes, None)
                    .map_err(|source| io_error("write", &self.path, source))?;
            }
            fs::remove_file(&spare).map_err(|source| io_error("remove", &spare, source))?;
        }
        let Some(intent) = self.intent()? else {
            return Ok(());
        };
        if self.took_place(&intent)? && !self.is_last(&intent)? {
            self.append(&intent)?;
        }
        self.forget()
    }

    /// The change that was about to be made when its writer was killed, or is being made now.
    fn intent(&self) -> Result<Option<Revision>> {
        let path = self.beside("pending");
        match open::read(&path) {
            Ok(bytes) => Ok(line::read(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io_error("read", &path, source)),
        }
    }

    fn took_place(&self, intent: &Revision) -> Result<bool> {
        let document = self.load()?;
        Ok(document.get(&intent.flag).map(str::as_bytes) == intent.after.as_deref())
    }

    /// Is the newest entry of the history this one?
    fn is_last(&self, intent: &Revision) -> Result<bool> {
        for line in self.newest_first()? {
            if let Some(last) = line::read(&line?) {
                return Ok(last.is_same(intent));
            }
        }
        Ok(false)
    }

    fn forget(&self) -> Result<()> {
        let path = self.beside("pending");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Appends to the history. What a crash has left of a line is taken away first: its whole is in the intent.
    fn append(&self, revision: &Revision) -> Result<()> {
        let path = self.beside("history.jsonl");
        let failed = |action, source| io_error(action, &path, source);
        let is_new = !path.exists();
        let mut file = open::append(&path, SHARED).map_err(|source| failed("open", source))?;
        let end = whole(&mut file).map_err(|source| failed("read", source))?;
        let written = file
            .set_len(end)
            .and_then(|()| file.write_all(&line::write(revision).map_err(io::Error::other)?))
            .and_then(|()| file.sync_data());
        if let Err(source) = written {
            // A full disk may have taken half of the line.
            let _ = file.set_len(end);
            return Err(failed("append to", source));
        }
        if is_new {
            sync_folder(folder_of(&path)).map_err(|source| failed("sync", source))?;
        }
        Ok(())
    }

    /// The lines of the history, the newest first.
    fn newest_first(&self) -> Result<impl Iterator<Item = Result<Vec<u8>>>> {
        let path = self.beside("history.jsonl");
        let lines = match open::open(&path).and_then(Backwards::of) {
            Ok(lines) => Some(lines),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(io_error("read", &path, source)),
        };
        Ok(lines.into_iter().flatten().map(move |line| line.map_err(|source| io_error("read", &path, source))))
    }

    /// Hands out the revisions whose line may be wanted, the newest first, until `each` has enough.
    fn revisions(&self, wanted: impl Fn(&[u8]) -> bool, mut each: impl FnMut(Revision) -> bool) -> Result<()> {
        // A change that took place and whose writer has not come to the history yet, or never will.
        let mut intent = self.intent()?;
        if let Some(found) = &intent
            && (!self.took_place(found)? || self.is_last(found)?)
        {
            intent = None;
        }
        if intent.clone().is_some_and(&mut each) {
            return Ok(());
        }
        // Its writer may come to it meanwhile.
        let is_new = |revision: &Revision| intent.as_ref().is_none_or(|intent| !intent.is_same(revision));
        for line in self.newest_first()? {
            let line = line?;
            if wanted(&line) && line::read(&line).filter(is_new).is_some_and(&mut each) {
                break;
            }
        }
        Ok(())
    }

    /// Writes a file beside the flags as a whole.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        replace(path, bytes, None, &self.beside("next")).map(|_| ()).map_err(|source| io_error("write", path, source))
    }

    async fn lock(&self, patience: Duration) -> Result<File> {
        let path = self.beside("lock");
        let file = open::lock(&path, SHARED).map_err(|source| io_error("lock", &path, source))?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    sleep(Duration::from_millis(2)).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked { path: self.path.clone() });
                }
                Err(TryLockError::Error(source)) => return Err(io_error("lock", &path, source)),
            }
        }
    }

    /// `flags.json` has `flags.history.jsonl`, `flags.lock`, `flags.pending` beside it.
    fn beside(&self, suffix: &str) -> PathBuf {
        self.path.with_extension(suffix)
    }
}

impl FlagStore for FileFlags {
    async fn get(&self, name: &FlagName) -> Result<Option<Vec<u8>>> {
        let document = self.load()?;
        Ok(document.get(name.as_str()).map(|raw| raw.as_bytes().to_vec()))
    }

    async fn all(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let document = self.load()?;
        let mut flags: Vec<(String, Vec<u8>)> =
            document.members().map(|(name, raw)| (name.to_owned(), raw.as_bytes().to_vec())).collect();
        // Of a name that stands twice the last counts, as it does for readers.
        flags.reverse();
        flags.sort_by(|a, b| a.0.cmp(&b.0));
        flags.dedup_by(|later, first| later.0 == first.0);
        Ok(flags)
    }

    async fn write(&self, write: &Write, _: &Confirmed) -> Result<WriteOutcome> {
        if write.kill_switch {
            let lock = self.lock(HASTE).await;
            return self.kill(write, &lock);
        }
        let _lock = self.lock(PATIENCE).await?;
        self.replace(write)
    }

    async fn visit(&self, names: &[&FlagName], mut each: impl FnMut(Revision) -> bool) -> Result<()> {
        // Most lines of a long history are of other flags, and need not be read.
        let quoted = match names {
            [one] => Some(serde_json::to_vec(one.as_str())?),
            _ => None,
        };
        let finder = quoted.as_deref().map(memchr::memmem::Finder::new);
        let may_be = |line: &[u8]| finder.as_ref().is_none_or(|finder| finder.find(line).is_some());
        let is_wanted = wanted(names);
        self.revisions(may_be, |revision| is_wanted(&revision) && each(revision))
    }

    fn shown(&self) -> String {
        format!("file:{}", self.path.display())
    }
}

/// The length of the whole lines.
fn whole(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut chunk = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(8192);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        file.take(end - start).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source }
}
