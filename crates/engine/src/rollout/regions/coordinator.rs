//! What the regions of one rollout tell the whole, and the whole tells them, while one process has them in hand.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use tokio::sync::Notify;

use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::standing::{Standing, Standings};
use liveops_domain::rollout::state::Phase;

/// What a person, or a signal, says to every region under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Stay where you are.
    Hold,
    /// Leave it to others.
    Detach,
    /// Go back, because of this.
    Back(String),
}

/// The board.
#[derive(Debug, Default)]
pub struct Board {
    standings: RefCell<Standings>,
    changed: Notify,
    said: RefCell<Option<Said>>,
    heard: Notify,
    /// Each region as it was seen last, for whoever draws them.
    rows: RefCell<BTreeMap<String, RolloutRow>>,
    drawn: Cell<bool>,
    seen: Notify,
}

impl Board {
    /// With what is known at the beginning; `drawn` says whether somebody draws it.
    pub fn new(standings: Standings, rows: Vec<RolloutRow>, drawn: bool) -> Self {
        let board = Self { standings: RefCell::new(standings), drawn: Cell::new(drawn), ..Self::default() };
        rows.into_iter().for_each(|row| board.picture(row));
        board
    }

    /// Is it drawn? Then nobody needs to be told line by line.
    pub fn is_drawn(&self) -> bool {
        self.drawn.get()
    }

    /// Nobody draws it any more.
    pub fn undraw(&self) {
        self.drawn.set(false);
    }

    /// A region looks so.
    pub fn picture(&self, row: RolloutRow) {
        if let Some(region) = row.region.clone() {
            self.rows.borrow_mut().insert(region, row);
            self.seen.notify_one();
        }
    }

    /// Waits until a region looks other than before.
    pub async fn seen(&self) {
        self.seen.notified().await;
    }

    /// The regions as they were seen last.
    pub fn rows(&self) -> Vec<RolloutRow> {
        self.rows.borrow().values().cloned().collect()
    }

    /// A region is at this phase.
    pub fn note(&self, region: &str, phase: Phase) {
        self.stands(region, Standing::at(phase));
    }

    /// A region stands there.
    pub fn stands(&self, region: &str, standing: Standing) {
        let before = self.standings.borrow_mut().insert(region.to_owned(), standing);
        if before != Some(standing) {
            self.changed.notify_one();
        }
    }

    /// Where every region stands.
    pub fn standings(&self) -> Standings {
        self.standings.borrow().clone()
    }

    /// Waits until a region stands elsewhere.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Says it to every region; what was said first holds.
    pub fn say(&self, said: Said) {
        self.said.borrow_mut().get_or_insert(said);
        self.heard.notify_waiters();
    }

    /// Waits until something is said.
    pub async fn said(&self) -> Said {
        loop {
            if let Some(said) = &*self.said.borrow() {
                return said.clone();
            }
            self.heard.notified().await;
        }
    }
}
