//! Flagger, played by a thread that ticks as its scheduler does (fluxcd/flagger, `pkg/controller/scheduler.go`
//! `advanceCanary`, `pkg/canary/status.go`, `pkg/canary/spec.go`): weights and the primary are its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::crash::Death;
use super::releases::held;
use super::stage::{LIMIT, NEW, OLD, Stage};
use crate::support::kube::Kube;
use crate::support::until;

const TRAFFIC: &str = "{ kind: flagger, canary: game }";
/// Its `stepWeight` and `maxWeight`.
const STEP: u64 = 25;
const MOST: u64 = 50;

fn canary(webhooks: &Value) -> Value {
    json!({
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": { "name": "game" },
        "spec": {
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "game" },
            "service": { "port": 80 },
            "analysis": { "interval": "10s", "threshold": 2, "stepWeight": STEP, "maxWeight": MOST, "webhooks": webhooks },
        },
    })
}

fn primary() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "game-primary" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "game-primary" } },
            "template": {
                "metadata": { "labels": { "app": "game-primary" } },
                "spec": { "containers": [{ "name": "server", "image": OLD }] },
            },
        },
    })
}

fn image(kube: &Kube, name: &str) -> String {
    let found = kube.get("deployments", name);
    let image = &found["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap().to_owned()
}

/// Is the gate of the rollback webhook open?
fn is_open(kube: &Kube) -> bool {
    kube.proxied().last().is_some_and(|path| path == "rollback/open")
}

/// One tick. A `slow` analysis stays at its first step.
fn tick(kube: &Kube, slow: bool) {
    let Some(canary) = kube.find("canaries", "game") else {
        return;
    };
    if canary["spec"]["suspend"] == true {
        return;
    }
    let status = &canary["status"];
    let hash = image(kube, "game");
    let enter = |phase: &str, mut more: Value| {
        let word = match phase {
            "Initialized" | "Succeeded" => "True",
            "Failed" => "False",
            _ => "Unknown",
        };
        more["phase"] = json!(phase);
        more["conditions"] = json!([{
            "type": "Promoted", "status": word, "reason": phase,
            "lastUpdateTime": kube.now(), "lastTransitionTime": kube.now(), "message": phase,
        }]);
        kube.status("canaries", "game", &more);
    };
    let size = |replicas: u64| {
        let patch = json!({ "spec": { "replicas": replicas } });
        kube.merge("deployments", "game", "flagger", &patch);
    };
    let promote = || {
        let containers = json!([{ "name": "server", "image": hash }]);
        let patch = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
        kube.merge("deployments", "game-primary", "flagger", &patch);
    };
    match status["phase"].as_str() {
        None => {
            size(0);
            let none = json!({ "canaryWeight": 0, "failedChecks": 0, "iterations": 0, "lastAppliedSpec": hash, "lastPromotedSpec": hash });
            enter("Initialized", none);
        }
        Some("Initialized" | "Succeeded" | "Failed") => {
            let changed = status["lastPromotedSpec"] != *hash && status["lastAppliedSpec"] != *hash;
            if changed {
                size(1);
                enter("Progressing", json!({ "canaryWeight": 0, "lastAppliedSpec": hash }));
            } else if status["lastAppliedSpec"] != *hash && status["phase"] == "Failed" {
                kube.status("canaries", "game", &json!({ "lastAppliedSpec": hash }));
            }
        }
        Some("Progressing") if canary["spec"]["skipAnalysis"] == true => {
            promote();
            size(0);
            enter("Succeeded", json!({ "canaryWeight": 0, "lastPromotedSpec": hash }));
        }
        Some("Progressing") if is_open(kube) => {
            size(0);
            enter("Failed", json!({ "canaryWeight": 0, "lastAppliedSpec": hash }));
        }
        Some("Progressing") if slow && status["canaryWeight"] == STEP => {}
        Some("Progressing") => {
            let weight = status["canaryWeight"].as_u64().unwrap_or(0);
            if weight < MOST {
                kube.status("canaries", "game", &json!({ "canaryWeight": weight + STEP }));
            } else {
                promote();
                enter("Promoting", json!({}));
            }
        }
        Some("Promoting") => enter("Finalising", json!({ "canaryWeight": 0 })),
        Some("Finalising") => {
            size(0);
            enter("Succeeded", json!({ "lastPromotedSpec": hash }));
        }
        other => panic!("{other:?}"),
    }
}

/// With one by which it can be taken back.
fn hooks() -> Value {
    json!([
        { "name": "load", "type": "rollout", "url": "http://loadtester.game/" },
        { "name": "back", "type": "rollback", "url": "http://loadtester.game/rollback/check" },
    ])
}

fn phase(stage: &Stage) -> String {
    let phase = &stage.kube.get("canaries", "game")["status"]["phase"];
    phase.as_str().unwrap_or_default().to_owned()
}

fn weight(stage: &Stage) -> u64 {
    let weight = &stage.kube.get("canaries", "game")["status"]["canaryWeight"];
    weight.as_u64().unwrap_or(0)
}

#[test]
fn flagger_is_watched_told_to_go_back_and_undone() {
    let stage = Stage::new(TRAFFIC);
    stage.kube.create(&primary());
    let ours = json!([{ "name": "load", "type": "rollout", "url": "http://loadtester.game/" }]);
    stage.kube.create(&canary(&ours));
    let slow = AtomicBool::new(false);
    let tick = |kube: &Kube| tick(kube, slow.load(Ordering::Relaxed));
    stage.beside(Duration::from_millis(200), tick, || {
        until("Initialized", LIMIT, || {
            (stage.kube.get("canaries", "game")["status"]["phase"] == "Initialized").then_some(())
        });
        // Nothing but Flagger itself could go back.
        let words = ["rollout", "plan", "game", "--image", NEW];
        let run = stage.env.run(words).expect_code(1);
        assert!(run.stdout.contains("no webhook of type `rollback`"), "{}", run.stdout);
        stage.rollout(&["canary", "--image", NEW]).expect_code(1);
        assert_eq!(image(&stage.kube, "game"), OLD);
        let hook = json!({ "spec": { "analysis": { "webhooks": hooks() } } });
        stage.kube.merge("canaries", "game", "ada", &hook);
        let before = stage.kube.get("canaries", "game")["spec"].clone();
        // A good build: its own analysis, then the primary has it.
        stage.rollout(&["canary", "--image", NEW]).expect_code(0);
        assert_eq!(image(&stage.kube, "game-primary"), NEW);
        assert!(!is_open(&stage.kube));
        // The old one again, without an analysis, and analyses as before.
        stage.rollout(&["undo"]).expect_code(0);
        assert_eq!(image(&stage.kube, "game-primary"), OLD);
        assert_eq!(stage.kube.get("canaries", "game")["spec"], before);
        // A bad build: its users say so, and Flagger is told.
        slow.store(true, Ordering::Relaxed);
        stage.fail();
        stage.rollout(&["canary", "--image", NEW]).expect_code(1);
        let after = stage.kube.get("canaries", "game");
        assert_eq!(after["status"]["phase"], "Failed");
        assert_eq!(image(&stage.kube, "game"), OLD, "the next apply begins no analysis");
        assert_eq!(image(&stage.kube, "game-primary"), OLD);
        assert_eq!(after["spec"], before);
        assert_eq!(after["metadata"]["annotations"], Value::Null, "no note is left");
        assert!(stage.kube.proxied().iter().any(|path| path == "rollback/open"));
        assert!(!is_open(&stage.kube), "the gate is closed again");
        let log = stage.kube.log();
        let weights = log.iter().filter(|asked| asked.manager == "liveops" && asked.body.contains("canaryWeight"));
        assert_eq!(weights.count(), 0);
        stage.all_was_asked();
    });
}

#[test]
fn a_pause_suspends_flagger_and_both_ways_out_of_it_let_it_go() {
    let stage = Stage::new(TRAFFIC);
    stage.kube.create(&primary());
    let mut object = canary(&hooks());
    object["spec"]["suspend"] = json!(false);
    stage.kube.create(&object);
    let (ticks, slow) = (AtomicU64::new(0), AtomicBool::new(true));
    let tick = |kube: &Kube| {
        tick(kube, slow.load(Ordering::Relaxed));
        ticks.fetch_add(1, Ordering::Relaxed);
    };
    let some_ticks = || {
        slow.store(false, Ordering::Relaxed);
        let from = ticks.load(Ordering::Relaxed);
        until("ticks", LIMIT, || (ticks.load(Ordering::Relaxed) > from + 5).then_some(()));
    };
    let spec = || stage.kube.get("canaries", "game")["spec"].clone();
    let begin = || {
        slow.store(true, Ordering::Relaxed);
        let running = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes"]);
        until("its first share", LIMIT, || (weight(&stage) == STEP).then_some(()));
        let said = stage.rollout(&["pause"]).expect_code(0).stdout;
        assert!(said.contains("Flagger stands still"), "{said}");
        assert_eq!(spec()["suspend"], true);
        running
    };
    stage.beside(Duration::from_millis(100), tick, || {
        until("Initialized", LIMIT, || (phase(&stage) == "Initialized").then_some(()));
        let before = spec();
        let mut running = begin();
        some_ticks();
        assert_eq!(weight(&stage), STEP, "its ticks do nothing");
        stage.rollout(&["resume"]).expect_code(0);
        assert_eq!(running.code(), Some(0));
        assert_eq!(image(&stage.kube, "game-primary"), NEW);
        stage.rollout(&["undo"]).expect_code(0);
        assert_eq!(spec(), before);

        let mut running = begin();
        running.kill();
        some_ticks();
        assert_eq!(phase(&stage), "Progressing", "its ticks do nothing");
        stage.rollout(&["abort"]).expect_code(0);
        assert_eq!((phase(&stage).as_str(), spec()), ("Failed", before));
        assert_eq!(image(&stage.kube, "game-primary"), OLD);
        assert!(!is_open(&stage.kube), "the gate is closed again");
    });
}

#[test]
fn a_slow_flagger_is_waited_for_as_long_as_the_policy_says() {
    let stage = Stage::new(TRAFFIC);
    stage.kube.create(&primary());
    stage.kube.create(&canary(&hooks()));
    let slow = AtomicBool::new(false);
    // One tick whenever the test says so.
    let due = AtomicU64::new(0);
    let tick = |kube: &Kube| {
        let some = |due: u64| due.checked_sub(1);
        let taken = due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, some);
        if !slow.load(Ordering::Relaxed) || taken.is_ok() {
            tick(kube, true);
        }
    };
    stage.configure("rollback_window: 0s", "rollback_timeout: 2s\n    rollback_window: 0s");
    stage.beside(Duration::from_millis(50), tick, || {
        until("Initialized", LIMIT, || (phase(&stage) == "Initialized").then_some(()));
        let mut running = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes"]);
        until("its first share", LIMIT, || (weight(&stage) == STEP).then_some(()));
        slow.store(true, Ordering::Relaxed);
        // It is told, and does not tick before the policy has it given up.
        stage.fail();
        assert_eq!(running.code(), Some(5));
        assert_eq!(stage.phase().0, "rollback_failed");
        let run = stage.rollout(&["abort"]).expect_code(5);
        for want in ["at its next tick", "create --raw", "rollout abort game"] {
            assert!(run.stderr.contains(want), "{want}: {}", run.stderr);
        }
        assert!(is_open(&stage.kube), "it goes back whenever it ticks");
        // With the patience that a slow one needs, its next tick is enough.
        due.store(1, Ordering::Relaxed);
        stage.rollout(&["abort"]).expect_code(0);
        assert_eq!((phase(&stage).as_str(), weight(&stage)), ("Failed", 0));
        assert_eq!(stage.phase().0, "rolled_back");
    });
}

#[test]
fn a_release_of_somebody_else_holds_is_named_and_is_analysed() {
    let stage = Stage::new(TRAFFIC);
    stage.kube.create(&primary());
    stage.kube.create(&canary(&hooks()));
    let slow = AtomicBool::new(false);
    let release = |image: &str| {
        let containers = json!([{ "name": "server", "image": image }]);
        stage.kube.merge(
            "deployments",
            "game",
            "ci",
            &json!({ "spec": { "template": { "spec": { "containers": containers } } } }),
        );
    };
    stage.beside(
        Duration::from_millis(100),
        |kube| tick(kube, slow.load(Ordering::Relaxed)),
        || {
            until("Initialized", LIMIT, || (phase(&stage) == "Initialized").then_some(()));
            let before = stage.kube.get("canaries", "game")["spec"].clone();
            stage.rollout(&["canary", "--image", NEW]).expect_code(0);
            slow.store(true, Ordering::Relaxed);
            release("game:2.1");
            until("its first share", LIMIT, || (weight(&stage) == STEP).then_some(()));
            for args in [&["rollout", "undo", "game", "--yes"][..], &["undo", "--yes"]] {
                let run = stage.env.run(args).expect_code(4);
                assert!(
                    run.stderr.contains("game is game:2.1 now: another release came after game:2"),
                    "{}",
                    run.stderr
                );
            }
            assert_eq!((image(&stage.kube, "game"), is_open(&stage.kube)), ("game:2.1".into(), false));
            slow.store(false, Ordering::Relaxed);
            until("it is through", LIMIT, || (phase(&stage) == "Succeeded").then_some(()));
            // In the middle of ours, too.
            slow.store(true, Ordering::Relaxed);
            let mut running = stage.begin(&["rollout", "canary", "game", "--image", "game:3", "--yes"]);
            until("the first share", LIMIT, || {
                (phase(&stage) == "Progressing" && weight(&stage) == STEP).then_some(())
            });
            release("game:3-hotfix");
            let text = until("the hold", LIMIT, || Some(held(&stage)).filter(|text| !text.is_empty()));
            assert!(text.contains("the canary is game:3-hotfix, and game:3 is what is rolled out"), "{text}");
            stage.rollout(&["abort"]).expect_code(0);
            assert!(matches!(running.code(), Some(1 | 4)));
            let after = stage.kube.get("canaries", "game");
            assert_eq!((image(&stage.kube, "game"), is_open(&stage.kube)), ("game:3-hotfix".into(), false));
            assert_eq!((&after["metadata"]["annotations"], &after["spec"]), (&Value::Null, &before), "no note is left");
        },
    );
}

#[test]
fn after_a_kill_anybody_goes_on_or_back_with_flagger() {
    let stage = Stage::new(TRAFFIC);
    stage.kube.create(&primary());
    stage.kube.create(&canary(&hooks()));
    let words = ["rollout", "canary", "game", "--image", NEW, "--yes", "--takeover"];
    stage.beside(
        Duration::from_millis(100),
        |kube| tick(kube, false),
        || {
            until("Initialized", LIMIT, || (phase(&stage) == "Initialized").then_some(()));
            let before = stage.kube.get("canaries", "game")["spec"].clone();
            for (n, death) in Death::behind("").enumerate() {
                if !death.strikes(&stage.env, &words) {
                    assert!(n > 3, "{death:?}");
                    return;
                }
                if n % 2 == 0 && stage.phase().0 != "succeeded" {
                    // Flagger may have been through before it could be told.
                    let run = stage.rollout(&["abort"]);
                    assert!([0, 4].contains(&run.code), "{death:?}: {}{}", run.stdout, run.stderr);
                } else if !["", "succeeded"].contains(&&*stage.phase().0) {
                    stage.rollout(&["resume", "--takeover"]).expect_code(0);
                }
                if image(&stage.kube, "game-primary") != OLD {
                    stage.rollout(&["undo"]).expect_code(0);
                }
                until("the end of it", LIMIT, || (phase(&stage) != "Progressing").then_some(()));
                assert_eq!(image(&stage.kube, "game-primary"), OLD, "{death:?}");
                assert!(!is_open(&stage.kube), "{death:?}: the gate is closed again");
                assert_eq!(stage.kube.get("canaries", "game")["spec"], before, "{death:?}");
            }
            panic!("there is no end");
        },
    );
}
