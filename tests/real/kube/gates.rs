//! What is checked before anything is written, what is pinned meanwhile, and what the platform is told.

use serde_json::{Value, json};

use super::stage::{KINDS, LIMIT, NEW, Stage};
use crate::support::kube::Trouble;
use crate::support::until;

/// An autoscaler of the game, with these bounds.
pub(super) fn autoscaler(min: u64, max: u64) -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "game" },
        "spec": { "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "game" }, "minReplicas": min, "maxReplicas": max },
    })
}

fn bounds(stage: &Stage) -> (u64, u64) {
    let spec = &stage.kube.get("horizontalpodautoscalers", "game")["spec"];
    (spec["minReplicas"].as_u64().unwrap(), spec["maxReplicas"].as_u64().unwrap())
}

/// The rows of the gates of a plan, as JSON.
fn plan(stage: &Stage, code: i32) -> Value {
    let words = ["rollout", "plan", "game", "--image", NEW, "-o", "json"];
    let run = stage.env.run(words);
    run.expect_code(code).json()["data"]["gates"].clone()
}

fn gate<'a>(gates: &'a Value, text: &str) -> &'a Value {
    let found = gates.as_array().unwrap().iter();
    let mut found = found.filter(|row| row["text"].as_str().unwrap().contains(text));
    found.next().unwrap_or_else(|| panic!("`{text}` in {gates}"))
}

#[test]
fn what_may_not_be_done_is_refused_before_anything_is_written() {
    let stage = Stage::new(KINDS[0].1);
    let before = stage.essences();
    assert_eq!(plan(&stage, 0)[0]["state"], "pass");
    stage.kube.trouble("patch", "httproutes", Trouble::Forbidden);
    let run = stage.rollout(&["canary", "--image", NEW]).expect_code(1);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("may not patch httproute"), "{said}");
    assert!(said.contains("auth can-i patch httproute"), "{said}");
    let deploy = ["check", "deploy", "game", "-o", "json"];
    let ids = |more: &[&str]| -> Vec<String> {
        let json = stage.env.run(deploy.iter().chain(more)).json();
        json["data"]["findings"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert!(ids(&[]).contains(&"D10".to_owned()), "{:?}", ids(&[]));
    stage.kube.calm();
    assert!(!ids(&[]).contains(&"D10".to_owned()), "{:?}", ids(&[]));
    stage.kube.trouble("patch", "httproutes", Trouble::Forbidden);
    // Also what only the way back needs.
    stage.kube.calm();
    stage.kube.trouble("patch", "services", Trouble::Forbidden);
    let gates = plan(&stage, 1);
    assert_eq!(gate(&gates, "may not patch service")["state"], "refused");
    assert_eq!(stage.essences(), before);
    let log = stage.kube.log();
    let ours = log.iter().filter(|asked| asked.manager == "liveops");
    assert_eq!(ours.filter(|asked| asked.is_write()).count(), 0);
}

#[test]
fn a_repository_that_would_set_it_back_is_named_and_affinity_refused() {
    let stage = Stage::new(KINDS[2].1);
    let label = json!({ "metadata": { "labels": { "argocd.argoproj.io/instance": "game" } } });
    stage.kube.merge("ingresses", "game-canary", "argocd", &label);
    let gates = plan(&stage, 0);
    let row = gate(&gates, "Argo CD manages Ingress `game-canary`");
    assert_eq!(row["state"], "warning");
    let stable = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": "game", "annotations": { "nginx.ingress.kubernetes.io/affinity": "cookie" } },
        "spec": { "rules": [{ "host": "game.example", "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "game-stable", "port": { "number": 80 } } } }] } }] },
    });
    stage.kube.create(&stable);
    let gates = plan(&stage, 1);
    let row = gate(&gates, "session affinity of Ingress `game`");
    assert_eq!(row["state"], "refused");
    let legacy =
        json!({ "metadata": { "annotations": { "nginx.ingress.kubernetes.io/affinity-canary-behavior": "legacy" } } });
    stage.kube.merge("ingresses", "game", "ada", &legacy);
    plan(&stage, 0);
}

#[test]
fn what_is_too_small_or_not_ready_has_no_room() {
    let stage = Stage::new(KINDS[3].1);
    let words = ["rollout", "plan", "game", "--image", NEW, "--steps", "1"];
    let all = ["--policy", "gated", "-o", "json"];
    let run = stage.env.run(words.iter().chain(&all)).expect_code(1);
    let gates = run.json()["data"]["gates"].clone();
    let row = gate(&gates, "1 new beside 2 old instances is 33.3%");
    assert_eq!((&row["gate"], &row["state"]), (&json!("capacity"), &json!("refused")));
    let waived = ["--waive", "capacity", "--reason", "two pods are all there is"];
    let run = stage.env.run(words.iter().chain(&all).chain(&waived));
    run.expect_code(0);
    // Between half and all there is nothing here, which is refused with the arithmetic, or rounded where that is allowed.
    let words_of = |steps: &'static str| words.map(|word| if word == "1" { steps } else { word });
    let run = stage.env.run(words_of("75").iter().chain(&all));
    let gates = run.expect_code(1).json()["data"]["gates"].clone();
    let row = gate(&gates, "75% would take 6 new instances beside the 2 old ones");
    assert!(row["hint"].as_str().unwrap().contains("--allow-coarse"));
    let canary = ["canary", "--image", NEW, "--steps", "75", "--policy", "gated"];
    stage.rollout(&canary).expect_code(1);
    assert_eq!(stage.kube.find("deployments", "game-canary"), None);
    let coarse = ["--allow-coarse"];
    let run = stage.env.run(words_of("75").iter().chain(&all).chain(&coarse));
    let report = run.expect_code(0).json();
    gate(&report["data"]["gates"], "50% instead of 75%");
    let next = report["recommendations"][0]["command"].as_str().unwrap();
    assert!(next.ends_with("--steps 75 --allow-coarse"), "{next}");
    stage.kube.status("deployments", "game", &json!({ "observedGeneration": 0 }));
    let deploy = |policy: &str| stage.env.run(["check", "deploy", "game", "--policy", policy, "-o", "json"]).stdout;
    assert!(deploy("coarse").contains("\"D06\"") && !deploy("even").contains("\"D06\""), "{}", deploy("even"));
    stage.kube.image("game:3", crate::support::kube::Image::NeverReady);
    stage.kube.kubectl(&["set", "image", "deployment/game", "server=game:3"]);
    let run = stage.env.run(words.iter().chain(&all)).expect_code(1);
    let gates = run.json()["data"]["gates"].clone();
    gate(&gates, "the stable version is not ready itself");
}

#[test]
fn the_autoscaler_is_pinned_and_restored_and_events_are_posted() {
    let stage = Stage::new(KINDS[0].1);
    stage.kube.create(&autoscaler(1, 6));
    let mut run = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--steps", "50", "--yes"]);
    stage.until_phase("observe");
    assert_eq!(bounds(&stage), (2, 6), "no fewer than the old version had");
    assert_eq!(run.code(), Some(0));
    assert_eq!(bounds(&stage), (1, 6));
    let described = stage.kube.kubectl(&["describe", "deployment", "game"]);
    let events = described.split_once("Events:").unwrap().1;
    assert!(events.contains("Rollout") && events.contains("liveops"), "{described}");
    assert!(events.contains("game 50%: observing"), "{described}");
    assert!(!events.contains("<unknown>"), "{described}");
}

#[test]
fn a_pinned_autoscaler_is_restored_after_a_kill_too() {
    let stage = Stage::new(KINDS[3].1);
    stage.kube.create(&autoscaler(1, 6));
    let before = stage.essences();
    let mut run = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes"]);
    stage.until_phase("observe");
    assert_eq!(bounds(&stage), (2, 2), "a ratio of pods is the share");
    run.kill();
    stage.rollout(&["abort"]).expect_code(0);
    assert_eq!(bounds(&stage), (1, 6));
    assert_eq!(stage.essences(), before);
    // A bound that somebody else set meanwhile is theirs; one that still is the pin's is put back.
    let mut run = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes", "--takeover"]);
    until("the pin", LIMIT, || (bounds(&stage) == (2, 2)).then_some(()));
    let theirs = json!({ "spec": { "minReplicas": 2, "maxReplicas": 9 } });
    stage.kube.merge("horizontalpodautoscalers", "game", "ada", &theirs);
    run.kill();
    stage.rollout(&["abort"]).expect_code(0);
    assert_eq!(bounds(&stage), (1, 9));
    stage.all_was_asked();
}
