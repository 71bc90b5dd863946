//! Are the backups good? Their age, size, continuity, copies, and whether anybody has restored one.

pub mod formats;
pub mod judge;
pub mod restore;
mod trend;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::check::finding::RuleInfo;

/// Every rule, in order.
pub const RULES: &[RuleInfo] = &[
    RuleInfo {
        id: "B01",
        title: "There is a backup, younger than the RPO",
        why: "What was written since the last good one is lost.",
    },
    RuleInfo {
        id: "B02",
        title: "The last run succeeded",
        why: "A valid old backup hides that nothing was added since.",
    },
    RuleInfo { id: "B03", title: "Its size fits the trend", why: "Half of the usual size is half of the data." },
    RuleInfo {
        id: "B04",
        title: "Its size moves",
        why: "A database that grows, and dumps of one size: only the schema is dumped.",
    },
    RuleInfo { id: "B05", title: "It is whole", why: "An empty or half-written file restores nothing." },
    RuleInfo {
        id: "B06",
        title: "Point-in-time recovery has no gap",
        why: "Recovery stops at the first missing segment.",
    },
    RuleInfo { id: "B07", title: "A restore was tested lately", why: "A backup that nobody has restored is a hope." },
    RuleInfo {
        id: "B08",
        title: "Restoring fits the RTO",
        why: "The time is known only from a restore that was measured.",
    },
    RuleInfo {
        id: "B09",
        title: "Copies: two places, one off-site, one immutable",
        why: "Who can delete the data can often delete its backup.",
    },
    RuleInfo {
        id: "B10",
        title: "Old ones are kept long enough",
        why: "Damage is noticed days later; by then a younger backup holds it, too.",
    },
    RuleInfo { id: "B11", title: "It is encrypted", why: "A backup is all of the data in one file." },
    RuleInfo {
        id: "B12",
        title: "The tool itself finds nothing",
        why: "pgBackRest, Barman and restic check more than dates.",
    },
];

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Full,
    Differential,
    Incremental,
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backup {
    pub id: String,
    /// When it was complete.
    pub finished: DateTime<Utc>,
    pub bytes: Option<u64>,
    pub kind: Kind,
    /// Why it cannot be used.
    pub broken: Option<String>,
}

/// The last attempt, good or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    pub at: DateTime<Utc>,
    /// Why it failed.
    pub failed: Option<String>,
}

/// The archive of changes between backups.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Archive {
    /// When its newest part was written.
    pub newest: Option<DateTime<Utc>>,
    /// Parts that are missing, or what its tool says against it.
    pub gaps: Vec<String>,
}

/// What a source knows of one item.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Inventory {
    pub backups: Vec<Backup>,
    pub last_run: Option<Run>,
    pub archive: Option<Archive>,
    /// What the tool itself says is wrong.
    pub faults: Vec<String>,
    /// Does the tool say that it encrypts?
    pub encrypted: Option<bool>,
    /// Does the store keep what was written from being deleted?
    pub immutable: Option<bool>,
}

/// Where a copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub name: String,
    pub off_site: bool,
    pub immutable: bool,
}

/// What one item must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    pub name: String,
    /// How much may be lost.
    pub rpo: Duration,
    /// How long a restore may take.
    pub rto: Option<Duration>,
    /// How old the last restore test may be.
    pub restore_every: Option<Duration>,
    /// How many are kept.
    pub keep: Option<usize>,
    /// How far back they must reach.
    pub reach: Option<Duration>,
    /// How often somebody looks: a fault must be seen before the last good backup is gone.
    pub look_every: Option<Duration>,
    /// No backup is smaller.
    pub least_bytes: Option<u64>,
    /// It may be of one size, or empty, by its nature.
    pub steady: bool,
    pub encrypted: Option<bool>,
    pub places: Vec<Place>,
    /// Changes between backups are archived.
    pub archived: bool,
}

impl Inventory {
    /// Those that can be used, newest first.
    pub fn good(&self) -> Vec<&Backup> {
        let mut good: Vec<&Backup> = self.backups.iter().filter(|backup| backup.broken.is_none()).collect();
        good.sort_by_key(|backup| std::cmp::Reverse(backup.finished));
        good
    }
}

#[cfg(test)]
mod tests;
