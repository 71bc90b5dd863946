//! The flags of this environment, and how one is written: compare-and-set, and what to do when somebody else was faster.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::change::confirmed::Confirmed;
use crate::flag::change::{FlagWritten, FlagsWritten};
use crate::flagstore::{FlagStore, Flags, Write, WriteOutcome};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::delta::words;
use liveops_domain::flag::edit::{Edit, apply, means_the_same};
use liveops_domain::flag::exposure::only_takes_away;
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::text::duration::human;
use liveops_domain::text::shell::word;

/// The longest pause between two tries, in milliseconds: the more rivals, the longer, or else all of them are so busy
/// with trying that none comes to writing.
const PAUSE: u64 = 512;

/// So many flags are read one by one; more of them with all others at once.
const ONE_BY_ONE: usize = 4;

/// One flag, as it was read and as it shall be.
#[derive(Debug, Clone)]
pub struct FlagUpdate {
    pub name: FlagName,
    pub edit: Edit,
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
    /// Is it only meant for exactly these bytes?
    pub strict: bool,
    /// What is known of it beforehand, for the preview.
    pub said: Vec<String>,
}

/// What became of it.
#[derive(Debug)]
pub struct AppliedUpdate {
    pub name: FlagName,
    /// `None`: somebody else has done the same meanwhile, and nothing was written.
    pub revision: Option<Revision>,
    /// Were readers that listen told?
    pub notified: bool,
    /// Of a kill switch: why it is not in the flag's history.
    pub unrecorded: Option<String>,
}

/// Where the flags of this environment are, and who reads them.
pub struct FlagStoreAccess<'a> {
    pub cx: &'a Session,
    pub store: Flags,
    pub reader: Reader,
    /// How long readers keep a flag.
    pub cache_ttl: Duration,
    /// How long a write is tried while others are faster.
    patience: Duration,
}

impl<'a> FlagStoreAccess<'a> {
    /// Of this environment. Nothing is dialled yet.
    pub fn of(cx: &'a Session) -> Result<Self> {
        let settings = &cx.config()?.settings.flags;
        Ok(Self {
            cx,
            store: cx.flags()?,
            reader: settings.reader,
            cache_ttl: settings.cache_ttl,
            patience: cx.timeouts()?.1,
        })
    }

    /// The line of a report that says when every reader has a change; none where nothing was written.
    pub fn everybody(&self, result: &FlagsWritten) -> Option<String> {
        let by = result.readers_by.as_ref()?;
        // Nobody waits for what changes nothing for anybody.
        if result.flags.iter().all(|flag| flag.impact.still_off) {
            return None;
        }
        let ttl = human(self.cache_ttl);
        let untold =
            |flag: &FlagWritten| flag.writing.as_ref().is_some_and(|writing| writing.written && !writing.notified);
        // A file has no notices, and nobody waits for one.
        if matches!(self.store, Flags::Redis(_)) && result.flags.iter().any(untold) {
            return Some(format!(
                "no notice could be published: services that listen for changes see it only when their cache ends; every service has it by {by} ({ttl})"
            ));
        }
        Some(format!("every service has it by {by}: they keep a flag for {ttl}"))
    }
}

impl FlagUpdate {
    /// Is there anything to write?
    pub fn changes(&self) -> bool {
        self.before != self.after
    }

    /// Does it take the flag away from users, and give it to nobody?
    pub fn only_takes_away(&self, reader: Reader) -> bool {
        only_takes_away(self.before.as_deref(), self.after.as_deref(), reader)
    }
}

impl FlagStoreAccess<'_> {
    /// Writes it. When somebody else was faster, the edit is applied to what is there now, if it still means the same,
    /// until the time of a command is over.
    ///
    /// # Errors
    /// `Conflict` with both values, or when others were faster all the time; those of the store.
    pub async fn write(
        &self,
        target: &FlagUpdate,
        reason: Option<&str>,
        confirmed: &Confirmed,
    ) -> Result<AppliedUpdate> {
        let mut expected = target.before.clone();
        let mut after = target.after.clone();
        let began = Instant::now();
        for attempt in 0_u32.. {
            let mut revision = self.revision(&target.name, confirmed, (&expected, &after));
            revision.reason = reason.map(ToOwned::to_owned);
            let write = Write {
                name: target.name.clone(),
                expected: expected.clone(),
                revision,
                epoch: None,
                kill_switch: target.edit == Edit::Kill,
            };
            if let WriteOutcome::Applied { notified, unrecorded } = self.store.write(&write, confirmed).await? {
                return Ok(AppliedUpdate { name: write.name, revision: Some(write.revision), notified, unrecorded });
            }
            if began.elapsed() > self.patience {
                break;
            }
            // What was found is old after the pause; among many writers only a fresh value has a chance. Who takes the
            // flag away from everybody waits for nobody, and so comes first.
            if target.edit != Edit::Kill {
                let longest = PAUSE.min(4 << attempt.min(7));
                tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=longest))).await;
            }
            let found = self.store.get(&target.name).await?;
            let current = target.before.as_deref();
            let same = means_the_same(current, found.as_deref(), &target.edit);
            let anew = apply(found.as_deref(), &target.edit, self.reader);
            let Ok(anew) = anew else {
                return Err(self.conflict(target, found.as_deref()).await);
            };
            if anew == found {
                return Ok(AppliedUpdate { name: write.name, revision: None, notified: true, unrecorded: None });
            }
            if target.strict || !same {
                return Err(self.conflict(target, found.as_deref()).await);
            }
            (expected, after) = (found, anew);
        }
        Err(Error::Conflict {
            what: format!(
                "flag `{}` was changed by others faster than it could be written, for {}",
                target.name,
                human(self.patience)
            ),
            hint: format!(
                "see who: `{}`; then try again",
                self.cx.command(&format!("flag history {}", word(target.name.as_str())))
            ),
        })
    }

    /// What goes into the flag's history; the reason is left out.
    pub fn revision(
        &self,
        name: &FlagName,
        confirmed: &Confirmed,
        (before, after): (&Option<Vec<u8>>, &Option<Vec<u8>>),
    ) -> Revision {
        let rev = |bytes: &Option<Vec<u8>>| {
            let flag = Flag::read(bytes.as_deref()?).ok()?;
            flag.rev()
        };
        Revision {
            op: confirmed.id().to_owned(),
            flag: name.to_string(),
            rev: rev(after).unwrap_or(0),
            at: self.cx.clock.now(),
            by: self.cx.actor.clone(),
            reason: None,
            command: self.cx.command_line.clone(),
            before: before.clone(),
            after: after.clone(),
        }
    }

    /// What is there of each of these names: asked for together where there are many.
    pub async fn values(&self, names: &[&FlagName]) -> Result<Vec<Option<Vec<u8>>>> {
        if names.len() <= ONE_BY_ONE {
            let mut values = Vec::with_capacity(names.len());
            for name in names {
                values.push(self.store.get(name).await?);
            }
            return Ok(values);
        }
        let mut all: HashMap<String, Vec<u8>> = self.store.all().await?.into_iter().collect();
        Ok(names.iter().map(|name| all.remove(name.as_str())).collect())
    }

    /// The error for a race that was lost: who was faster, what they did, and what was wanted.
    async fn conflict(&self, target: &FlagUpdate, found: Option<&[u8]>) -> Error {
        let name = &target.name;
        let by = match self.store.history(Some(name), Some(1)).await {
            Ok(newest) => newest
                .first()
                .filter(|newest| newest.after.as_deref() == found)
                .map_or(", outside liveops".to_owned(), |newest| {
                    format!(" by {} at {}", newest.by, newest.at.format("%FT%TZ"))
                }),
            Err(_) => String::new(),
        };
        let said = |to: Option<&[u8]>| words(target.before.as_deref(), to);
        Error::Conflict {
            what: format!(
                "flag `{name}` was changed meanwhile{by}: {}; this change wanted: {}; nothing was overwritten",
                said(found),
                said(target.after.as_deref())
            ),
            hint: format!(
                "look at it: `{}`; if it is still right, run it again",
                self.cx.command(&format!("flag get {}", word(name.as_str())))
            ),
        }
    }
}
