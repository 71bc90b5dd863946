//! What it remembers: files that survive a crash, and caches that may be lost.

pub(crate) mod cache;
pub(crate) mod file;
pub(crate) mod flags;
#[expect(dead_code, reason = "the commands come next")]
pub(crate) mod incidents;
pub(crate) mod journal;
