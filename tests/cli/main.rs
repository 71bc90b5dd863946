//! The binary as a user meets it: each command's screens, JSON, exit codes and errors, against stub backends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod agreement;
mod alertmanager_stub;
mod alerts;
mod audit;
mod book;
mod changes;
mod check;
mod check_alerts;
mod check_deploy;
mod check_migration;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod elsewhere;
mod envelope;
mod explain;
mod flag_disk;
mod flag_eval;
mod flag_export;
mod flag_import;
mod flag_killed;
mod flag_promote;
mod flag_race;
mod flag_read;

mod flag_undo;
mod flag_write;
mod gates;
mod generated;
mod health;
mod help;
mod incident;
mod incident_crash;
mod incident_journal;
mod init;
mod links;
mod listener;
mod new;
mod new_rules;
mod notify;
mod on_call;
mod one_truth;
mod package;
mod page;
mod paging;
mod postmortem;
mod query;
mod readme;
mod report;
mod rollout;
mod runbook;
mod scraped;
mod secrets;
mod security;
mod shells;
mod signals;
mod silence;
mod slo;
mod status;
mod terminal;
mod triage;
mod trust;
mod undo;
mod untrusted;
mod watch;
mod watch_screen;
mod without_knowing;
mod words;
mod worlds;
mod writes_itself_down;
