//! What goes wrong in the middle: the API server is away, says no, or others write at the same time.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{KINDS, LIMIT, NEW, Stage};
use crate::support::kube::{Kube, Trouble};
use crate::support::until;

/// The canary's weight in the HTTPRoute.
fn weight(stage: &Stage) -> Option<u64> {
    let route = stage.kube.find("httproutes", "game")?;
    route["spec"]["rules"][1]["backendRefs"][0]["weight"].as_u64()
}

fn until_weight(stage: &Stage) {
    until("a weight", LIMIT, || (weight(stage)? > 0).then_some(()));
}

const CANARY: [&str; 6] = ["rollout", "canary", "game", "--image", NEW, "--yes"];

fn canary<'a>(more: &[&'a str]) -> Vec<&'a str> {
    CANARY.iter().chain(more).copied().collect()
}

/// Whether `rollout status` says this of the rollout.
pub(super) fn said(stage: &Stage, words: &str) -> String {
    until(format!("`{words}`"), LIMIT, || {
        let run = stage.env.run(["rollout", "status", "game", "-o", "json"]);
        run.stdout.contains(words).then_some(run.stdout)
    })
}

#[test]
fn an_api_server_that_restarts_is_waited_for() {
    let mut stage = Stage::new(KINDS[0].1);
    let (mut run, printed) = stage.begin_to(&canary(&["--steps", "50"]), "events");
    until_weight(&stage);
    stage.kube.stop();
    until("that it cannot be read", LIMIT, || {
        let text = std::fs::read_to_string(&printed).ok()?;
        text.contains("cannot read the weight").then_some(())
    });
    stage.kube.restart();
    assert_eq!(run.code(), Some(0));
    assert_eq!(stage.image("game"), NEW);
}

#[test]
fn a_permission_that_is_lost_holds_it_and_conflicts_are_written_again() {
    let stage = Stage::new(KINDS[0].1);
    let mut run = stage.begin(&canary(&["--until", "paused"]));
    until_weight(&stage);
    stage.kube.trouble("patch", "httproutes", Trouble::Forbidden);
    assert_eq!(run.code(), Some(5));
    said(&stage, "cannot patch resource");
    let there = weight(&stage);
    assert!(there > Some(0));
    stage.kube.calm();
    // Others that are faster a few times do not keep it from its end.
    stage.kube.trouble("update", "configmaps", Trouble::Conflicts(3));
    stage.kube.trouble("patch", "httproutes", Trouble::Conflicts(2));
    stage.rollout(&["resume"]).expect_code(0);
    assert_eq!(stage.image("game"), NEW);
}

#[test]
fn whoever_touches_the_state_of_the_last_rollout_keeps_nobody_from_the_next() {
    let stage = Stage::new(KINDS[0].1);
    stage.rollout(&["canary", "--image", NEW]).expect_code(0);
    let reads = |kube: &Kube| {
        let log = kube.log().into_iter();
        log.filter(|asked| asked.method == "GET" && asked.path.contains("/configmaps")).count()
    };
    let (mut seen, mut count) = (reads(&stage.kube), 0);
    // A backup, a label controller: each time that the state was read it changes the version, and nothing of ours.
    let rival = |kube: &Kube| {
        if count < 4 && reads(kube) > seen {
            seen = reads(kube);
            count += 1;
            let patch = json!({ "metadata": { "annotations": { "seen": count.to_string() } } });
            kube.merge("configmaps", "liveops-rollout-game", "rival", &patch);
        }
    };
    stage.beside(Duration::from_millis(5), rival, || {
        stage.rollout(&["canary", "--image", "game:3"]).expect_code(0);
    });
    assert_eq!(stage.image("game"), "game:3");
}

#[test]
fn where_the_first_lever_fails_the_second_one_is_pulled_and_named() {
    let stage = Stage::new(KINDS[0].1);
    let before = stage.essences();
    let mut run = stage.begin(&canary(&[]));
    until_weight(&stage);
    stage.kube.trouble("patch", "httproutes", Trouble::Forbidden);
    stage.fail();
    until("the second lever", LIMIT, || {
        let service = stage.kube.get("services", "game-canary");
        (service["spec"]["selector"]["track"] == "stable").then_some(())
    });
    let text = said(&stage, "second lever");
    assert!(text.contains("nobody reaches the canary"), "{text}");
    stage.kube.calm();
    assert_eq!(run.code(), Some(1));
    assert_eq!(stage.essences(), before);
    stage.all_was_asked();
}

#[test]
fn a_route_that_is_gone_leaves_the_second_lever() {
    let stage = Stage::new(KINDS[0].1);
    let before = stage.essences();
    let mut run = stage.begin(&canary(&[]));
    until_weight(&stage);
    let mut route = stage.kube.get("httproutes", "game");
    stage.kube.kubectl(&["delete", "httproute", "game"]);
    stage.fail();
    until("the second lever", LIMIT, || {
        let service = stage.kube.get("services", "game-canary");
        (service["spec"]["selector"]["track"] == "stable").then_some(())
    });
    // Whoever deployed it does so again, with the annotations of the time.
    for name in ["resourceVersion", "uid", "managedFields", "generation"] {
        route["metadata"].as_object_mut().unwrap().shift_remove(name);
    }
    stage.kube.create(&route);
    assert_eq!(run.code(), Some(1));
    assert_eq!(stage.essences(), before);
}

#[test]
fn a_rival_on_the_same_object_loses_nothing_and_is_named() {
    let stage = Stage::new(KINDS[0].1);
    let mut count = 0;
    let rival = |kube: &Kube| {
        let patch = json!({ "metadata": { "annotations": { "rival": count.to_string() } } });
        kube.merge("httproutes", "game", "rival", &patch);
        count += 1;
    };
    stage.beside(Duration::from_millis(20), rival, || {
        let run = stage.env.run(canary(&["--until", "paused"]));
        let run = run.expect_code(5);
        assert!(run.stderr.contains("`rival`"), "{}", run.stderr);
        // The way back needs no quiet.
        stage.rollout(&["abort"]).expect_code(0);
        assert_eq!(weight(&stage), Some(0));
    });
    let log = stage.kube.log();
    let ours: Vec<_> = (log.iter())
        .filter(|asked| asked.is_accepted_write() && asked.path.contains("httproutes"))
        .filter(|asked| asked.manager == "liveops")
        .collect();
    assert!(ours.len() < 12, "it does not fight: {}", ours.len());
    let theirs = (log.iter()).filter(|asked| asked.manager == "rival" && asked.is_accepted_write());
    let last = theirs.count() - 1;
    let route = stage.kube.get("httproutes", "game");
    assert_eq!(route["metadata"]["annotations"]["rival"], last.to_string());
    assert_eq!(route["metadata"]["annotations"]["team"], "platform");
}

#[test]
fn a_foreign_weight_holds_the_rollout_and_names_its_author() {
    let (_, traffic, resource, name) = KINDS[1];
    let stage = Stage::new(traffic);
    let before = stage.essences();
    let canary_weight = |route: &Value| route["spec"]["http"][0]["route"][1]["weight"].as_u64();
    let mut run = stage.begin(&canary(&["--until", "paused"]));
    until("a weight", LIMIT, || (canary_weight(&stage.kube.get(resource, name))? > 0).then_some(()));
    let theirs = json!({ "spec": { "http": [{ "name": "primary", "retries": { "attempts": 2 }, "route": [
        { "destination": { "host": "game-stable" }, "weight": 93 },
        { "destination": { "host": "game-canary" }, "weight": 7 },
    ] }] } });
    stage.kube.merge(resource, name, "helm", &theirs);
    let text = said(&stage, "helm");
    assert!(text.contains("should be"), "{text}");
    assert_eq!(canary_weight(&stage.kube.get(resource, name)), Some(7));
    run.kill();
    stage.rollout(&["abort"]).expect_code(0);
    assert_eq!(stage.essences(), before);
}

#[test]
fn an_abort_works_from_the_undo_note_alone() {
    let stage = Stage::new(KINDS[0].1);
    let before = stage.essences();
    let mut run = stage.begin(&canary(&[]));
    until_weight(&stage);
    run.kill();
    stage.kube.kubectl(&["delete", "configmap", "liveops-rollout-game"]);
    stage.rollout(&["abort"]).expect_code(0);
    assert_eq!(stage.essences(), before);
}

#[test]
fn of_eight_starts_at_once_one_wins() {
    let stage = Stage::new(KINDS[0].1);
    let mut runs: Vec<_> = (0..8).map(|_| stage.begin(&canary(&["--steps", "50", "--until", "promoted"]))).collect();
    let codes: Vec<_> = runs.iter_mut().map(super::stage::Running::code).collect();
    let won = codes.iter().filter(|code| **code == Some(0)).count();
    assert_eq!(won, 1, "{codes:?}");
    let others = codes.iter().filter(|code| matches!(code, Some(4)));
    assert_eq!(others.count(), 7, "{codes:?}");
    let made =
        stage.kube.log().into_iter().filter(|asked| {
            asked.is_accepted_write() && asked.method == "POST" && asked.path.ends_with("/deployments")
        });
    // The stable one is the test's; the losers wrote nothing.
    assert_eq!(made.count(), 2);
}
