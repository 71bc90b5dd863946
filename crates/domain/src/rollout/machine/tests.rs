//! Histories of rollouts: the known ones, step by step.

mod properties;
mod world;

use std::time::Duration;

use serde_json::Value;

use crate::guard::verdict::{Blame, Outcome, Role};
use crate::rollout::exposure::{Originals, Readiness};
use crate::rollout::machine::*;
use crate::rollout::plan::{ApprovalRule, Plan, Rules};
use crate::rollout::schedule;
use crate::rollout::state::{Approval, OperatorRequest};

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("in range")
}

fn reading(live: f64) -> Reading {
    Reading {
        live: Percent::new(live).expect("a share"),
        settled: true,
        stable: Readiness::Ready { available: 3 },
        canary: Readiness::Ready { available: 1 },
        version: None,
        epoch: None,
        writer: Some("kubectl-edit".into()),
        stable_image: None,
        canary_image: None,
        digests: Digests::default(),
        broken: None,
    }
}

fn rollout(approval: Option<ApprovalRule>) -> Rollout {
    let rules = Rules {
        steps: schedule::given("10,50,100").expect("sound"),
        poll: Duration::from_secs(1),
        interval: Duration::from_secs(10),
        max_step: Duration::from_secs(30),
        propagation: Duration::from_secs(1),
        max_blind: Duration::from_secs(20),
        hold_timeout: Duration::from_secs(60),
        start_deadline: Duration::from_secs(60),
        window: Duration::from_secs(20),
        rollback_timeout: Duration::from_secs(40),
        approval,
        ..Rules::default()
    };
    let plan = Plan {
        image: "game:2".into(),
        policy: "fast".into(),
        target: "http".into(),
        switch: false,
        rules,
        waived: Vec::new(),
    };
    let originals = Originals {
        weight: Percent::ZERO,
        stable_available: 3,
        stable_image: None,
        release: None,
        canary_image: None,
        stable_digest: None,
        stable_revision: None,
        detail: Value::Null,
    };
    let names = ("game".to_owned(), "prod".to_owned());
    Rollout::new("r1".into(), names, "ada".into(), plan, originals, time(0))
}

fn verdicts(success: Outcome, rollback: Outcome) -> Vec<Verdict> {
    vec![
        Verdict::bare("error_rate < 1%", Role::Success, success, time(0), "said"),
        Verdict::bare("error_rate > 5%", Role::Rollback, rollback, time(0), "said"),
    ]
}

/// The same evidence, seen at this time.
fn at(look: &Observation, now: DateTime<Utc>) -> Observation {
    let mut look = look.clone();
    for verdict in &mut look.verdicts {
        verdict.at = now;
    }
    look
}

fn look(live: f64, success: Outcome, rollback: Outcome) -> Observation {
    Observation { reading: Ok(reading(live)), verdicts: verdicts(success, rollback), locked: Ok(()), delegated: false }
}

/// A world that does what it is told, and evidence that is what it is. Goes on for `seconds`.
fn run(
    rollout: &mut Rollout,
    live: &mut f64,
    from: i64,
    seconds: i64,
    evidence: (Outcome, Outcome),
) -> Vec<(i64, Write)> {
    let mut writes = Vec::new();
    for second in from..from + seconds {
        let look = look(*live, evidence.0, evidence.1);
        if let Some(write) = rollout.step(&at(&look, time(second)), time(second)) {
            writes.push((second, write));
            match write {
                Write::Weight { percent } => *live = percent.get(),
                Write::Restore => *live = 0.0,
                _ => {}
            }
            rollout.record_write(write, WriteOutcome::Done(reading(*live)), time(second));
        }
    }
    writes
}

const GOOD: (Outcome, Outcome) = (Outcome::Pass, Outcome::Pass);

fn shares(writes: &[(i64, Write)]) -> Vec<f64> {
    let share = |write: &(i64, Write)| match write.1 {
        Write::Weight { percent } => Some(percent.get()),
        _ => None,
    };
    writes.iter().filter_map(share).collect()
}

#[test]
fn a_good_build_is_promoted() {
    let mut it = rollout(None);
    let mut live = 0.0;
    let writes = run(&mut it, &mut live, 0, 70, GOOD);
    assert_eq!(shares(&writes), [10.0, 50.0, 100.0]);
    assert_eq!(writes.first().map(|w| w.1), Some(Write::Prepare));
    assert_eq!(writes.last().map(|w| w.1), Some(Write::Finish));
    assert_eq!(it.phase, Phase::Succeeded);
}

#[test]
fn a_bad_build_goes_back_after_two_looks() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 8, GOOD);
    assert_eq!(live, 10.0);
    let writes = run(&mut it, &mut live, 8, 5, (Outcome::Fail, Outcome::Fail));
    assert_eq!(writes, [(9, Write::Restore)]);
    assert_eq!((it.phase, live), (Phase::RolledBack, 0.0));
    assert_eq!(it.reason.as_deref(), Some("not error_rate < 1%: said"));
}

#[test]
fn a_look_right_after_another_confirms_nothing() {
    let mut it = rollout(None);
    it.plan.rules.poll = Duration::from_secs(5);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 3, GOOD);
    assert_eq!(it.phase, Phase::Observe);
    let bad = look(10.0, Outcome::NoEvidence, Outcome::Fail);
    let see = |it: &mut Rollout, millis: i64| {
        let now = time(3) + TimeDelta::milliseconds(millis);
        // Whoever takes over goes on counting where the one before stood.
        let stored = serde_json::to_string(&*it).expect("serialises");
        *it = serde_json::from_str(&stored).expect("reads back");
        it.step(&at(&bad, now), now)
    };
    for millis in [0, 1, 400, 3_900] {
        assert_eq!(see(&mut it, millis), None, "after {millis} ms");
    }
    assert_eq!(see(&mut it, 4_100), Some(Write::Restore));
}

#[test]
fn a_streak_of_a_machine_whose_clock_is_ahead_goes_on() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 3, GOOD);
    let bad = look(10.0, Outcome::NoEvidence, Outcome::Fail);
    assert_eq!(it.step(&at(&bad, time(900)), time(900)), None);
    assert_eq!(it.step(&at(&bad, time(4)), time(4)), None);
    let write = it.step(&at(&bad, time(5)), time(5));
    assert_eq!(write, Some(Write::Restore));
}

#[test]
fn an_alert_needs_one_look() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 3, GOOD);
    let mut alert = look(10.0, Outcome::NoEvidence, Outcome::Fail);
    alert.verdicts[1].certain = true;
    let write = it.step(&at(&alert, time(4)), time(4));
    assert_eq!(write, Some(Write::Restore));
}

#[test]
fn an_outage_of_everything_does_not_condemn_the_canary() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 8, GOOD);
    let mut everything = look(10.0, Outcome::Fail, Outcome::Pass);
    everything.verdicts[0].blame = Some(Blame::Everything);
    for second in 8..20 {
        assert_eq!(it.step(&everything, time(second)), None);
    }
    assert_eq!(it.hold.as_ref().map(|hold| hold.why), Some(HoldKind::NoEvidence));
}

#[test]
fn without_evidence_it_holds_then_waits_for_a_person_then_goes_back() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 4, GOOD);
    let none = (Outcome::NoEvidence, Outcome::NoEvidence);
    run(&mut it, &mut live, 4, 20, none);
    assert_eq!(it.hold.as_ref().map(|hold| hold.why), Some(HoldKind::NoEvidence));
    run(&mut it, &mut live, 24, 20, none);
    assert_eq!(it.hold.as_ref().map(|hold| hold.why), Some(HoldKind::Undecided));
    let text = it.hold.as_ref().map(|hold| hold.text.clone()).unwrap_or_default();
    assert!(
        text.starts_with("neither good nor bad for 30s; goes on when that changes, and back when it has not within 1m"),
        "{text}"
    );
    let mut late = it.clone();
    run(&mut it, &mut live, 44, 60, none);
    assert_eq!((it.phase, live), (Phase::RolledBack, 0.0));
    // Evidence that comes late decides all the same.
    live = 10.0;
    run(&mut late, &mut live, 44, 3, GOOD);
    assert_eq!((late.phase, live, late.hold.is_none()), (Phase::Observe, 50.0, true));
}

#[test]
fn blindness_is_bounded() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 6, GOOD);
    let writes = run(&mut it, &mut live, 6, 40, (Outcome::Error, Outcome::Error));
    assert_eq!(writes, [(26, Write::Restore)]);
    assert!(it.reason.is_some_and(|reason| reason.starts_with("nothing can be seen")));
}

#[test]
fn a_gate_wants_different_people_for_this_step_and_image() {
    let mut it = rollout(Some(ApprovalRule {
        before: vec![Percent::new(50.0).expect("a share")],
        by: 2,
        expires: Duration::from_secs(30),
    }));
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 30, GOOD);
    assert_eq!((it.phase, live, it.step), (Phase::Gate, 10.0, 1));
    let mut approve = |by: &str, step: usize, image: &str, second: i64| {
        it.approvals.push(Approval { by: by.into(), at: time(second), step, image: image.into() });
        it.lacks_approval(time(30))
    };
    assert!(approve("ada", 1, "game:2", 29));
    assert!(approve("ada", 1, "game:2", 29), "the same person");
    assert!(approve("bob", 0, "game:2", 29), "another step");
    assert!(approve("bob", 1, "game:1", 29), "another image");
    assert!(approve("bob", 1, "game:2", -1), "expired");
    assert!(!approve("bob", 1, "game:2", 28));
    run(&mut it, &mut live, 30, 2, GOOD);
    assert_eq!(live, 50.0);
}

#[test]
fn a_foreign_weight_holds_and_a_higher_one_goes_back() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 6, GOOD);
    assert_eq!(it.step(&look(5.0, GOOD.0, GOOD.1), time(6)), None);
    let hold = it.hold.clone().expect("held");
    assert_eq!(hold.why, HoldKind::Drift);
    assert!(hold.text.contains("set by kubectl-edit"), "{}", hold.text);
    assert_eq!(it.step(&look(10.0, GOOD.0, GOOD.1), time(7)), None);
    assert_eq!(it.hold, None);
    assert_eq!(it.step(&look(70.0, GOOD.0, GOOD.1), time(8)), Some(Write::Restore));
}

#[test]
fn a_rollback_that_does_not_end_is_said_to_have_failed_and_can_be_tried_again() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 8, GOOD);
    it.roll_back("aborted".into(), time(8));
    let refuse = |it: &mut Rollout, second: i64| {
        let write = it.step(&look(10.0, GOOD.0, GOOD.1), time(second));
        if let Some(write) = write {
            it.record_write(write, WriteOutcome::Failed("forbidden".into()), time(second));
        }
        write
    };
    for second in 8..48 {
        assert_eq!(refuse(&mut it, second), Some(Write::Restore));
        assert_eq!(it.phase, Phase::RollingBack);
    }
    refuse(&mut it, 48);
    assert_eq!(it.phase, Phase::RollbackFailed);
    let stuck = it.stuck.clone().expect("what is left");
    assert_eq!((stuck.text.as_str(), stuck.since), ("forbidden", time(8)));
    // It is not over, and does nothing by itself; nothing but its own end leads out of it.
    assert_eq!(refuse(&mut it, 49), None);
    assert!(!it.phase.is_terminal());
    for (second, what) in [(50, RequestKind::Pause), (51, RequestKind::Resume)] {
        it.request = Some(OperatorRequest { what, by: "ada".into(), at: time(second), reason: None });
        let write = it.step(&look(10.0, GOOD.0, GOOD.1), time(second));
        let again = what == RequestKind::Resume;
        assert_eq!(write.is_some(), again, "{what:?}");
    }
    assert_eq!(it.reason.as_deref(), Some("aborted"), "why stays why");
    it.record_write(Write::Restore, WriteOutcome::Done(reading(0.0)), time(52));
    assert_eq!((it.phase, it.stuck), (Phase::RolledBack, None));
}

#[test]
fn nothing_written_needs_nothing_restored() {
    let mut it = rollout(None);
    it.roll_back("aborted".into(), time(1));
    assert_eq!(it.step(&look(0.0, GOOD.0, GOOD.1), time(1)), None);
    assert_eq!(it.phase, Phase::RolledBack);
}
