//! What it remembers: files that survive a crash, and caches that may be lost.

pub mod backwards;
pub mod cache;
pub mod durable;
pub mod file;
pub mod incident_index;
pub mod incidents;
pub mod journal;
mod journal_scan;
pub mod open;
pub mod outbox;
pub mod recording;
pub mod replace;
