//! How to revert a change of feature flags, and what that comes to in the world as it is now. The value to go back to
//! stands in the flag's own history, under the id of the change; the audit log holds no second copy of it. Pure.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::flag::definition::OURS;
use crate::flag::document::Document;
use crate::flag::history::{Revision, drift};
use crate::text::shell::word;

/// The reverse of a change of flags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum FlagUndo {
    /// Give each of these flags the value that it had before the change, if it still has the one that the change
    /// gave it.
    RestoreFlags { flags: Vec<String> },
}

/// A flag as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagNow {
    pub flag: String,
    pub current: Option<Vec<u8>>,
    /// As much as an undo needs, the newest first.
    pub history: Vec<Revision>,
}

/// One value to go back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    pub flag: String,
    /// What it is now; nothing else may be overwritten.
    pub from: Option<Vec<u8>>,
    /// What it was; `None` is no flag.
    pub to: Option<Vec<u8>>,
    /// The change that is taken back.
    pub op: String,
}

/// Why an undo must not be carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Stale {
    /// The change was begun, and its effect is not there.
    #[error("it did not happen: no history of {} knows it", flags(.0))]
    DidNotHappen(Vec<String>),
    /// The change is known to have happened, and not to this store.
    #[error("the history of flag `{flag}` does not know it: this is another store, or it has forgotten")]
    Forgotten { flag: String },
    /// Somebody changed it since, through liveops.
    #[error("flag `{flag}` was changed since, by {} at {}", .by.by, stamp(.by.at))]
    Changed { flag: String, by: Box<Revision> },
    /// Somebody changed it since, by other means.
    #[error("flag `{flag}` was changed since, outside liveops")]
    Drifted { flag: String, newest: Box<Revision>, found: Option<Vec<u8>> },
    /// Nothing is known of it.
    #[error("flag `{flag}` has no history: liveops has never changed it")]
    NoHistory { flag: String },
    /// There is no such revision.
    #[error("flag `{flag}` has no revision {rev} in its history")]
    NoRevision { flag: String, rev: u64, known: Vec<u64> },
}

fn flags(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%FT%TZ").to_string()
}

impl FlagUndo {
    /// The flags that it is about.
    pub fn flags(&self) -> &[String] {
        let Self::RestoreFlags { flags } = self;
        flags
    }

    /// What it does, in words.
    pub fn summary(&self) -> String {
        match self.flags() {
            [one] => format!("give flag `{one}` its value of before back"),
            all => format!("give flags {} their values of before back", flags(all)),
        }
    }

    /// The command that does the same without the audit log; words after `liveops`.
    pub fn by_hand(&self) -> String {
        match self.flags() {
            [one] => format!("flag undo {}", word(one)),
            _ => "flag history".into(),
        }
    }

    /// What it comes to. `op` is the id of the change; `certain` says that the change is known to have happened: where
    /// it is not, only those flags are restored in whose history it stands.
    ///
    /// # Errors
    /// Why it must not be carried out.
    pub fn decide(&self, op: &str, world: &[FlagNow], certain: bool) -> Result<Vec<Restore>, Stale> {
        let mut restores = Vec::new();
        for now in world {
            let flag = || now.flag.clone();
            match now.history.iter().find(|revision| revision.op == op) {
                Some(revision) => restores.push(now.back_over(revision)?),
                None if certain => return Err(Stale::Forgotten { flag: flag() }),
                None => {}
            }
        }
        if restores.is_empty() {
            return Err(Stale::DidNotHappen(self.flags().to_vec()));
        }
        Ok(restores)
    }
}

/// Are two values the same, but for what liveops itself keeps in them?
fn is_same(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    let plain = |value: &[u8]| match Document::parse(value) {
        Ok(mut document) => {
            document.remove(OURS);
            document.into_bytes()
        }
        Err(_) => value.to_vec(),
    };
    one.map(plain) == other.map(plain)
}

impl FlagNow {
    /// The newest change taken back, or with `to_rev` everything after that revision.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn step_back(&self, to_rev: Option<u64>) -> Result<Restore, Stale> {
        let newest = self.history.first().ok_or_else(|| Stale::NoHistory { flag: self.flag.clone() })?;
        let back = self.back_over(newest)?;
        let Some(rev) = to_rev else {
            return Ok(back);
        };
        let wanted = self.history.iter().find(|revision| revision.rev == rev);
        let wanted = wanted.ok_or_else(|| Stale::NoRevision {
            flag: self.flag.clone(),
            rev,
            known: self.history.iter().map(|revision| revision.rev).collect(),
        })?;
        Ok(Restore { to: wanted.after.clone(), ..back })
    }

    /// One revision taken back, if it is the newest, or what has happened since came back to the value that it left: the
    /// undo of each later change.
    fn back_over(&self, revision: &Revision) -> Result<Restore, Stale> {
        let flag = self.flag.clone();
        let newest = self.history.first().unwrap_or(revision);
        if newest.op != revision.op && !is_same(self.current.as_deref(), revision.after.as_deref()) {
            let by = Box::new(newest.clone());
            return Err(Stale::Changed { flag, by });
        }
        if drift(self.current.as_deref(), Some(newest)) {
            return Err(Stale::Drifted { flag, newest: Box::new(newest.clone()), found: self.current.clone() });
        }
        Ok(Restore { flag, from: self.current.clone(), to: revision.before.clone(), op: revision.op.clone() })
    }
}
