//! One rollout as a row: what status and `rollout status` list.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::error::Error;
use crate::guard::verdict::{Outcome, Role, Verdict};
use crate::metric::quantity::Unit;
use crate::rollout::fleet::Fleet;
use crate::rollout::lock::Holder;
use crate::rollout::plan::FLAG;
use crate::rollout::state::{HoldKind, Phase, Rollout, Stuck, Transition};

/// A rollout that may be under way, and cannot be seen.
#[derive(Debug, Clone, Serialize)]
pub struct UnseenRow {
    pub service: String,
    pub region: Option<String>,
    pub why: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl UnseenRow {
    /// Of this service there, because of this.
    pub fn new(region: Option<&str>, service: &str, error: &Error) -> Self {
        Self {
            service: service.to_owned(),
            region: region.map(ToOwned::to_owned),
            why: error.to_string(),
            hint: error.hint(),
        }
    }

    /// The service, and the region of it.
    pub fn title(&self) -> String {
        match &self.region {
            Some(region) => format!("{} in {region}", self.service),
            None => self.service.clone(),
        }
    }
}

/// One rollout.
#[derive(Debug, Clone, Serialize)]
pub struct RolloutRow {
    pub id: String,
    pub service: String,
    pub region: Option<String>,
    /// The rollout over several regions that it is a part of.
    pub fleet: Option<Fleet>,
    pub image: String,
    pub policy: String,
    pub target: String,
    pub by: String,
    pub started_at: DateTime<Utc>,
    pub phase: Phase,
    pub since: DateTime<Utc>,
    pub step: usize,
    pub steps: Vec<f64>,
    pub weight: f64,
    pub held: Option<HoldRow>,
    /// What keeps it from going back, and the command to do it by hand.
    pub stuck: Option<Stuck>,
    /// Why it went back.
    pub reason: Option<String>,
    pub next_decision: Option<DateTime<Utc>>,
    /// Who watches it.
    pub holder: Option<String>,
    /// It is not over, and nobody watches it.
    pub orphaned: bool,
    pub change: Option<String>,
    /// The latest of each condition.
    pub verdicts: Vec<Verdict>,
    pub transitions: Vec<Transition>,
    #[serde(skip)]
    pub history: Vec<Verdict>,
}

/// A share as people read it.
pub fn share(weight: f64) -> String {
    format!("{}%", (weight * 10.0).round() / 10.0)
}

/// Why it does not move.
#[derive(Debug, Clone, Serialize)]
pub struct HoldRow {
    pub why: HoldKind,
    pub text: String,
    pub since: DateTime<Utc>,
}

impl RolloutRow {
    /// Of a state, and of who holds it.
    pub fn new(rollout: &Rollout, holder: Option<&Holder>) -> Self {
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
            held: rollout.hold.as_ref().map(|hold| HoldRow {
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
    pub fn held_by_us(rollout: &Rollout) -> Self {
        Self { orphaned: false, ..Self::new(rollout, None) }
    }

    /// The verdicts of the look just now, instead of the stored ones.
    pub fn with(mut self, verdicts: &[Verdict], history: &[Verdict]) -> Self {
        if !verdicts.is_empty() {
            self.verdicts = verdicts.to_vec();
            self.history = history.to_vec();
        }
        self
    }

    /// The service, and the region of it.
    pub fn title(&self) -> String {
        match &self.region {
            Some(region) => format!("{} in {region}", self.service),
            None => self.service.clone(),
        }
    }

    /// Is it the ramp of a flag?
    pub fn is_ramp(&self) -> bool {
        self.target == FLAG
    }

    /// Is nobody at it, or does it wait for a person?
    pub fn needs_somebody(&self) -> bool {
        let waits = self.held.as_ref().is_some_and(|held| !held.why.ends_by_itself());
        self.orphaned || waits || matches!(self.phase, Phase::Gate | Phase::RollbackFailed)
    }

    /// `observing 15%` and the like.
    pub fn state(&self) -> String {
        let word = self.phase.word_on(&self.target);
        match (self.phase, self.orphaned) {
            (Phase::Succeeded | Phase::RolledBack, _) => word.to_owned(),
            (Phase::RollbackFailed, _) => word.to_uppercase(),
            (_, true) => format!("ORPHANED while {word}"),
            _ => word.to_owned(),
        }
    }

    /// What matters of it most now, in a line: what keeps it, why it went back, or its worst condition.
    pub fn summary(&self) -> String {
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
            format!("{}{value}: {}", verdict.condition, outcome_word(verdict))
        })
    }

    /// How long until something is decided.
    pub fn until_next(&self, now: DateTime<Utc>) -> Option<Duration> {
        let next = self.next_decision.filter(|_| self.held.is_none())?;
        let left = (next - now).num_seconds();
        (left >= 0).then(|| Duration::from_secs(left.unsigned_abs() + 1))
    }
}

/// What the condition is for.
pub fn role_prefix(verdict: &Verdict) -> &'static str {
    match verdict.role {
        Role::Success => "want ",
        Role::Rollback => "back if ",
    }
}

/// What it came to: a condition for going back that does not hold is no pass to a reader.
pub fn outcome_word(verdict: &Verdict) -> &'static str {
    match (verdict.role, verdict.outcome) {
        (Role::Rollback, Outcome::Pass) => "ok",
        (Role::Rollback, Outcome::Fail) => "BREACHED",
        (_, outcome) => outcome.word(),
    }
}
