//! Histories of rollouts: the known ones step by step, and the invariants over random ones.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::guard::verdict::{Blame, Role};
use crate::domain::rollout::exposure::Originals;
use crate::domain::rollout::exposure::Readiness;
use crate::domain::rollout::plan::{ApprovalRule, Plan, Rules};
use crate::domain::rollout::schedule;
use crate::domain::rollout::state::{Approval, Wish};

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
    }
}

fn rollout(approval: Option<ApprovalRule>) -> Rollout {
    let rules = Rules {
        steps: schedule::given("10,50,100").expect("sound"),
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

fn look(live: f64, success: Outcome, rollback: Outcome) -> Look {
    Look {
        reading: Ok(reading(live)),
        verdicts: verdicts(success, rollback),
        locked: Ok(()),
        delegated: false,
    }
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
        if let Some(write) = rollout.step(&look, time(second)) {
            writes.push((second, write));
            match write {
                Write::Weight { percent } => *live = percent.get(),
                Write::Restore => *live = 0.0,
                _ => {}
            }
            rollout.wrote(write, Wrote::Done(reading(*live)), time(second));
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
fn an_outage_of_everything_does_not_condemn_the_canary() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 8, GOOD);
    let mut everything = look(10.0, Outcome::Fail, Outcome::Pass);
    everything.verdicts[0].blame = Some(Blame::Everything);
    for second in 8..20 {
        assert_eq!(it.step(&everything, time(second)), None);
    }
    assert_eq!(
        it.hold.as_ref().map(|hold| hold.why),
        Some(HoldKind::NoEvidence)
    );
}

#[test]
fn without_evidence_it_holds_then_waits_for_a_person_then_goes_back() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 4, GOOD);
    let none = (Outcome::NoEvidence, Outcome::NoEvidence);
    run(&mut it, &mut live, 4, 20, none);
    assert_eq!(
        it.hold.as_ref().map(|hold| hold.why),
        Some(HoldKind::NoEvidence)
    );
    run(&mut it, &mut live, 24, 20, none);
    assert_eq!(
        it.hold.as_ref().map(|hold| hold.why),
        Some(HoldKind::Undecided)
    );
    // Evidence that comes late does not move it any more: a person was called.
    run(&mut it, &mut live, 44, 5, GOOD);
    assert_eq!((it.phase, live), (Phase::Observe, 10.0));
    run(&mut it, &mut live, 49, 70, none);
    assert_eq!((it.phase, live), (Phase::RolledBack, 0.0));
}

#[test]
fn blindness_is_bounded() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 6, GOOD);
    let writes = run(&mut it, &mut live, 6, 40, (Outcome::Error, Outcome::Error));
    assert_eq!(writes, [(26, Write::Restore)]);
    assert!(
        it.reason
            .is_some_and(|reason| reason.starts_with("nothing can be seen"))
    );
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
        it.approvals.push(Approval {
            by: by.into(),
            at: time(second),
            step,
            image: image.into(),
        });
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
    assert_eq!(
        it.step(&look(70.0, GOOD.0, GOOD.1), time(8)),
        Some(Write::Restore)
    );
}

#[test]
fn a_rollback_that_does_not_end_is_said_to_have_failed_and_can_be_tried_again() {
    let mut it = rollout(None);
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 8, GOOD);
    it.go_back("aborted".into(), time(8));
    let refuse = |it: &mut Rollout, second: i64| {
        let write = it.step(&look(10.0, GOOD.0, GOOD.1), time(second));
        if let Some(write) = write {
            it.wrote(write, Wrote::Failed("forbidden".into()), time(second));
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
    for (second, what) in [(50, WishKind::Pause), (51, WishKind::Resume)] {
        it.wish = Some(Wish {
            what,
            by: "ada".into(),
            at: time(second),
            reason: None,
        });
        let write = it.step(&look(10.0, GOOD.0, GOOD.1), time(second));
        let again = what == WishKind::Resume;
        assert_eq!(write.is_some(), again, "{what:?}");
    }
    assert_eq!(it.reason.as_deref(), Some("aborted"), "why stays why");
    it.wrote(Write::Restore, Wrote::Done(reading(0.0)), time(52));
    assert_eq!((it.phase, it.stuck), (Phase::RolledBack, None));
}

#[test]
fn nothing_written_needs_nothing_restored() {
    let mut it = rollout(None);
    it.go_back("aborted".into(), time(1));
    assert_eq!(it.step(&look(0.0, GOOD.0, GOOD.1), time(1)), None);
    assert_eq!(it.phase, Phase::RolledBack);
}

#[derive(Debug, Clone)]
enum Happening {
    Evidence(Outcome, Outcome),
    Unreadable(bool),
    Lock(bool),
    RefuseWrites(bool),
    LoseAnswers(bool),
    Stable(u32),
    Foreign(f64),
    Canary(Readiness),
    Wish(WishKind),
    Crash,
    Pass(i64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Pass),
        1 => Just(Outcome::Fail),
        1 => Just(Outcome::NoEvidence),
        1 => Just(Outcome::Error),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (outcome(), outcome()).prop_map(|(a, b)| Happening::Evidence(a, b)),
        1 => any::<bool>().prop_map(Happening::Unreadable),
        1 => any::<bool>().prop_map(Happening::Lock),
        1 => any::<bool>().prop_map(Happening::RefuseWrites),
        1 => any::<bool>().prop_map(Happening::LoseAnswers),
        1 => (0u32..5).prop_map(Happening::Stable),
        1 => (0f64..100.0).prop_map(Happening::Foreign),
        1 => prop_oneof![
            Just(Readiness::Ready { available: 1 }),
            Just(Readiness::Waiting { available: 0, wanted: 1, why: "x".into() }),
            Just(Readiness::Failed { available: 0, why: "crash loop".into() }),
        ].prop_map(Happening::Canary),
        1 => prop_oneof![Just(WishKind::Pause), Just(WishKind::Resume), Just(WishKind::Abort), Just(WishKind::Promote)]
            .prop_map(Happening::Wish),
        2 => Just(Happening::Crash),
        12 => (1i64..15).prop_map(Happening::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The invariants of the rollout (research: §4), over random histories.
    #[test]
    fn the_invariants_hold(history in prop::collection::vec(happening(), 1..120)) {
        let mut it = rollout(None);
        let mut world = look(0.0, Outcome::Pass, Outcome::Pass);
        let (mut live, mut canary, mut stable) = (0.0_f64, Readiness::Ready { available: 1 }, 3);
        let (mut unreadable, mut refuse, mut lose) = (false, false, false);
        let mut now = 0;
        let mut latched = false;
        let mut highest_written = 0.0_f64;
        let mut window_began: Option<i64> = None;
        let mut promoted = false;
        for happening in history {
            match happening {
                Happening::Evidence(success, rollback) => {
                    world.verdicts = verdicts(success, rollback);
                }
                Happening::Unreadable(yes) => unreadable = yes,
                Happening::Lock(yes) => {
                    world.locked = if yes { Ok(()) } else { Err("the lock is lost".into()) };
                }
                Happening::RefuseWrites(yes) => refuse = yes,
                Happening::LoseAnswers(yes) => lose = yes,
                Happening::Stable(count) => stable = count,
                Happening::Foreign(share) => live = share,
                Happening::Canary(how) => canary = how,
                Happening::Wish(what) => {
                    promoted |= what == WishKind::Promote;
                    it.wish = Some(Wish { what, by: "bob".into(), at: time(now), reason: None });
                }
                Happening::Crash => {
                    // What is stored is all that is left; whatever was under way is not known.
                    let stored = serde_json::to_string(&it).expect("serialises");
                    it = serde_json::from_str(&stored).expect("reads back");
                }
                Happening::Pass(seconds) => now += seconds,
            }
            let seen = || Reading {
                canary: canary.clone(),
                stable: Readiness::Ready { available: stable },
                ..reading(live)
            };
            world.reading = if unreadable { Err("down".into()) } else { Ok(seen()) };
            let before = it.clone();
            let write = it.step(&world, time(now));

            // 3: rollback is a latch.
            latched |= it.phase == Phase::RollingBack;
            if latched {
                prop_assert!(it.phase.is_back());
                prop_assert!(matches!(write, None | Some(Write::Restore)));
            }
            // 7: it needs nothing: not a reading, not a metric, not the lock.
            if it.phase == Phase::RollingBack {
                prop_assert_eq!(write, Some(Write::Restore));
            }
            if before.phase.is_terminal() {
                prop_assert_eq!(&it, &before, "a terminal state does not move");
            }
            if let Some(write) = write {
                // 2: the intent is stored before the write.
                prop_assert_eq!(it.intent, Some(write));
                if write != Write::Restore {
                    // 1: forward only under the lock, and from a reading.
                    prop_assert!(world.locked.is_ok() && world.reading.is_ok());
                    // 5: stable keeps its capacity; what removes it comes after the window.
                    prop_assert!(!it.touched || write == Write::Prepare || write == Write::Finish || stable >= 3);
                }
                if let Write::Weight { percent } = write {
                    // 4 and 6: up only after a pass, or again what was decided already; never above the plan.
                    prop_assert!(it.plan.rules.steps.iter().any(|step| step.is_about(percent)));
                    let again = percent.get() <= highest_written;
                    let passed = world.verdicts.iter().all(|verdict| verdict.outcome == Outcome::Pass);
                    let first = it.step == 0;
                    prop_assert!(again || passed || first || promoted, "rose to {percent} without a pass");
                    highest_written = highest_written.max(percent.get());
                }
                if write == Write::Finish {
                    let began = window_began.expect("a window was open");
                    prop_assert!(promoted || now - began >= 20, "the window was open for {}", now - began);
                }
                if !refuse {
                    match write {
                        Write::Weight { percent } => live = percent.get(),
                        Write::Restore => live = 0.0,
                        _ => {}
                    }
                }
                let how = if refuse || lose {
                    Wrote::Failed("refused, or the answer was lost".into())
                } else {
                    Wrote::Done(reading(live))
                };
                it.wrote(write, how, time(now));
            }
            // 9: an end is read back from the world.
            if it.phase == Phase::RolledBack && before.phase != Phase::RolledBack && it.touched {
                prop_assert_eq!(live, 0.0);
            }
            if it.phase == Phase::Window && before.phase != Phase::Window {
                prop_assert_eq!(live, 100.0);
                window_began = Some(now);
            }
        }
        // 10: whatever the state, a hard condition that holds leads back at once.
        it.wish = None;
        if !it.phase.is_terminal() {
            world.verdicts = verdicts(Outcome::NoEvidence, Outcome::Fail);
            let _ = it.step(&world, time(now + 1));
            let _ = it.step(&world, time(now + 2));
            prop_assert!(it.phase.is_back(), "{:?}", it.phase);
        }
    }
}
