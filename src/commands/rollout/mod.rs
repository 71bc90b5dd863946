//! `liveops rollout`: step a new version through the traffic, and go back by itself when the metrics say so.

pub(crate) mod cluster;
pub(crate) mod memory;
pub(crate) mod target;
pub(crate) mod targets;
