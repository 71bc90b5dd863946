//! Where flags are kept: Redis or a file, behind one trait with one meaning. A write is a compare-and-set on the raw
//! bytes, with its history and its notice in the same step.

mod checkup;
pub mod file;
pub mod keys;
mod line;
pub mod lock;
pub mod ramps;
pub mod redis;
mod transaction;
pub mod watch;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::change::confirmed::Confirmed;
use crate::clients::redis::session::Notices;
use liveops_domain::error::Result;
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::name::FlagName;

pub use crate::flagstore::file::FileFlags;
pub use crate::flagstore::redis::RedisFlags;
pub use crate::flagstore::watch::Watch;

/// What is to be written, and what must be there for that.
#[derive(Debug, Clone)]
pub struct Write {
    pub name: FlagName,
    /// The bytes that are there now; `None` when there is no such flag.
    pub expected: Option<Vec<u8>>,
    /// What goes into the history; its `after` is the new value, and `None` removes the flag.
    pub revision: Revision,
    /// Of a step of a ramp: the epoch of the ramp's lock, which must still be this one.
    pub epoch: Option<u64>,
    /// Needs nothing but the flag: it is written where its history, a lock or a notice is not to be had.
    pub kill_switch: bool,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It is there, and in the history.
    Applied {
        /// Readers that listen were told; the others see it when their cache ends.
        notified: bool,
        /// Of a kill switch: why it is not in the history.
        unrecorded: Option<String>,
    },
    /// Something else was there: nothing was changed.
    Conflict { found: Option<Vec<u8>> },
    /// Somebody else has taken the ramp over: nothing was changed.
    Fenced,
}

impl WriteOutcome {
    /// It took place, and is in the history.
    fn applied(notified: bool) -> Self {
        Self::Applied { notified, unrecorded: None }
    }
}

/// A place for flags. Names and values are bytes; nothing here reads a value.
pub trait FlagStore {
    /// The value of one flag.
    async fn get(&self, name: &FlagName) -> Result<Option<Vec<u8>>>;

    /// Every flag, by name.
    async fn all(&self) -> Result<Vec<(String, Vec<u8>)>>;

    /// Replaces exactly the bytes that are expected, and writes that into the history.
    async fn write(&self, write: &Write, confirmed: &Confirmed) -> Result<WriteOutcome>;

    /// Hands out the changes of these flags, or of all where none is named, the newest first, until `each` has enough.
    async fn visit(&self, names: &[&FlagName], each: impl FnMut(Revision) -> bool) -> Result<()>;

    /// The changes of one flag, or of all, the newest first.
    async fn history(&self, name: Option<&FlagName>, limit: Option<usize>) -> Result<Vec<Revision>> {
        let mut found = Vec::new();
        let is_enough = |found: &Vec<Revision>| limit.is_some_and(|limit| found.len() >= limit);
        self.visit(name.as_slice(), |revision| {
            found.push(revision);
            is_enough(&found)
        })
        .await?;
        Ok(found)
    }

    /// The newest change of each flag that the history knows.
    async fn newest(&self) -> Result<Vec<Revision>> {
        let mut found: HashMap<String, Revision> = HashMap::new();
        self.visit(&[], |revision| {
            found.entry(revision.flag.clone()).or_insert(revision);
            false
        })
        .await?;
        Ok(found.into_values().collect())
    }

    /// Where it is, without credentials.
    fn shown(&self) -> String;
}

/// Whose changes are asked for; without a name, those of all.
fn wanted<'a>(names: &[&'a FlagName]) -> impl Fn(&Revision) -> bool + use<'a> {
    let names: HashSet<&str> = names.iter().map(|name| name.as_str()).collect();
    move |revision| names.is_empty() || names.contains(revision.flag.as_str())
}

/// The place that is configured.
#[derive(Debug)]
pub enum Flags {
    Redis(Box<RedisFlags>),
    File(FileFlags),
}

impl Flags {
    /// Changes from now on; where no notice comes, each `poll` is a look.
    pub async fn watch(&self, poll: Duration) -> Result<Watch<'_>> {
        Watch::begin(self, poll).await
    }

    /// Flags that vanish by themselves; in a file there are none.
    pub async fn expiring(&self) -> Result<Vec<String>> {
        match self {
            Self::Redis(store) => store.expiring().await,
            Self::File(_) => Ok(Vec::new()),
        }
    }

    /// How many replicas have all that was written, after a short wait for one of them; `None` where nobody would take
    /// the primary's place.
    pub async fn replicas(&self) -> Option<u64> {
        match self {
            Self::Redis(store) => store.replicas().await,
            Self::File(_) => None,
        }
    }

    /// Notices of changes, where there are any and we may listen.
    async fn notices(&self) -> Option<Notices> {
        match self {
            Self::Redis(store) => store.notices().await,
            Self::File(_) => None,
        }
    }
}

impl FlagStore for Flags {
    async fn get(&self, name: &FlagName) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Redis(store) => store.get(name).await,
            Self::File(store) => store.get(name).await,
        }
    }

    async fn all(&self) -> Result<Vec<(String, Vec<u8>)>> {
        match self {
            Self::Redis(store) => store.all().await,
            Self::File(store) => store.all().await,
        }
    }

    async fn write(&self, write: &Write, confirmed: &Confirmed) -> Result<WriteOutcome> {
        match self {
            Self::Redis(store) => store.write(write, confirmed).await,
            Self::File(store) => store.write(write, confirmed).await,
        }
    }

    async fn visit(&self, names: &[&FlagName], each: impl FnMut(Revision) -> bool) -> Result<()> {
        match self {
            Self::Redis(store) => store.visit(names, each).await,
            Self::File(store) => store.visit(names, each).await,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Redis(store) => store.shown(),
            Self::File(store) => store.shown(),
        }
    }
}
