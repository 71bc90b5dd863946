//! `liveops rollout` end to end: a stub load balancer, a stub Prometheus whose answers the test sets, and a policy that
//! takes tenths of seconds.

mod contract;
mod hang;
mod past;
mod people;
mod regions;
mod rivals;
mod takeover;
mod whole;
mod world;

use std::process::Stdio;

use self::world::{LIMIT, Seen, World, lock};
use crate::support::until;

#[test]
fn a_good_build_is_promoted_step_by_step() {
    let world = World::new(Seen::Good, "");
    let run = world.start(&[]).expect_code(0);
    assert!(run.stdout.contains("every condition holds"), "{}", run.stdout);
    let weights = world.weights();
    assert_eq!(weights, [0.0, 20.0, 60.0, 100.0, 100.0, 0.0], "{}", run.stdout);
    // The roles were swapped: the new version is the stable one.
    let status = world.status();
    assert_eq!(status["phase"], "succeeded");
    assert_eq!(lock(&world.state).stable, "game:2");
    // And back, by the audit log.
    world.env.run(["undo", "--yes"]).expect_code(0);
    assert_eq!(lock(&world.state).stable, "game:1");
    assert_eq!(world.status()["phase"], "rolled_back");
}

#[test]
fn a_bad_build_goes_back_by_itself() {
    let world = World::new(Seen::Bad, "");
    let run = world.start(&[]).expect_code(1);
    assert_eq!(world.weight(), 0.0);
    assert!(run.stdout.contains("errors > 5%: 120 of 1000"), "{}", run.stdout);
    assert!(run.stdout.contains("it is the canary"), "{}", run.stdout);
    let status = world.env.run(["rollout", "status"]).expect_code(1);
    assert!(status.stdout.contains("rolled back"), "{}", status.stdout);
    let history = world.env.run(["rollout", "history", "-o", "json"]).expect_code(0).json();
    let verdicts = history["data"]["verdicts"].as_array().unwrap();
    let failed = verdicts.iter().find(|verdict| verdict["outcome"] == "fail").unwrap();
    assert_eq!(failed["n"], 1000.0);
    assert!(failed["queries"][0].as_str().unwrap().contains("track=\"canary\""));
    // The next one begins clean.
    world.set(Seen::Good);
    world.start(&[]).expect_code(0);
}

#[test]
fn what_is_not_known_holds_and_never_advances() {
    // What it comes to, and how that is said.
    for (seen, outcome, want) in [
        (Seen::Nothing, "no_evidence", "no series"),
        (Seen::NaN, "no_evidence", "the value is NaN"),
        (Seen::Infinite, "no_evidence", "the value is"),
        (Seen::Stale, "no_evidence", "old"),
        (Seen::Two, "error", "2 series where one is expected"),
        (Seen::Warned, "no_evidence", "a store is missing"),
        (Seen::Broken, "error", "answered 500"),
        (Seen::Busy, "error", "answered 429"),
    ] {
        let world = World::new(seen, "");
        let run = world.start(&["--until", "paused"]).expect_code(5);
        assert_eq!(world.weights(), [0.0, 20.0], "{seen:?}: {}", run.stdout);
        assert!(run.stderr.contains("half done"), "{}", run.stderr);
        assert!(run.stderr.contains("liveops rollout resume game"), "{}", run.stderr);
        let status = world.status();
        assert_eq!(status["held"]["why"], "undecided", "{seen:?}");
        let verdicts = status["verdicts"].as_array().unwrap();
        let verdict = verdicts.iter().find(|verdict| verdict["role"] == "success");
        let verdict = verdict.unwrap_or_else(|| panic!("{seen:?}: {status}"));
        assert_eq!(verdict["outcome"], outcome, "{seen:?}: {verdict}");
        let reason = verdict["reason"].as_str().unwrap();
        assert!(reason.contains(want), "{seen:?}: {reason}");
        // Abort is always possible, and twice is once.
        world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
        assert_eq!(world.weight(), 0.0);
        let again = world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
        assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    }
}

#[test]
fn blindness_is_bounded() {
    let world = World::new(Seen::Broken, "    max_blind: 400ms\n");
    let run = world.start(&[]).expect_code(1);
    assert_eq!(world.weight(), 0.0);
    assert!(run.stdout.contains("nothing can be seen of the canary"), "{}", run.stdout);
}

#[test]
fn a_gate_waits_for_approval() {
    let world = World::new(Seen::Good, "    approval: { before: [50%], by: 1 }\n");
    let run = world.start(&["--until", "paused"]).expect_code(5);
    assert!(run.stderr.contains("rollout approve game"), "{}", run.stderr);
    assert_eq!(world.weight(), 20.0);
    world.env.run(["rollout", "approve", "--yes"]).expect_code(0);
    world.env.run(["rollout", "resume", "--yes"]).expect_code(0);
    assert_eq!(world.status()["phase"], "succeeded");
    let late = world.env.run(["rollout", "approve", "--yes"]).expect_code(4);
    assert!(late.stderr.contains("no rollout of game is under way"), "{}", late.stderr);
}

#[test]
fn killed_it_is_orphaned_and_anybody_goes_on_or_back() {
    for (verb, phase, weight) in [("resume", "succeeded", 0.0), ("abort", "rolled_back", 0.0)] {
        let world = World::new(Seen::Nothing, "");
        let mut child = world.spawn_to_first_step();
        // A second one is refused while the first lives.
        let second = world.start(&[]).expect_code(4);
        assert!(second.stderr.contains("is under way"), "{}", second.stderr);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(world.weight(), 20.0, "the weight stays where it was");
        let status = world.status();
        assert_eq!(status["orphaned"], true, "{status}");
        world.set(Seen::Good);
        world.env.run(["rollout", verb, "--yes"]).expect_code(0);
        assert_eq!(world.status()["phase"], phase);
        assert_eq!(world.weight(), weight);
    }
}

#[test]
fn of_eight_that_begin_at_once_one_wins() {
    // Without evidence the winner stays where it is, so that one that comes late meets it too.
    let world = World::new(Seen::Nothing, "");
    let args = ["rollout", "canary", "--image", "game:2", "--yes", "--until", "paused"];
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = world.env.bare(args);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap_or(-1)).collect();
    codes.sort_unstable();
    assert_eq!(codes, [4, 4, 4, 4, 4, 4, 4, 5]);
    assert_eq!(world.weights(), [0.0, 20.0], "only the winner writes");
}

#[test]
fn somebody_elses_weight_holds_it_and_an_abort_from_elsewhere_ends_it() {
    let world = World::new(Seen::Nothing, "");
    let mut child = world.spawn_to_first_step();
    until("its record", LIMIT, || (world.status()["weight"] == 20.0).then_some(()));
    {
        let mut state = lock(&world.state);
        state.weight = 7.0;
        state.revision += 1;
    }
    until("the hold", LIMIT, || (world.status()["held"]["why"] == "drift").then_some(()));
    world.env.run(["rollout", "abort", "--reason", "drift", "--yes"]).expect_code(0);
    assert_eq!(world.weight(), 0.0);
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(1), "the one that held it says that it went back");
}

#[test]
fn the_plan_says_what_each_step_needs_and_changes_nothing() {
    let world = World::new(Seen::Good, "");
    let run = world.env.run(["rollout", "plan", "--image", "game:2", "--steps", "5,50"]).expect_code(0);
    assert!(run.stdout.contains("5%"), "{}", run.stdout);
    assert!(run.stdout.contains("req/s"), "{}", run.stdout);
    let dry = world.start(&["--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains("dry run"), "{}", dry.stdout);
    assert_eq!(world.weights(), Vec::<f64>::new());
    for (args, code, want) in [
        (&["rollout", "canary", "--yes"][..], 2, "`--image` is missing"),
        (&["rollout", "plan", "gmae", "--image", "x"], 2, "did you mean `game`?"),
        (&["rollout", "plan", "--image", "x", "--policy", "fats"], 2, "did you mean `fast`?"),
        (&["rollout", "plan", "--image", "x", "--steps", "9,5"], 2, "the steps must rise"),
        (&["rollout", "canary", "--image", "x"], 4, "not confirmed"),
        (&["rollout", "resume", "--yes"], 4, "no rollout of game was ever begun"),
    ] {
        let run = world.env.run(args).expect_code(code);
        assert!(run.stderr.contains(want), "{args:?}: {}", run.stderr);
    }
    // A canary that has traffic already leaves no way back: a gate refuses, and can be passed over.
    lock(&world.state).weight = 30.0;
    let refused = world.start(&[]).expect_code(1);
    assert!(refused.stdout.contains("--waive GATE --reason TEXT"), "{}", refused.stdout);
}
