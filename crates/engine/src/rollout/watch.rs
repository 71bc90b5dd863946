//! Who looks on while a rollout runs: told of each look, never asked.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::rollout::regions::coordinator::RegionCoordinator;
use liveops_domain::error::Result;
use liveops_domain::rollout::machine::Observation;
use liveops_domain::rollout::state::Rollout;

/// Looks on at one rollout.
pub trait Watch {
    /// What one look has shown.
    fn show(&mut self, rollout: &Rollout, look: &Observation, now: DateTime<Utc>) -> Result<()>;

    /// Gives the screen back at the end.
    fn leave(&mut self);

    /// Gives the screen back for a question; what it shows stays above it.
    fn ask(&mut self);
}

/// Looks on at all regions of a rollout.
#[async_trait(?Send)]
pub trait RegionsWatch {
    /// Does it draw them? Then nobody needs to be told line by line.
    fn is_drawn(&self) -> bool;

    /// Waits until there is something new to draw; without a screen, for ever.
    async fn due(&self, coordinator: &RegionCoordinator);

    /// Draws what is known now.
    fn draw(&self, coordinator: &RegionCoordinator) -> Result<()>;

    /// Gives the screen back: from now on, what happens is told line by line.
    fn leave(&mut self, coordinator: &RegionCoordinator);

    /// The same for a question; what the screen shows stays above it.
    fn ask(&mut self, coordinator: &RegionCoordinator);
}

/// Makes those who look on.
pub trait Watchers: Debug {
    /// Of one rollout, of which so many transitions were shown already; `coordinator` is that of the regions that it is one of.
    fn one<'a>(&'a self, shown: usize, coordinator: Option<&'a RegionCoordinator>) -> Result<Box<dyn Watch + 'a>>;

    /// Of all regions.
    fn regions<'a>(&'a self) -> Result<Box<dyn RegionsWatch + 'a>>;
}
