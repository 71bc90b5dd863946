//! What the regions of one rollout tell the whole, and the whole tells them, while one process has them in hand.

use std::cell::RefCell;

use tokio::sync::Notify;

use crate::domain::rollout::fleet::{Standing, Standings};
use crate::domain::rollout::state::Phase;

/// What a person, or a signal, says to every region under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands::rollout) enum Said {
    /// Stay where you are.
    Hold,
    /// Leave it to others.
    Detach,
    /// Go back, because of this.
    Back(String),
}

/// The board.
#[derive(Debug, Default)]
pub(in crate::commands::rollout) struct Board {
    standings: RefCell<Standings>,
    changed: Notify,
    said: RefCell<Option<Said>>,
    heard: Notify,
}

impl Board {
    /// With what is known at the beginning.
    pub(super) fn new(standings: Standings) -> Self {
        Self {
            standings: RefCell::new(standings),
            ..Self::default()
        }
    }

    /// A region is at this phase.
    pub(in crate::commands::rollout) fn note(&self, region: &str, phase: Phase) {
        self.stands(region, Standing::at(phase));
    }

    /// A region stands there.
    pub(super) fn stands(&self, region: &str, standing: Standing) {
        let before = self
            .standings
            .borrow_mut()
            .insert(region.to_owned(), standing);
        if before != Some(standing) {
            self.changed.notify_one();
        }
    }

    /// Where every region stands.
    pub(super) fn standings(&self) -> Standings {
        self.standings.borrow().clone()
    }

    /// Waits until a region stands elsewhere.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Says it to every region; what was said first holds.
    pub(super) fn say(&self, said: Said) {
        self.said.borrow_mut().get_or_insert(said);
        self.heard.notify_waiters();
    }

    /// Waits until something is said.
    pub(in crate::commands::rollout) async fn said(&self) -> Said {
        loop {
            if let Some(said) = &*self.said.borrow() {
                return said.clone();
            }
            self.heard.notified().await;
        }
    }
}
