//! A rollout over regions as one: where each stands.

use std::collections::BTreeMap;

use crate::guard::verdict::{Outcome, Role, Verdict};
use crate::rollout::fleet::Fleet;
use crate::rollout::row::{RolloutRow, UnseenRow};
use crate::rollout::standing::{Standing, Standings};
use crate::rollout::state::Phase;

/// One rollout over several regions.
pub struct Whole<'a> {
    pub fleet: &'a Fleet,
    /// The region that began first says what it is about.
    pub first: &'a RolloutRow,
    pub lines: Vec<Line<'a>>,
}

/// One region of it.
pub struct Line<'a> {
    pub region: &'a str,
    /// From 1.
    pub wave: usize,
    pub at: At<'a>,
}

/// What is known of a region.
pub enum At<'a> {
    Seen(&'a RolloutRow),
    /// Why it is not known.
    Unseen(&'a str),
    Pending,
    /// It has not begun, and will not: another region turned out bad.
    Never,
}

/// Rollouts over several regions, and those that are over none.
pub fn group<'a>(rows: &'a [RolloutRow], unseen: &'a [UnseenRow]) -> (Vec<Whole<'a>>, Vec<&'a RolloutRow>) {
    let mut wholes: BTreeMap<&str, Vec<&RolloutRow>> = BTreeMap::new();
    let mut alone = Vec::new();
    for row in rows {
        match &row.fleet {
            Some(fleet) => wholes.entry(&fleet.id).or_default().push(row),
            None => alone.push(row),
        }
    }
    let wholes = wholes.into_values();
    (wholes.filter_map(|rows| Whole::of(&rows, unseen)).collect(), alone)
}

impl<'a> Whole<'a> {
    /// Of what its regions say.
    pub fn of(rows: &[&'a RolloutRow], unseen: &'a [UnseenRow]) -> Option<Self> {
        let first = *rows.iter().min_by_key(|row| row.started_at)?;
        let fleet = first.fleet.as_ref()?;
        let bad = rows.iter().any(|row| row.phase.is_back());
        let at = |region: &String| {
            let mine = |row: &&&RolloutRow| row.region.as_ref() == Some(region);
            let silent = |row: &&UnseenRow| row.region.as_ref() == Some(region) && row.service == first.service;
            match (rows.iter().find(mine), unseen.iter().find(silent)) {
                (Some(row), _) => At::Seen(row),
                (None, Some(row)) => At::Unseen(&row.why),
                (None, None) if bad => At::Never,
                (None, None) => At::Pending,
            }
        };
        let waves = fleet.waves.iter().enumerate();
        let lines = waves
            .flat_map(|(index, wave)| wave.iter().map(move |region| Line { region, wave: index + 1, at: at(region) }));
        Some(Self { fleet, first, lines: lines.collect() })
    }

    /// Its service, and what is rolled out.
    pub fn title(&self) -> (&'a str, &'a str) {
        (&self.first.service, &self.first.image)
    }

    /// The ids of the rollouts of its regions.
    pub fn ids(&self) -> impl Iterator<Item = &'a String> {
        self.lines.iter().filter_map(|line| match line.at {
            At::Seen(row) => Some(&row.id),
            _ => None,
        })
    }

    /// Is it told here that this cannot be seen?
    pub fn tells(&self, unseen: &UnseenRow) -> bool {
        let mine = |line: &Line<'_>| unseen.region.as_deref() == Some(line.region);
        unseen.service == self.first.service && self.lines.iter().any(mine)
    }

    /// Is there nothing left to do in any region?
    pub fn is_over(&self) -> bool {
        self.fleet.tasks(&self.standings()).is_empty()
    }

    /// Is something left to do, and nobody at it?
    pub fn is_left(&self) -> bool {
        let held = |line: &Line<'_>| matches!(line.at, At::Seen(row) if row.holder.is_some());
        !self.is_over() && !self.lines.iter().any(held)
    }

    fn standings(&self) -> Standings {
        let at = |line: &Line<'_>| match line.at {
            At::Seen(row) => Standing::at(row.phase),
            At::Unseen(_) => Standing::UnderWay,
            At::Pending | At::Never => Standing::Pending,
        };
        let all = self.lines.iter();
        all.map(|line| (line.region.to_owned(), at(line))).collect()
    }

    /// Its regions, the worst first.
    pub fn worst_first(&self) -> Vec<&Line<'a>> {
        let mut lines: Vec<&Line<'a>> = self.lines.iter().collect();
        lines.sort_by_key(|line| (line.rank(), !line.is_to_blame()));
        lines
    }
}

impl Line<'_> {
    /// Where it stands.
    pub fn state(&self) -> String {
        match self.at {
            At::Seen(row) => row.state(),
            At::Unseen(_) => "unknown".into(),
            At::Pending => "not begun".into(),
            At::Never => "will not begin".into(),
        }
    }

    /// Its share of the traffic, where it is known.
    pub fn share(&self) -> Option<f64> {
        match self.at {
            At::Seen(row) => Some(row.weight),
            _ => None,
        }
    }

    /// What matters of it most.
    pub fn gist(&self) -> String {
        match self.at {
            At::Seen(row) => row.gist(),
            At::Unseen(why) => why.to_owned(),
            At::Pending | At::Never => String::new(),
        }
    }

    /// Is it one that turned out bad itself?
    fn is_to_blame(&self) -> bool {
        let so = |verdict: &Verdict| verdict.role == Role::Rollback && verdict.outcome == Outcome::Fail;
        matches!(self.at, At::Seen(row) if row.verdicts.iter().any(so))
    }

    /// The worst has the lowest.
    fn rank(&self) -> u8 {
        match self.at {
            At::Seen(row) => match row.phase {
                Phase::RollbackFailed => 0,
                phase if phase.is_back() => 2,
                _ if row.needs_somebody() => 3,
                _ if row.held.is_some() => 4,
                Phase::Window | Phase::Finishing => 6,
                Phase::Succeeded => 8,
                _ => 5,
            },
            At::Unseen(_) => 1,
            At::Pending | At::Never => 7,
        }
    }
}
