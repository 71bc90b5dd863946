//! What a statement does to the tables that it meets.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::statement::Name;

/// Table locks of PostgreSQL, by its names, from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Lock {
    #[serde(rename = "AccessShareLock")]
    AccessShare,
    #[serde(rename = "RowShareLock")]
    RowShare,
    #[serde(rename = "RowExclusiveLock")]
    RowExclusive,
    #[serde(rename = "ShareUpdateExclusiveLock")]
    ShareUpdateExclusive,
    #[serde(rename = "ShareLock")]
    Share,
    #[serde(rename = "ShareRowExclusiveLock")]
    ShareRowExclusive,
    #[serde(rename = "ExclusiveLock")]
    Exclusive,
    #[serde(rename = "AccessExclusiveLock")]
    AccessExclusive,
}

impl Lock {
    pub fn label(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    pub fn blocks(self) -> Blocks {
        match self {
            Self::AccessExclusive => Blocks::Reads,
            Self::Share | Self::ShareRowExclusive | Self::Exclusive => Blocks::Writes,
            _ => Blocks::None,
        }
    }
}

/// What other sessions cannot do meanwhile. Who blocks reads blocks writes, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Blocks {
    None,
    Writes,
    Reads,
    Unknown,
}

impl Blocks {
    pub fn label(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Writes => "writes",
            Self::Reads => "reads and writes",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    None,
    Scan,
    Build,
    Rewrite,
    Unknown,
}

/// How MySQL and MariaDB run an ALTER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    Instant,
    Nocopy,
    Inplace,
    Copy,
}

impl Algorithm {
    pub fn label(self) -> &'static str {
        match self {
            Self::Instant => "INSTANT",
            Self::Nocopy => "NOCOPY",
            Self::Inplace => "INPLACE",
            Self::Copy => "COPY",
        }
    }
}

/// Who may still work on the table: NONE, everybody; SHARED, who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TableLock {
    None,
    Shared,
    Exclusive,
}

/// An error that the server answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub why: String,
    /// Only where the table has rows.
    pub with_rows: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    pub locks: BTreeMap<Name, Lock>,
    /// By relation, in proportion to its rows.
    pub rewrites: BTreeSet<Name>,
    pub scans: BTreeSet<Name>,
    pub builds: BTreeMap<Name, usize>,
    /// Tables whose foreign key is proven row by row.
    pub proves: BTreeSet<Name>,
    /// Emptied in no time: the rows are gone, no work is done.
    pub emptied: BTreeSet<Name>,
    pub dropped: BTreeSet<Name>,
    /// What it makes itself: nobody uses it yet.
    pub created: BTreeSet<Name>,
    pub refused: Option<Refusal>,
    /// Waits until every older transaction has ended.
    pub waits: bool,
    pub outside_transaction: bool,
    pub breaks: Option<String>,
    pub loses: Option<String>,
    pub unknown: Option<String>,
    pub method: Option<(Algorithm, TableLock)>,
    /// Rows that are changed, without a condition on an index.
    pub backfill: Option<Name>,
    pub traps: Vec<(&'static str, String)>,
}

impl Verdict {
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { unknown: Some(why.into()), ..Self::default() }
    }

    pub fn lock(&mut self, name: &str, lock: Lock) {
        let held = self.locks.entry(name.to_owned()).or_insert(lock);
        *held = lock.max(*held);
    }

    pub fn scan(&mut self, name: &str) {
        self.scans.insert(name.to_owned());
    }

    pub fn rewrite(&mut self, name: &str) {
        self.rewrites.insert(name.to_owned());
    }

    pub fn build(&mut self, name: &str, count: usize) {
        *self.builds.entry(name.to_owned()).or_default() += count;
        self.scan(name);
    }

    pub fn refuse(&mut self, code: &'static str, why: impl Into<String>) {
        self.refused.get_or_insert(Refusal { code, why: why.into(), with_rows: false });
    }

    /// A rewrite reads every row, and builds every index anew.
    pub fn settle(&mut self) {
        let rewrites = &self.rewrites;
        self.scans.retain(|name| !rewrites.contains(name));
        self.builds.retain(|name, _| !rewrites.contains(name));
    }

    pub fn add(&mut self, other: Self) {
        for (name, lock) in other.locks {
            self.lock(&name, lock);
        }
        self.rewrites.extend(other.rewrites);
        self.scans.extend(other.scans);
        for (name, count) in other.builds {
            *self.builds.entry(name).or_default() += count;
        }
        self.proves.extend(other.proves);
        self.emptied.extend(other.emptied);
        self.dropped.extend(other.dropped);
        self.created.extend(other.created);
        self.refused = self.refused.take().or(other.refused);
        self.waits |= other.waits;
        self.outside_transaction |= other.outside_transaction;
        self.breaks = self.breaks.take().or(other.breaks);
        self.loses = self.loses.take().or(other.loses);
        self.unknown = self.unknown.take().or(other.unknown);
        self.method = self.method.max(other.method);
        self.backfill = self.backfill.take().or(other.backfill);
        self.traps.extend(other.traps);
        self.settle();
    }

    /// The work on relations that satisfy `counts`.
    pub fn work(&self, counts: impl Fn(&str) -> bool) -> Work {
        if self.unknown.is_some() {
            Work::Unknown
        } else if self.rewrites.iter().any(|name| counts(name)) {
            Work::Rewrite
        } else if self.builds.keys().any(|name| counts(name)) {
            Work::Build
        } else if self.scans.iter().any(|name| counts(name)) {
            Work::Scan
        } else {
            Work::None
        }
    }

    pub fn blocks(&self, counts: impl Fn(&str) -> bool) -> Blocks {
        if self.unknown.is_some() {
            return Blocks::Unknown;
        }
        self.locks.iter().filter(|(name, _)| counts(name)).map(|(_, lock)| lock.blocks()).max().unwrap_or(Blocks::None)
    }
}
