//! What it remembers: files that survive a crash, and caches that may be lost.

pub(crate) mod cache;
pub(crate) mod file;
#[expect(dead_code, reason = "the commands come next")]
pub(crate) mod incidents;
pub(crate) mod flags;
pub(crate) mod journal;
