//! Silences and their undo against a real Alertmanager.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Alertmanager, TestEnv, alertmanager, http};

fn start() -> (Alertmanager, TestEnv) {
    let alertmanager = Alertmanager::start(alertmanager::CONFIG);
    alertmanager.post_alerts(&json!([
        {"labels": {"alertname": "ServerDown", "severity": "critical", "instance": "eu-1"}},
        {"labels": {"alertname": "ServerDown", "severity": "critical", "instance": "us-1"}},
    ]));
    let env = TestEnv::new().var("LIVEOPS_ALERTMANAGER", &alertmanager.url()).var("LIVEOPS_ACTOR", "ada");
    (alertmanager, env)
}

fn change(env: &TestEnv, args: &[&str]) -> Value {
    let run = env.run(args.iter().chain(&["--yes", "-o", "json"]));
    run.expect_code(0).json()["data"].clone()
}

fn silence(alertmanager: &Alertmanager, id: &Value) -> Value {
    let found = alertmanager.silences().into_iter().find(|silence| silence["id"] == *id);
    found.unwrap_or_else(|| panic!("no silence {id}"))
}

fn end(silence: &Value) -> DateTime<Utc> {
    silence["endsAt"].as_str().unwrap().parse().unwrap()
}

fn wait(alertmanager: &Alertmanager, instance: &str, state: &str) {
    alertmanager.wait_alert(&format!("{instance} {state}"), |alert| {
        alert["labels"]["instance"] == instance && alert["status"]["state"] == state
    });
}

#[test]
fn a_silence_is_added_extended_expired_and_each_is_undone() {
    let (alertmanager, env) = start();
    let line = ["silence", "add", "ServerDown", "instance=~\"eu-.*\"", "--for", "1h", "--comment", "it's known"];
    let added = change(&env, &line);
    assert_eq!(added["result"]["hides"]["count"], 1);
    let id = added["result"]["silence"].clone();
    wait(&alertmanager, "eu-1", "suppressed");
    wait(&alertmanager, "us-1", "active");
    let list = env.run(["silence", "list", "-o", "json"]).json();
    assert_eq!(list["data"]["silences"][0]["holds"], 1);

    // Extended from its present end, under its own id.
    let first = end(&silence(&alertmanager, &id));
    let short = &id.as_str().unwrap()[..8];
    let extended = change(&env, &["silence", "extend", short, "--by", "30m"]);
    assert_eq!(extended["result"]["silence"], id);
    assert_eq!(end(&silence(&alertmanager, &id)), first + TimeDelta::minutes(30));
    let undone = change(&env, &["undo"]);
    assert_eq!(end(&silence(&alertmanager, &id)), first);
    change(&env, &["undo", undone["id"].as_str().unwrap()]);
    assert_eq!(end(&silence(&alertmanager, &id)), first + TimeDelta::minutes(30));
    change(&env, &["undo"]);

    // Expired, and back again for the rest of its time, under a new id.
    change(&env, &["silence", "expire", short]);
    wait(&alertmanager, "eu-1", "active");
    change(&env, &["silence", "expire", short]);
    let back = change(&env, &["undo"]);
    let new = back["result"]["silence"].clone();
    assert_ne!(new, id);
    assert_eq!(end(&silence(&alertmanager, &new)), first);
    assert_eq!(silence(&alertmanager, &new)["comment"], "it's known");
    wait(&alertmanager, "eu-1", "suppressed");

    // The undo of that undo ends the new one.
    change(&env, &["undo", back["id"].as_str().unwrap()]);
    wait(&alertmanager, "eu-1", "active");
    env.run(["audit", "verify"]).expect_code(0);
}

#[test]
fn what_somebody_changed_in_alertmanager_is_not_overwritten() {
    let (alertmanager, env) = start();
    let added = change(&env, &["silence", "add", "ServerDown", "--for", "1h", "--comment", "x"]);
    let mut theirs = silence(&alertmanager, &added["result"]["silence"]);
    theirs["endsAt"] = json!((end(&theirs) + TimeDelta::hours(1)).to_rfc3339());
    let answer = http::post_json(alertmanager.server.port(), "/api/v2/silences", &theirs).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let run = env.run(["undo", "--yes"]).expect_code(4);
    assert!(run.stderr.contains("was changed since"), "{}", run.stderr);
    wait(&alertmanager, "eu-1", "suppressed");
    // Somebody ends it with their own tool: there is nothing left to undo.
    env.run(["silence", "expire", added["result"]["silence"].as_str().unwrap(), "--yes"]).expect_code(0);
    let run = env.run(["undo", added["id"].as_str().unwrap(), "--yes"]).expect_code(4);
    assert!(run.stderr.contains("has expired already"), "{}", run.stderr);
}

#[test]
fn alertmanager_accepts_every_kind_of_matcher_that_liveops_does() {
    let (alertmanager, env) = start();
    let line = [
        "silence",
        "add",
        "ServerDown",
        "instance!=us-1",
        "severity=~crit.*",
        "job!~\"a|b\"",
        "--for",
        "10m",
        "--comment",
        "x",
    ];
    let added = change(&env, &line);
    assert_eq!(added["result"]["hides"]["count"], 1, "liveops and Alertmanager agree on what it matches");
    wait(&alertmanager, "eu-1", "suppressed");
    wait(&alertmanager, "us-1", "active");
    let filtered = env.run(["alerts", "instance!=us-1", "severity=~crit.*", "-o", "name"]);
    assert_eq!(filtered.stdout, "ServerDown\n");
}
