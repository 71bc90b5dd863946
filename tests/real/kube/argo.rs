//! Argo Rollouts, played by a thread that sets the status as its controller does (argoproj/argo-rollouts,
//! `rollout/canary.go` `syncRolloutStatusCanary`, `resetRolloutStatus`; `rollout/pause.go`): weights are its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::crash::Death;
use super::releases::held;
use super::stage::{LIMIT, NEW, OLD, Stage};
use crate::support::kube::Kube;
use crate::support::until;

/// Between two passes of the controller.
const PASS: Duration = Duration::from_millis(40);
const TRAFFIC: &str = "{ kind: argo, rollout: game }";

const STEPS: &str = r#"[{ "setWeight": 20 }, { "pause": {} }, { "setWeight": 50 }, { "pause": {} }]"#;
/// It goes on by its own clock, which the test has run out.
const TIMED: &str = r#"[{ "setWeight": 20 }, { "pause": { "duration": "10m" } }, { "setWeight": 50 }, { "pause": { "duration": "10m" } }]"#;

fn rollout(steps: &str) -> Value {
    let steps: Value = serde_json::from_str(steps).unwrap();
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": { "name": "game" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "argo" } },
            "template": {
                "metadata": { "labels": { "app": "argo" } },
                "spec": { "containers": [{ "name": "server", "image": OLD }] },
            },
            "strategy": { "canary": {
                "canaryService": "game-canary",
                "stableService": "game-stable",
                "trafficRouting": { "istio": { "virtualService": { "name": "game" } } },
                "steps": steps,
            } },
        },
    })
}

fn image(rollout: &Value) -> &str {
    let image = &rollout["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap()
}

/// One pass of the controller: the merge patch of the status. What waits for a time has waited for it when its clock is `out`.
fn reconcile(rollout: &Value, out: bool) -> Value {
    let (spec, status) = (&rollout["spec"], &rollout["status"]);
    let hash = image(rollout).replace(':', "-");
    let steps = spec["strategy"]["canary"]["steps"].as_array().unwrap();
    let generation = rollout["metadata"]["generation"].to_string();
    let seen = |mut patch: Value| {
        patch["observedGeneration"] = json!(generation);
        patch["currentPodHash"] = json!(hash);
        for count in ["replicas", "readyReplicas", "availableReplicas"] {
            patch[count] = json!(2);
        }
        patch
    };
    let weight =
        |weight: u64| json!({ "weights": { "canary": { "weight": weight }, "stable": { "weight": 100 - weight } } });
    let stable = |phase: &str| {
        seen(json!({
            "stableRS": hash, "currentStepIndex": steps.len(), "phase": phase, "message": null, "abort": null,
            "promoteFull": null, "pauseConditions": null, "controllerPause": false, "canary": weight(0),
        }))
    };
    if status["stableRS"].is_null() {
        return stable("Healthy");
    }
    let whole = status["stableRS"] == hash;
    let halted = spec["paused"] == true;
    if status["currentPodHash"] != hash {
        // A new template begins anew; back to the stable one is a fast rollback.
        let index = if whole { steps.len() } else { 0 };
        return seen(json!({
            "abort": null, "promoteFull": null, "pauseConditions": null, "controllerPause": false,
            "currentStepIndex": index, "phase": "Progressing", "message": "more replicas need to be updated",
        }));
    }
    let index = status["currentStepIndex"].as_u64().unwrap_or(0);
    let index = usize::try_from(index).unwrap();
    if !halted && (whole || status["promoteFull"] == true) {
        return stable("Healthy");
    }
    if status["abort"] == true {
        return seen(json!({
            "phase": "Degraded", "message": "RolloutAborted: Rollout aborted update to revision 2",
            "currentStepIndex": 0, "pauseConditions": null, "controllerPause": false, "canary": weight(0),
        }));
    }
    if halted {
        // No step ends, and nothing is scaled.
        return seen(json!({ "phase": "Paused", "message": "manually paused" }));
    }
    let Some(step) = steps.get(index) else {
        return stable("Healthy");
    };
    let on = |mut patch: Value| {
        patch["currentStepIndex"] = json!(index + 1);
        patch["phase"] = json!("Progressing");
        patch["message"] = json!("more replicas need to be updated");
        seen(patch)
    };
    if let Some(share) = step["setWeight"].as_u64() {
        return on(json!({ "canary": weight(share) }));
    }
    let waits = status["pauseConditions"].as_array().is_some_and(|all| !all.is_empty());
    let over = out && step["pause"]["duration"].is_string();
    match (waits && !over, status["controllerPause"] == true) {
        (true, _) => seen(json!({ "phase": "Paused", "message": "CanaryPauseStep" })),
        (false, true) => on(json!({ "controllerPause": false, "pauseConditions": null })),
        (false, false) => seen(json!({
            "phase": "Paused", "message": "CanaryPauseStep", "controllerPause": true,
            "pauseConditions": [{ "reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z" }],
        })),
    }
}

/// The controller.
#[derive(Default)]
struct Controller {
    /// Its clock is at the end of every pause that has one.
    out: AtomicBool,
    passes: AtomicU64,
}

impl Controller {
    /// Its next pass, where there is anything to do.
    fn tick(&self, kube: &Kube) {
        // First the clock: what it is seen to say was said after whatever the rollout says then.
        let out = self.out.load(Ordering::SeqCst);
        let Some(rollout) = kube.find("rollouts", "game") else {
            return;
        };
        let patch = reconcile(&rollout, out);
        write(kube, &rollout, &patch);
        self.passes.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets it have a few passes with its clock run out.
    fn run_out(&self) {
        self.out.store(true, Ordering::SeqCst);
        let from = self.passes.load(Ordering::Relaxed);
        until("passes of the controller", LIMIT, || (self.passes.load(Ordering::Relaxed) > from + 5).then_some(()));
    }
}

fn write(kube: &Kube, rollout: &Value, patch: &Value) {
    let news = patch
        .as_object()
        .unwrap()
        .iter()
        .any(|(name, value)| rollout["status"].get(name).unwrap_or(&Value::Null) != value);
    if news {
        kube.status("rollouts", "game", patch);
    }
}

fn weight(stage: &Stage) -> u64 {
    let status = &stage.kube.get("rollouts", "game")["status"];
    status["canary"]["weights"]["canary"]["weight"].as_u64().unwrap_or(0)
}

#[test]
fn argo_rollouts_is_led_through_its_steps_back_and_undone() {
    let stage = Stage::new(TRAFFIC);
    stage.kube.create(&rollout(STEPS));
    let controller = Controller::default();
    stage.beside(
        PASS,
        |kube| controller.tick(kube),
        || {
            until("the first deploy", LIMIT, || {
                (stage.kube.get("rollouts", "game")["status"]["phase"] == "Healthy").then_some(())
            });
            let before = stage.kube.get("rollouts", "game")["spec"].clone();
            let stable = |stage: &Stage| stage.kube.get("rollouts", "game")["status"]["stableRS"].clone();
            // A good build goes through every pause, and is the stable one then.
            stage.rollout(&["canary", "--image", NEW]).expect_code(0);
            assert_eq!(stable(&stage), "game-2");
            assert_eq!(image(&stage.kube.get("rollouts", "game")), NEW);
            let told = |words: &str| {
                let log = stage.kube.log().into_iter();
                let log = log.filter(|asked| asked.is_accepted_write() && asked.manager == "liveops");
                log.filter(|asked| asked.body.contains(words)).count()
            };
            assert_eq!(told("pauseConditions"), 2, "each pause is ended once");
            assert_eq!(told("\"weights\""), 0, "its weights are its own");
            // After the promotion the old one is made the stable one again, without its steps.
            stage.rollout(&["undo"]).expect_code(0);
            assert_eq!(stable(&stage), "game-1");
            assert_eq!(told("promoteFull"), 1, "after its steps it is through by itself");
            assert_eq!(stage.kube.get("rollouts", "game")["spec"], before);
            // Killed at a pause, somebody else aborts.
            let mut run = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes"]);
            until("a share", LIMIT, || (weight(&stage) > 0).then_some(()));
            run.kill();
            stage.rollout(&["abort"]).expect_code(0);
            assert_eq!((stable(&stage), weight(&stage)), (json!("game-1"), 0));
            assert_eq!(told("\"abort\":true"), 1);
            assert_eq!(stage.kube.get("rollouts", "game")["spec"], before);
            // A bad build is aborted by what its users see.
            stage.fail();
            let words = ["canary", "--image", NEW, "--takeover"];
            stage.rollout(&words).expect_code(1);
            let after = stage.kube.get("rollouts", "game");
            assert_eq!((&after["spec"], weight(&stage)), (&before, 0));
            assert_eq!(after["status"]["phase"], "Healthy");
            assert_eq!(after["metadata"]["annotations"], Value::Null, "no note is left");
            stage.all_was_asked();
        },
    );
}

#[test]
fn a_pause_holds_argo_rollouts_too_and_is_over_when_it_goes_on_or_back() {
    let stage = Stage::new(TRAFFIC);
    // We would lead it on ourselves before anybody can say to stop.
    stage.configure("interval: 400ms", "interval: 4s");
    let mut object = rollout(TIMED);
    object["spec"]["paused"] = json!(false);
    stage.kube.create(&object);
    let controller = Controller::default();
    let found = || stage.kube.get("rollouts", "game");
    let begin = || {
        controller.out.store(false, Ordering::SeqCst);
        let running = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes"]);
        until("the first share", LIMIT, || (weight(&stage) == 20).then_some(()));
        let said = stage.rollout(&["pause"]).expect_code(0).stdout;
        assert!(said.contains("Argo Rollouts stands still"), "{said}");
        assert_eq!(found()["spec"]["paused"], true);
        running
    };
    stage.beside(
        PASS,
        |kube| controller.tick(kube),
        || {
            until("the first deploy", LIMIT, || (found()["status"]["phase"] == "Healthy").then_some(()));
            let before = found()["spec"].clone();
            let mut running = begin();
            controller.run_out();
            assert_eq!(weight(&stage), 20, "no step ends");
            let said = stage.rollout(&["resume"]).expect_code(0).stdout;
            assert!(said.contains("goes on by its steps"), "{said}");
            assert_eq!(running.code(), Some(0));
            assert_eq!(image(&found()), NEW);
            stage.rollout(&["undo"]).expect_code(0);
            assert_eq!(found()["spec"], before);

            // Nobody watches it any more, and it stands still all the same; the way back lets it go.
            let mut running = begin();
            running.kill();
            controller.run_out();
            assert_eq!(weight(&stage), 20, "no step ends");
            stage.rollout(&["abort"]).expect_code(0);
            let after = found();
            assert_eq!((&after["spec"], weight(&stage)), (&before, 0));
            assert_eq!(after["metadata"]["annotations"], Value::Null);
            until("it is whole again", LIMIT, || (found()["status"]["phase"] == "Healthy").then_some(()));
        },
    );
}

#[test]
fn a_release_of_somebody_else_holds_is_named_and_goes_its_own_way() {
    let stage = Stage::new(TRAFFIC);
    stage.kube.create(&rollout(STEPS));
    let controller = Controller::default();
    let found = || stage.kube.get("rollouts", "game");
    let release = |image: &str| {
        let containers = json!([{ "name": "server", "image": image }]);
        stage.kube.merge(
            "rollouts",
            "game",
            "ci",
            &json!({ "spec": { "template": { "spec": { "containers": containers } } } }),
        );
    };
    stage.beside(
        PASS,
        |kube| controller.tick(kube),
        || {
            until("the first deploy", LIMIT, || (found()["status"]["phase"] == "Healthy").then_some(()));
            // Another release after ours is none of its undo's.
            stage.rollout(&["canary", "--image", NEW]).expect_code(0);
            release("game:2.1");
            until("its first share", LIMIT, || (weight(&stage) == 20).then_some(()));
            for args in [&["rollout", "undo", "game", "--yes"][..], &["undo", "--yes"]] {
                let run = stage.env.run(args).expect_code(4);
                assert!(
                    run.stderr.contains("game is game:2.1 now: another release came after game:2"),
                    "{}",
                    run.stderr
                );
            }
            assert_eq!((image(&found()), weight(&stage)), ("game:2.1", 20));
            release(NEW);
            until("the one before", LIMIT, || (found()["status"]["phase"] == "Healthy").then_some(()));
            // In the middle of ours, too.
            stage.configure("interval: 400ms", "interval: 300s");
            let mut running = stage.begin(&["rollout", "canary", "game", "--image", "game:3", "--yes"]);
            until("the first share", LIMIT, || (weight(&stage) == 20).then_some(()));
            release("game:3-hotfix");
            let text = until("the hold", LIMIT, || Some(held(&stage)).filter(|text| !text.is_empty()));
            assert!(text.contains("the canary is game:3-hotfix, and game:3 is what is rolled out"), "{text}");
            stage.rollout(&["abort"]).expect_code(0);
            assert!(matches!(running.code(), Some(1 | 4)));
            let after = found();
            assert_eq!((image(&after), after["status"]["abort"] == true), ("game:3-hotfix", false));
            assert_eq!(after["metadata"]["annotations"], Value::Null, "no note is left");
        },
    );
}

#[test]
fn after_a_kill_anybody_goes_on_or_back_with_argo_rollouts() {
    let stage = Stage::new(TRAFFIC);
    stage.kube.create(&rollout(STEPS));
    let controller = Controller::default();
    let found = || stage.kube.get("rollouts", "game");
    let healthy = || until("Healthy", LIMIT, || (found()["status"]["phase"] == "Healthy").then_some(()));
    let canary = ["rollout", "canary", "game", "--image", NEW, "--yes", "--takeover"];
    stage.beside(
        PASS,
        |kube| controller.tick(kube),
        || {
            healthy();
            let before = found()["spec"].clone();
            for (n, death) in Death::around("rollout.argoproj").enumerate() {
                if !death.strikes(&stage.env, &canary) {
                    assert!(n > 3, "{death:?}");
                    return;
                }
                if n % 2 == 0 && stage.phase().0 != "succeeded" {
                    let run = stage.rollout(&["abort"]);
                    assert_eq!(run.code, 0, "{death:?}: {}{}", run.stdout, run.stderr);
                    healthy();
                } else {
                    if stage.phase().0 != "succeeded" {
                        stage.rollout(&["resume", "--takeover"]).expect_code(0);
                    }
                    assert_eq!(image(&found()), NEW, "{death:?}");
                    stage.rollout(&["undo"]).expect_code(0);
                }
                assert_eq!(found()["spec"], before, "{death:?}");
                assert_eq!(found()["metadata"]["annotations"], Value::Null, "{death:?}: no note is left");
            }
            panic!("there is no end");
        },
    );
}
