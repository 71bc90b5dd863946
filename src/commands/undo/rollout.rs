//! The undo of a rollout.

use crate::change::{Confirmed, Done};
use crate::commands::rollout::Rollouts;
use crate::commands::undo::{Revert, Reverted, Step};
use crate::domain::rollout::state::Rollout;
use crate::error::Result;

impl Revert for Rollouts<'_> {
    type Reverse = Rollout;

    async fn decide(&self) -> Result<Rollout, Reverted> {
        let found = self.find().await?;
        found.ok_or_else(|| Reverted::DidNotHappen("the rollout went back already".into()))
    }

    fn step(&self, reverse: &Rollout) -> Step {
        Step { summary: self.summary(reverse), preview: Vec::new(), undo: self.undo().again(), safe_side: true }
    }

    async fn act(&self, _reverse: &Rollout, confirmed: &Confirmed) -> Result<Done> {
        let mut done = Rollouts::act(self, confirmed).await?;
        done.undo = Some(self.undo().again());
        Ok(done)
    }
}
