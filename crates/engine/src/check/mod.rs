//! Gates: their input, their waivers and baselines, and the answer.

pub mod alerts;
pub mod gate;
pub mod input;
pub mod migration;
