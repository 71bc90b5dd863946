//! Rollouts and ramps: targets, state stores, the runner, and regions.

pub mod evidence;
pub mod history;
pub mod launch;
pub mod overview;
pub mod preflight;
pub mod prepare;
pub mod ramp;
pub mod regions;
pub mod resolve;
pub mod rollback;
pub mod runner;
pub mod state_store;
pub mod steer;
pub mod target;
pub mod undo;
pub mod watch;
