//! The state machine: what a rollout does next, given what is seen. It decides and remembers; the runner does. Each
//! write is stored as an intent before it is done, and counts as done when it was read back.
//!
//! Rollback is a latch: nothing leads out of it but its own end. It needs no metric, no lock, no reading.

mod observe;
#[cfg(test)]
mod tests;
mod watch;

use chrono::{DateTime, TimeDelta, Utc};

use crate::guard::verdict::Verdict;
use crate::rollout::exposure::{Digests, Percent, Reading};
use crate::rollout::state::{Hold, HoldKind, Phase, RequestKind, Rollout, Stuck, Write};

/// Refused forward writes after which a person must look.
const TRIES: u32 = 3;

/// What is seen at one look.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The world, or why it cannot be read.
    pub reading: Result<Reading, String>,
    /// Every condition, judged now.
    pub verdicts: Vec<Verdict>,
    /// The lock is ours and was renewed lately, and the target knows it; or why nothing may go forward.
    pub locked: Result<(), String>,
    /// A controller moves the weight by itself.
    pub delegated: bool,
}

/// How a write went.
#[allow(clippy::large_enum_variant, reason = "one lives at a time, and not for long")]
#[derive(Debug, Clone, PartialEq)]
pub enum WriteOutcome {
    /// Done; this is what the world says now.
    Done(Reading),
    /// Accepted, and it takes time: call again.
    Waiting(String),
    /// Not done, or not known to be.
    Failed(String),
    /// Not done for sure, by its precondition: what carries the weight is another one than was looked at.
    Refused(String),
    /// Not done: somebody else was faster, who now has what we wanted.
    Lost(String),
}

fn since(at: DateTime<Utc>, now: DateTime<Utc>) -> std::time::Duration {
    (now - at).to_std().unwrap_or_default()
}

impl Rollout {
    /// What to do now, if anything. The caller stores the rollout, does it, and says how it went.
    pub fn step(&mut self, look: &Observation, now: DateTime<Utc>) -> Option<Write> {
        if self.phase.is_terminal() {
            return None;
        }
        self.heed(now);
        if self.phase == Phase::RollbackFailed {
            return None;
        }
        if let (true, None, Ok(reading)) = (self.plan.is_exact(), &self.written, &look.reading) {
            self.adopt(reading, now);
        }
        self.watch(look, now);
        if self.phase == Phase::RollingBack {
            return self.restore(now);
        }
        if let Ok(reading) = &look.reading {
            self.learn(reading);
        }
        if let Some((why, text)) = self.obstacle(look) {
            self.hold(why, text, now);
            return None;
        }
        match &self.hold {
            Some(hold) if !hold.why.ends_by_itself() && hold.why != HoldKind::Undecided => return None,
            // What keeps an observation from its end is looked at again below.
            Some(hold) if !matches!(hold.why, HoldKind::NoEvidence | HoldKind::Undecided) => {
                let text = format!("goes on: {} is over", hold.text);
                self.hold = None;
                self.note(now, text);
            }
            _ => {}
        }
        let reading = look.reading.as_ref().ok()?;
        let write = self.forward(look, reading, now)?;
        self.intent = Some(write);
        self.touched = true;
        Some(write)
    }

    /// What people asked for.
    fn heed(&mut self, now: DateTime<Utc>) {
        let Some(request) = self.request.take() else {
            return;
        };
        let by = match &request.reason {
            Some(reason) => format!("{}: {reason}", request.by),
            None => request.by.clone(),
        };
        if self.phase == Phase::RollbackFailed && request.what != RequestKind::Pause {
            return self.roll_back(format!("tried again by {by}"), now);
        }
        if self.phase.is_back() {
            return;
        }
        match request.what {
            RequestKind::Abort => self.roll_back(format!("aborted by {by}"), now),
            RequestKind::Pause => self.hold(HoldKind::Paused, format!("paused by {by}"), now),
            RequestKind::Resume => {
                let foreign = |hold: &Hold| hold.why == HoldKind::Foreign;
                if self.hold.take().as_ref().is_some_and(foreign) {
                    self.written = None;
                    self.digests = Digests::default();
                }
                self.tries = 0;
                self.streaks.clear();
                self.grown.clear();
                self.since = now;
                self.note(now, format!("resumed by {by}"));
            }
            RequestKind::Promote => {
                self.hold = None;
                self.tries = 0;
                self.note(now, format!("promoted by {by}, without waiting for evidence"));
                match self.phase {
                    Phase::Window => self.enter(Phase::Finishing, now),
                    Phase::SetWeight | Phase::Propagate | Phase::Observe | Phase::Gate
                        if self.step > 0 || self.applied.exceeds(self.originals.weight) =>
                    {
                        self.step = self.plan.rules.steps.len().saturating_sub(1);
                        let all = self.applied.is_about(Percent::FULL);
                        self.intent = None;
                        self.enter(if all { Phase::Promote } else { Phase::SetWeight }, now);
                    }
                    _ => {}
                }
            }
        }
    }

    fn forward(&mut self, look: &Observation, reading: &Reading, now: DateTime<Utc>) -> Option<Write> {
        match self.phase {
            Phase::Planned => {
                if self.lacks_approval(now) {
                    self.enter(Phase::Gate, now);
                    return None;
                }
                if self.plan.is_exact() {
                    self.enter(Phase::SetWeight, now);
                    return Some(self.weight());
                }
                self.enter(Phase::CanaryUp, now);
                Some(Write::Prepare)
            }
            Phase::Gate => {
                if self.lacks_approval(now) {
                    return None;
                }
                self.note(now, "approved");
                if self.touched {
                    self.enter(Phase::SetWeight, now);
                    Some(self.weight())
                } else {
                    self.enter(Phase::CanaryUp, now);
                    Some(Write::Prepare)
                }
            }
            Phase::CanaryUp if self.intent.is_some() => Some(Write::Prepare),
            Phase::CanaryUp => {
                if !reading.canary.is_ready() {
                    return None;
                }
                self.enter(Phase::SetWeight, now);
                Some(self.weight())
            }
            Phase::SetWeight => Some(self.weight()),
            Phase::Propagate => {
                let elapsed = since(self.since, now);
                if reading.settled && elapsed >= self.plan.rules.propagation {
                    self.hold = None;
                    self.enter(Phase::Observe, now);
                } else if !reading.settled && elapsed >= self.plan.rules.max_step {
                    let text = self.rule_of_undecided("the weight was not taken over by the gateway");
                    self.hold(HoldKind::Undecided, text, now);
                }
                None
            }
            Phase::Observe => self.observe(look, reading, now),
            Phase::Promote => Some(Write::Promote),
            Phase::Window => {
                if since(self.since, now) < self.plan.rules.window {
                    return None;
                }
                self.enter(Phase::Finishing, now);
                Some(Write::Finish)
            }
            Phase::Finishing => Some(Write::Finish),
            Phase::Succeeded | Phase::RollingBack | Phase::RollbackFailed | Phase::RolledBack => None,
        }
    }

    fn weight(&self) -> Write {
        Write::Weight { percent: self.target() }
    }

    /// Does the step need people to agree, and have too few of them?
    pub fn lacks_approval(&self, now: DateTime<Utc>) -> bool {
        let Some(rule) = &self.plan.rules.approval else {
            return false;
        };
        let from = match self.step.checked_sub(1) {
            Some(before) => self.plan.rules.steps.get(before).copied().map(Percent::get),
            None => None,
        };
        let needed = rule
            .before
            .iter()
            .any(|share| self.target().get() >= share.get() && from.is_none_or(|from| from < share.get()));
        if !needed {
            return false;
        }
        let mut people: Vec<&str> = self
            .approvals
            .iter()
            .filter(|approval| {
                approval.step == self.step
                    && approval.image == self.plan.image
                    && since(approval.at, now) < rule.expires
            })
            .map(|approval| approval.by.as_str())
            .collect();
        people.sort_unstable();
        people.dedup();
        people.len() < rule.by as usize
    }

    fn restore(&mut self, now: DateTime<Utc>) -> Option<Write> {
        if !self.touched {
            self.intent = None;
            self.enter(Phase::RolledBack, now);
            return None;
        }
        self.intent = Some(Write::Restore);
        Some(Write::Restore)
    }

    /// Begins to go back. Once begun, nothing stops it.
    pub fn roll_back(&mut self, reason: String, now: DateTime<Utc>) {
        if self.phase.is_terminal() || self.phase == Phase::RollingBack {
            return;
        }
        self.hold = None;
        self.tries = 0;
        self.intent = self.touched.then_some(Write::Restore);
        // Why it goes back stays true however often it is tried.
        if self.phase != Phase::RollbackFailed {
            self.reason = Some(reason.clone());
        }
        self.phase = Phase::RollingBack;
        self.since = now;
        self.note(now, reason);
    }

    /// It cannot be taken back: what is left is for a person, by this command.
    pub fn give_up(&mut self, why: &str, by_hand: Option<String>, now: DateTime<Utc>) {
        let since = self.stuck.as_ref().map_or(now, |stuck| stuck.since);
        self.stuck = Some(Stuck { text: why.to_owned(), since, by_hand });
        if self.phase == Phase::RollingBack {
            self.enter(Phase::RollbackFailed, now);
        }
    }

    /// Takes over what somebody else has made of the world: a person has said to go on from there. What is there now is
    /// observed anew, and nothing is lowered.
    fn adopt(&mut self, reading: &Reading, now: DateTime<Utc>) {
        self.written.clone_from(&reading.version);
        self.intent = None;
        self.applied = reading.live;
        let steps = &self.plan.rules.steps;
        let reached = steps.iter().rposition(|step| !step.exceeds(reading.live));
        self.note(now, format!("goes on from {}", reading.live));
        match reached.filter(|_| self.touched) {
            Some(step) => {
                self.step = step;
                self.enter(Phase::Propagate, now);
            }
            None => {
                self.step = 0;
                self.enter(Phase::SetWeight, now);
            }
        }
    }

    fn hold(&mut self, why: HoldKind, text: String, now: DateTime<Utc>) {
        match &mut self.hold {
            Some(hold) if hold.why == why => hold.text = text,
            // What a person decides is not covered up by what passes.
            Some(hold) if !hold.why.ends_by_itself() && !matches!(why, HoldKind::Paused | HoldKind::Foreign) => {}
            _ => {
                self.note(now, format!("held: {text}"));
                self.hold = Some(Hold { why, text, since: now });
            }
        }
    }

    fn enter(&mut self, phase: Phase, now: DateTime<Utc>) {
        self.phase = phase;
        self.since = now;
        self.note(now, phase.word_on(&self.plan.target));
    }

    /// How the write went that [`Rollout::step`] asked for.
    pub fn record_write(&mut self, write: Write, how: WriteOutcome, now: DateTime<Utc>) {
        if self.phase.is_terminal() || self.intent != Some(write) {
            return;
        }
        let reading = match how {
            WriteOutcome::Done(reading) => reading,
            WriteOutcome::Waiting(_) => return,
            WriteOutcome::Failed(error) => return self.failed(write, &error, now),
            WriteOutcome::Refused(error) => {
                self.failed(write, &error, now);
                self.intent = None;
                return;
            }
            WriteOutcome::Lost(why) => {
                self.touched = false;
                return self.roll_back(format!("somebody else was faster: {why}"), now);
            }
        };
        let back = |reading: &Reading| !reading.live.exceeds(self.originals.weight);
        match write {
            Write::Restore if !back(&reading) => {
                let text = format!("the weight is still {}", reading.live);
                return self.failed(write, &text, now);
            }
            Write::Promote if !reading.live.is_about(Percent::FULL) => {
                let text = format!("the weight is {}, not all", reading.live);
                return self.failed(write, &text, now);
            }
            _ => {}
        }
        self.intent = None;
        self.stuck = None;
        self.tries = 0;
        // A preparation gives no traffic, and a finished rollout has no canary any more.
        if !matches!(write, Write::Prepare | Write::Finish) {
            self.applied = reading.live;
        }
        match write {
            Write::Prepare => {}
            Write::Weight { .. } => {
                if self.plan.is_exact() {
                    self.written.clone_from(&reading.version);
                }
                self.blind_since = None;
                self.enter(Phase::Propagate, now);
            }
            Write::Promote => self.enter(Phase::Window, now),
            Write::Finish => self.enter(Phase::Succeeded, now),
            Write::Restore => self.enter(Phase::RolledBack, now),
        }
    }

    fn failed(&mut self, write: Write, error: &str, now: DateTime<Utc>) {
        self.tries += 1;
        if write == Write::Restore {
            // The record keeps the first failure and each tenth.
            if self.tries == 1 || self.tries.is_multiple_of(10) {
                self.note(now, format!("not back yet (try {}): {error}", self.tries));
            }
            let stuck = self.stuck.get_or_insert_with(|| Stuck { text: String::new(), since: now, by_hand: None });
            error.clone_into(&mut stuck.text);
            if since(self.since, now) >= self.plan.rules.rollback_timeout {
                self.enter(Phase::RollbackFailed, now);
            }
            return;
        }
        self.note(now, format!("not accepted (try {}): {error}", self.tries));
        if self.tries >= TRIES {
            self.hold(HoldKind::Write, error.to_owned(), now);
        }
    }

    /// When the next decision can fall, if nothing happens before.
    pub fn next_decision(&self) -> Option<DateTime<Utc>> {
        let length = match self.phase {
            Phase::Observe => self.plan.rules.interval,
            Phase::Propagate => self.plan.rules.propagation,
            Phase::Window => self.plan.rules.window,
            Phase::CanaryUp => self.plan.rules.start_deadline,
            _ => return None,
        };
        Some(self.since + TimeDelta::from_std(length).ok()?)
    }
}
