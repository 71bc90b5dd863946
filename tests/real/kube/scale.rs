//! `scale`: sizes and bounds, their undo, and what is refused.

use serde_json::json;

use super::gates::autoscaler;
use super::stage::{KINDS, Stage, available};

#[test]
fn a_size_is_set_undone_and_not_taken_from_somebody_else() {
    let stage = Stage::new(KINDS[0].1);
    let change = |args: &[&str]| {
        let run = stage.env.run(args.iter().chain(&["--yes", "-o", "json"]));
        run.expect_code(0).json()["data"].clone()
    };
    let dry = stage.env.run(["scale", "game", "--replicas", "5", "--dry-run"]);
    dry.expect_code(0);
    available(&stage.kube, "game", 2);
    let done = change(&["scale", "game", "--replicas", "5"]);
    available(&stage.kube, "game", 5);
    let id = done["id"].as_str().unwrap().to_owned();
    change(&["undo", &id]);
    available(&stage.kube, "game", 2);
    let same = change(&["scale", "game", "--replicas", "2"]);
    assert_eq!(same["changed"], false);
    let done = change(&["scale", "game", "--replicas", "4"]);
    stage.kube.kubectl(&["scale", "deployment", "game", "--replicas=3"]);
    let id = done["id"].as_str().unwrap().to_owned();
    let run = stage.env.run(["undo", &id, "--yes"]).expect_code(4);
    assert!(run.stderr.contains("somebody has changed the size"), "{}", run.stderr);
    available(&stage.kube, "game", 3);
    let run = stage.env.run(["scale", "game", "--replicas", "0", "--yes"]).expect_code(4);
    assert!(run.stderr.contains("out of service"), "{}", run.stderr);
    // What is pasted must not meet another cluster.
    let by_hand = "kubectl --context=test --namespace=game scale deployment game --replicas=0";
    assert!(run.stderr.contains(by_hand), "{}", run.stderr);
    stage.env.run(["scale", "game"]).expect_code(2);
}

#[test]
fn where_an_autoscaler_decides_its_bounds_are_set() {
    let stage = Stage::new(KINDS[0].1);
    stage.kube.create(&autoscaler(2, 6));
    let run = stage.env.run(["scale", "game", "--replicas", "5", "--yes"]).expect_code(4);
    assert!(run.stderr.contains("--min 5 --max 6"), "{}", run.stderr);
    let run = stage.env.run(["scale", "game", "--min", "4", "--max", "9", "--yes", "-o", "json"]);
    run.expect_code(0);
    available(&stage.kube, "game", 4);
    stage.env.run(["undo", "--yes"]).expect_code(0);
    let spec = stage.kube.get("horizontalpodautoscalers", "game")["spec"].clone();
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(2), &json!(6)));
    stage.env.run(["scale", "game", "--min", "7", "--max", "3", "--yes"]).expect_code(2);
    // Nothing tells the triggers here, and the sizes are shown all the same.
    let run = stage.env.run(["scale", "status", "-o", "json"]);
    let data = run.expect_code(3).json()["data"].clone();
    assert_eq!(data["services"][0]["max"], 6);
    assert_eq!(data["triggers"][0]["state"], "unknown");
}

#[test]
fn a_passed_trigger_says_what_to_type_and_a_protected_environment_wants_its_name() {
    let stage = Stage::new(KINDS[0].1);
    let kpi = "kpis:\n  - { name: queue_depth, gauge: queue_depth }\nservices:";
    stage.configure("services:", kpi);
    let run = stage.env.run(["scale", "status", "-o", "json"]);
    let triggers = run.expect_code(1).json()["data"]["triggers"].clone();
    let mut found = triggers.as_array().unwrap().iter();
    let queue = found.find(|trigger| trigger["name"] == "queue depth").unwrap();
    assert_eq!((&queue["value"], &queue["state"]), (&json!(1500.0), &json!("hit")));
    let run = stage.env.run(["scale", "status"]);
    assert!(run.stdout.contains("liveops scale game --replicas 3"), "{}", run.stdout);
    stage.configure("  test:\n", "  test:\n    protected: true\n");
    let set = ["scale", "game", "--replicas", "3"];
    let mut pty = stage.env.pty(set);
    pty.expect("type its name to go on").send_line("prod");
    assert_eq!(pty.wait().0, 4);
    available(&stage.kube, "game", 2);
    let mut pty = stage.env.pty(set);
    pty.expect("type its name to go on").send_line("test");
    assert_eq!(pty.wait().0, 0);
    available(&stage.kube, "game", 3);
}

#[test]
fn a_rollout_under_way_keeps_the_size_that_it_found() {
    let stage = Stage::new(KINDS[0].1);
    let mut run = stage.begin(&["rollout", "canary", "game", "--image", "game:2", "--yes", "--detach"]);
    assert_eq!(run.code(), Some(0));
    let set = ["scale", "game", "--replicas", "5", "--yes"];
    let run = stage.env.run(set).expect_code(4);
    assert!(run.stderr.contains("rollout status game"), "{}", run.stderr);
    stage.rollout(&["abort"]).expect_code(0);
    stage.env.run(set).expect_code(0);
    available(&stage.kube, "game", 5);
}
