//! Where each region of a rollout stands.

use std::collections::BTreeMap;

use crate::rollout::state::{Phase, Rollout};

/// Where a region stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionPhase {
    /// It has not begun.
    Pending,
    UnderWay,
    /// It has all of the traffic; its window may be open still.
    Promoted,
    /// It is promoted, and over.
    Succeeded,
    /// It goes back, or should.
    RollingBack,
    RolledBack,
}

impl RegionPhase {
    /// Of the latest rollout of the region, if that is of this fleet.
    pub fn of_rollout(rollout: Option<&Rollout>, fleet: &str) -> Self {
        let mine = rollout.filter(|rollout| {
            let of = rollout.fleet.as_ref();
            of.is_some_and(|of| of.id == fleet)
        });
        mine.map_or(Self::Pending, |rollout| Self::of(rollout.phase))
    }

    /// At this phase.
    pub fn of(phase: Phase) -> Self {
        match phase {
            Phase::Window | Phase::Finishing => Self::Promoted,
            Phase::Succeeded => Self::Succeeded,
            Phase::RolledBack => Self::RolledBack,
            phase if phase.is_back() => Self::RollingBack,
            _ => Self::UnderWay,
        }
    }

    /// The name on the screen and in the audit log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "not begun",
            Self::UnderWay => "under way",
            Self::Promoted => "promoted",
            Self::Succeeded => "succeeded",
            Self::RollingBack => "rolling back",
            Self::RolledBack => "rolled back",
        }
    }

    /// Has it turned out bad?
    pub fn is_bad(self) -> bool {
        matches!(self, Self::RollingBack | Self::RolledBack)
    }

    pub fn is_promoted(self) -> bool {
        matches!(self, Self::Promoted | Self::Succeeded)
    }
}

/// What is to be done in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionTask {
    Start,
    /// Watch it, and go on with it.
    Continue,
    /// Give the old version its traffic, because another region turned out bad.
    RollBack,
}

/// Where every region stands, by its name.
pub type RegionPhases = BTreeMap<String, RegionPhase>;
