//! What is watched at every look, whatever the rollout is at: is it time to go back, and may it go forward?

use chrono::{DateTime, Utc};

use crate::guard::verdict::{Blame, Outcome, Role, Verdict};
use crate::rollout::exposure::Readiness;
use crate::rollout::machine::{Observation, since};
use crate::rollout::state::{HoldKind, Phase, Rollout, Write};

/// The part of a poll that must lie between two looks for the second to confirm the first. Looks follow each other at
/// once where a phase ends, and a poll apart otherwise; a little less than that is what a busy machine makes of it.
const APART: f64 = 0.8;

impl Rollout {
    /// The fast lane: whatever the state, is it time to go back?
    pub(super) fn watch(&mut self, look: &Observation, now: DateTime<Utc>) {
        if self.phase == Phase::RollingBack {
            return;
        }
        let exposed = self.applied.exceeds(self.originals.weight)
            || look.reading.as_ref().is_ok_and(|reading| reading.live.exceeds(self.originals.weight));
        for verdict in &look.verdicts {
            self.count(verdict);
        }
        let confirmed = look.verdicts.iter().find(|verdict| {
            let wanted = if verdict.certain { 1 } else { self.plan.rules.confirmations };
            self.streaks.get(&verdict.condition).copied().unwrap_or(0) >= wanted.max(1)
        });
        if let Some(verdict) = confirmed {
            let said = match verdict.role {
                Role::Rollback => "",
                Role::Success => "not ",
            };
            let reason = format!("{said}{}: {}", verdict.condition, verdict.reason);
            return self.roll_back(reason, now);
        }
        if let Ok(reading) = &look.reading {
            let started = !matches!(self.phase, Phase::Planned | Phase::Gate) || self.touched;
            match &reading.canary {
                Readiness::Failed { why, .. } if started && self.phase != Phase::Finishing => {
                    let lead = match self.plan.is_exact() {
                        true => "",
                        false => "the canary cannot start: ",
                    };
                    return self.roll_back(format!("{lead}{why}"), now);
                }
                Readiness::Waiting { why, .. }
                    if self.phase == Phase::CanaryUp && since(self.since, now) >= self.plan.rules.start_deadline =>
                {
                    return self.roll_back(format!("the canary is not ready in time: {why}"), now);
                }
                _ => {}
            }
            let over = self.phase != Phase::Finishing
                && !self.plan.is_exact()
                && !look.delegated
                && reading.live.exceeds(self.target())
                && reading.live.exceeds(self.applied);
            if over && self.touched {
                let by = reading.writer.as_deref().unwrap_or("somebody else");
                let text =
                    format!("the weight is {}, more than the plan's {}; set by {by}", reading.live, self.target());
                return self.roll_back(text, now);
            }
        }
        let metrics = || look.verdicts.iter().filter(|verdict| !verdict.certain);
        let blind = exposed && metrics().count() > 0 && metrics().all(|verdict| verdict.blind);
        if !blind {
            self.blind_since = None;
        } else if self.phase != Phase::Propagate {
            let began = *self.blind_since.get_or_insert(now);
            if since(began, now) >= self.plan.rules.max_blind {
                let why = metrics().next().map_or("", |verdict| &verdict.reason);
                return self.roll_back(format!("nothing can be seen of the canary: {why}"), now);
            }
        }
        let waits = self.hold.as_ref().filter(|hold| !matches!(hold.why, HoldKind::Paused | HoldKind::Foreign));
        if exposed && waits.is_some_and(|hold| since(hold.since, now) >= self.plan.rules.hold_timeout) {
            let text = waits.map_or("", |hold| &hold.text);
            let reason = format!("held for too long: {text}");
            self.roll_back(reason, now);
        }
    }

    /// How many looks in a row, each about a poll after the one before, a condition has said that it must go back.
    fn count(&mut self, verdict: &Verdict) {
        let acts = match verdict.role {
            Role::Rollback => true,
            // What hits both versions is no reason to blame the new one; the hard conditions still act.
            Role::Success => matches!(self.phase, Phase::Observe) && verdict.blame != Some(Blame::Everything),
        };
        match verdict.outcome {
            Outcome::Fail if acts => {
                let streak = self.streaks.entry(verdict.condition.clone()).or_insert(0);
                let grown = self.grown.entry(verdict.condition.clone());
                let grown = grown.or_insert(DateTime::UNIX_EPOCH);
                // Before it grew: another machine's clock is behind, and what lies between is not known.
                if verdict.at < *grown {
                    *grown = verdict.at;
                }
                if *streak == 0 || since(*grown, verdict.at) >= self.plan.rules.poll.mul_f64(APART) {
                    *streak += 1;
                    *grown = verdict.at;
                }
            }
            // A look that saw nothing says nothing about the one before.
            Outcome::Error => {}
            Outcome::NoEvidence if verdict.blind => {}
            _ => {
                self.streaks.remove(&verdict.condition);
                self.grown.remove(&verdict.condition);
            }
        }
    }

    /// What keeps it from going forward.
    pub(super) fn obstacle(&self, look: &Observation) -> Option<(HoldKind, String)> {
        if let Err(why) = &look.locked {
            return Some((HoldKind::Error, format!("nothing goes forward: {why}")));
        }
        let reading = match &look.reading {
            Ok(reading) => reading,
            Err(error) => {
                return Some((HoldKind::Error, format!("cannot read the weight: {error}")));
            }
        };
        let expected = match self.intent {
            Some(Write::Weight { percent }) => Some(percent),
            _ => None,
        };
        if self.plan.is_exact() {
            // A step whose end was not stored, by a crash, has left exactly its percentage.
            let ours = expected.is_some_and(|expected| reading.live.is_about(expected));
            if reading.version == self.written || ours {
                return None;
            }
            let by = reading.writer.as_deref().unwrap_or("somebody else");
            return Some((HoldKind::Foreign, format!("it was changed by {by}")));
        }
        if self.phase == Phase::Finishing || !self.touched {
            return None;
        }
        let known =
            reading.live.is_about(self.applied) || expected.is_some_and(|expected| reading.live.is_about(expected));
        if !known && !look.delegated {
            let by = reading.writer.as_deref().unwrap_or("somebody else");
            let text = format!("the weight is {} and should be {}; set by {by}", reading.live, self.applied);
            return Some((HoldKind::Drift, text));
        }
        let (has, had) = (reading.stable.available(), self.originals.stable_available);
        if has < had && !look.delegated {
            let text = format!("stable has {has} instances, and had {had}");
            return Some((HoldKind::Capacity, text));
        }
        None
    }
}
