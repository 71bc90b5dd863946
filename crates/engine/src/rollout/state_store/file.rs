//! Lock and state in files of this user, where there is no cluster to hold them. The lock is the operating system's: it
//! is free the moment that its holder dies. Nobody ever waits for anybody: one that hangs in the middle of a write keeps
//! no other from going back. So each epoch has a lock file of its own and each state a file with its number, and both
//! appear by a hard link, which fails where somebody was faster.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::{fs, io};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::change::confirmed::Confirmed;
use crate::files::durable::sync_folder;
use crate::files::file::{private_folder, write_private};
use crate::files::open;
use crate::rollout::state_store::{StateStore, StoredRollout};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::lock::{Holder, RolloutLock};
use liveops_domain::rollout::state::Rollout;

/// Rivals that may be faster before we give up.
const RIVALS: u32 = 8;

const LOCK: &str = "lock-";

const HOLDER: &str = "holder-";

const STATE: &str = "state-";

/// Where the latest state was before each had its number.
const OLD_STATE: &str = "state.json";

/// One folder a service.
pub struct FileStateStore<'a> {
    cx: &'a Session,
    folder: PathBuf,
    /// What to type to look at it.
    look: String,
    /// The lock, while it is ours.
    held: RefCell<Option<File>>,
}

/// Who has the lock of an epoch; written by none but him.
#[derive(Debug, Serialize, Deserialize)]
struct HolderFile {
    holder: String,
    renewed_at: DateTime<Utc>,
    released: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct StateFile {
    version: u64,
    rollout: Rollout,
}

fn holder_name(epoch: u64) -> String {
    format!("{HOLDER}{epoch}.json")
}

impl<'a> FileStateStore<'a> {
    /// In this folder; nothing is made before it is needed.
    pub fn new(cx: &'a Session, folder: PathBuf, look: String) -> Self {
        Self { cx, folder, look, held: RefCell::default() }
    }

    fn io(&self, action: &'static str) -> impl Fn(io::Error) -> Error {
        let path = self.folder.clone();
        move |source| Error::Io { action, path: path.clone(), source }
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>> {
        let path = self.folder.join(name);
        let bytes = match open::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(Error::Io { action: "read", path, source });
            }
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::Damaged {
            what: error.to_string(),
            hint: "was it written by a newer liveops? when nothing in it is worth keeping, remove it".into(),
            path,
        })
    }

    /// The files whose names are `lead` and a number, by their number.
    fn numbered(&self, lead: &str) -> Result<BTreeMap<u64, PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(self.io("read")(error)),
        };
        let number = |entry: fs::DirEntry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix(lead)?;
            let number = number.trim_end_matches(".json").parse().ok()?;
            Some((number, entry.path()))
        };
        Ok(entries.flatten().filter_map(number).collect())
    }

    fn latest(&self, lead: &str) -> Result<u64> {
        let last = self.numbered(lead)?.into_keys().next_back();
        Ok(last.unwrap_or(0))
    }

    /// Removes what is older. Whoever has an old lock has it open; its name is of no use any more.
    fn forget(&self, lead: &str, before: u64) {
        for (_, path) in self.numbered(lead).unwrap_or_default().range(..before) {
            let _ = fs::remove_file(path);
        }
    }

    /// A file that is whole, and has no name yet.
    fn nameless(&self) -> Result<NamedTempFile> {
        private_folder(&self.folder).map_err(self.io("create"))?;
        NamedTempFile::new_in(&self.folder).map_err(self.io("write in"))
    }

    /// Gives the file this name; false when somebody was faster.
    fn name(&self, file: &NamedTempFile, name: &str) -> Result<bool> {
        match fs::hard_link(file.path(), self.folder.join(name)) {
            Ok(()) => sync_folder(&self.folder).map(|()| true).map_err(self.io("write in")),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.io("write in")(error)),
        }
    }

    fn take(&self, holder: &str, takeover: bool) -> Result<RolloutLock> {
        for _ in 0..RIVALS {
            let before = self.latest(LOCK)?;
            if !takeover && self.is_held(before)? {
                let known = self.read::<HolderFile>(&holder_name(before))?;
                let by = known.as_ref().map_or("another liveops", |known| &known.holder);
                return Err(Error::Refused {
                    why: format!("{by} holds the rollout of this service"),
                    hint: format!(
                        "`{}` shows it; pause, approve and abort work from here; `--takeover` takes it from a holder that hangs",
                        self.cx.command(&self.look)
                    ),
                });
            }
            let epoch = before + 1;
            // Locked before it can be found.
            let file = self.nameless()?;
            file.as_file().lock().map_err(self.io("lock"))?;
            if !self.name(&file, &format!("{LOCK}{epoch}"))? {
                continue;
            }
            let file = file.into_file();
            let lock = RolloutLock { holder: holder.to_owned(), epoch };
            self.show(&lock, false)?;
            *self.held.borrow_mut() = Some(file);
            self.forget(LOCK, epoch);
            self.forget(HOLDER, epoch);
            return Ok(lock);
        }
        Err(Error::Conflict {
            what: "too many others want the lock".into(),
            hint: format!("look at it: `{}`", self.cx.command(&self.look)),
        })
    }

    fn show(&self, lock: &RolloutLock, released: bool) -> Result<()> {
        let file = HolderFile { holder: lock.holder.clone(), renewed_at: self.cx.clock.now(), released };
        let path = self.folder.join(holder_name(lock.epoch));
        write_private(&path, &serde_json::to_vec_pretty(&file)?).map_err(self.io("write"))
    }

    fn touch(&self, lock: &RolloutLock, released: bool) -> Result<()> {
        let latest = self.latest(LOCK)?;
        if latest > lock.epoch {
            let known = self.read::<HolderFile>(&holder_name(latest))?;
            let by = known.as_ref().map_or("somebody", |known| &known.holder);
            return Err(Error::Conflict {
                what: format!("{by} has taken the rollout over"),
                hint: format!("look at it: `{}`", self.cx.command(&self.look)),
            });
        }
        self.show(lock, released)
    }

    fn who(&self) -> Result<Option<Holder>> {
        let epoch = self.latest(LOCK)?;
        let Some(known) = self.read::<HolderFile>(&holder_name(epoch))? else {
            return Ok(None);
        };
        if known.released {
            return Ok(None);
        }
        Ok(Some(Holder { alive: self.is_held(epoch)?, holder: known.holder, epoch, renewed_at: known.renewed_at }))
    }

    /// Does a living process hold the lock of this epoch?
    fn is_held(&self, epoch: u64) -> Result<bool> {
        let file = match open::open(&self.folder.join(format!("{LOCK}{epoch}"))) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(self.io("open a lock in")(source)),
        };
        // Shared, so that two who look do not take each other for the holder.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(self.io("lock")(source)),
        }
    }

    fn state(&self) -> Result<Option<StateFile>> {
        // The latest one may be replaced between the look at the folder and the file.
        for _ in 0..RIVALS {
            let latest = self.latest(STATE)?;
            if latest == 0 {
                return self.read(OLD_STATE);
            }
            if let Some(found) = self.read(&format!("{STATE}{latest}.json"))? {
                return Ok(Some(found));
            }
        }
        Err(self.overtaken())
    }

    fn overtaken(&self) -> Error {
        Error::Conflict {
            what: "the state of the rollout was changed by somebody else".into(),
            hint: format!("look at it: `{}`", self.cx.command(&self.look)),
        }
    }

    fn store(&self, rollout: &Rollout, version: Option<&str>) -> Result<String> {
        let there = self.state()?.map_or(0, |there| there.version);
        if version.unwrap_or("0") != there.to_string() {
            return Err(self.overtaken());
        }
        let next = StateFile { version: there + 1, rollout: rollout.clone() };
        let mut file = self.nameless()?;
        file.write_all(&serde_json::to_vec_pretty(&next)?)
            .and_then(|()| file.as_file().sync_all())
            .map_err(self.io("write"))?;
        // One that slept since it looked finds its number free again, and higher ones beside it.
        let name = format!("{STATE}{}.json", next.version);
        if !self.name(&file, &name)? {
            return Err(self.overtaken());
        }
        if self.latest(STATE)? > next.version {
            let _ = fs::remove_file(self.folder.join(name));
            return Err(self.overtaken());
        }
        self.forget(STATE, next.version);
        let _ = fs::remove_file(self.folder.join(OLD_STATE));
        Ok(next.version.to_string())
    }
}

#[async_trait(?Send)]
impl StateStore for FileStateStore<'_> {
    async fn acquire(&self, holder: &str, takeover: bool, _confirmed: &Confirmed) -> Result<RolloutLock> {
        self.take(holder, takeover)
    }

    async fn renew(&self, lock: &RolloutLock, _confirmed: &Confirmed) -> Result<()> {
        self.touch(lock, false)
    }

    async fn release(&self, lock: &RolloutLock, _confirmed: &Confirmed) -> Result<()> {
        let done = self.touch(lock, true);
        self.held.borrow_mut().take();
        done
    }

    async fn holder(&self) -> Result<Option<Holder>> {
        self.who()
    }

    async fn load(&self) -> Result<Option<StoredRollout>> {
        Ok(self.state()?.map(|file| StoredRollout { rollout: file.rollout, version: file.version.to_string() }))
    }

    async fn save(&self, rollout: &Rollout, version: Option<&str>, _confirmed: &Confirmed) -> Result<String> {
        self.store(rollout, version)
    }
}
