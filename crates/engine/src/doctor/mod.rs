//! Checks of the monitoring itself.

pub mod alertmanager;
pub mod alerts;
pub mod answer;
pub mod finding;
pub mod flags;
pub mod gate;
pub mod kpis;
pub mod kubernetes;
pub mod prometheus;
pub mod rules;
pub mod self_check;
pub mod services;
pub mod slos;
pub mod stores;
pub mod targets;
