//! What the world says beside the conditions: whether anything answers, whose release it is, and where the traffic goes.

use crate::rollout::machine::tests::*;

/// At the first step, with 10 % of the traffic.
fn exposed(target: &str) -> Rollout {
    let mut it = rollout(None);
    it.plan.target = target.into();
    it.originals.stable_image = Some("game:1".into());
    let mut live = 0.0;
    run(&mut it, &mut live, 0, 6, GOOD);
    assert_eq!((it.phase, live), (Phase::Observe, 10.0));
    it
}

fn with(change: impl Fn(&mut Reading)) -> Observation {
    let mut look = look(10.0, GOOD.0, GOOD.1);
    if let Ok(reading) = &mut look.reading {
        reading.stable_image = Some("game:1".into());
        reading.canary_image = Some("game:2".into());
        change(reading);
    }
    look
}

#[test]
fn a_canary_that_answers_nobody_goes_back_at_the_second_look() {
    let waiting = |available| Readiness::Waiting { available, wanted: 3, why: "0 of 3 pods available".into() };
    for (canary, broken, back) in [
        (Readiness::Absent, None, true),
        (waiting(0), None, true),
        (waiting(1), None, false),
        (Readiness::Ready { available: 3 }, Some("gateway gw does not resolve a backend"), true),
    ] {
        let mut it = exposed("gateway-api");
        let look = with(|reading| {
            reading.canary = canary.clone();
            reading.broken = broken.map(ToOwned::to_owned);
        });
        assert_eq!(it.step(&at(&look, time(7)), time(7)), None);
        let write = it.step(&at(&look, time(8)), time(8));
        assert_eq!(write == Some(Write::Restore), back, "{canary:?} {broken:?}: {:?}", it.reason);
        // One look alone is no proof: a rolling restart, a reading in between.
        let mut it = exposed("gateway-api");
        let good = with(|_| ());
        for (second, look) in [(7, &look), (8, &good), (9, &look), (10, &good)] {
            assert_eq!(it.step(&at(look, time(second)), time(second)), None, "{canary:?} {broken:?}");
        }
    }
}

#[test]
fn a_foreign_release_on_either_side_holds_and_is_named() {
    for (stable, canary, text) in [
        ("game:1.1-hotfix", "game:2", "stable is game:1.1-hotfix, and was game:1 at the start"),
        ("game:1", "game:3", "the canary is game:3, and game:2 is what is rolled out"),
    ] {
        let mut it = exposed("gateway-api");
        let foreign = with(|reading| {
            reading.stable_image = Some(stable.into());
            reading.canary_image = Some(canary.into());
        });
        for second in 7..30 {
            assert_eq!(it.step(&at(&foreign, time(second)), time(second)), None);
        }
        let hold = it.hold.clone().expect("held");
        assert_eq!(hold.why, HoldKind::Foreign);
        assert!(hold.text.contains(text) && hold.text.contains("last written by kubectl-edit"), "{}", hold.text);
        // It is watched all the same.
        let mut bad = foreign.clone();
        bad.verdicts = verdicts(Outcome::Fail, Outcome::Fail);
        let mut worse = it.clone();
        worse.step(&at(&bad, time(30)), time(30));
        assert_eq!(worse.step(&at(&bad, time(31)), time(31)), Some(Write::Restore));
        // Put back, and resumed, it is observed anew.
        it.request = Some(OperatorRequest { what: RequestKind::Resume, by: "ada".into(), at: time(32), reason: None });
        let good = with(|_| ());
        assert_eq!(it.step(&at(&good, time(32)), time(32)), None);
        assert_eq!((it.hold.is_none(), it.since), (true, time(32)));
        // Nobody comes: back.
        let mut it = exposed("gateway-api");
        let writes = (7..80).find_map(|second| it.step(&at(&foreign, time(second)), time(second)));
        assert_eq!(writes, Some(Write::Restore));
    }
}

#[test]
fn whoever_gave_no_traffic_takes_none_back() {
    // Somebody else's canary stands there when ours is to begin.
    let mut it = rollout(None);
    let mut look = with(|reading| reading.canary_image = Some("game:3".into()));
    assert_eq!(it.step(&look, time(1)), None);
    assert_eq!((it.phase, it.touched), (Phase::RolledBack, false));
    assert!(it.reason.as_ref().is_some_and(|reason| reason.contains("game:3")), "{:?}", it.reason);
    // It took the first write, and ours was refused.
    let mut it = rollout(None);
    look = with(|reading| reading.canary_image = None);
    if let Ok(reading) = &mut look.reading {
        reading.live = Percent::ZERO;
    }
    assert_eq!(it.step(&look, time(1)), Some(Write::Prepare));
    it.record_write(Write::Prepare, WriteOutcome::Lost("412".into()), time(1));
    assert_eq!(it.step(&look, time(2)), None);
    assert_eq!((it.phase, it.touched), (Phase::RolledBack, false));
    // A canary that was there before anybody began is no rival.
    let mut it = rollout(None);
    it.originals = Originals { canary_image: Some("game:0".into()), ..it.originals };
    look = with(|reading| reading.canary_image = Some("game:0".into()));
    assert_eq!(it.step(&look, time(1)), Some(Write::Prepare));
}

#[test]
fn requests_that_do_not_follow_the_weight_are_no_evidence() {
    for (canary, stable, passes) in [(48.0, 4_000.0, false), (400.0, 3_600.0, true), (2_000.0, 2_000.0, true)] {
        let mut it = exposed("gateway-api");
        let mut look = with(|_| ());
        for verdict in &mut look.verdicts {
            (verdict.n, verdict.stable_n) = (Some(canary), Some(stable));
        }
        let write = (7..20).find_map(|second| it.step(&at(&look, time(second)), time(second)));
        assert_eq!(write.is_some(), passes, "{canary} of {stable}: {:?}", it.hold);
        if !passes {
            let text = it.hold.map(|hold| hold.text).unwrap_or_default();
            assert!(text.contains("1.2% of the counted requests at a weight of 10%"), "{text}");
        }
    }
}

#[test]
fn a_weight_that_no_gateway_takes_over_has_a_deadline() {
    let mut it = rollout(None);
    let mut unsettled = look(0.0, GOOD.0, GOOD.1);
    let mut back = None;
    for second in 0..200 {
        if let Ok(reading) = &mut unsettled.reading {
            reading.settled = false;
        }
        match it.step(&at(&unsettled, time(second)), time(second)) {
            Some(Write::Restore) => {
                back = Some(second);
                break;
            }
            Some(write) => {
                let after = if matches!(write, Write::Weight { .. }) { 10.0 } else { 0.0 };
                let mut reading = reading(after);
                reading.settled = false;
                it.record_write(write, WriteOutcome::Done(reading), time(second));
                unsettled = look(after, GOOD.0, GOOD.1);
            }
            None => {}
        }
    }
    // The longest step, then the hold's timeout.
    assert!(back.is_some_and(|second| (90..100).contains(&second)), "{back:?}");
    assert!(it.reason.is_some_and(|reason| reason.contains("not taken over by the gateway")));
}

#[test]
fn a_machine_that_slept_observes_anew() {
    let mut it = exposed("gateway-api");
    let bad = look(10.0, Outcome::NoEvidence, Outcome::Fail);
    it.step(&at(&bad, time(7)), time(7));
    it.observe_anew("this machine slept", time(600));
    // What it would have done at once is to be proven again, in the time that it is.
    let good = with(|_| ());
    assert_eq!(it.step(&at(&good, time(600)), time(600)), None);
    assert_eq!(it.step(&at(&bad, time(601)), time(601)), None);
    assert_eq!(it.step(&at(&bad, time(602)), time(602)), Some(Write::Restore));
}

#[test]
fn a_tag_that_is_pushed_anew_is_another_release() {
    let ran = |stable: &str, canary: &str| {
        with(|reading| {
            reading.digests = Digests { stable: vec![stable.to_owned()], canary: vec![canary.to_owned()] };
        })
    };
    for (look, text) in [
        (ran("a", "c"), "the canary runs game:2 as c, and b is what was judged"),
        (ran("c", "b"), "stable runs game:1 as c, and ran a at the start"),
    ] {
        let mut it = exposed("gateway-api");
        // None is known where pods come and go.
        for (second, look) in [(6, with(|_| ())), (7, ran("a", "b")), (8, with(|_| ()))] {
            it.step(&at(&look, time(second)), time(second));
            assert!(it.hold.as_ref().is_none_or(|hold| hold.why != HoldKind::Foreign), "{:?}", it.hold);
        }
        assert_eq!(it.step(&at(&look, time(9)), time(9)), None);
        let hold = it.hold.clone().expect("held");
        assert_eq!(hold.why, HoldKind::Foreign);
        assert!(hold.text.contains(text), "{}", hold.text);
        // Whoever goes on has it judged from here.
        it.request = Some(OperatorRequest { what: RequestKind::Resume, by: "ada".into(), at: time(10), reason: None });
        it.step(&at(&look, time(10)), time(10));
        assert_eq!((it.hold.is_none(), it.since), (true, time(10)));
    }
    // What the old Deployment runs in the end is what was judged.
    let mut it = exposed("gateway-api");
    it.step(&at(&ran("a", "b"), time(7)), time(7));
    it.phase = Phase::Finishing;
    let mut promoted = ran("c", "b");
    if let Ok(reading) = &mut promoted.reading {
        reading.stable_image = Some("game:2".into());
    }
    assert_eq!(it.step(&at(&promoted, time(8)), time(8)), None);
    let text = it.hold.map(|hold| hold.text).unwrap_or_default();
    assert!(text.contains("stable runs game:2 as c, and b is what was judged"), "{text}");
}
