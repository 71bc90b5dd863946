//! What the regions of one rollout tell each other while one process runs them: where each stands, and what a person
//! has decided for all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use tokio::sync::Notify;

use liveops_domain::rollout::region_phase::{RegionPhase, RegionPhases};
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::Phase;

/// What a person, or a signal, says to every region under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorDecision {
    /// Stay where you are.
    Hold,
    /// Leave it to others.
    Detach,
    /// Go back, because of this.
    RollBack(String),
}

/// What the regions share.
#[derive(Debug, Default)]
pub struct RegionCoordinator {
    phases: RefCell<RegionPhases>,
    phase_changed: Notify,
    decision: RefCell<Option<OperatorDecision>>,
    decided: Notify,
    /// Each region as it was seen last, for whoever draws them.
    rows: RefCell<BTreeMap<String, RolloutRow>>,
    drawn: Cell<bool>,
    row_changed: Notify,
}

impl RegionCoordinator {
    /// With what is known at the beginning; `drawn` says whether somebody draws it.
    pub fn new(phases: RegionPhases, rows: Vec<RolloutRow>, drawn: bool) -> Self {
        let coordinator = Self { phases: RefCell::new(phases), drawn: Cell::new(drawn), ..Self::default() };
        rows.into_iter().for_each(|row| coordinator.update_row(row));
        coordinator
    }

    /// Is it drawn? Then nobody needs to be told line by line.
    pub fn is_drawn(&self) -> bool {
        self.drawn.get()
    }

    /// Nobody draws it any more.
    pub fn stop_drawing(&self) {
        self.drawn.set(false);
    }

    /// A region was seen so.
    pub fn update_row(&self, row: RolloutRow) {
        if let Some(region) = row.region.clone() {
            self.rows.borrow_mut().insert(region, row);
            self.row_changed.notify_one();
        }
    }

    /// Waits until a region looks other than before.
    pub async fn row_changed(&self) {
        self.row_changed.notified().await;
    }

    /// The regions as they were seen last.
    pub fn rows(&self) -> Vec<RolloutRow> {
        self.rows.borrow().values().cloned().collect()
    }

    /// The rollout of a region is at this phase.
    pub fn note_phase(&self, region: &str, phase: Phase) {
        let phase = RegionPhase::of(phase);
        let before = self.phases.borrow_mut().insert(region.to_owned(), phase);
        if before != Some(phase) {
            self.phase_changed.notify_one();
        }
    }

    /// Where every region stands.
    pub fn phases(&self) -> RegionPhases {
        self.phases.borrow().clone()
    }

    /// Waits until a region is at another phase.
    pub async fn phase_changed(&self) {
        self.phase_changed.notified().await;
    }

    /// Tells every region; what was decided first holds.
    pub fn decide(&self, decision: OperatorDecision) {
        self.decision.borrow_mut().get_or_insert(decision);
        self.decided.notify_waiters();
    }

    /// Waits until something is decided.
    pub async fn decision(&self) -> OperatorDecision {
        loop {
            if let Some(decision) = &*self.decision.borrow() {
                return decision.clone();
            }
            self.decided.notified().await;
        }
    }
}
