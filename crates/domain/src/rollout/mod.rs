//! A rollout as data: how much of the traffic goes where, what is planned, what has been seen, and the pure state
//! machine that says what to do next. Nothing here talks to a cluster; the engine does what it says.

pub mod exposure;
pub mod fleet;
pub mod lock;
pub mod machine;
pub mod overview;
pub mod plan;
pub mod region_phase;
pub mod regional;
pub mod row;
pub mod schedule;
pub mod state;
