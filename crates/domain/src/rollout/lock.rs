//! Who holds the lock of a rollout.

use chrono::{DateTime, Utc};

/// The lock, as long as it is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutLock {
    /// `user@host#run`.
    pub holder: String,
    /// Grows with each new holder; fences writes of older ones.
    pub epoch: u64,
}

/// Who holds the lock, for `status` and for the message to the one who comes second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub holder: String,
    pub epoch: u64,
    /// When it last showed that it is alive.
    pub renewed_at: DateTime<Utc>,
    /// Is it known to be alive? A rollout that is not over and whose holder is not is orphaned.
    pub alive: bool,
}
