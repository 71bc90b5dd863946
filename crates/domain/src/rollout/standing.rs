//! Where each region of a rollout stands.

use std::collections::BTreeMap;

use crate::rollout::state::{Phase, Rollout};

/// Where a region stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has not begun.
    Pending,
    UnderWay,
    /// It has all of the traffic; its window may be open still.
    Promoted,
    /// It is promoted, and over.
    Over,
    /// It goes back, or should.
    GoingBack,
    Back,
}

impl Standing {
    /// Of the latest rollout of the region, if that is of this fleet.
    pub fn of(rollout: Option<&Rollout>, fleet: &str) -> Self {
        let mine = rollout.filter(|rollout| {
            let of = rollout.fleet.as_ref();
            of.is_some_and(|of| of.id == fleet)
        });
        mine.map_or(Self::Pending, |rollout| Self::at(rollout.phase))
    }

    /// At this phase.
    pub fn at(phase: Phase) -> Self {
        match phase {
            Phase::Window | Phase::Finishing => Self::Promoted,
            Phase::Succeeded => Self::Over,
            Phase::RolledBack => Self::Back,
            phase if phase.is_back() => Self::GoingBack,
            _ => Self::UnderWay,
        }
    }

    /// The name on the screen and in the audit log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "not begun",
            Self::UnderWay => "under way",
            Self::Promoted => "promoted",
            Self::Over => "succeeded",
            Self::GoingBack => "rolling back",
            Self::Back => "rolled back",
        }
    }

    /// Has it turned out bad?
    pub fn is_bad(self) -> bool {
        matches!(self, Self::GoingBack | Self::Back)
    }

    pub fn is_promoted(self) -> bool {
        matches!(self, Self::Promoted | Self::Over)
    }
}

/// What is to be done in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Begin,
    /// Watch it, and go on with it.
    GoOn,
    /// Give the old version its traffic, because another region turned out bad.
    TakeBack,
}

/// Where every region stands, by its name.
pub type Standings = BTreeMap<String, Standing>;
