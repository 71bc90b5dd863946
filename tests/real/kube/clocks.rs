//! Two machines whose clocks are ten minutes apart, and evidence that does not come: the lock is neither lost nor stolen,
//! and nobody is told that a rollout is orphaned that is not, or the other way round.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::stage::{KINDS, LIMIT, NEW, Running, Stage};
use crate::support::preload::library;
use crate::support::until;

/// Begins on a machine whose clock is wrong by so many seconds.
fn elsewhere(stage: &Stage, skew: i64, more: &[&str]) -> Running {
    let words = ["rollout", "canary", "game", "--image", NEW, "--yes"];
    let mut command = stage.env.bare(words.iter().chain(more));
    command.env("LD_PRELOAD", library("skew")).env("SKEW", skew.to_string());
    Running::unheard(command)
}

fn row(stage: &Stage) -> Value {
    let run = stage.env.run(["rollout", "status", "game", "-o", "json"]);
    run.json()["data"]["rollouts"][0].clone()
}

fn epoch(stage: &Stage) -> Value {
    stage.kube.get("leases", "liveops-game")["spec"]["leaseTransitions"].clone()
}

/// Begun on a machine with a wrong clock, and in its window; approved and looked at from here.
fn ten_minutes_apart(skew: i64) -> (Stage, Running) {
    let stage = Stage::new(KINDS[0].1);
    stage.configure(
        "    rollback_window: 60s\n",
        "    rollback_window: 60s\n    approval: { before: [20%], by: 1, expires: 30m }\n",
    );
    let run = elsewhere(&stage, skew, &["--policy", "windowed"]);
    stage.until_phase("gate");
    let then = epoch(&stage);
    let seen = row(&stage);
    assert_eq!(seen["orphaned"], false, "{skew}: {seen}");
    assert!(seen["holder"].is_string(), "{skew}: {seen}");
    // Whoever comes second neither takes the lock nor begins another one.
    let words = ["rollout", "canary", "game", "--image", "game:3", "--yes"];
    let second = stage.env.run(words).expect_code(4);
    assert!(second.stderr.contains("is under way"), "{}", second.stderr);
    assert_eq!(epoch(&stage), then, "{skew}");
    stage.rollout(&["approve"]).expect_code(0);
    stage.until_phase("window");
    // Its window is sixty seconds of its own clock, not over because of ours.
    let seen = row(&stage);
    assert_eq!(seen["phase"], "window", "{skew}: {seen}");
    assert_eq!(seen["orphaned"], false, "{skew}: {seen}");
    (stage, run)
}

#[test]
fn a_holder_ten_minutes_behind_is_alive_and_is_told() {
    let (stage, mut run) = ten_minutes_apart(-600);
    stage.rollout(&["promote"]).expect_code(0);
    assert_eq!(run.code(), Some(0));
    assert_eq!(stage.image("game"), NEW);
}

#[test]
fn a_holder_ten_minutes_ahead_that_is_gone_is_not_waited_for() {
    let (stage, mut run) = ten_minutes_apart(600);
    run.kill();
    until("that nobody watches it", LIMIT * 2, || {
        std::thread::sleep(Duration::from_secs(1));
        (row(&stage)["orphaned"] == true).then_some(())
    });
    // What is said is done by us, since there is nobody else.
    stage.rollout(&["promote"]).expect_code(0);
    assert_eq!(stage.phase().0, "succeeded");
    assert_eq!(stage.image("game"), NEW);
}

#[test]
fn metrics_that_hang_cost_neither_the_lock_nor_a_signal() {
    let stage = Stage::new(KINDS[0].1);
    stage.configure("version: 1\n", "version: 1\ncall_timeout: 60s\ntimeout: 60s\n");
    let before = stage.essences();
    let words = ["rollout", "canary", "game", "--image", NEW, "--yes"];
    stage.configure("interval: 400ms", "interval: 60s");
    stage.configure("max_step: 20s", "max_step: 120s");
    let mut run = stage.begin(&words);
    until("a weight", LIMIT, || {
        let (phase, weight) = stage.phase();
        (phase == "observe" && weight > 0.0).then_some(())
    });
    stage.hang();
    let renewed = || stage.kube.get("leases", "liveops-game")["spec"]["renewTime"].clone();
    let (mut last, mut at) = (renewed(), Instant::now());
    let mut times = 0;
    until("the third renewal", LIMIT, || {
        let now = renewed();
        // After ten seconds without, whoever holds it writes nothing forward; after fifteen it is anybody's.
        assert!(at.elapsed() < Duration::from_secs(10), "{:?}", at.elapsed());
        if now != last {
            (last, at) = (now, Instant::now());
            times += 1;
        }
        (times == 3).then_some(())
    });
    assert_eq!(stage.phase().0, "observe", "it waits where it is");
    let asked = Instant::now();
    run.signal("TERM");
    assert_eq!(run.code(), Some(1));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(stage.essences(), before);
}
