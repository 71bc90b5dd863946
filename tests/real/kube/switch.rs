//! `rollout bluegreen`: everything at once, when the new version is ready; the old one stays for an instant way back.

use serde_json::{Value, json};

use super::stage::{KINDS, NEW, Stage, available};
use crate::support::kube::Image;

/// What the object that carries the weight says of the canary.
fn share(kind: &str, object: &Value) -> Value {
    match kind {
        "gateway-api" => object["spec"]["rules"][1]["backendRefs"][0]["weight"].clone(),
        "istio" => object["spec"]["http"][0]["route"][1]["weight"].clone(),
        "nginx" => object["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"].clone(),
        _ => object["spec"]["selector"]["track"].clone(),
    }
}

/// Every weight of the canary that anybody ever wrote, in order.
fn shares(stage: &Stage, resource: &str, words: &str) -> usize {
    let log = stage.kube.log().into_iter();
    let writes =
        log.filter(|asked| asked.is_accepted_write() && asked.path.contains(resource) && asked.body.contains(words));
    writes.count()
}

/// Switches, and goes back in the window.
fn switched_and_back(index: usize) {
    let (kind, traffic, resource, name) = KINDS[index];
    let stage = Stage::new(traffic);
    let before = stage.essences();
    let policy = ["--policy", "windowed", "--until", "promoted"];
    let words = ["bluegreen", "--image", NEW];
    stage.rollout(&[&words[..], &policy[..]].concat()).expect_code(0);
    let all = match kind {
        "nginx" => json!("100"),
        "replicas" => json!("canary"),
        _ => json!(100),
    };
    assert_eq!(share(kind, &stage.kube.get(resource, name)), all, "{kind}");
    // The old version is there as it was, for the instant way back.
    available(&stage.kube, "game", 2);
    available(&stage.kube, "game-canary", 2);
    assert_eq!(stage.phase(), ("window".to_owned(), 100.0));
    stage.rollout(&["abort"]).expect_code(0);
    assert_eq!(stage.essences(), before, "{kind}");
    stage.rollout(&["abort"]).expect_code(0);
    assert_eq!(stage.essences(), before, "{kind}: twice is once");
}

#[test]
fn switched_and_back_by_gateway_api_and_istio() {
    switched_and_back(0);
    switched_and_back(1);
}

#[test]
fn switched_and_back_by_nginx_and_replicas() {
    switched_and_back(2);
    switched_and_back(3);
}

#[test]
fn a_switch_is_one_write_finished_and_undone() {
    let stage = Stage::new(KINDS[3].1);
    let before = stage.essences();
    stage.rollout(&["bluegreen", "--image", NEW]).expect_code(0);
    assert_eq!(shares(&stage, "services/game", "\"track\":\"canary\""), 1);
    assert_eq!(stage.image("game"), NEW);
    let service = before.len() - 4;
    assert_eq!(stage.essences()[service], before[service]);
    stage.rollout(&["undo"]).expect_code(0);
    available(&stage.kube, "game", 2);
    assert_eq!(stage.essences(), before);
}

#[test]
fn what_turns_bad_in_the_window_goes_back_by_itself() {
    let stage = Stage::new(KINDS[3].1);
    let before = stage.essences();
    let mut run = stage.begin(&["rollout", "bluegreen", "game", "--image", NEW, "--policy", "windowed", "--yes"]);
    stage.until_phase("window");
    stage.fail();
    assert_eq!(run.code(), Some(1));
    assert_eq!(stage.essences(), before);
}

#[test]
fn a_new_version_that_is_not_ready_gets_no_traffic() {
    let stage = Stage::new(KINDS[3].1);
    stage.kube.image(NEW, Image::CannotBePulled);
    let before = stage.essences();
    let run = stage.rollout(&["bluegreen", "--image", NEW]);
    let run = run.expect_code(1);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("ImagePullBackOff"), "{said}");
    assert_eq!(shares(&stage, "services/game", "canary\""), 0);
    assert_eq!(stage.essences(), before);
    // The gates are those of a canary.
    let run = stage.rollout(&["bluegreen", "--image", NEW, "--steps", "5,100"]);
    run.expect_code(2);
}
