//! Gates: their input, their waivers and baselines, and the answer.

pub mod alerts;
pub mod backups;
pub mod gate;
pub mod input;
pub mod migration;
pub mod manifests;
pub mod readiness;
pub mod security;
