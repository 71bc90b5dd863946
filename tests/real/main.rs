//! The binary against real servers on loopback: Prometheus and Alertmanager as Debian packages them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod ages;
mod alerts;
mod backups;
mod direct_scrape;
mod doctor;
mod evidence;
mod flag_crash;
mod flag_kill;
mod flag_notices;
mod flag_readers;
mod flag_redis;
mod flag_stores;
mod flag_verbs;
mod flag_write;
#[cfg(feature = "demo")]
mod gameday;
mod gates;
mod gates_live;
mod incident;
mod kube;
mod migration;
#[cfg(feature = "demo")]
mod new;
mod postmortem;
mod query;
mod ramp;
mod silence;
mod slo;
mod status;
mod worlds;
