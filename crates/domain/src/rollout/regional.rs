//! A rollout over regions as one: where each stands.

use std::collections::BTreeMap;

use crate::guard::verdict::{Outcome, Role, Verdict};
use crate::rollout::fleet::Fleet;
use crate::rollout::region_phase::{RegionPhase, RegionPhases};
use crate::rollout::row::{RolloutRow, UnseenRow};
use crate::rollout::state::Phase;

/// One rollout over several regions.
pub struct RegionalOverview<'a> {
    pub fleet: &'a Fleet,
    /// The region that began first says what it is about.
    pub first: &'a RolloutRow,
    pub entries: Vec<RegionEntry<'a>>,
}

/// One region of it.
pub struct RegionEntry<'a> {
    pub region: &'a str,
    /// From 1.
    pub wave: usize,
    pub at: RegionStatus<'a>,
}

/// What is known of a region.
pub enum RegionStatus<'a> {
    Known(&'a RolloutRow),
    /// Why it is not known.
    Unreachable(&'a str),
    Pending,
    /// It has not begun, and will not: another region turned out bad.
    Cancelled,
}

/// Rollouts over several regions, and those that are over none.
pub fn group<'a>(rows: &'a [RolloutRow], unseen: &'a [UnseenRow]) -> (Vec<RegionalOverview<'a>>, Vec<&'a RolloutRow>) {
    let mut fleets: BTreeMap<&str, Vec<&RolloutRow>> = BTreeMap::new();
    let mut alone = Vec::new();
    for row in rows {
        match &row.fleet {
            Some(fleet) => fleets.entry(&fleet.id).or_default().push(row),
            None => alone.push(row),
        }
    }
    let fleets = fleets.into_values();
    (fleets.filter_map(|rows| RegionalOverview::of(&rows, unseen)).collect(), alone)
}

impl<'a> RegionalOverview<'a> {
    /// Of what its regions say.
    pub fn of(rows: &[&'a RolloutRow], unseen: &'a [UnseenRow]) -> Option<Self> {
        let first = *rows.iter().min_by_key(|row| row.started_at)?;
        let fleet = first.fleet.as_ref()?;
        let bad = rows.iter().any(|row| row.phase.is_back());
        let at = |region: &String| {
            let mine = |row: &&&RolloutRow| row.region.as_ref() == Some(region);
            let silent = |row: &&UnseenRow| row.region.as_ref() == Some(region) && row.service == first.service;
            match (rows.iter().find(mine), unseen.iter().find(silent)) {
                (Some(row), _) => RegionStatus::Known(row),
                (None, Some(row)) => RegionStatus::Unreachable(&row.why),
                (None, None) if bad => RegionStatus::Cancelled,
                (None, None) => RegionStatus::Pending,
            }
        };
        let waves = fleet.waves.iter().enumerate();
        let entries = waves.flat_map(|(index, wave)| {
            wave.iter().map(move |region| RegionEntry { region, wave: index + 1, at: at(region) })
        });
        Some(Self { fleet, first, entries: entries.collect() })
    }

    /// Its service, and what is rolled out.
    pub fn title(&self) -> (&'a str, &'a str) {
        (&self.first.service, &self.first.image)
    }

    /// The ids of the rollouts of its regions.
    pub fn ids(&self) -> impl Iterator<Item = &'a String> {
        self.entries.iter().filter_map(|line| match line.at {
            RegionStatus::Known(row) => Some(&row.id),
            _ => None,
        })
    }

    /// Is it told here that this cannot be seen?
    pub fn tells(&self, unseen: &UnseenRow) -> bool {
        let mine = |line: &RegionEntry<'_>| unseen.region.as_deref() == Some(line.region);
        unseen.service == self.first.service && self.entries.iter().any(mine)
    }

    /// Is there nothing left to do in any region?
    pub fn is_over(&self) -> bool {
        self.fleet.tasks(&self.phases()).is_empty()
    }

    /// Is something left to do, and nobody at it?
    pub fn is_left(&self) -> bool {
        let held = |line: &RegionEntry<'_>| matches!(line.at, RegionStatus::Known(row) if row.holder.is_some());
        !self.is_over() && !self.entries.iter().any(held)
    }

    fn phases(&self) -> RegionPhases {
        let at = |line: &RegionEntry<'_>| match line.at {
            RegionStatus::Known(row) => RegionPhase::of(row.phase),
            RegionStatus::Unreachable(_) => RegionPhase::UnderWay,
            RegionStatus::Pending | RegionStatus::Cancelled => RegionPhase::Pending,
        };
        let all = self.entries.iter();
        all.map(|line| (line.region.to_owned(), at(line))).collect()
    }

    /// Its regions, the worst first.
    pub fn worst_first(&self) -> Vec<&RegionEntry<'a>> {
        let mut entries: Vec<&RegionEntry<'a>> = self.entries.iter().collect();
        entries.sort_by_key(|line| (line.rank(), !line.is_to_blame()));
        entries
    }
}

impl RegionEntry<'_> {
    /// Where it stands.
    pub fn state(&self) -> String {
        match self.at {
            RegionStatus::Known(row) => row.state(),
            RegionStatus::Unreachable(_) => "unknown".into(),
            RegionStatus::Pending => "not begun".into(),
            RegionStatus::Cancelled => "will not begin".into(),
        }
    }

    /// Its share of the traffic, where it is known.
    pub fn share(&self) -> Option<f64> {
        match self.at {
            RegionStatus::Known(row) => Some(row.weight),
            _ => None,
        }
    }

    /// What matters of it most.
    pub fn summary(&self) -> String {
        match self.at {
            RegionStatus::Known(row) => row.summary(),
            RegionStatus::Unreachable(why) => why.to_owned(),
            RegionStatus::Pending | RegionStatus::Cancelled => String::new(),
        }
    }

    /// Is it one that turned out bad itself?
    fn is_to_blame(&self) -> bool {
        let so = |verdict: &Verdict| verdict.role == Role::Rollback && verdict.outcome == Outcome::Fail;
        matches!(self.at, RegionStatus::Known(row) if row.verdicts.iter().any(so))
    }

    /// The worst has the lowest.
    fn rank(&self) -> u8 {
        match self.at {
            RegionStatus::Known(row) => match row.phase {
                Phase::RollbackFailed => 0,
                phase if phase.is_back() => 2,
                _ if row.needs_somebody() => 3,
                _ if row.held.is_some() => 4,
                Phase::Window | Phase::Finishing => 6,
                Phase::Succeeded => 8,
                _ => 5,
            },
            RegionStatus::Unreachable(_) => 1,
            RegionStatus::Pending | RegionStatus::Cancelled => 7,
        }
    }
}
