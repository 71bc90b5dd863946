//! One rollout as it is shown: where it stands, each condition with its numbers, what happened.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::commands::rollout::memory::Holder;
use crate::domain::duration::human;
use crate::domain::guard::verdict::{Outcome, Role, Verdict};
use crate::domain::quantity::Unit;
use crate::domain::rollout::fleet::Fleet;
use crate::domain::rollout::plan::FLAG;
use crate::domain::rollout::state::{HoldKind, Phase, Rollout, Stuck, Transition};
use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::sparkline::sparkline;
use crate::output::view::View;

/// Columns from which a table of conditions has room for everything.
const WIDE: usize = 100;
/// Transitions that a screen shows.
const SHOWN: usize = 6;

/// One rollout.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RolloutRow {
    pub(crate) id: String,
    pub(crate) service: String,
    pub(crate) region: Option<String>,
    /// The rollout over several regions that it is a part of.
    pub(crate) fleet: Option<Fleet>,
    pub(crate) image: String,
    pub(crate) policy: String,
    pub(crate) target: String,
    pub(crate) by: String,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) phase: Phase,
    pub(crate) since: DateTime<Utc>,
    pub(crate) step: usize,
    pub(crate) steps: Vec<f64>,
    pub(crate) weight: f64,
    pub(crate) held: Option<HeldRow>,
    /// What keeps it from going back, and the command to do it by hand.
    pub(crate) stuck: Option<Stuck>,
    /// Why it went back.
    pub(crate) reason: Option<String>,
    pub(crate) next_decision: Option<DateTime<Utc>>,
    /// Who watches it.
    pub(crate) holder: Option<String>,
    /// It is not over, and nobody watches it.
    pub(crate) orphaned: bool,
    pub(crate) change: Option<String>,
    /// The latest of each condition.
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) transitions: Vec<Transition>,
    #[serde(skip)]
    history: Vec<Verdict>,
}

/// A share as people read it.
pub(super) fn share(weight: f64) -> String {
    format!("{}%", (weight * 10.0).round() / 10.0)
}

/// Why it does not move.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HeldRow {
    pub(crate) why: HoldKind,
    pub(crate) text: String,
    pub(crate) since: DateTime<Utc>,
}

impl RolloutRow {
    /// Of a state, and of who holds it.
    pub(crate) fn new(rollout: &Rollout, holder: Option<&Holder>) -> Self {
        let mut latest: Vec<Verdict> = Vec::new();
        for verdict in rollout.verdicts.iter().rev() {
            let known = |old: &Verdict| old.condition == verdict.condition && old.role == verdict.role;
            if !latest.iter().any(known) {
                latest.push(verdict.clone());
            }
        }
        latest.reverse();
        latest.sort_by_key(|verdict| verdict.role == Role::Rollback);
        let alive = holder.is_some_and(|holder| holder.alive);
        Self {
            id: rollout.id.clone(),
            service: rollout.service.clone(),
            region: rollout.region.clone(),
            fleet: rollout.fleet.clone(),
            image: rollout.plan.image.clone(),
            policy: rollout.plan.policy.clone(),
            target: rollout.plan.target.clone(),
            by: rollout.by.clone(),
            started_at: rollout.started_at,
            phase: rollout.phase,
            since: rollout.since,
            step: rollout.step,
            steps: rollout.plan.rules.steps.iter().map(|step| step.get()).collect(),
            weight: rollout.applied.get(),
            held: rollout.hold.as_ref().map(|hold| HeldRow {
                why: hold.why,
                text: hold.text.clone(),
                since: hold.since,
            }),
            stuck: rollout.stuck.clone(),
            reason: rollout.reason.clone(),
            next_decision: rollout.next_decision(),
            holder: holder.filter(|_| alive).map(|holder| holder.holder.clone()),
            orphaned: !alive && !rollout.phase.is_terminal(),
            change: rollout.change.clone(),
            verdicts: latest,
            transitions: rollout.transitions.clone(),
            history: rollout.verdicts.clone(),
        }
    }

    /// Of one that this process has in hand.
    pub(super) fn held_by_us(rollout: &Rollout) -> Self {
        Self { orphaned: false, ..Self::new(rollout, None) }
    }

    /// The verdicts of the look just now, instead of the stored ones.
    pub(super) fn with(mut self, verdicts: &[Verdict], history: &[Verdict]) -> Self {
        if !verdicts.is_empty() {
            self.verdicts = verdicts.to_vec();
            self.history = history.to_vec();
        }
        self
    }

    /// The service, and the region of it.
    pub(crate) fn title(&self) -> String {
        match &self.region {
            Some(region) => format!("{} in {region}", self.service),
            None => self.service.clone(),
        }
    }

    /// Is it the ramp of a flag?
    pub(crate) fn is_ramp(&self) -> bool {
        self.target == FLAG
    }

    /// Is nobody at it, or does it wait for a person?
    pub(crate) fn needs_somebody(&self) -> bool {
        let waits = self.held.as_ref().is_some_and(|held| !held.why.ends_by_itself());
        self.orphaned || waits || matches!(self.phase, Phase::Gate | Phase::RollbackFailed)
    }

    /// How it looks.
    pub(super) fn tone(&self) -> Tone {
        match self.phase {
            phase if phase.is_back() => Tone::Bad,
            _ if self.needs_somebody() => Tone::Warn,
            Phase::Succeeded | Phase::Window => Tone::Good,
            _ => Tone::Strong,
        }
    }

    /// `observing 15%` and the like.
    pub(crate) fn state(&self) -> String {
        let word = self.phase.word_on(&self.target);
        match (self.phase, self.orphaned) {
            (Phase::Succeeded | Phase::RolledBack, _) => word.to_owned(),
            (Phase::RollbackFailed, _) => word.to_uppercase(),
            (_, true) => format!("ORPHANED while {word}"),
            _ => word.to_owned(),
        }
    }

    pub(super) fn blocks(&self, view: &View) -> Vec<Block> {
        let what = match self.is_ramp() {
            true => "ramp".to_owned(),
            false => self.image.clone(),
        };
        let mut blocks = vec![Block::Line(vec![
            span(format!("{} ", self.title()), Tone::Strong),
            plain(format!("{what}  ")),
            span(self.state(), self.tone()),
            plain(format!("  {}", share(self.weight))),
            span(format!("  step {}/{}  policy {}", self.step + 1, self.steps.len(), self.policy), Tone::Dim),
        ])];
        blocks.push(Block::Line(self.track(view)));
        if let Some(held) = &self.held {
            blocks.push(Block::Whole(vec![
                span("held: ", Tone::Warn),
                plain(format!("{} ({})", held.text, view.time(held.since))),
            ]));
        }
        if let Some(stuck) = &self.stuck {
            blocks.push(Block::Whole(vec![
                span("not back: ", Tone::Bad),
                plain(format!("{} ({})", stuck.text, view.time(stuck.since))),
            ]));
            if let Some(command) = &stuck.by_hand {
                blocks.push(Block::next("by hand", command.clone()));
            }
        }
        if let Some(reason) = &self.reason {
            blocks.push(Block::Whole(vec![span("because: ", Tone::Bad), plain(reason.clone())]));
        }
        if let Some(left) = self.until_next(view.now) {
            let what = match self.phase {
                Phase::Window => "the old version is kept for another",
                _ => "next decision in",
            };
            blocks.push(Block::Line(vec![span(format!("{what} {}", human(left)), Tone::Dim)]));
        }
        if !self.verdicts.is_empty() {
            blocks.push(Block::Blank);
            blocks.push(Block::Table(self.conditions(view)));
            if view.width < WIDE {
                blocks.extend(self.comparisons(view));
            }
        }
        blocks.push(Block::Blank);
        let from = self.transitions.len().saturating_sub(SHOWN);
        for transition in &self.transitions[from..] {
            blocks.push(Block::Line(vec![
                span(format!("{}  ", transition.at.format("%H:%M:%S")), Tone::Dim),
                span(format!("{:>4}  ", transition.weight.to_string()), Tone::Dim),
                plain(transition.text.clone()),
            ]));
        }
        blocks
    }

    /// What matters of it most now, in a line: what keeps it, why it went back, or its worst condition.
    pub(crate) fn gist(&self) -> String {
        if let Some(stuck) = &self.stuck {
            return format!("not back: {}", stuck.text);
        }
        if let Some(held) = &self.held {
            return format!("held: {}", held.text);
        }
        if let Some(reason) = self.reason.as_ref().filter(|_| self.phase.is_back()) {
            return reason.clone();
        }
        if self.phase.is_terminal() {
            return String::new();
        }
        let rank = |verdict: &&Verdict| match (verdict.outcome, verdict.role) {
            (Outcome::Fail, Role::Rollback) => 0,
            (Outcome::Fail, Role::Success) => 1,
            (Outcome::Error, _) => 2,
            (Outcome::NoEvidence, _) => 3,
            (Outcome::Pass, Role::Success) => 4,
            (Outcome::Pass, Role::Rollback) => 5,
        };
        self.verdicts.iter().min_by_key(rank).map_or_else(String::new, |verdict| {
            let unit = Unit::from_name(&verdict.unit);
            let value = verdict.value.map_or_else(String::new, |value| format!(" at {}", unit.show(value)));
            format!("{}{value}: {}", verdict.condition, said(verdict))
        })
    }

    /// How long until something is decided.
    pub(super) fn until_next(&self, now: DateTime<Utc>) -> Option<Duration> {
        let next = self.next_decision.filter(|_| self.held.is_none())?;
        let left = (next - now).num_seconds();
        (left >= 0).then(|| Duration::from_secs(left.unsigned_abs() + 1))
    }

    /// `[5] 15 25 … 100`, the present step marked.
    fn track(&self, view: &View) -> Vec<Span> {
        let mut spans = vec![span("steps ", Tone::Dim)];
        for (index, step) in self.steps.iter().enumerate() {
            let over = index < self.step || matches!(self.phase, Phase::Window | Phase::Finishing | Phase::Succeeded);
            let (text, tone) = if over {
                (format!("{step}{} ", view.pick("✓", "+")), Tone::Good)
            } else if index == self.step {
                (format!("[{step}] "), self.tone())
            } else {
                (format!("{step} "), Tone::Dim)
            };
            spans.push(span(text, tone));
        }
        spans
    }

    fn conditions(&self, view: &View) -> Table {
        let wide = view.width >= WIDE;
        let mut table = if wide {
            Table::new(["CONDITION", "VALUE", "STABLE", "N", "BOUND", "LIMIT", "VERDICT", "WHY", "TREND"])
                .right(&[1, 2, 3, 4, 5])
                .fixed(&[0, 1, 2, 3, 4, 5, 6, 8])
        } else {
            Table::new(["CONDITION", "VALUE", "N", "LIMIT", "VERDICT"]).right(&[1, 2, 3]).fixed(&[0, 1, 2, 3, 4])
        };
        for verdict in &self.verdicts {
            let unit = Unit::from_name(&verdict.unit);
            let show = |value: Option<f64>| plain(value.map_or_else(|| "-".to_owned(), |value| unit.show(value)));
            let tone = match (verdict.outcome, verdict.role) {
                (Outcome::Pass, _) => Tone::Good,
                (Outcome::Fail, _) => Tone::Bad,
                (Outcome::NoEvidence, _) => Tone::Unknown,
                (Outcome::Error, _) => Tone::Warn,
            };
            let lead = lead(verdict);
            let n = plain(verdict.n.map_or_else(|| "-".into(), |n| format!("{n:.0}")));
            let name = Span { text: format!("{lead}{}", verdict.condition), tone: Tone::Plain };
            table.row(if wide {
                vec![
                    name,
                    show(verdict.value),
                    show(verdict.stable),
                    n,
                    show(verdict.bound),
                    show(verdict.threshold),
                    span(said(verdict), tone),
                    span(verdict.reason.clone(), Tone::Dim),
                    span(self.trend(verdict, view), Tone::Series(0)),
                ]
            } else {
                vec![name, show(verdict.value), n, show(verdict.threshold), span(said(verdict), tone)]
            });
        }
        table
    }

    /// Where the table has no room for it: each metric of the canary beside the stable one's, and how that went.
    fn comparisons(&self, view: &View) -> Vec<Block> {
        let mut seen = Vec::new();
        let mut blocks = Vec::new();
        for verdict in &self.verdicts {
            let metric = verdict.condition.split(' ').next().unwrap_or_default();
            let trend = self.trend(verdict, view);
            let (Some(canary), false) = (verdict.value, trend.is_empty()) else {
                continue;
            };
            if seen.contains(&metric) {
                continue;
            }
            seen.push(metric);
            let unit = Unit::from_name(&verdict.unit);
            let mut text = format!("  {metric}: canary {}", unit.show(canary));
            if let Some(stable) = verdict.stable {
                text.push_str(&format!(", stable {}", unit.show(stable)));
            }
            blocks.push(Block::Line(vec![span(trend, Tone::Series(0)), span(text, Tone::Dim)]));
        }
        blocks
    }

    /// Canary above stable, at each look: half is as good as stable.
    fn trend(&self, verdict: &Verdict, view: &View) -> String {
        let values: Vec<Option<f64>> = self
            .history
            .iter()
            .filter(|old| old.condition == verdict.condition && old.role == verdict.role)
            .map(|old| Some(old.value? - old.stable.unwrap_or(0.0)))
            .collect();
        if values.len() < 3 {
            return String::new();
        }
        sparkline(&values, 10, !view.unicode)
    }
}

/// What the condition is for.
pub(super) fn lead(verdict: &Verdict) -> &'static str {
    match verdict.role {
        Role::Success => "want ",
        Role::Rollback => "back if ",
    }
}

/// What it came to: a condition for going back that does not hold is no pass to a reader.
pub(super) fn said(verdict: &Verdict) -> &'static str {
    match (verdict.role, verdict.outcome) {
        (Role::Rollback, Outcome::Pass) => "not so",
        (Role::Rollback, Outcome::Fail) => "SO",
        (_, outcome) => outcome.word(),
    }
}
