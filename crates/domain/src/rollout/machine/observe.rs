//! A step under observation: when its evidence is enough to go on, what is no evidence, and how what cannot be decided ends.

use chrono::{DateTime, TimeDelta, Utc};

use crate::guard::judge::Baseline;
use crate::guard::verdict::Outcome;
use crate::rollout::exposure::{Percent, Reading};
use crate::rollout::machine::{Observation, since};
use crate::rollout::state::{HoldKind, Phase, Rollout, Write};
use crate::text::duration;

/// The part of its weight that a canary's share of the counted requests must reach at least, to be its traffic.
const LEAST_OF_ITS_SHARE: f64 = 1.0 / 3.0;

impl Rollout {
    /// How what cannot be decided ends.
    pub(super) fn rule_of_undecided(&self, what: &str) -> String {
        let [longest, timeout] = [self.plan.rules.max_step, self.plan.rules.hold_timeout].map(duration::to_promql);
        format!("{what} for {longest}; goes on when that changes, and back when it has not within {timeout}")
    }

    /// Evidence of a canary that does not get its share of the traffic is evidence of something else: health checks, a
    /// weight without effect, labels that mean another version.
    fn misplaced(&self, look: &Observation, reading: &Reading) -> Option<String> {
        if self.plan.is_exact() {
            return None;
        }
        let counted = look.verdicts.iter().filter_map(|verdict| Some((verdict.n?, verdict.stable_n?)));
        let (canary, stable) = counted.max_by(|one, other| (one.0 + one.1).total_cmp(&(other.0 + other.1)))?;
        let (all, wanted) = (canary + stable, reading.live.get() / 100.0);
        if all * wanted < self.plan.rules.min_samples.max(1) as f64 || canary / all >= wanted * LEAST_OF_ITS_SHARE {
            return None;
        }
        Some(format!(
            "the canary has {} of the counted requests at a weight of {}: the weight has no effect, or its labels mean something else",
            Percent::new(canary * 100.0 / all).unwrap_or_default(),
            reading.live
        ))
    }

    pub(super) fn observe(&mut self, look: &Observation, reading: &Reading, now: DateTime<Utc>) -> Option<Write> {
        let elapsed = since(self.since, now);
        if elapsed < self.plan.rules.interval {
            return None;
        }
        // Also what would lead back must be seen, and be seen not to hold.
        let missing = look.verdicts.iter().find(|verdict| verdict.outcome != Outcome::Pass);
        let proven = look
            .verdicts
            .iter()
            .any(|verdict| verdict.outcome == Outcome::Pass && !verdict.certain && !verdict.assumed);
        let missing = match missing {
            Some(verdict) => Some(format!("{}: {}", verdict.condition, verdict.reason)),
            None if !proven => Some("no condition has any evidence".into()),
            None => self.misplaced(look, reading),
        };
        if let Some(text) = missing {
            if elapsed >= self.plan.rules.max_step {
                let text = format!("{}; {text}", self.rule_of_undecided("neither good nor bad"));
                self.hold(HoldKind::Undecided, text, now);
            } else {
                self.hold(HoldKind::NoEvidence, text, now);
            }
            return None;
        }
        self.hold = None;
        for verdict in &look.verdicts {
            let enough = verdict.stable_n.is_none_or(|n| n >= self.plan.rules.min_samples as f64);
            if let Some(value) = verdict.stable.filter(|_| enough) {
                self.baselines.insert(verdict.condition.clone(), Baseline { value, n: verdict.stable_n });
            }
        }
        if self.step + 1 >= self.plan.rules.steps.len() {
            if self.plan.is_exact() {
                self.note(now, "every condition holds at the last step");
                self.enter(Phase::Succeeded, now);
                return None;
            }
            self.note(now, "every condition holds with all of the traffic");
            self.enter(Phase::Promote, now);
            return Some(Write::Promote);
        }
        self.note(now, "every condition holds");
        self.step += 1;
        if self.lacks_approval(now) {
            self.enter(Phase::Gate, now);
            return None;
        }
        self.enter(Phase::SetWeight, now);
        Some(self.weight())
    }

    /// Forgets what was seen until now: the time in which it was is not known. What waits for time to pass waits for an
    /// observation at least.
    pub fn observe_anew(&mut self, why: &str, now: DateTime<Utc>) {
        if self.phase.is_back() || self.phase.is_terminal() {
            return;
        }
        self.streaks.clear();
        self.grown.clear();
        self.blind_since = None;
        if let Some(hold) = self.hold.as_mut().filter(|hold| hold.why != HoldKind::Paused) {
            hold.since = now;
        }
        let rules = &self.plan.rules;
        self.since = match self.phase {
            Phase::Window => {
                let rest = rules.window.saturating_sub(rules.interval);
                self.since.clamp(DateTime::UNIX_EPOCH, now).max(now - TimeDelta::from_std(rest).unwrap_or_default())
            }
            _ => now,
        };
        self.note(now, why);
    }
}
