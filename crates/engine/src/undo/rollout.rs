//! The undo of a rollout.

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::undo::Rollouts;
use crate::undo::{Revert, RevertFailure, Step};
use liveops_domain::error::Result;
use liveops_domain::rollout::state::Rollout;

impl Revert for Rollouts<'_> {
    type Reverse = Rollout;
    type Result = serde_json::Value;

    async fn decide(&self) -> Result<Rollout, RevertFailure> {
        let found = self.find().await?;
        found.ok_or_else(|| RevertFailure::DidNotHappen("the rollout was rolled back already".into()))
    }

    fn step(&self, reverse: &Rollout) -> Step {
        Step { summary: self.summary(reverse), flags: None, undo: self.undo().again(), safe_side: true }
    }

    async fn act(&self, _reverse: &Rollout, confirmed: &Confirmed) -> Result<Done> {
        let mut done = Rollouts::act(self, confirmed).await?;
        done.undo = Some(self.undo().again());
        Ok(done)
    }
}
