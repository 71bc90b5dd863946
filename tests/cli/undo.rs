//! `liveops undo`: the last change, a certain one, an undo of an undo, and what somebody else has changed since.

use serde_json::{Value, json};

use crate::alertmanager_stub::{AlertmanagerStub, alert};
use crate::support::TestEnv;

fn world() -> AlertmanagerStub {
    AlertmanagerStub::start(json!([alert("ServerDown", "critical", "eu-1")]))
}

fn change(env: &TestEnv, args: &[&str]) -> Value {
    let run = env.run(args.iter().chain(&["--yes", "-o", "json"]));
    run.expect_code(0).json()["data"].clone()
}

fn add(env: &TestEnv) -> Value {
    change(env, &["silence", "add", "ServerDown", "--for", "1h", "--comment", "x"])
}

fn id(data: &Value) -> &str {
    data["id"].as_str().unwrap()
}

#[test]
fn nothing_to_undo_is_said() {
    let stub = world();
    let run = stub.env().run(["undo"]).expect_code(4);
    assert!(run.stderr.contains("there is nothing to undo in `default`"), "{}", run.stderr);
    let list = stub.env().run(["undo", "--list"]).expect_code(0);
    assert!(list.stdout.contains("nothing to undo"), "{}", list.stdout);
    stub.env().run(["undo", "c1234"]).expect_code(2);
}

#[test]
fn an_undo_is_previewed_confirmed_and_itself_undoable() {
    let stub = world();
    let env = stub.env();
    let added = add(&env);
    let refused = env.run(["undo"]).expect_code(4);
    assert!(refused.stderr.contains("silence {alertname=\"ServerDown\"} for 1h"), "{}", refused.stderr);
    env.run(["undo", "--dry-run"]).expect_code(0);
    assert_eq!(stub.live().len(), 1);
    let undone = change(&env, &["undo"]);
    assert_eq!(stub.live().len(), 0);
    let again = env.run(["undo", id(&added), "--yes"]).expect_code(4);
    assert!(again.stderr.contains("has been undone already"), "{}", again.stderr);
    assert!(again.stderr.contains(&format!("liveops undo {}", id(&undone))), "{}", again.stderr);
    // Without an id an undo is not undone, with one it is.
    env.run(["undo", "--yes"]).expect_code(4);
    let redone = change(&env, &["undo", id(&undone)]);
    let live = stub.live();
    assert_eq!(live.len(), 1);
    assert_eq!((&live[0]["endsAt"], &live[0]["comment"]), (&json!("2026-01-15T11:30:00.000000000Z"), &json!("x")));
    // What was done again is a change like any other.
    let last = change(&env, &["undo"]);
    assert_eq!(last["result"]["undoes"], redone["id"]);
    assert_eq!(stub.live().len(), 0);
    env.run(["audit", "verify"]).expect_code(0);
}

#[test]
fn an_extension_is_set_back_and_forth() {
    let stub = world();
    stub.add("5117ce00", "ServerDown", "active", "2026-01-15T11:30:00.000Z");
    let env = stub.env();
    change(&env, &["silence", "extend", "5117ce00", "--by", "1h"]);
    let undone = change(&env, &["undo"]);
    assert_eq!(stub.live()[0]["endsAt"], "2026-01-15T11:30:00.000000000Z");
    change(&env, &["undo", id(&undone)]);
    assert_eq!(stub.live()[0]["endsAt"], "2026-01-15T12:30:00.000000000Z");
}

#[test]
fn an_expired_silence_comes_back_for_the_rest_of_its_time() {
    let stub = world();
    stub.add("5117ce00", "ServerDown", "active", "2026-01-15T11:30:00.000Z");
    let env = stub.env();
    change(&env, &["silence", "expire", "5117ce00"]);
    let late = env.command(["undo", "--yes"]).env("LIVEOPS_NOW", "2026-01-15T12:00:00Z").run().expect_code(4);
    assert!(late.stderr.contains("there is nothing left of it"), "{}", late.stderr);
    change(&env, &["undo"]);
    assert_eq!(stub.live()[0]["endsAt"], "2026-01-15T11:30:00.000000000Z");
    assert_eq!(stub.live()[0]["createdBy"], "bob");
}

#[test]
fn what_somebody_else_changed_is_not_overwritten() {
    let stub = world();
    let env = stub.env();
    let added = add(&env);
    let silence = added["result"]["silence"].as_str().unwrap();
    stub.set_end(silence, "2026-01-15T14:00:00.000Z");
    let run = env.run(["undo", "--yes", "-o", "json"]).expect_code(4);
    let error = run.json_error();
    assert_eq!(error["kind"], "conflict");
    let text = error["error"].as_str().unwrap();
    assert!(text.contains("should end at 2026-01-15T11:30:00Z, and it ends at 2026-01-15T14:00:00Z"), "{text}");
    assert_eq!(stub.live().len(), 1);
    change(&env, &["silence", "expire", silence]);
    let run = env.run(["undo", id(&added), "--yes"]).expect_code(4);
    assert!(run.stderr.contains("has expired already"), "{}", run.stderr);
}

#[test]
fn another_environment_or_another_alertmanager_is_not_touched() {
    let stub = world();
    let env = stub.env();
    env.write("liveops.yaml", "version: 1\ndefault_env: staging\nenvironments: { staging: {}, prod: {} }\n");
    let added = add(&env);
    let run = env.run(["undo", id(&added), "-e", "prod", "--yes"]).expect_code(2);
    assert!(run.stderr.contains(&format!("liveops undo {} -e staging", id(&added))), "{}", run.stderr);
    env.run(["undo", "-e", "prod", "--yes"]).expect_code(4);
    let other = world();
    let run = env.run(["undo", "--yes", "--alertmanager", &other.url()]).expect_code(4);
    assert!(run.stderr.contains("there is nothing to undo"), "{}", run.stderr);
    let run = env.run(["undo", id(&added), "--yes", "--alertmanager", &other.url()]).expect_code(2);
    assert!(run.stderr.contains("was made to another alertmanager"), "{}", run.stderr);
    assert_eq!((other.changes(), stub.live().len()), (0, 1));
}

#[test]
fn what_cannot_be_undone_says_why_and_what_to_do_instead() {
    let stub = world();
    let env = stub.env();
    let (first, second) = (add(&env), add(&env));
    // As a change that has no way back writes it.
    let log = env.state().join("audit.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = text.lines().map(|line| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        if event["data"]["id"] == second["id"] {
            event["data"]["undo"] = json!({ "do": "nothing", "why": "a page cannot be called back",
                "instead": "alerts list" });
        }
        event.to_string()
    });
    let lines: Vec<String> = lines.collect();
    std::fs::write(&log, lines.join("\n") + "\n").unwrap();
    let run = env.run(["undo", "--yes", "-o", "json"]).expect_code(4);
    let error = run.json_error();
    let (said, hint) = (error["error"].as_str().unwrap(), error["hint"].as_str().unwrap());
    assert!(said.contains("cannot be undone: a page cannot be called back"), "{said}");
    assert!(hint.starts_with("instead: `liveops alerts list"), "never silently the one before it: {hint}");
    assert!(hint.contains(&format!("liveops undo {}", id(&first))), "{hint}");
    assert_eq!(stub.live().len(), 2);
    let list = env.run(["undo", "--list", "-o", "name"]).expect_code(0);
    assert_eq!(list.stdout.trim(), id(&first));
    let shown = env.run(["audit", "show", id(&second)]).expect_code(0);
    assert!(shown.stdout.contains("cannot be undone: a page"), "{}", shown.stdout);
}

#[test]
fn what_has_ended_by_itself_does_not_hide_the_change_before_it() {
    let stub = world();
    let env = stub.env();
    env.write("flags.json", r#"{"a": {"enabled": true, "percentage": 10, "defaultValue": true}}"#);
    change(&env, &["flag", "set", "a", "--pct", "20"]);
    let added = add(&env);
    change(&env, &["silence", "expire", added["result"]["silence"].as_str().unwrap()]);
    // The end is undone; what it undid stands again, and ends again by somebody else.
    let again = change(&env, &["undo"]);
    change(&env, &["silence", "expire", again["result"]["silence"].as_str().unwrap()]);
    env.run(["undo", added["id"].as_str().unwrap(), "--yes"]).expect_code(4);
    for _ in 0..3 {
        if env.run(["undo", "--yes"]).code != 0 {
            break;
        }
    }
    let flags = std::fs::read_to_string(env.path().join("flags.json")).unwrap();
    assert!(flags.contains("10"), "{flags}");
}
