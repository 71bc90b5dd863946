//! The invariants of a rollout, over random histories.

use proptest::prelude::*;

use crate::rollout::machine::tests::*;

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
    OperatorRequest(RequestKind),
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
        1 => prop_oneof![Just(RequestKind::Pause), Just(RequestKind::Resume), Just(RequestKind::Abort), Just(RequestKind::Promote)]
            .prop_map(Happening::OperatorRequest),
        2 => Just(Happening::Crash),
        12 => (1i64..15).prop_map(Happening::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Evidence that may be luck takes a rollout back only when it was seen for as long as the confirmations are apart,
    /// however close the looks are; and at the next poll after that at the latest.
    #[test]
    fn uncertain_evidence_is_seen_for_long_enough(
        looks in prop::collection::vec((1i64..7_000, outcome(), any::<bool>()), 1..80),
        confirmations in 1u32..4,
    ) {
        let mut it = rollout(None);
        it.plan.rules.poll = Duration::from_secs(5);
        it.plan.rules.confirmations = confirmations;
        it.plan.rules.max_blind = Duration::from_secs(86_400);
        it.plan.rules.hold_timeout = Duration::from_secs(86_400);
        let mut live = 0.0;
        run(&mut it, &mut live, 0, 3, GOOD);
        let (mut now, mut failing) = (time(3), None);
        for (millis, rollback, crash) in looks {
            now += TimeDelta::milliseconds(millis);
            if crash {
                let stored = serde_json::to_string(&it).expect("serialises");
                it = serde_json::from_str(&stored).expect("reads back");
            }
            match rollback {
                Outcome::Fail => { failing.get_or_insert(now); }
                Outcome::Error => {}
                Outcome::Pass | Outcome::NoEvidence => failing = None,
            }
            let look = at(&look(10.0, Outcome::NoEvidence, rollback), now);
            let write = it.step(&look, now);
            let seen = failing.map(|from: DateTime<Utc>| (now - from).num_milliseconds());
            let least = i64::from(confirmations - 1) * 4_000;
            if write == Some(Write::Restore) {
                prop_assert!(seen.is_some_and(|seen| seen >= least), "back after {seen:?} ms");
                break;
            }
            // No look is more than 7 s after the one before, so each 4 s are over within 11.
            let most = i64::from(confirmations - 1) * 11_000;
            if rollback == Outcome::Fail {
                prop_assert!(seen.is_some_and(|seen| seen < most), "not back after {seen:?} ms");
            }
        }
    }

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
                Happening::OperatorRequest(what) => {
                    promoted |= what == RequestKind::Promote;
                    it.request = Some(OperatorRequest { what, by: "bob".into(), at: time(now), reason: None });
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
            let write = it.step(&at(&world, time(now)), time(now));

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
                    WriteOutcome::Failed("refused, or the answer was lost".into())
                } else {
                    WriteOutcome::Done(reading(live))
                };
                it.record_write(write, how, time(now));
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
        it.request = None;
        if !it.phase.is_terminal() {
            world.verdicts = verdicts(Outcome::NoEvidence, Outcome::Fail);
            for now in [time(now + 1), time(now + 2)] {
                let _ = it.step(&at(&world, now), now);
            }
            prop_assert!(it.phase.is_back(), "{:?}", it.phase);
        }
    }
}
