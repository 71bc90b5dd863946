//! What is known of the rollouts of an environment.

use std::collections::BTreeSet;

use crate::rollout::row::{RolloutRow, UnseenRow};
use crate::rollout::whole::Whole;

/// What is known of the rollouts of an environment.
#[derive(Debug, Default)]
pub struct Seen {
    pub rollouts: Vec<RolloutRow>,
    pub unseen: Vec<UnseenRow>,
}

impl Seen {
    /// Without those that are over. A region stays for as long as its whole has something left to do.
    pub fn unfinished(mut self) -> Self {
        let (wholes, alone) = crate::rollout::whole::group(&self.rollouts, &self.unseen);
        let over: BTreeSet<String> = wholes
            .iter()
            .filter(|whole| whole.is_over())
            .flat_map(Whole::ids)
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
