//! The undo of flag changes: `liveops flag undo`, `liveops undo`, and what somebody else has changed since.

use serde_json::{Value, json};

use crate::flag_write::{change, env, flags};

fn id(data: &Value) -> &str {
    data["id"].as_str().unwrap()
}

fn percentage(env: &crate::support::TestEnv) -> Value {
    flags(env)["shop"]["percentage"].clone()
}

#[test]
fn a_change_is_undone_and_redone_from_the_history() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    let raised = change(&env, &["flag", "set", "shop", "--pct", "25"]);
    let undone = change(&env, &["flag", "undo", "shop"]);
    assert_eq!(percentage(&env), 10);
    assert_eq!(undone["result"]["flags"][0]["rev"], 3, "as a new revision");
    // The audit log knows that the change is undone.
    let shown = env.run(["audit", "show", id(&raised), "-o", "json"]).expect_code(0);
    assert_eq!(shown.json()["data"]["undone_by"], undone["id"]);
    change(&env, &["flag", "undo", "shop"]);
    assert_eq!(percentage(&env), 25, "the undo of an undo");
    change(&env, &["flag", "undo", "shop", "--to-rev", "1"]);
    assert_eq!(percentage(&env), 10);
    let run = env.run(["flag", "undo", "shop", "--to-rev", "9", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("no revision 9"), "{}", run.stderr);
    let run = env.run(["flag", "undo", "nope", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("flag `nope` does not exist"), "{}", run.stderr);
    env.run(["audit", "verify"]).expect_code(0);
}

#[test]
fn liveops_undo_takes_back_any_change_of_flags() {
    let env = env();
    let made = change(&env, &["flag", "set", "shop", "--pct", "10"]);
    change(&env, &["flag", "set", "other", "--pct", "50"]);
    let killed = change(&env, &["flag", "kill", "shop", "other"]);
    let back = change(&env, &["undo"]);
    assert_eq!(back["result"]["undoes"], killed["id"]);
    assert_eq!(back["result"]["readers_by"], "2026-01-15T10:30:30Z");
    let now = flags(&env);
    assert_eq!((&now["shop"]["enabled"], &now["other"]["enabled"]), (&json!(true), &json!(true)));
    change(&env, &["undo", id(&back)]);
    assert_eq!(flags(&env)["shop"]["enabled"], false);
    // What was changed since is not overwritten: its history says by whom.
    let run = env.run(["undo", id(&made), "--yes"]).expect_code(4);
    assert!(
        run.stderr.contains("flag `shop` was changed since, by ada at 2026-01-15T10:30:00Z: enabled true to false"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("--to-rev N"), "{}", run.stderr);
}

#[test]
fn the_undo_of_a_creation_removes_and_that_of_a_removal_brings_back() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    change(&env, &["undo"]);
    assert_eq!(flags(&env), json!({}));
    change(&env, &["flag", "undo", "shop"]);
    assert_eq!(percentage(&env), 10);
    change(&env, &["flag", "rm", "shop"]);
    assert_eq!(flags(&env), json!({}));
    let back = change(&env, &["undo"]);
    assert_eq!(percentage(&env), 10);
    change(&env, &["undo", id(&back)]);
    assert_eq!(flags(&env), json!({}));
}

#[test]
fn what_was_changed_outside_is_not_overwritten() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    let text = env.read("flags.json").replace("\"percentage\":10", "\"percentage\":90");
    env.write("flags.json", text);
    for args in [vec!["undo", "--yes"], vec!["flag", "undo", "shop", "--yes"]] {
        let run = env.run(&args).expect_code(4);
        assert!(run.stderr.contains("was changed since, outside liveops: percentage 10 to 90"), "{}", run.stderr);
    }
    assert_eq!(percentage(&env), 90);
}

#[test]
fn what_a_file_cannot_hold_is_not_brought_back() {
    let env = env();
    env.write("flags.json", "{\"shop\":[1, 2]}\n");
    change(&env, &["flag", "kill", "shop"]);
    let run = env.run(["flag", "undo", "shop", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("cannot stand in a JSON file"), "{}", run.stderr);
    assert_eq!(flags(&env)["shop"]["enabled"], false);
}

#[test]
fn a_change_that_was_cut_short_is_looked_for_in_the_history() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    change(&env, &["flag", "set", "shop", "--pct", "25"]);
    // As a kill -9 leaves it: the beginning is written, and the end is not.
    let log = env.state().join("audit.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&log, lines[..3].join("\n") + "\n").unwrap();
    let run = env.run(["undo", "--yes"]).expect_code(0);
    assert!(run.stdout.contains("percentage 25 to 10"), "{}", run.stdout);
    assert_eq!(percentage(&env), 10);

    // Here the change itself never came: the one before it is looked at, and says so.
    let begun = lines[2].replace("\"id\":\"c", "\"id\":\"d");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, format!("{text}{begun}\n")).unwrap();
    let run = env.run(["undo", "--yes"]);
    assert!(run.stderr.contains("it did not happen"), "{}", run.stderr);
}

#[test]
fn undo_again_and_again_takes_one_change_after_the_other_back() {
    let env = env();
    for pct in ["10", "20", "30"] {
        change(&env, &["flag", "set", "shop", "--pct", pct]);
    }
    change(&env, &["flag", "kill", "shop"]);
    for want in [json!(30), json!(20), json!(10), Value::Null] {
        env.run(["undo", "--yes"]).expect_code(0);
        assert_eq!(percentage(&env), want);
    }
}
