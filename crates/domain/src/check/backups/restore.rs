//! Restores that somebody has made, as they were recorded.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The kind of its event in the journal.
pub const RESTORED: &str = "backup.restored";

/// One restore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restore {
    /// The item.
    pub name: String,
    /// Which backup.
    pub backup: String,
    pub at: DateTime<Utc>,
    /// From the first command to the first answer.
    pub seconds: Option<u64>,
    /// Was the content looked at, and right?
    pub rows_ok: Option<bool>,
    #[serde(default)]
    pub note: Option<String>,
    #[serde(default)]
    pub evidence: Option<String>,
}

impl Restore {
    pub fn took(&self) -> Option<Duration> {
        self.seconds.map(Duration::from_secs)
    }
}
