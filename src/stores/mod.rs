//! What it remembers: files that survive a crash, and caches that may be lost.

pub(crate) mod cache;
pub(crate) mod file;
pub(crate) mod journal;
