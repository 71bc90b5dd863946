//! Gates: their input, their waivers and baselines, and the answer.

pub mod alerts;
pub mod backups;
pub mod deploy;
pub mod gate;
pub mod input;
pub mod manifests;
pub mod migration;
pub mod readiness;
pub mod security;
