//! Every backend times every fault, with the other backends healthy: no panic, an answer inside the deadline, the right
//! exit code, the source named with its reason, and everything else still shown.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod matrix;
mod redis;
