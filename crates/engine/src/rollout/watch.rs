//! Who looks on while a rollout runs: told of each look, never asked.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;

use crate::rollout::regions::coordinator::Board;
use liveops_domain::error::Result;
use liveops_domain::rollout::machine::Look;
use liveops_domain::rollout::state::Rollout;

/// Looks on at one rollout.
pub trait Watch {
    /// What one look has shown.
    ///
    /// # Errors
    /// When it cannot be written.
    fn show(&mut self, rollout: &Rollout, look: &Look, now: DateTime<Utc>) -> Result<()>;

    /// Gives the screen back, for a question or at the end.
    fn leave(&mut self);
}

/// Looks on at all regions of a rollout.
pub trait RegionsWatch {
    /// Does it draw them? Then nobody needs to be told line by line.
    fn is_drawn(&self) -> bool;

    /// Waits until there is something new to draw; without a screen, for ever.
    fn due<'a>(&'a self, board: &'a Board) -> LocalBoxFuture<'a, ()>;

    /// Draws what is known now.
    ///
    /// # Errors
    /// When it cannot be written.
    fn draw(&self, board: &Board) -> Result<()>;

    /// Gives the screen back: from now on, what happens is told line by line.
    fn leave(&mut self, board: &Board);
}

/// Makes those who look on.
pub trait Watchers: Debug {
    /// Of one rollout, of which so much has been told already; `board` is that of the regions that it is one of.
    ///
    /// # Errors
    /// When the screen cannot be had.
    fn one<'a>(&'a self, told: usize, board: Option<&'a Board>) -> Result<Box<dyn Watch + 'a>>;

    /// Of all regions.
    ///
    /// # Errors
    /// When the screen cannot be had.
    fn regions<'a>(&'a self) -> Result<Box<dyn RegionsWatch + 'a>>;
}
