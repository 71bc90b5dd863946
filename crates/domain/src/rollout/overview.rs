//! What is known of the rollouts of an environment.

use std::collections::BTreeSet;

use crate::rollout::regional::RegionalOverview;
use crate::rollout::row::{RolloutRow, UnseenRow};

/// What is known of the rollouts of an environment.
#[derive(Debug, Clone, Default)]
pub struct RolloutOverview {
    pub rollouts: Vec<RolloutRow>,
    pub unseen: Vec<UnseenRow>,
}

impl RolloutOverview {
    /// Without those that are over. A region stays for as long as its fleet has something left to do.
    pub fn unfinished(mut self) -> Self {
        let (regional, alone) = crate::rollout::regional::group(&self.rollouts, &self.unseen);
        let over: BTreeSet<String> = regional
            .iter()
            .filter(|overview| overview.is_over())
            .flat_map(RegionalOverview::ids)
            .chain(alone.iter().filter(|row| row.phase.is_terminal()).map(|row| &row.id))
            .cloned()
            .collect();
        self.rollouts.retain(|row| !over.contains(&row.id));
        self
    }

    /// Those that are not over.
    pub fn under_way(&self) -> impl Iterator<Item = &RolloutRow> {
        self.rollouts.iter().filter(|row| !row.phase.is_terminal())
    }
}
