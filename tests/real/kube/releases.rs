//! What others do meanwhile: releases on either side, autoscalers, pods that go away, a gateway that says what is wrong.

use serde_json::{Value, json};

use super::stage::{KINDS, LIMIT, NEW, Running, Stage, available};
use crate::support::kube::Image;
use crate::support::until;

const HOTFIX: &str = "game:1.1-hotfix";

/// A rollout with a share, whose next step does not come by itself.
fn exposed(stage: &Stage) -> Running {
    stage.configure("interval: 400ms, poll: 150ms", "interval: 300s, poll: 150ms");
    stage.configure("rollback_window: 0s", "rollback_window: 0s\n    hold_timeout: 120s");
    let run = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes"]);
    stage.until_phase("observe");
    run
}

/// A JSON Patch by somebody else.
fn change(stage: &Stage, object: &str, patch: &Value) {
    let patch = format!("--patch={patch}");
    stage.kube.kubectl(&["patch", object, "--type=json", &patch, "--field-manager=ci"]);
}

fn release(stage: &Stage, deployment: &str, image: &str) {
    let patch = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
    change(stage, &format!("deployment/{deployment}"), &patch);
}

pub(super) fn held(stage: &Stage) -> String {
    let run = stage.env.run(["rollout", "status", "game", "-o", "json"]);
    let row = run.json()["data"]["rollouts"][0].clone();
    let is_foreign = row["held"]["why"] == "foreign";
    if is_foreign { row["held"]["text"].as_str().unwrap().to_owned() } else { String::new() }
}

#[test]
fn a_release_of_somebody_else_holds_is_named_and_stays() {
    for (name, traffic, ..) in [KINDS[0], KINDS[3]] {
        let stage = Stage::new(traffic);
        let mut run = exposed(&stage);
        release(&stage, "game", HOTFIX);
        let text = until("the hold", LIMIT, || Some(held(&stage)).filter(|text| !text.is_empty()));
        assert!(text.contains(&format!("stable is {HOTFIX}, and was game:1 at the start")), "{name}: {text}");
        stage.rollout(&["abort"]).expect_code(0);
        assert!(matches!(run.code(), Some(1 | 4)), "{name}");
        assert_eq!(stage.image("game"), HOTFIX, "{name}");
        assert_eq!(stage.kube.find("deployments", "game-canary"), None, "{name}");
    }
}

#[test]
fn what_is_judged_is_what_is_promoted() {
    let stage = Stage::new(KINDS[0].1);
    let mut run = exposed(&stage);
    release(&stage, "game-canary", "game:3-untested");
    let text = until("the hold", LIMIT, || Some(held(&stage)).filter(|text| !text.is_empty()));
    assert!(text.contains("the canary is game:3-untested, and game:2 is what is rolled out"), "{text}");
    stage.rollout(&["abort"]).expect_code(0);
    assert!(matches!(run.code(), Some(1 | 4)));
    assert_eq!(stage.image("game"), "game:1");
}

#[test]
fn an_older_release_is_not_put_over_a_later_one() {
    let stage = Stage::new(KINDS[0].1);
    stage.rollout(&["canary", "--image", NEW]).expect_code(0);
    release(&stage, "game", "game:2.1");
    for args in [&["rollout", "undo", "game", "--yes"][..], &["undo", "--yes"]] {
        let run = stage.env.run(args).expect_code(4);
        assert!(run.stderr.contains("game is game:2.1 now: another release came after game:2"), "{}", run.stderr);
    }
    assert_eq!(stage.image("game"), "game:2.1");
}

#[test]
fn a_canary_that_is_gone_goes_back_at_once() {
    let stage = Stage::new(KINDS[0].1);
    let before = stage.essences();
    let mut run = exposed(&stage);
    stage.kube.kubectl(&["delete", "deployment/game-canary"]);
    assert_eq!(run.code(), Some(1));
    let status = stage.env.run(["rollout", "status", "game", "-o", "json"]);
    let reason = status.json()["data"]["rollouts"][0]["reason"].clone();
    assert_eq!(reason, "the canary has 30% of the traffic and nothing that answers: it does not exist");
    assert_eq!(stage.essences(), before);
}

#[test]
fn a_backend_that_the_gateway_does_not_resolve_goes_back_at_once() {
    let stage = Stage::new(KINDS[0].1);
    let mut run = exposed(&stage);
    let route = stage.kube.get("httproutes", "game");
    let generation = &route["metadata"]["generation"];
    let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status, "reason": "BackendNotFound", "message": "no game-canary", "observedGeneration": generation, "lastTransitionTime": "2026-11-24T10:00:00Z" });
    let parents = json!([{ "parentRef": { "name": "gw" }, "controllerName": "example.com/gw", "conditions": [condition("Accepted", "True"), condition("ResolvedRefs", "False")] }]);
    stage.kube.status("httproutes", "game", &json!({ "parents": parents }));
    assert_eq!(run.code(), Some(1));
    let weight: Value = stage.kube.get("httproutes", "game")["spec"]["rules"][1]["backendRefs"][0]["weight"].clone();
    assert_eq!(weight, 0);
}

#[test]
fn a_bound_that_an_operator_moved_stays_and_ours_goes_back() {
    let stage = Stage::new(KINDS[0].1);
    stage.kube.create(&json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "game" },
        "spec": { "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "game" }, "minReplicas": 1, "maxReplicas": 10 },
    }));
    let mut run = exposed(&stage);
    let bounds = || {
        let spec = stage.kube.get("horizontalpodautoscalers", "game")["spec"].clone();
        (spec["minReplicas"].clone(), spec["maxReplicas"].clone())
    };
    assert_eq!(bounds(), (json!(2), json!(10)), "as many as there were");
    stage.kube.merge("horizontalpodautoscalers", "game", "ada", &json!({ "spec": { "maxReplicas": 20 } }));
    stage.rollout(&["abort"]).expect_code(0);
    assert!(matches!(run.code(), Some(1 | 4)));
    assert_eq!(bounds(), (json!(1), json!(20)));
}

#[test]
fn a_rule_that_somebody_puts_before_ours_is_no_hindrance() {
    let stage = Stage::new(KINDS[0].1);
    let mut run = exposed(&stage);
    let first = json!([{ "op": "add", "path": "/spec/rules/0", "value": { "backendRefs": [{ "name": "other", "port": 80 }] } }]);
    change(&stage, "httproute/game", &first);
    stage.fail();
    assert_eq!(run.code(), Some(1));
    let rules = stage.kube.get("httproutes", "game")["spec"]["rules"].clone();
    assert_eq!(
        (&rules[2]["backendRefs"][0]["weight"], &rules[0]["backendRefs"][0]["name"]),
        (&json!(0), &json!("other"))
    );
    available(&stage.kube, "game", 2);
}

#[test]
fn a_tag_that_is_pushed_anew_is_another_release() {
    for (deployment, image, text) in
        [("game-canary", NEW, "the canary runs game:2 as sha256:"), ("game", "game:1", "stable runs game:1 as sha256:")]
    {
        let stage = Stage::new(KINDS[0].1);
        let mut run = exposed(&stage);
        stage.kube.image(image, Image::PushedAnew);
        let mut pods = 0;
        let said = until("the hold", LIMIT, || {
            // A pod is replaced, and pulls what the tag is now.
            pods += 1;
            stage.kube.kubectl(&["annotate", "--overwrite", "deployment", deployment, &format!("pods={pods}")]);
            Some(held(&stage)).filter(|text| !text.is_empty())
        });
        assert!(said.contains(text) && said.contains("its tag was pushed anew"), "{said}");
        stage.rollout(&["abort"]).expect_code(0);
        assert!(matches!(run.code(), Some(1 | 4)));
        assert_eq!(stage.image("game"), "game:1");
    }
}
