//! What you type: one file or folder a noun. Each verb gathers, decides, confirms if it changes anything, acts, shows.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod flag;
pub(crate) mod health;
pub(crate) mod incident;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod page;
pub(crate) mod postmortem;
pub(crate) mod query;
pub(crate) mod rollout;
pub(crate) mod runbook;
pub(crate) mod scale;
pub(crate) mod silence;
pub(crate) mod slo;
pub(crate) mod status;
pub(crate) mod triage;
pub(crate) mod undo;
pub(crate) mod watch;
