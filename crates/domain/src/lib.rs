//! What it means: pure and synchronous. Nothing here does IO, reads a clock, or knows a terminal.

pub mod alert;
pub mod change;
pub mod check;
pub mod document;
pub mod error;
pub mod flag;
pub mod guard;
pub mod incident;
pub mod kubernetes;
pub mod metric;
pub mod postmortem;
pub mod report;
pub mod rollout;
pub mod runbook;
pub mod slo;
pub mod status;
pub mod text;
pub mod triage;
pub mod zone;
