//! The binary against real servers on loopback: Prometheus and Alertmanager as Debian packages them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod doctor;
mod flag_crash;
mod flag_readers;
mod flag_rivals;
mod flag_stores;
mod flag_write;
mod incident;
mod kube;
mod query;
mod silence;
mod status;
