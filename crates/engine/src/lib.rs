//! How it is done: gather, decide, confirm, act. Nothing here knows the command line or a terminal.

pub mod alerts;
pub mod change;
pub mod changes;
pub mod clients;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod files;
pub mod flag;
pub mod flagstore;
pub mod incident;
pub mod init;
pub mod interrupts;
pub mod observe;
pub mod opening;
pub mod postmortem;
pub mod query;
pub mod rollout;
pub mod runbook;
pub mod scale;
pub mod session;
pub mod status;
pub mod template;
pub mod triage;
pub mod undo;
pub mod voice;
