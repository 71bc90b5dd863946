//! The binary as a user meets it: each command's screens, JSON, exit codes and errors, against stub backends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "demo")]
mod demo;
mod envelope;
mod generated;
mod health;
mod help;
mod query;
mod scraped;
mod secrets;
mod status;
mod terminal;
mod untrusted;
mod watch;
