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
    let dry = stage
        .env
        .run(["scale", "game", "--replicas", "5", "--dry-run"]);
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
    stage
        .kube
        .kubectl(&["scale", "deployment", "game", "--replicas=3"]);
    let id = done["id"].as_str().unwrap().to_owned();
    let run = stage.env.run(["undo", &id, "--yes"]).expect_code(4);
    assert!(
        run.stderr.contains("somebody has changed the size"),
        "{}",
        run.stderr
    );
    available(&stage.kube, "game", 3);
    let run = stage
        .env
        .run(["scale", "game", "--replicas", "0", "--yes"])
        .expect_code(4);
    assert!(run.stderr.contains("out of service"), "{}", run.stderr);
    stage.env.run(["scale", "game"]).expect_code(2);
}

#[test]
fn where_an_autoscaler_decides_its_bounds_are_set() {
    let stage = Stage::new(KINDS[0].1);
    stage.kube.create(&autoscaler(2, 6));
    let run = stage
        .env
        .run(["scale", "game", "--replicas", "5", "--yes"])
        .expect_code(4);
    assert!(run.stderr.contains("--min 5 --max 6"), "{}", run.stderr);
    let run = stage.env.run([
        "scale", "game", "--min", "4", "--max", "9", "--yes", "-o", "json",
    ]);
    run.expect_code(0);
    available(&stage.kube, "game", 4);
    stage.env.run(["undo", "--yes"]).expect_code(0);
    let spec = stage.kube.get("horizontalpodautoscalers", "game")["spec"].clone();
    assert_eq!(
        (&spec["minReplicas"], &spec["maxReplicas"]),
        (&json!(2), &json!(6))
    );
    stage
        .env
        .run(["scale", "game", "--min", "7", "--max", "3", "--yes"])
        .expect_code(2);
    // Nothing tells the triggers here, and the sizes are shown all the same.
    let run = stage.env.run(["scale", "status", "-o", "json"]);
    let data = run.expect_code(3).json()["data"].clone();
    assert_eq!(data["services"][0]["max"], 6);
    assert_eq!(data["triggers"][0]["state"], "unknown");
}
