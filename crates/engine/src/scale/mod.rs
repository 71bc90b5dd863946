//! Replicas and autoscaling bounds.

pub mod fleet;
