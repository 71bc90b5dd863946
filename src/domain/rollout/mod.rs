//! A rollout as data: how much of the traffic goes where, what is planned, what has been seen, and the pure state
//! machine that says what to do next. Nothing here talks to a cluster; `commands/rollout` does what it says.

pub(crate) mod exposure;
pub(crate) mod fleet;
pub(crate) mod machine;
pub(crate) mod plan;
pub(crate) mod schedule;
pub(crate) mod state;
