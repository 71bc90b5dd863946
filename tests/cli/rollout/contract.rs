//! What scripts rely on: exit codes, what a signal does where nobody can be asked, gates that are passed over, metrics
//! without data, and states of older versions.

use serde_json::{Value, json};

use super::world::{LIMIT, RULES, Seen, World, end, lock};
use crate::slo::{HEALTHY, World as Numbers, prometheus, prometheus_of};
use crate::support::process::signal;
use crate::support::until;

#[test]
fn a_signal_takes_it_back_first_where_nobody_can_be_asked() {
    for name in ["TERM", "INT", "HUP"] {
        let world = World::new(Seen::Nothing, "");
        let holder = world.spawn_to_first_step();
        signal(holder.id(), name);
        let (code, said) = end(holder);
        assert_eq!(code, Some(1), "{name}: {said}");
        assert_eq!(world.weight(), 0.0, "{name}");
        let status = world.status();
        assert_eq!(status["phase"], "rolled_back", "{name}");
        let why = status["reason"].as_str().unwrap();
        assert!(why.starts_with("interrupted ("), "{name}: {why}");
    }
}

#[test]
fn a_gate_is_satisfied_or_waived_with_a_reason_that_is_kept() {
    let world = World::ruled(
        Seen::Good,
        &RULES.replace(
            "preflight: [ rollback_plan, capacity ]",
            "error_budget: 'vector(0) - errors'\n    preflight: [ error_budget, rollback_plan ]",
        ),
    );
    // The stub answers 1000 to what is no error rate: there is some budget left. A weight leaves no way back.
    lock(&world.state).weight = 30.0;
    let refused = world.start(&[]).expect_code(1);
    for want in ["rollback_plan", "make it the stable one first", "--waive GATE --reason TEXT"] {
        assert!(refused.stdout.contains(want), "{want}: {}", refused.stdout);
    }
    assert!(world.weights().is_empty(), "nothing was written");
    let without = world.start(&["--waive", "rollback_plan"]).expect_code(2);
    assert!(without.stderr.contains("--reason"), "{}", without.stderr);
    let wrong = world.start(&["--waive", "rolback_plan", "--reason", "x"]).expect_code(2);
    assert!(wrong.stderr.contains("did you mean `rollback_plan`?"), "{}", wrong.stderr);
    lock(&world.state).canary = Some("game:2".into());
    world.start(&["--waive", "rollback_plan", "--reason", "half of it is live"]).expect_code(0);
    let log = walk(&world.env.root().join("state"), "audit.jsonl");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("half of it is live"), "{log}");
}

#[test]
fn the_objectives_of_the_service_are_a_gate_and_what_is_not_known_does_not_pass() {
    let rules = RULES.replace("preflight: [ rollback_plan, capacity ]", "preflight: [ error_budget ]");
    let world = World::ruled(Seen::Good, &rules);
    let slos =
        "slos: [{ name: api, service: game, objective: 99.9%, ratio: { bad: 'r{status=~\"5..\"}', total: r } }]\n";
    world.env.write("liveops.yaml", format!("{}{slos}", world.env.read("liveops.yaml")));
    let healthy = Numbers { real: true, ..HEALTHY };
    for (stub, want) in [
        (prometheus(Numbers { period: 1_500.0, ..healthy }), "api: the error budget is spent"),
        (prometheus(Numbers { short: 20_000.0, long: 7_000.0, ..healthy }), "api: burns 20.0"),
        (prometheus_of(|_| None), "api: no data of r"),
    ] {
        let refused = world.start(&["--prometheus", &stub.url()]).expect_code(1);
        assert!(refused.stdout.contains(want), "{want}: {}", refused.stdout);
        assert!(world.weights().is_empty(), "nothing was written");
    }
    let healthy = prometheus(healthy);
    let planned = world.start(&["--prometheus", &healthy.url(), "--dry-run"]).expect_code(0);
    assert!(!planned.stdout.contains("error budget is spent"), "{}", planned.stdout);
}

#[test]
fn what_no_data_means_is_what_the_policy_says() {
    // Errors are a metric of their own, which is not there before the first one.
    let config = |world: &World| {
        let path = world.env.path().join("liveops.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let own = text.replace("to: http_requests_total", "to: requests_total");
        world.env.write("liveops.yaml", own);
    };
    for (on_no_data, code) in [("hold", 5), ("pass", 0), ("fail", 1)] {
        let rules = RULES.replace("scrape_interval: 5s", "scrape_interval: 200ms");
        let rules = rules.replace("rollback: [ 'errors > 5%' ]", "rollback: []");
        let rules = format!("{rules}    on_no_data: {{ errors: {on_no_data} }}\n");
        let world = World::ruled(Seen::NoErrors, &rules);
        config(&world);
        let run = world.start(&["--until", "paused"]);
        assert_eq!(run.code, code, "{on_no_data}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn with_nothing_under_way_nothing_is_done() {
    let world = World::new(Seen::Good, "");
    let run = world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
    assert!(run.stdout.contains("was ever begun"), "{}", run.stdout);
    assert!(world.weights().is_empty(), "{:?}", world.weights());
    world.set(Seen::Bad);
    world.start(&[]).expect_code(1);
    let then = world.weights().len();
    for verb in ["approve", "resume", "promote", "pause"] {
        let late = world.env.run(["rollout", verb, "--yes"]).expect_code(4);
        assert!(late.stderr.contains("no rollout of game is under way"), "{verb}: {}", late.stderr);
    }
    world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
    assert_eq!(world.weights().len(), then, "what is back stays as it is");
}

/// The state that the version before numbered states has left.
#[test]
fn a_state_of_the_version_before_is_taken_over() {
    let world = World::new(Seen::Nothing, "");
    let mut holder = world.spawn(&[]);
    until("the first step", LIMIT, || (world.status()["weight"] == 20.0).then_some(()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let folder = world.env.root().join("state");
    let state = walk(&folder, "state-");
    let mut old: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    for gone in ["stuck", "region", "fleet"] {
        old["rollout"].as_object_mut().unwrap().remove(gone);
    }
    for gone in ["rollback_timeout", "on_no_data", "on_region_failure"] {
        let rules = &mut old["rollout"]["plan"]["rules"];
        rules.as_object_mut().unwrap().remove(gone);
    }
    let place = state.parent().unwrap();
    std::fs::write(place.join("state.json"), old.to_string()).unwrap();
    std::fs::remove_file(&state).unwrap();
    assert_eq!(world.status()["weight"], json!(20.0));
    world.set(Seen::Good);
    world.env.run(["rollout", "resume", "--yes"]).expect_code(0);
    assert_eq!(world.status()["phase"], "succeeded");
    assert!(!place.join("state.json").exists());
    // One of a version to come is not misread.
    let newest = walk(&folder, "state-");
    let mut new: Value = serde_json::from_slice(&std::fs::read(&newest).unwrap()).unwrap();
    new["rollout"]["phase"] = json!("teleporting");
    std::fs::write(&newest, new.to_string()).unwrap();
    let run = world.env.run(["rollout", "status", "game"]).expect_code(3);
    assert!(run.stdout.contains("newer liveops"), "{}", run.stdout);
}

/// The file below this folder whose name begins so.
fn walk(folder: &std::path::Path, lead: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().starts_with(lead) {
                return entry.path();
            }
        }
    }
    panic!("no {lead} below {}", folder.display());
}
