//! Where a rollout stands: everything that another machine needs to go on or to go back. Stored after each change, and
//! before each write to the world with the intent of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::guard::judge::Baseline;
use crate::guard::verdict::{Outcome, Verdict};
use crate::rollout::exposure::{Digests, Originals, Percent};
use crate::rollout::fleet::Fleet;
use crate::rollout::plan::{FLAG, Plan};

/// Verdicts that are kept; older ones fall off.
const VERDICTS: usize = 120;

/// Transitions that are kept.
const TRANSITIONS: usize = 80;

/// One rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    pub id: String,
    pub service: String,
    pub environment: String,
    /// The region of the environment, where it has some.
    #[serde(default)]
    pub region: Option<String>,
    /// The rollout over several regions that it is a part of.
    #[serde(default)]
    pub fleet: Option<Fleet>,
    pub by: String,
    pub started_at: DateTime<Utc>,
    /// The change in the audit log of the machine that started it.
    pub change: Option<String>,
    pub plan: Plan,
    /// What a rollback goes back to.
    pub originals: Originals,
    /// What both sides ran when they were first looked at; under the same tags nothing else is judged.
    #[serde(default, skip_serializing_if = "Digests::is_empty")]
    pub digests: Digests,
    pub phase: Phase,
    /// Since when it is in this phase.
    pub since: DateTime<Utc>,
    /// Index of the step under way.
    pub step: usize,
    /// The share that was last read back after a write of ours.
    pub applied: Percent,
    /// The world's version after the last write of ours, where it is ours alone. None: whatever is found is taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// A write that was decided, and is not yet known to have taken effect.
    pub intent: Option<Write>,
    /// Something was written to the world, or may have been.
    pub touched: bool,
    /// Failed tries of the intent.
    pub tries: u32,
    /// Why it does not move, where it does not.
    pub hold: Option<Hold>,
    /// What keeps it from going back, where it should.
    #[serde(default)]
    pub stuck: Option<Stuck>,
    /// Why it goes back, or went.
    pub reason: Option<String>,
    /// Since when nothing at all could be seen.
    pub blind_since: Option<DateTime<Utc>>,
    /// Looks in a row at which each condition, by its text, said that it must go back.
    pub streaks: BTreeMap<String, u32>,
    /// When each of them last grew: a look that follows too soon sees the same thing again, and confirms nothing.
    #[serde(default)]
    pub grown: BTreeMap<String, DateTime<Utc>>,
    /// Stable's value for each condition at the last good step, for later steps that leave stable too little traffic.
    #[serde(default)]
    pub baselines: BTreeMap<String, Baseline>,
    pub approvals: Vec<Approval>,
    /// What people asked for while it runs; whoever holds the lock heeds it at the next look.
    #[serde(rename = "wish")]
    pub request: Option<OperatorRequest>,
    /// Epoch of the lock under which it was last stored.
    pub epoch: u64,
    /// Latest verdicts, oldest first.
    pub verdicts: Vec<Verdict>,
    /// What happened, oldest first.
    pub transitions: Vec<Transition>,
    /// How many transitions are no longer kept.
    #[serde(default)]
    pub forgotten: usize,
}

/// The stations of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Planned, checked, nothing written.
    Planned,
    /// The canary is being started, without traffic.
    CanaryUp,
    /// Before a step that needs approval.
    Gate,
    /// The weight of the step is being set.
    SetWeight,
    /// The weight is accepted; traffic follows.
    Propagate,
    /// Evidence is collected.
    Observe,
    /// Everything goes to the new version; it is made the stable one.
    Promote,
    /// Promoted; the old version is kept for an instant way back.
    Window,
    /// The window is over; what is left of the old version is removed.
    Finishing,
    /// Promoted and cleaned up.
    Succeeded,
    /// The traffic goes back to the old version. Nothing leads out of it but the next two.
    RollingBack,
    /// It should go back, and does not: it was tried for as long as the policy says. A person does it by hand, or has it
    /// tried again (`abort`, `resume`).
    RollbackFailed,
    /// Back, and read back from the world.
    RolledBack,
}

impl Phase {
    /// Is it over?
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::RolledBack)
    }

    /// Is the old version to have its traffic again, or does it have it?
    pub fn is_back(self) -> bool {
        matches!(self, Self::RollingBack | Self::RollbackFailed | Self::RolledBack)
    }

    /// The name on the screen, for this kind of target.
    pub fn word_on(self, target: &str) -> &'static str {
        match self {
            Self::SetWeight if target == FLAG => "setting percentage",
            Self::Propagate if target == FLAG => "reaching every service",
            _ => self.word(),
        }
    }

    /// The name in JSON and on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::CanaryUp => "starting canary",
            Self::Gate => "waiting for approval",
            Self::SetWeight => "setting weight",
            Self::Propagate => "propagating",
            Self::Observe => "observing",
            Self::Promote => "promoting",
            Self::Window => "promoted",
            Self::Finishing => "finishing",
            Self::Succeeded => "succeeded",
            Self::RollingBack => "rolling back",
            Self::RollbackFailed => "rollback failed",
            Self::RolledBack => "rolled back",
        }
    }
}

/// A write to the world.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub enum Write {
    /// Start the canary, without traffic.
    Prepare,
    /// Give the canary this share.
    Weight { percent: Percent },
    /// Make the new version the stable one.
    Promote,
    /// Remove what is left of the old one.
    Finish,
    /// Give the old version back its traffic.
    Restore,
}

/// Why a rollout does not move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub why: HoldKind,
    pub text: String,
    pub since: DateTime<Utc>,
}

/// What keeps a rollout from going back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The latest failure.
    pub text: String,
    pub since: DateTime<Utc>,
    /// The command that gives the old version its traffic without liveops.
    pub by_hand: Option<String>,
}

/// Kinds of holds, by what ends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Too little or no evidence; ends by itself when there is some.
    NoEvidence,
    /// Prometheus, the target or a query fails; ends by itself.
    Error,
    /// The weight is not what we set; ends when it is again.
    Drift,
    /// Stable has fewer instances than at the start; ends by itself.
    Capacity,
    /// Neither good nor bad for too long. Evidence still decides, or a person; or the hold's timeout, which goes back.
    Undecided,
    /// A person said so.
    Paused,
    /// A write was refused too often; a person decides.
    Write,
    /// Somebody else has changed what the rollout alone changes; a person decides.
    Foreign,
}

impl HoldKind {
    /// Does it end by itself when its cause is gone?
    pub fn ends_by_itself(self) -> bool {
        matches!(self, Self::NoEvidence | Self::Error | Self::Drift | Self::Capacity)
    }
}

/// Somebody agreed to a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    pub by: String,
    pub at: DateTime<Utc>,
    /// The step that it is for; it is good for no other.
    pub step: usize,
    /// The image that it is for.
    pub image: String,
}

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRequest {
    pub what: RequestKind,
    pub by: String,
    pub at: DateTime<Utc>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    Pause,
    Resume,
    Abort,
    /// Go on to everything without waiting for evidence; or end the window.
    Promote,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    pub at: DateTime<Utc>,
    pub phase: Phase,
    /// The canary's share at that time.
    pub weight: Percent,
    pub text: String,
}

impl Rollout {
    /// A rollout that has not begun.
    pub fn new(
        id: String,
        (service, environment): (String, String),
        by: String,
        plan: Plan,
        originals: Originals,
        now: DateTime<Utc>,
    ) -> Self {
        let applied = originals.weight;
        Self {
            id,
            service,
            environment,
            region: None,
            fleet: None,
            by,
            started_at: now,
            change: None,
            plan,
            originals,
            digests: Digests::default(),
            phase: Phase::Planned,
            since: now,
            step: 0,
            applied,
            written: None,
            intent: None,
            touched: false,
            tries: 0,
            hold: None,
            stuck: None,
            reason: None,
            blind_since: None,
            streaks: BTreeMap::new(),
            grown: BTreeMap::new(),
            baselines: BTreeMap::new(),
            approvals: Vec::new(),
            request: None,
            epoch: 0,
            verdicts: Vec::new(),
            transitions: Vec::new(),
            forgotten: 0,
        }
    }

    /// The share of the step under way.
    pub fn target(&self) -> Percent {
        let steps = &self.plan.rules.steps;
        steps.get(self.step).or(steps.last()).copied().unwrap_or(Percent::FULL)
    }

    /// Why the next write is made, in a line.
    pub fn because(&self, write: Write) -> String {
        if write == Write::Restore {
            return self.reason.clone().unwrap_or_default();
        }
        let before = self.step.checked_sub(1);
        let seen = self
            .verdicts
            .iter()
            .filter(|verdict| Some(verdict.step) == before && verdict.outcome == Outcome::Pass && !verdict.certain);
        let mut seen: Vec<(&str, &str)> =
            seen.map(|verdict| (verdict.condition.as_str(), verdict.reason.as_str())).collect();
        seen.reverse();
        let mut told: Vec<&str> = Vec::new();
        let mut text = format!("step {} of {}", self.step + 1, self.plan.rules.steps.len());
        for (condition, reason) in seen {
            if !told.contains(&condition) {
                told.push(condition);
                text.push_str(&format!("; {condition}: {reason}"));
            }
        }
        text
    }

    /// Notes what happened.
    pub fn note(&mut self, at: DateTime<Utc>, text: impl Into<String>) {
        self.transitions.push(Transition { at, phase: self.phase, weight: self.applied, text: text.into() });
        let over = self.transitions.len().saturating_sub(TRANSITIONS);
        self.transitions.drain(..over);
        self.forgotten += over;
    }

    /// How many transitions there were.
    pub fn transition_count(&self) -> usize {
        self.forgotten + self.transitions.len()
    }

    /// The transitions that came after the first `told`, as far as they are kept.
    pub fn transitions_since(&self, told: usize) -> &[Transition] {
        let new = self.transition_count().saturating_sub(told);
        let from = self.transitions.len().saturating_sub(new);
        self.transitions.get(from..).unwrap_or_default()
    }

    /// Keeps a verdict.
    pub fn remember(&mut self, verdict: Verdict) {
        self.verdicts.push(verdict);
        let over = self.verdicts.len().saturating_sub(VERDICTS);
        self.verdicts.drain(..over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was stored before rollbacks could fail: what is new is missing in it.
    const OLD: &str = r#"{"id":"r1","service":"game","environment":"prod","by":"ada","started_at":"2026-11-24T10:00:00Z",
      "change":"c1","plan":{"image":"game:2","policy":"fast","target":"http","rules":{"steps":[20.0,100.0],"interval":1000,
      "poll":50,"confirmations":2,"propagation":100,"max_step":3000,"max_blind":300000,"hold_timeout":1800000,
      "start_deadline":600000,"window":100,"min_samples":100,"success":["errors < 1%"],"rollback":[],"approval":null,
      "preflight":[],"error_budget":null,"scrape_interval":5000},"waived":[]},"originals":{"weight":0.0,
      "stable_available":1,"stable_image":"game:1","stable_digest":null,"stable_revision":null,"detail":{}},
      "phase":"observe","since":"2026-11-24T10:00:01Z","step":0,"applied":20.0,"intent":{"write":"weight","percent":100.0},
      "touched":true,"tries":0,"hold":null,"reason":null,"blind_since":null,"streaks":{},"baselines":{"p99 < baseline":0.1},
      "approvals":[],"wish":null,
      "epoch":3,"verdicts":[{"condition":"errors < 1%","role":"success","outcome":"pass","at":"2026-11-24T10:00:01Z",
      "step":0,"weight":20.0,"value":0.001,"stable":null,"n":1000.0,"stable_n":null,"bound":0.0,"threshold":0.01,
      "unit":"ratio","blame":null,"reason":"1 of 1000","blind":false,"certain":false,"queries":[]}],
      "transitions":[{"at":"2026-11-24T10:00:01Z","phase":"observe","weight":20.0,"text":"observing"}]}"#;

    #[test]
    fn what_is_new_is_known_when_old_transitions_are_forgotten() {
        let mut rollout: Rollout = serde_json::from_str(OLD).expect("readable");
        let mut told = rollout.transition_count();
        for n in 0..3 * TRANSITIONS {
            rollout.note(rollout.since, format!("{n}"));
            let news: Vec<_> = rollout.transitions_since(told).iter().map(|new| &new.text).collect();
            assert_eq!(news, [&n.to_string()]);
            told = rollout.transition_count();
            assert!(rollout.transitions_since(told).is_empty());
        }
        assert_eq!(rollout.transitions.len(), TRANSITIONS);
        assert_eq!(rollout.transitions_since(0).len(), TRANSITIONS, "what is kept");
    }

    #[test]
    fn a_state_of_an_older_version_is_read() {
        let rollout: Rollout = serde_json::from_str(OLD).expect("readable");
        assert_eq!((rollout.phase, rollout.stuck), (Phase::Observe, None));
        assert_eq!(rollout.plan.rules.rollback_timeout.as_secs(), 600);
        assert!(rollout.plan.rules.on_no_data.is_empty());
        assert_eq!(rollout.verdicts.len(), 1);
        assert!(rollout.grown.is_empty());
        assert_eq!(rollout.baselines["p99 < baseline"], Baseline { value: 0.1, n: None });
    }
}
