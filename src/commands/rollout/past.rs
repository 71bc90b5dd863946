//! The past of a service or flag as it is shown: what was said and begun, what happened, and what each condition came to.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::change::journal::Event;
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::guard::verdict::{Outcome, Verdict};
use liveops_domain::metric::quantity::Unit;
use liveops_domain::rollout::exposure::Percent;
use liveops_domain::rollout::plan::FLAG;
use liveops_domain::rollout::row::{lead, said, share};
use liveops_domain::rollout::state::{Phase, Rollout, Transition};

/// A transition as the audit log tells of it.
#[derive(Debug, Deserialize)]
pub(super) struct Moved {
    pub(super) change: Option<String>,
    pub(super) rollout: String,
    service: String,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    target: Option<String>,
    phase: Phase,
    weight: Percent,
    text: String,
    #[serde(skip)]
    at: DateTime<Utc>,
}

impl Moved {
    /// Of an event, where it is one.
    pub(super) fn of(event: &Event) -> Option<Self> {
        if event.kind != "rollout.moved" {
            return None;
        }
        let moved: Self = serde_json::from_value(event.data.clone()).ok()?;
        Some(Self { at: event.at, ..moved })
    }

    /// Is it one of this service or flag? Where an older liveops has not written what tells them apart, it may be.
    pub(super) fn is_of(&self, name: &str, environment: &str, is_flag: bool) -> bool {
        let here = self.environment.as_ref();
        let kind = self.target.as_ref();
        self.service == name
            && here.is_none_or(|here| here == environment)
            && kind.is_none_or(|kind| (kind == FLAG) == is_flag)
    }
}

/// A change that began a rollout, or said something to one.
#[derive(Debug, Serialize)]
pub(super) struct PastRow {
    pub(super) change: String,
    /// The rollout that it is about; none where it never began.
    pub(super) rollout: Option<String>,
    at: DateTime<Utc>,
    by: String,
    summary: String,
    state: &'static str,
    phase: Option<Phase>,
    reason: Option<String>,
}

impl PastRow {
    /// Of a change, and of what is known of the rollout.
    pub(super) fn new(record: &ChangeRecord, latest: &[Rollout], moved: &[Moved]) -> Self {
        let said = |key: &str| {
            let value = record.result.as_ref()?.get(key)?;
            value.as_str().map(ToOwned::to_owned)
        };
        let begun = |change: &Option<String>| change.as_deref() == Some(&record.id);
        let of_change = || latest.iter().filter(|latest| begun(&latest.change));
        let last = || moved.iter().rev().find(|moved| begun(&moved.change));
        Self {
            rollout: said("rollout")
                .or_else(|| said("ramp"))
                .or_else(|| of_change().next().map(|rollout| rollout.id.clone()))
                .or_else(|| last().map(|moved| moved.rollout.clone())),
            // What came of it after that, the state says.
            phase: of_change()
                .map(|latest| latest.phase)
                .max_by_key(|phase| phase.is_back())
                .or_else(|| last().map(|moved| moved.phase))
                .or_else(|| serde_json::from_value(said("phase")?.into()).ok()),
            reason: said("reason").or_else(|| record.error.clone()),
            change: record.id.clone(),
            at: record.at,
            by: record.by.clone(),
            summary: record.summary.clone(),
            state: record.state.word(),
        }
    }
}

/// What one rollout went through, as far as it is known here.
pub(super) struct Shown {
    region: Option<String>,
    transitions: Vec<Transition>,
    verdicts: Vec<Verdict>,
}

impl From<Rollout> for Shown {
    fn from(rollout: Rollout) -> Self {
        Self { region: rollout.region, transitions: rollout.transitions, verdicts: rollout.verdicts }
    }
}

impl Shown {
    /// What the audit log tells of it.
    pub(super) fn of<'a>(moved: impl Iterator<Item = &'a Moved>) -> Self {
        let mut region = None;
        let transition = |moved: &Moved| {
            region.clone_from(&moved.region);
            Transition { at: moved.at, phase: moved.phase, weight: moved.weight, text: moved.text.clone() }
        };
        Self { transitions: moved.map(transition).collect(), region, verdicts: Vec::new() }
    }
}

/// Something, and the region that it was in.
#[derive(Debug, Serialize)]
pub(super) struct In<T> {
    region: Option<String>,
    #[serde(flatten)]
    what: T,
}

/// The transitions and the verdicts of these.
pub(super) fn rows_of(shown: Vec<Shown>) -> (Vec<In<Transition>>, Vec<In<Verdict>>) {
    let (mut transitions, mut verdicts) = (Vec::new(), Vec::new());
    for one in shown {
        let region = one.region;
        transitions.extend(one.transitions.into_iter().map(|what| In { region: region.clone(), what }));
        verdicts.extend(one.verdicts.into_iter().map(|what| In { region: region.clone(), what }));
    }
    (transitions, verdicts)
}

/// What `history` shows.
#[derive(Debug, Serialize)]
pub(crate) struct RolloutHistory {
    pub(super) service: String,
    pub(super) rollouts: Vec<PastRow>,
    /// Of the rollout that was asked for, or of the latest.
    pub(super) transitions: Vec<In<Transition>>,
    pub(super) verdicts: Vec<In<Verdict>>,
    #[serde(skip)]
    pub(super) noun: &'static str,
    /// One was asked for.
    #[serde(skip)]
    pub(super) one: bool,
    /// What was typed, but for the id.
    #[serde(skip)]
    pub(super) command: String,
    #[serde(skip)]
    pub(super) environment: String,
    #[serde(skip)]
    pub(super) warnings: Vec<String>,
}

impl Report for RolloutHistory {
    const SCHEMA: &'static str = "liveops.rollout.history/1";

    fn blocks(&self, view: &View) -> Vec<Block> {
        if self.rollouts.is_empty() && self.transitions.is_empty() {
            return vec![Block::text(format!("no {} of {} is known here", self.noun, self.service))];
        }
        let mut blocks = vec![Block::Table(self.table(view))];
        if self.one && !self.transitions.is_empty() {
            blocks.push(Block::Blank);
            blocks.push(Block::heading("what happened"));
            blocks.extend(self.transitions.iter().map(happened));
        }
        if !self.verdicts.is_empty() {
            blocks.push(Block::Blank);
            let heading = match self.one {
                true => "verdicts",
                false => "verdicts of the latest one",
            };
            blocks.push(Block::heading(heading));
            blocks.extend(self.verdicts.iter().map(came_to));
        }
        blocks.push(Block::Blank);
        blocks.extend(self.next());
        blocks
    }

    fn rows(&self, view: &View) -> Option<Table> {
        Some(self.table(view))
    }

    fn meta(&self) -> Meta {
        Meta { environment: Some(self.environment.clone()), warnings: self.warnings.clone(), ..Meta::default() }
    }
}

/// The line of a transition.
fn happened(row: &In<Transition>) -> Block {
    let Transition { at, weight, text, .. } = &row.what;
    Block::Whole(vec![span(when(*at, row.region.as_deref(), &weight.to_string()), Tone::Dim), plain(text.clone())])
}

/// The line of a verdict.
fn came_to(row: &In<Verdict>) -> Block {
    let verdict = &row.what;
    let unit = Unit::from_name(&verdict.unit);
    let tone = match verdict.outcome {
        Outcome::Pass => Tone::Good,
        Outcome::Fail => Tone::Bad,
        Outcome::NoEvidence | Outcome::Error => Tone::Unknown,
    };
    let value = verdict.value.map_or_else(String::new, |value| format!("{} ", unit.show(value)));
    let weight = share(verdict.weight);
    Block::Whole(vec![
        span(when(verdict.at, row.region.as_deref(), &weight), Tone::Dim),
        plain(format!("{}{}  ", lead(verdict), verdict.condition)),
        span(format!("{} ", said(verdict)), tone),
        span(format!("{value}{}", verdict.reason), Tone::Dim),
    ])
}

fn when(at: DateTime<Utc>, region: Option<&str>, weight: &str) -> String {
    let place = region.map_or_else(String::new, |region| format!("{region} "));
    format!("{} {place}{weight:>5} ", at.format("%H:%M:%S"))
}

impl RolloutHistory {
    fn table(&self, view: &View) -> Table {
        let mut table = Table::new(["change", "at", "by", "what", "end", "why"]).fixed(&[0, 1]);
        for row in &self.rollouts {
            let end = row.phase.map_or(row.state, Phase::word);
            table.row(vec![
                plain(row.change.clone()),
                plain(view.time(row.at)),
                plain(row.by.clone()),
                plain(row.summary.clone()),
                plain(end.to_owned()),
                plain(row.reason.clone().unwrap_or_default()),
            ]);
        }
        table
    }

    /// An earlier one, and the queries of this one.
    fn next(&self) -> Vec<Block> {
        let mut next = Vec::new();
        let latest = self.rollouts.iter().find_map(|row| row.rollout.as_ref());
        let earlier = self.rollouts.iter().find(|row| row.rollout.is_some() && row.rollout.as_ref() != latest);
        if let Some(row) = earlier {
            let command = format!("{} {}", self.command, row.change);
            next.push(Block::next("why an earlier one went as it did", command));
        }
        let shown = self.rollouts.first().filter(|_| self.one);
        let id = shown.map_or_else(String::new, |row| format!(" {}", row.change));
        if !self.verdicts.is_empty() {
            let command = format!("{}{id} -o json", self.command);
            next.push(Block::next("with every query", command));
        }
        next
    }
}
