//! The test support is tested itself: a stub that lies or a fault that is none would make every other test worthless.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod kube;
mod programs;
mod servers;
mod stub;
