//! A rollout over several regions as it is shown: a row a region, also for those that have not begun and those that do not
//! say where they stand. What is not known is never left out.

use std::collections::BTreeMap;

use crate::commands::rollout::overview::UnseenRow;
use crate::commands::rollout::report::RolloutRow;
use crate::domain::duration::human;
use crate::domain::guard::verdict::{Outcome, Role, Verdict};
use crate::domain::rollout::fleet::{Fleet, OnRegionFailure, Standing, Standings};
use crate::domain::rollout::state::Phase;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::view::View;

/// One rollout over several regions.
pub(in crate::commands) struct Whole<'a> {
    fleet: &'a Fleet,
    /// The region that began first says what it is about.
    first: &'a RolloutRow,
    lines: Vec<Line<'a>>,
}

/// One region of it.
pub(in crate::commands) struct Line<'a> {
    pub(in crate::commands) region: &'a str,
    /// From 1.
    wave: usize,
    at: At<'a>,
}

/// What is known of a region.
enum At<'a> {
    Seen(&'a RolloutRow),
    /// Why it is not known.
    Unseen(&'a str),
    Pending,
    /// It has not begun, and will not: another region turned out bad.
    Never,
}

/// Rollouts over several regions, and those that are over none.
pub(in crate::commands) fn group<'a>(
    rows: &'a [RolloutRow],
    unseen: &'a [UnseenRow],
) -> (Vec<Whole<'a>>, Vec<&'a RolloutRow>) {
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
    pub(super) fn of(rows: &[&'a RolloutRow], unseen: &'a [UnseenRow]) -> Option<Self> {
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
    pub(in crate::commands) fn title(&self) -> (&'a str, &'a str) {
        (&self.first.service, &self.first.image)
    }

    /// The ids of the rollouts of its regions.
    pub(in crate::commands) fn ids(&self) -> impl Iterator<Item = &'a String> {
        self.lines.iter().filter_map(|line| match line.at {
            At::Seen(row) => Some(&row.id),
            _ => None,
        })
    }

    /// Is it told here that this cannot be seen?
    pub(in crate::commands) fn tells(&self, unseen: &UnseenRow) -> bool {
        let mine = |line: &Line<'_>| unseen.region.as_deref() == Some(line.region);
        unseen.service == self.first.service && self.lines.iter().any(mine)
    }

    /// Is there nothing left to do in any region?
    pub(in crate::commands) fn is_over(&self) -> bool {
        self.fleet.tasks(&self.standings()).is_empty()
    }

    /// Is something left to do, and nobody at it?
    pub(in crate::commands) fn is_left(&self) -> bool {
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
    pub(in crate::commands) fn worst_first(&self) -> Vec<&Line<'a>> {
        let mut lines: Vec<&Line<'a>> = self.lines.iter().collect();
        lines.sort_by_key(|line| (line.rank(), !line.is_to_blame()));
        lines
    }

    /// What is asked for by all of its regions, and where each stands.
    pub(super) fn table(&self, view: &View) -> Vec<Block> {
        let back = match self.fleet.on_failure {
            OnRegionFailure::Region => "a bad region goes back alone",
            OnRegionFailure::Wave => "a bad region takes its wave back",
            OnRegionFailure::All => "a bad region takes all back",
        };
        let mut table = Table::new(["WAVE", "REGION", "STATE", "SHARE", "STEP", "NEXT", "WHY"])
            .right(&[0, 3])
            .fixed(&[0, 1, 3, 4, 5]);
        for line in &self.lines {
            let (state, tone) = line.state();
            let (share, step, next) = match line.at {
                At::Seen(row) => (
                    format!("{}%", row.weight),
                    format!("{}/{}", row.step + 1, row.steps.len()),
                    row.until_next(view.now).map_or_else(String::new, human),
                ),
                At::Unseen(_) => ("?".into(), "?".into(), String::new()),
                At::Pending | At::Never => ("-".into(), "-".into(), String::new()),
            };
            table.row(vec![
                plain(line.wave.to_string()),
                plain(line.region),
                span(state, tone),
                plain(share),
                plain(step),
                plain(next),
                span(line.gist(), Tone::Dim),
            ]);
        }
        vec![
            Block::Line(vec![
                span(format!("{} in {} regions ", self.first.service, self.lines.len()), Tone::Strong),
                plain(format!("{}  ", self.first.image)),
                span(format!("policy {}, {back}", self.first.policy), Tone::Dim),
            ]),
            Block::Table(table),
        ]
    }

    /// The table, and what there is to say of the region that matters most.
    pub(in crate::commands::rollout) fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = self.table(view);
        let worst = self.worst_first().into_iter().find_map(|line| match line.at {
            At::Seen(row) => Some(row),
            _ => None,
        });
        if let Some(row) = worst {
            blocks.push(Block::Blank);
            blocks.extend(row.blocks(view));
        }
        blocks
    }
}

impl Line<'_> {
    /// Where it stands.
    pub(in crate::commands) fn state(&self) -> (String, Tone) {
        match self.at {
            At::Seen(row) => (row.state(), row.tone()),
            At::Unseen(_) => ("unknown".into(), Tone::Unknown),
            At::Pending => ("not begun".into(), Tone::Dim),
            At::Never => ("will not begin".into(), Tone::Dim),
        }
    }

    /// Its share of the traffic, where it is known.
    pub(in crate::commands) fn share(&self) -> Option<f64> {
        match self.at {
            At::Seen(row) => Some(row.weight),
            _ => None,
        }
    }

    /// What matters of it most.
    pub(in crate::commands) fn gist(&self) -> String {
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
