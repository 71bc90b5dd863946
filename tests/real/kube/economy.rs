//! What a look costs: programs that are started while a rollout is watched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::stage::{KINDS, LIMIT, NEW, Stage};
use crate::support::TestEnv;
use crate::support::preload::library;
use crate::support::until;

/// A `kubectl` that writes down each run of it.
fn counted(env: &TestEnv) -> (String, std::path::PathBuf) {
    let real = env.root().join("bin/kubectl");
    let folder = env.root().join("counted");
    fs::create_dir_all(&folder).unwrap();
    let runs = folder.join("runs");
    let script = format!("#!/bin/sh\necho \"$1\" >> {}\nexec {} \"$@\"\n", runs.display(), real.display());
    let path = folder.join("kubectl");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (format!("{}:/usr/bin:/bin", folder.display()), runs)
}

#[test]
fn a_look_is_one_run_of_kubectl_and_never_more_than_two() {
    let (_, traffic, resource, name) = KINDS[0];
    let stage = Stage::new(traffic);
    let (path, runs) = counted(&stage.env);
    let mut command = stage.env.bare(["rollout", "canary", "game", "--image", NEW, "--yes"]);
    let mut child = command
        .env("PATH", path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("a weight", LIMIT, || {
        let route = stage.kube.get(resource, name);
        (route["spec"]["rules"][1]["backendRefs"][0]["weight"].as_u64()? > 0).then_some(())
    });
    stage.env.run(["rollout", "pause", "game", "--yes"]).expect_code(0);
    until("the pause", LIMIT, || {
        let run = stage.env.run(["rollout", "status", "game", "-o", "json"]);
        run.stdout.contains("\"paused\"").then_some(())
    });
    // Looks are the times that the state was read with the route, in one run.
    let said = || fs::read_to_string(&runs).unwrap_or_default();
    let before = said().lines().count();
    let began = Instant::now();
    until("some looks", LIMIT, || {
        let now = said();
        let gets = now.lines().skip(before).filter(|verb| *verb == "get").count();
        (gets >= 12 && began.elapsed() >= Duration::from_secs(1)).then_some(())
    });
    let after = said();
    let verbs: Vec<&str> = after.lines().skip(before).collect();
    let looks = verbs.iter().filter(|verb| **verb == "get").count();
    let others: Vec<&&str> = verbs.iter().filter(|verb| **verb != "get").collect();
    // Beside the looks there is the lock's renewal, each five seconds; nothing is stored that has not changed.
    assert!(others.len() <= looks / 4, "{looks} looks, and {others:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    stage.env.run(["rollout", "abort", "game", "--yes"]).expect_code(0);
}

#[test]
fn a_step_is_two_runs_of_kubectl_beside_the_looks() {
    let (_, traffic, ..) = KINDS[0];
    let stage = Stage::new(traffic);
    let (path, runs) = counted(&stage.env);
    let mut command = stage.env.bare(["rollout", "canary", "game", "--image", NEW, "--steps", "20,40", "--yes"]);
    let status = command
        .env("PATH", path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let all = fs::read_to_string(&runs).unwrap();
    let verbs: Vec<&str> = all.lines().collect();
    // What is done between two looks. Intent, lock and Events are stored in one run.
    let between: Vec<&[&str]> = verbs.split(|verb| *verb == "get").collect();
    let steps = between.iter().filter(|group| **group == ["apply", "patch"]).count();
    // Two steps, and all of the traffic.
    assert!(steps >= 3, "{verbs:?}");
    let many = between.iter().find(|group| {
        let makes = group.iter().any(|verb| ["create", "delete"].contains(verb));
        group.len() > 2 && !makes
    });
    assert_eq!(many, None, "{verbs:?}");
}

#[test]
fn an_abort_gives_back_the_lock_of_a_holder_that_died_and_posts_what_it_did() {
    let stage = Stage::new(KINDS[0].1);
    let mut run = stage.begin(&["rollout", "canary", "game", "--image", NEW, "--yes"]);
    stage.until_phase("observe");
    run.kill();
    // A minute later.
    let mut abort = stage.env.bare(["rollout", "abort", "game", "--reason", "lag", "--yes"]);
    let aborted = abort.env("LD_PRELOAD", library("skew")).env("SKEW", "60").output().unwrap();
    assert!(aborted.status.success(), "{aborted:?}");
    let lease = stage.kube.get("leases", "liveops-game");
    assert_eq!(lease["spec"]["holderIdentity"], "");
    let described = stage.kube.kubectl(&["describe", "deployment", "game"]);
    assert!(described.contains("lag"), "{described}");
    // So nobody has to wait for the lock.
    let words = ["canary", "--image", NEW, "--steps", "50"];
    stage.rollout(&words).expect_code(0);
}
