//! Rollouts and ramps: targets, state stores, the runner, and regions.

pub mod approve;
pub mod evidence;
pub mod history;
pub mod launch;
pub mod overview;
pub mod pause;
pub mod preflight;
pub mod prepare;
pub mod promote;
pub mod ramp;
pub mod regions;
pub mod resolve;
pub mod resume;
pub mod rollback;
pub mod runner;
pub mod state_store;
pub mod steering;
pub mod target;
pub mod undo;
pub mod watch;
