//! What it remembers: files that survive a crash, and caches that may be lost.

pub(crate) mod cache;
pub(crate) mod file;
pub(crate) mod flags;
pub(crate) mod incident_index;
pub(crate) mod incidents;
pub(crate) mod journal;
pub(crate) mod outbox;
