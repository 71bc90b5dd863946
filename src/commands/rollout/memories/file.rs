//! Lock and state in files of this user, where there is no cluster to hold them. The lock is the operating system's: it
//! is free the moment that its holder dies.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::change::Confirmed;
use crate::commands::rollout::memory::{Holder, Lock, Memory, Stored};
use crate::commands::rollout::target::Doing;
use crate::context::Context;
use crate::domain::rollout::state::Rollout;
use crate::error::{Error, Result};
use crate::stores::file::{private_folder, write_private};

/// One folder a service.
pub(super) struct FileMemory<'a> {
    cx: &'a Context,
    folder: PathBuf,
    /// The lock, while it is ours.
    held: RefCell<Option<File>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct HolderFile {
    holder: String,
    epoch: u64,
    renewed_at: DateTime<Utc>,
    released: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct StateFile {
    version: u64,
    rollout: Rollout,
}

impl<'a> FileMemory<'a> {
    /// In this folder; nothing is made before it is needed.
    pub(super) fn new(cx: &'a Context, folder: PathBuf) -> Self {
        Self {
            cx,
            folder,
            held: RefCell::default(),
        }
    }

    fn io(&self, action: &'static str) -> impl Fn(io::Error) -> Error {
        let path = self.folder.clone();
        move |source| Error::Io {
            action,
            path: path.clone(),
            source,
        }
    }

    fn file(&self, name: &str) -> Result<File> {
        private_folder(&self.folder).map_err(self.io("create"))?;
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join(name))
            .map_err(self.io("open a lock in"))
    }

    /// Keeps two writers of the files apart; for moments only.
    fn alone(&self) -> Result<File> {
        let file = self.file("writing")?;
        file.lock().map_err(self.io("lock"))?;
        Ok(file)
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>> {
        let path = self.folder.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(Error::Io {
                    action: "read",
                    path,
                    source,
                });
            }
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::Damaged {
                what: error.to_string(),
                hint: "look at it; when nothing in it is worth keeping, remove it".into(),
                path,
            })
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        write_private(&self.folder.join(name), &serde_json::to_vec_pretty(value)?)
            .map_err(self.io("write"))
    }

    fn take(&self, holder: &str, takeover: bool) -> Result<Lock> {
        let file = self.file("lock")?;
        let ours = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(source)) => return Err(self.io("lock")(source)),
        };
        let _alone = self.alone()?;
        let known = self.read::<HolderFile>("holder.json")?;
        if !ours && !takeover {
            let by = known
                .as_ref()
                .map_or("another liveops", |known| &known.holder);
            return Err(Error::Refused {
                why: format!("{by} holds the rollout of this service"),
                hint: format!(
                    "`{}` shows it; pause, approve and abort work from here; `--takeover` takes it from a holder that hangs",
                    self.cx.command("rollout status")
                ),
            });
        }
        let epoch = known.map_or(0, |known| known.epoch) + 1;
        let mine = HolderFile {
            holder: holder.to_owned(),
            epoch,
            renewed_at: self.cx.clock.now(),
            released: false,
        };
        self.write("holder.json", &mine)?;
        if ours {
            *self.held.borrow_mut() = Some(file);
        }
        Ok(Lock {
            holder: mine.holder,
            epoch,
        })
    }

    fn touch(&self, lock: &Lock, released: bool) -> Result<()> {
        let _alone = self.alone()?;
        if let Some(known) = self.read::<HolderFile>("holder.json")?
            && known.epoch != lock.epoch
        {
            return Err(Error::Conflict {
                what: format!("{} has taken the rollout over", known.holder),
                hint: format!("look at it: `{}`", self.cx.command("rollout status")),
            });
        }
        self.write(
            "holder.json",
            &HolderFile {
                holder: lock.holder.clone(),
                epoch: lock.epoch,
                renewed_at: self.cx.clock.now(),
                released,
            },
        )
    }

    fn who(&self) -> Result<Option<Holder>> {
        let Some(known) = self.read::<HolderFile>("holder.json")? else {
            return Ok(None);
        };
        if known.released {
            return Ok(None);
        }
        let alive = match self.file("lock")?.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(source)) => return Err(self.io("lock")(source)),
        };
        Ok(Some(Holder {
            holder: known.holder,
            epoch: known.epoch,
            renewed_at: known.renewed_at,
            alive,
        }))
    }

    fn store(&self, rollout: &Rollout, version: Option<&str>) -> Result<String> {
        let _alone = self.alone()?;
        let there = self.read::<StateFile>("state.json")?;
        let stands = there.as_ref().map(|there| there.version.to_string());
        if stands.as_deref() != version {
            return Err(Error::Conflict {
                what: "the state of the rollout was changed by somebody else".into(),
                hint: format!("look at it: `{}`", self.cx.command("rollout status")),
            });
        }
        let next = there.map_or(0, |there| there.version) + 1;
        self.write(
            "state.json",
            &StateFile {
                version: next,
                rollout: rollout.clone(),
            },
        )?;
        Ok(next.to_string())
    }
}

impl Memory for FileMemory<'_> {
    fn acquire<'a>(
        &'a self,
        holder: &'a str,
        takeover: bool,
        _confirmed: &'a Confirmed,
    ) -> Doing<'a, Lock> {
        Box::pin(async move { self.take(holder, takeover) })
    }

    fn renew<'a>(&'a self, lock: &'a Lock, _confirmed: &'a Confirmed) -> Doing<'a, ()> {
        Box::pin(async move { self.touch(lock, false) })
    }

    fn release<'a>(&'a self, lock: &'a Lock, _confirmed: &'a Confirmed) -> Doing<'a, ()> {
        Box::pin(async move {
            let done = self.touch(lock, true);
            self.held.borrow_mut().take();
            done
        })
    }

    fn holder(&self) -> Doing<'_, Option<Holder>> {
        Box::pin(async { self.who() })
    }

    fn load(&self) -> Doing<'_, Option<Stored>> {
        Box::pin(async {
            Ok(self.read::<StateFile>("state.json")?.map(|file| Stored {
                rollout: file.rollout,
                version: file.version.to_string(),
            }))
        })
    }

    fn save<'a>(
        &'a self,
        rollout: &'a Rollout,
        version: Option<&'a str>,
        _confirmed: &'a Confirmed,
    ) -> Doing<'a, String> {
        Box::pin(async move { self.store(rollout, version) })
    }
}
