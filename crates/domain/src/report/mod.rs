//! What a period came to: deployments by the five DORA metrics, and incidents.

pub mod commits;
pub mod course;
pub mod deployment;
pub mod dora;
pub mod failures;
pub mod incidents;
pub mod statistics;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A half-open stretch of time: what happens at its end belongs to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Period {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Period {
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.since <= at && at < self.until
    }

    pub fn days(&self) -> f64 {
        (self.until - self.since).num_seconds() as f64 / 86_400.0
    }
}
