//! Each way to split traffic: forward, back by itself, undone; each time to the byte.

use super::stage::{KINDS, NEW, OLD, Stage, available};
use crate::support::kube::Image;
use crate::support::kube::front::Logged;

/// Promotes, and takes it back after all.
fn forward_and_undone(index: usize) {
    let (kind, traffic, ..) = KINDS[index];
    let stage = Stage::new(traffic);
    let before = stage.essences();
    stage.rollout(&["canary", "--image", NEW]).expect_code(0);
    assert_eq!(stage.image("game"), NEW, "{kind}");
    available(&stage.kube, "game", 2);
    let spec = before.len() - 1;
    assert_eq!(stage.essences()[..spec], before[..spec], "{kind}: promoted");
    assert_eq!(stage.kube.find("deployments", "game-canary"), None);
    stage.rollout(&["undo"]).expect_code(0);
    available(&stage.kube, "game", 2);
    assert_eq!(stage.essences(), before, "{kind}: undone");
    stage.all_was_asked();
    // A second time there is nothing to undo.
    let writes = stage.kube.log().len();
    stage.rollout(&["undo"]).expect_code(0);
    let later = stage.kube.log().split_off(writes);
    assert!(!later.iter().any(Logged::is_write), "{later:?}");
}

/// Is taken back by what its users see.
fn back_by_itself(index: usize) {
    let (kind, traffic, ..) = KINDS[index];
    let stage = Stage::new(traffic);
    let before = stage.essences();
    stage.fail();
    stage.rollout(&["canary", "--image", NEW]).expect_code(1);
    assert_eq!(stage.essences(), before, "{kind}");
}

#[test]
fn forward_and_undone_by_gateway_api() {
    forward_and_undone(0);
}

#[test]
fn forward_and_undone_by_istio() {
    forward_and_undone(1);
}

#[test]
fn forward_and_undone_by_nginx() {
    forward_and_undone(2);
}

#[test]
fn forward_and_undone_by_replicas() {
    forward_and_undone(3);
}

#[test]
fn a_bad_build_goes_back_by_itself_by_gateway_api_and_istio() {
    back_by_itself(0);
    back_by_itself(1);
}

#[test]
fn a_bad_build_goes_back_by_itself_by_nginx_and_replicas() {
    back_by_itself(2);
    back_by_itself(3);
}

#[test]
fn a_canary_that_crashes_gets_no_traffic_and_is_taken_back() {
    let (_, traffic, ..) = KINDS[0];
    let stage = Stage::new(traffic);
    stage.kube.image(NEW, Image::Crashes);
    let before = stage.essences();
    let run = stage.rollout(&["canary", "--image", NEW]);
    let run = run.expect_code(1);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("CrashLoopBackOff"), "{said}");
    assert_eq!(stage.essences(), before);
    let weighted = stage.kube.log().into_iter().filter(|asked| {
        asked.is_accepted_write() && asked.path.contains("httproutes") && asked.body.contains("\"value\":30")
    });
    assert_eq!(weighted.count(), 0);
    assert_eq!(stage.image("game"), OLD);
}
