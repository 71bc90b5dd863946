//! The course of a ramp: good, bad, changed by others, killed, without evidence, taken over.

use super::*;

#[test]
fn a_good_feature_gets_everybody_step_by_step_and_back_by_undo() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "1");
        let run = world.start(&["--reason", "queue 2"]).expect_code(0);
        assert!(run.stdout.contains("every condition holds"), "{}", run.stdout);
        assert_eq!(world.percentage(), 100);
        assert_eq!(world.status()["phase"], "succeeded");
        let reasons = world.reasons();
        assert_eq!(reasons.len(), 4, "{reasons:?}");
        assert!(reasons[0].starts_with("queue 2; ramp, step 3 of 3; error_rate < 1%: 1 of 1000"), "{reasons:?}");
        assert!(reasons[2].starts_with("queue 2; ramp, step 1 of 3"), "{reasons:?}");
        let late = world.verb("abort", &[]).expect_code(4);
        assert!(late.stderr.contains("has succeeded"), "{}", late.stderr);
        world.env.run(["undo", "--yes"]).expect_code(0);
        assert_eq!(world.percentage(), 1);
        assert!(world.reasons()[0].contains("undone by ada"));
    });
}

#[test]
fn a_bad_feature_goes_back_to_the_percentage_of_before() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "1");
        let mut child = world.spawn(&[]);
        world.await_percentage(25);
        world.set(Seen::Bad);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(world.percentage(), 1);
        let status = world.status();
        assert_eq!(status["phase"], "rolled_back");
        assert!(status["reason"].as_str().unwrap().contains("error_rate < 1%"), "{status}");
        assert!(world.reasons()[0].contains("not error_rate < 1%: 120 of 1000"));
        // What is bad already is not begun at all.
        let refused = world.start(&[]).expect_code(4);
        assert!(refused.stderr.contains("before anybody gets the flag"), "{}", refused.stderr);
        assert_eq!(world.percentage(), 1);
    });
}

#[test]
fn somebody_elses_change_stops_it_and_resume_goes_on_from_there() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "0");
        world.set(Seen::Nothing);
        let mut child = world.spawn(&[]);
        world.await_percentage(5);
        let edit = ["flag", "set", FLAG, "--pct", "40", "--reason", "demo for the press", "--yes"];
        world.env.command(edit).env("LIVEOPS_ACTOR", "kim").run().expect_code(0);
        assert_eq!(child.wait().unwrap().code(), Some(5));
        assert_eq!(world.percentage(), 40, "it is never overwritten");
        let status = world.status();
        assert_eq!(status["held"]["why"], "foreign");
        let text = status["held"]["text"].as_str().unwrap();
        assert!(text.contains("kim at ") && text.contains("demo for the press"), "{text}");
        assert!(text.contains("percentage 5 to 40"), "{text}");
        world.set(Seen::Good);
        let run = world.verb("resume", &[]).expect_code(0);
        assert!(run.stdout.contains("goes on from 40%"), "{}", run.stdout);
        assert_eq!(world.percentage(), 100);
    });
}

#[test]
fn a_kill_ends_it_and_the_flag_stays_off() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "0");
        world.set(Seen::Nothing);
        let mut child = world.spawn(&[]);
        world.await_percentage(5);
        let kill = ["flag", "kill", FLAG, "--reason", "queues burn", "--yes"];
        world.env.run(kill).expect_code(0);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(world.flag()["enabled"], false);
        let status = world.status();
        assert_eq!(status["phase"], "rolled_back");
        assert!(status["reason"].as_str().unwrap().contains("was switched off by ada"), "{status}");
        world.verb("resume", &[]).expect_code(4);
        assert_eq!(world.flag()["enabled"], false);
        assert_eq!(world.reasons().len(), 3, "nothing was written after the kill");
    });
}

#[test]
fn killed_it_waits_and_another_process_goes_on_or_back() {
    on_both(|url| {
        for (verb, percentage, phase) in [("resume", 100, "succeeded"), ("abort", 0, "rolled_back")] {
            let world = World::new(url, Seen::Good, "0");
            world.set(Seen::Nothing);
            let mut child = world.spawn(&[]);
            world.await_percentage(5);
            let second = world.start(&[]).expect_code(4);
            assert!(second.stderr.contains("is under way"), "{}", second.stderr);
            child.kill().unwrap();
            child.wait().unwrap();
            world.set(Seen::Good);
            // Redis knows of the death only when the lease is over.
            let more: &[&str] = if verb == "resume" { &["--takeover"] } else { &[] };
            world.verb(verb, more).expect_code(0);
            assert_eq!(world.percentage(), percentage, "{verb}");
            assert_eq!(world.status()["phase"], phase);
            world.env.run(["flag", "rm", FLAG, "--yes"]).expect_code(0);
        }
    });
}

#[test]
fn without_evidence_it_holds_and_pause_and_abort_work_from_elsewhere() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "2");
        world.set(Seen::Nothing);
        let mut child = world.spawn(&[]);
        world.await_hold("no_evidence");
        assert_eq!(world.percentage(), 5);
        world.verb("pause", &["--reason", "tournament"]).expect_code(0);
        world.await_hold("paused");
        let screen = world.env.run(["status"]);
        assert!(screen.stdout.contains(&format!("flag {FLAG}  ramp")), "{}", screen.stdout);
        assert!(screen.stdout.contains("liveops flag ramp status"), "{}", screen.stdout);
        world.verb("abort", &["--reason", "lag"]).expect_code(0);
        assert_eq!(world.percentage(), 2);
        assert_eq!(child.wait().unwrap().code(), Some(1), "the one that held it ends");
        assert!(world.reasons()[0].contains("aborted by ada: lag"));
        let again = world.verb("abort", &[]).expect_code(0);
        assert!(again.stdout.contains("is back already"), "{}", again.stdout);
    });
}

#[test]
fn a_holder_that_slept_writes_nothing_after_it_was_taken_over() {
    on_both(|url| {
        let world = World::new(url, Seen::Good, "0");
        world.set(Seen::Nothing);
        let mut sleeper = world.spawn(&[]);
        world.await_percentage(5);
        // From here on it only looks, and is stopped in no write.
        world.await_hold("no_evidence");
        signal(sleeper.id(), "STOP");
        world.set(Seen::Good);
        world.verb("resume", &["--takeover"]).expect_code(0);
        assert_eq!(world.percentage(), 100);
        let before = world.reasons().len();
        signal(sleeper.id(), "CONT");
        sleeper.wait().unwrap();
        assert_eq!(world.percentage(), 100);
        assert_eq!(world.reasons().len(), before);
    });
}
