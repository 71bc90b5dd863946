//! What is watched at every look, whatever the rollout is at: is it time to go back, and may it go forward?

use chrono::{DateTime, Utc};

use crate::guard::verdict::{Blame, Outcome, Role, Verdict};
use crate::rollout::exposure::{Percent, Readiness, Reading};
use crate::rollout::machine::{Observation, since};
use crate::rollout::plan::HTTP;
use crate::rollout::state::{HoldKind, Phase, Rollout, Write};

/// The part of a poll that must lie between two looks for the second to confirm the first. Looks follow each other at
/// once where a phase ends, and a poll apart otherwise; a little less than that is what a busy machine makes of it.
const APART: f64 = 0.8;

/// That the canary's users are not served, among the streaks of the conditions.
const UNREACHED: &str = "the canary answers";

/// Looks in a row at which nothing of the canary answers before its traffic goes back.
const UNREACHED_LOOKS: u32 = 2;

/// How the cluster names us as the one who wrote.
const OURS: &str = "liveops";

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
            if let Some(text) = self.is_lost(reading) {
                self.touched = false;
                return self.roll_back(text, now);
            }
            if let Some(text) = self.unreached(reading, exposed && !look.delegated) {
                self.streak(UNREACHED, now);
                if self.streaks.get(UNREACHED).copied().unwrap_or(0) >= UNREACHED_LOOKS {
                    return self.roll_back(text, now);
                }
            } else {
                self.streaks.remove(UNREACHED);
                self.grown.remove(UNREACHED);
            }
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
        let by_a_person = |why| why == HoldKind::Paused || (why == HoldKind::Foreign && self.plan.is_exact());
        let waits = self.hold.as_ref().filter(|hold| !by_a_person(hold.why));
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
            Outcome::Fail if acts => self.streak(&verdict.condition, verdict.at),
            // A look that saw nothing says nothing about the one before.
            Outcome::Error => {}
            Outcome::NoEvidence if verdict.blind => {}
            _ => {
                self.streaks.remove(&verdict.condition);
                self.grown.remove(&verdict.condition);
            }
        }
    }

    /// One more look at which this was so, if it is about a poll after the one before.
    fn streak(&mut self, what: &str, at: DateTime<Utc>) {
        let streak = self.streaks.entry(what.to_owned()).or_insert(0);
        let grown = self.grown.entry(what.to_owned()).or_insert(DateTime::UNIX_EPOCH);
        // Before it grew: another machine's clock is behind, and what lies between is not known.
        if at < *grown {
            *grown = at;
        }
        if *streak == 0 || since(*grown, at) >= self.plan.rules.poll.mul_f64(APART) {
            *streak += 1;
            *grown = at;
        }
    }

    /// Why the users whom the canary is to serve are not served at all, where that can be read from the world.
    fn unreached(&self, reading: &Reading, exposed: bool) -> Option<String> {
        if !exposed || self.plan.is_exact() || self.phase == Phase::Finishing {
            return None;
        }
        if let Some(broken) = &reading.broken {
            return Some(format!("the traffic does not reach the canary: {broken}"));
        }
        let why = match &reading.canary {
            Readiness::Absent => "it does not exist",
            Readiness::Waiting { available: 0, why, .. } | Readiness::Failed { available: 0, why } => why,
            _ => return None,
        };
        Some(format!("the canary has {} of the traffic and nothing that answers: {why}", reading.live))
    }

    /// Where no cluster holds a lock, somebody else may have begun at the same time. Whoever has given no traffic then has
    /// nothing to take back.
    fn is_lost(&self, reading: &Reading) -> Option<String> {
        if self.plan.target != HTTP || self.applied.exceeds(self.originals.weight) || self.phase.is_back() {
            return None;
        }
        let text = self.foreign(reading, false)?;
        Some(format!("somebody else has begun another rollout: {text}"))
    }

    /// A release of somebody else, on either side: what would be judged is not what would be promoted, or what would be
    /// replaced is not what was there.
    fn foreign(&self, reading: &Reading, delegated: bool) -> Option<String> {
        let (image, originals) = (&self.plan.image, &self.originals);
        let by = || match &reading.writer {
            Some(writer) => format!("; last written by {writer}"),
            None => String::new(),
        };
        if let Some(canary) = reading.canary_image.as_ref().filter(|canary| *canary != image)
            && (self.is_prepared() || originals.canary_image.as_ref() != Some(canary))
            && (self.phase != Phase::Finishing || delegated)
        {
            return Some(format!("the canary is {canary}, and {image} is what is rolled out{}", by()));
        }
        let before = originals.stable_image.as_ref()?;
        let stable = reading.stable_image.as_ref().filter(|stable| *stable != before)?;
        // A controller of its own promotes when it has come that far.
        if stable == image && (self.phase == Phase::Finishing || delegated) {
            return None;
        }
        Some(format!("stable is {stable}, and was {before} at the start{}", by()))
    }

    fn is_prepared(&self) -> bool {
        self.phase != Phase::Planned && self.intent != Some(Write::Prepare) && self.touched
    }

    /// Remembers what each side runs, once all that is wanted of it is there.
    pub(super) fn learn(&mut self, reading: &Reading) {
        if self.digests.stable.is_empty() && reading.stable_image == self.originals.stable_image {
            self.digests.stable.clone_from(&reading.digests.stable);
        }
        let is_there = reading.canary.is_ready() && reading.canary_image.as_ref() == Some(&self.plan.image);
        if self.digests.canary.is_empty() && is_there && self.is_prepared() {
            self.digests.canary.clone_from(&reading.digests.canary);
        }
    }

    /// The same name, and something else behind it: a tag that was pushed anew is another release.
    fn retagged(&self, reading: &Reading) -> Option<String> {
        let other = |known: &[String], now: &[String]| {
            let new = now.iter().find(|digest| !known.is_empty() && !known.contains(digest));
            new.map(|digest| (digest.clone(), known.join(", ")))
        };
        let image = &self.plan.image;
        if self.is_prepared()
            && reading.canary_image.as_ref() == Some(image)
            && let Some((now, judged)) = other(&self.digests.canary, &reading.digests.canary)
        {
            return Some(format!("the canary runs {image} as {now}, and {judged} is what was judged"));
        }
        let stable = reading.stable_image.as_ref()?;
        if stable == image && self.phase == Phase::Finishing {
            let (now, judged) = other(&self.digests.canary, &reading.digests.stable)?;
            return Some(format!("stable runs {image} as {now}, and {judged} is what was judged"));
        }
        if self.originals.stable_image.as_ref() != Some(stable) {
            return None;
        }
        let (now, before) = other(&self.digests.stable, &reading.digests.stable)?;
        Some(format!("stable runs {stable} as {now}, and ran {before} at the start"))
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
            Some(Write::Promote) => Some(Percent::FULL),
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
        if let Some(text) = self.foreign(reading, look.delegated) {
            let text = format!("{text}; put it back and resume, or abort, which leaves what others released as it is");
            return Some((HoldKind::Foreign, text));
        }
        if let Some(text) = self.retagged(reading) {
            let text = format!("{text}: its tag was pushed anew; resume judges what runs now, abort rolls back");
            return Some((HoldKind::Foreign, text));
        }
        if self.phase == Phase::Finishing || !self.touched {
            return None;
        }
        // One write of ours may take several calls (pods first, then the selector): a crash leaves what lies between, and
        // the write is done again.
        let halfway = expected.is_some_and(|expected| {
            let up = expected.exceeds(self.applied);
            let (low, high) = if up { (self.applied, expected) } else { (expected, self.applied) };
            !low.exceeds(reading.live) && !reading.live.exceeds(high)
        });
        let ours = reading.writer.as_deref() == Some(OURS);
        let known = reading.live.is_about(self.applied)
            || expected.is_some_and(|expected| reading.live.is_about(expected))
            || (halfway && ours);
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
