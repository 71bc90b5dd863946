//! All flags of an environment as they were read for a screen: the ones that were named, the answer as a source.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::flagstore::{FlagStore as _, Flags};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::document::Malformed;
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::status::source::Source;

/// The newest change of each flag that is among them.
pub fn newest(history: &[Revision]) -> HashMap<&str, &Revision> {
    let mut newest = HashMap::new();
    for revision in history {
        newest.entry(revision.flag.as_str()).or_insert(revision);
    }
    newest
}

/// One flag as it is stored, and what a reader sees in it.
#[derive(Debug)]
pub struct StoredFlag {
    pub name: String,
    pub raw: Vec<u8>,
    pub read: Result<Flag, Malformed>,
}

impl StoredFlag {
    /// Reads what is stored.
    pub fn new(name: String, raw: Vec<u8>) -> Self {
        Self { read: Flag::read(&raw), name, raw }
    }
}

/// The flags of one environment, by name.
#[derive(Debug)]
pub struct FlagCatalog {
    pub flags: Vec<StoredFlag>,
    pub environment: String,
    pub reader: Reader,
    /// Where they are, without credentials.
    pub shown: String,
    pub source: Source,
}

impl FlagCatalog {
    /// Asks the store for everything.
    pub async fn of(cx: &Session, store: &Flags) -> Result<Self> {
        let began = Instant::now();
        let all = store.all().await?;
        Ok(Self {
            environment: cx.environment()?.to_owned(),
            reader: cx.config()?.settings.flags.reader,
            shown: store.shown(),
            source: answered(began),
            flags: all.into_iter().map(|(name, raw)| StoredFlag::new(name, raw)).collect(),
        })
    }

    /// Only the flags of these names, in their order; all of them when there are no names.
    ///
    /// # Errors
    /// `NotFound` for a name that there is not, with the nearest.
    pub fn only(mut self, names: &[FlagName]) -> Result<Self> {
        if names.is_empty() {
            return Ok(self);
        }
        for name in names {
            if !self.flags.iter().any(|stored| stored.name == name.as_str()) {
                return Err(self.no_such(name));
            }
        }
        let place = |stored: &StoredFlag| names.iter().position(|name| name.as_str() == stored.name);
        self.flags.retain(|stored| place(stored).is_some());
        self.flags.sort_by_key(place);
        Ok(self)
    }

    pub fn no_such(&self, name: &FlagName) -> Error {
        Error::NotFound {
            what: "flag",
            name: name.to_string(),
            candidates: self.flags.iter().map(|stored| stored.name.clone()).collect(),
        }
    }
}

/// The store as a source that answered.
pub fn answered(began: Instant) -> Source {
    Source::asked("flags", began.elapsed(), Ok(()))
}
