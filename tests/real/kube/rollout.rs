//! Each way to split traffic: forward, and back to the byte.

use serde_json::json;

use super::stage::{KINDS, LIMIT, NEW, OLD, Stage, available, essence};
use crate::support::kube::{Image, Trouble};
use crate::support::until;

fn image_of(stage: &Stage, name: &str) -> String {
    let found = stage.kube.get("deployments", name);
    let image = &found["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap().to_owned()
}

#[test]
fn a_good_build_is_promoted_in_every_way() {
    for (kind, traffic, resource, name) in KINDS {
        let stage = Stage::new(traffic);
        let before = essence(&stage.kube.get(resource, name));
        let run = stage.env.run([
            "rollout", "canary", "game", "--image", NEW, "--yes", "--waive", "capacity",
            "--reason", "small",
        ]);
        run.expect_code(0);
        assert_eq!(image_of(&stage, "game"), NEW, "{kind}");
        available(&stage.kube, "game", 2);
        assert_eq!(
            stage.kube.find("deployments", "game-canary"),
            None,
            "{kind}"
        );
        assert_eq!(essence(&stage.kube.get(resource, name)), before, "{kind}");
        assert!(!stage.kube.list("events").is_empty(), "{kind}");
    }
}

#[test]
fn a_bad_build_goes_back_by_itself_and_leaves_nothing_behind() {
    for (kind, traffic, resource, name) in KINDS {
        let stage = Stage::new(traffic);
        let watched = [
            (resource, name),
            ("deployments", "game"),
            ("services", "game-canary"),
        ];
        let before = watched.map(|(resource, name)| essence(&stage.kube.get(resource, name)));
        stage.fail();
        let run = stage.env.run([
            "rollout", "canary", "game", "--image", NEW, "--yes", "--waive", "capacity",
            "--reason", "small",
        ]);
        run.expect_code(1);
        let after = watched.map(|(resource, name)| essence(&stage.kube.get(resource, name)));
        assert_eq!(after[0], before[0], "{kind}");
        assert_eq!(after[2], before[2], "{kind}");
        assert_eq!(image_of(&stage, "game"), OLD, "{kind}");
        assert_eq!(
            stage.kube.find("deployments", "game-canary"),
            None,
            "{kind}"
        );
    }
}

#[test]
fn a_canary_that_crashes_gets_no_traffic_and_is_taken_back() {
    let (_, traffic, resource, name) = KINDS[0];
    let stage = Stage::new(traffic);
    stage.kube.image(NEW, Image::Crashes);
    let before = essence(&stage.kube.get(resource, name));
    let run = stage
        .env
        .run(["rollout", "canary", "game", "--image", NEW, "--yes"]);
    let run = run.expect_code(1);
    assert!(
        run.stdout.contains("CrashLoopBackOff") || run.stderr.contains("CrashLoopBackOff"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    assert_eq!(essence(&stage.kube.get(resource, name)), before);
    let weighted = stage.kube.log().into_iter().filter(|asked| {
        asked.is_accepted_write()
            && asked.path.contains("httproutes")
            && asked.body.contains("\"value\":20")
    });
    assert_eq!(weighted.count(), 0);
}

#[test]
fn what_may_not_be_done_is_refused_before_anything_is_written() {
    let (_, traffic, resource, name) = KINDS[0];
    let stage = Stage::new(traffic);
    let before = stage.kube.get(resource, name);
    stage
        .kube
        .trouble("patch", "httproutes", Trouble::Forbidden);
    let run = stage
        .env
        .run(["rollout", "canary", "game", "--image", NEW, "--yes"]);
    let run = run.expect_code(1);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("may not patch httproute"), "{said}");
    assert_eq!(stage.kube.get(resource, name), before);
    assert_eq!(stage.kube.find("deployments", "game-canary"), None);
}

#[test]
fn an_abort_works_from_the_undo_note_alone() {
    let (_, traffic, resource, name) = KINDS[0];
    let stage = Stage::new(traffic);
    let before = essence(&stage.kube.get(resource, name));
    let mut child = stage
        .env
        .bare(["rollout", "canary", "game", "--image", NEW, "--yes"]);
    let mut child = child
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("a weight", LIMIT, || {
        let route = stage.kube.get(resource, name);
        (route["spec"]["rules"][1]["backendRefs"][0]["weight"].as_u64()? > 0).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    stage
        .kube
        .kubectl(&["delete", "configmap", "liveops-rollout-game"]);
    stage
        .env
        .run(["rollout", "abort", "game", "--yes"])
        .expect_code(0);
    assert_eq!(essence(&stage.kube.get(resource, name)), before);
    assert_eq!(stage.kube.find("deployments", "game-canary"), None);
}

#[test]
fn a_foreign_edit_holds_the_rollout_and_names_its_author() {
    let (_, traffic, resource, name) = KINDS[1];
    let stage = Stage::new(traffic);
    let mut child = stage.env.bare([
        "rollout", "canary", "game", "--image", NEW, "--yes", "--until", "paused",
    ]);
    let mut child = child
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("a weight", LIMIT, || {
        let route = stage.kube.get(resource, name);
        (route["spec"]["http"][0]["route"][1]["weight"].as_u64()? > 0).then_some(())
    });
    let theirs = json!({ "spec": { "http": [{ "name": "primary", "route": [
        { "destination": { "host": "game-stable" }, "weight": 93 },
        { "destination": { "host": "game-canary" }, "weight": 7 },
    ] }] } });
    stage.kube.merge(resource, name, "helm", &theirs);
    let said = until("the hold", LIMIT, || {
        let run = stage.env.run(["rollout", "status", "game", "-o", "json"]);
        (run.stdout.contains("helm")).then_some(run.stdout)
    });
    assert!(said.contains("should be"), "{said}");
    assert_eq!(
        stage.kube.get(resource, name)["spec"]["http"][0]["route"][1]["weight"],
        7
    );
    child.kill().unwrap();
    child.wait().unwrap();
    stage
        .env
        .run(["rollout", "abort", "game", "--yes"])
        .expect_code(0);
    assert_eq!(
        stage.kube.get(resource, name)["spec"]["http"][0]["route"][1]["weight"],
        0
    );
}

#[test]
fn of_eight_starts_at_once_one_wins() {
    let (_, traffic, ..) = KINDS[0];
    let stage = Stage::new(traffic);
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = stage.env.bare([
                "rollout", "canary", "game", "--image", NEW, "--yes", "--until", "promoted",
            ]);
            command
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let codes: Vec<_> = children
        .into_iter()
        .map(|mut child| child.wait().unwrap().code())
        .collect();
    let won = codes.iter().filter(|code| **code == Some(0)).count();
    assert_eq!(won, 1, "{codes:?}");
    let others = codes.iter().filter(|code| matches!(code, Some(4)));
    assert_eq!(others.count(), 7, "{codes:?}");
}
