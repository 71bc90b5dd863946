//! `liveops audit`: the log after changes, after crashes, and after somebody edited it.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::alertmanager_stub::{AlertmanagerStub, Post, alert};
use crate::support::{TestEnv, until};

fn world() -> AlertmanagerStub {
    AlertmanagerStub::start(json!([alert("ServerDown", "critical", "eu-1")]))
}

fn add(env: &TestEnv, name: &str) -> String {
    let run = env.run(["silence", "add", name, "--for", "1h", "--comment", "x", "--yes", "-o", "json"]);
    run.expect_code(0).json()["data"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_empty_log_is_whole() {
    let env = TestEnv::new();
    for verb in ["list", "verify"] {
        let run = env.run(["audit", verb]).expect_code(0);
        assert!(run.stdout.contains("nothing was changed through liveops yet"), "{}", run.stdout);
    }
    env.run(["audit", "show", "c123"]).expect_code(2);
}

#[test]
fn each_change_is_one_entry() {
    let stub = world();
    let env = stub.env();
    let first = add(&env, "A");
    let second = add(&env, "B");
    let undo = env.run(["undo", &first, "--yes", "-o", "json"]).expect_code(0).json();
    let json = env.run(["audit", "list", "-o", "json"]).expect_code(0).json();
    let changes = json["data"]["changes"].as_array().unwrap();
    let states: Vec<_> = changes.iter().map(|change| change["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "done", "undone"]);
    assert_eq!(changes[0]["undoes"], first);
    assert_eq!(changes[2]["undone_by"], undo["data"]["id"]);
    assert_eq!((&changes[1]["id"], &changes[1]["by"]), (&json!(second), &json!("ada")));
    assert_eq!(changes[1]["command"], "liveops silence add B --for 1h --comment x --yes -o json");
    let csv = env.run(["audit", "list", "-o", "csv", "--limit", "1"]).stdout;
    assert!(csv.starts_with("id,time,by,environment,action,state,undone_by,summary,project\nc"), "{csv}");
    let list = env.run(["audit", "list", "--limit", "1"]).stdout;
    assert!(list.contains("2 more"), "{list}");
    let show = env.run(["audit", "show", &second[..5]]).expect_code(0).stdout;
    assert!(
        show.contains("expire silence 5117ce00-0001") && show.contains(&format!("next: liveops undo {second}")),
        "{show}"
    );
    let wrong = env.run(["audit", "show", "c00"]).expect_code(2);
    assert!(wrong.stderr.contains("does not exist"), "{}", wrong.stderr);
    let later = env.command(["audit", "list", "--since", "24h"]).env("LIVEOPS_NOW", "2026-01-17T00:00:00Z").run();
    assert!(later.stdout.contains("nothing was changed in this time"), "{}", later.stdout);
}

#[test]
fn every_edit_is_found() {
    let stub = world();
    let env = stub.env();
    add(&env, "A");
    add(&env, "B");
    let path = env.state().join("audit.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    env.run(["audit", "verify"]).expect_code(0);
    let edits = [
        ("edited", whole.replacen("ada", "eve", 1), "line 1"),
        ("removed", [&lines[..1], &lines[2..]].concat().join("\n") + "\n", "line 2"),
        ("reordered", [lines[0], lines[2], lines[1], lines[3]].join("\n") + "\n", "line 2"),
        ("cut short", lines[..3].join("\n") + "\n", "line 4"),
        ("emptied", String::new(), "line 1"),
    ];
    for (what, text, part) in edits {
        fs::write(&path, text).unwrap();
        let run = env.run(["audit", "verify"]).expect_code(1);
        assert!(run.stdout.contains(part), "{what}: {}", run.stdout);
        let json = env.run(["audit", "verify", "-o", "json"]).expect_code(1).json();
        assert_eq!(json["verdict"], "fail", "{what}");
        let list = env.run(["audit", "list"]).expect_code(0);
        assert!(list.stderr.contains("not as") && list.stderr.contains("written"), "{what}: {}", list.stderr);
        // The next change does not cover it up.
        add(&env, "C");
        env.run(["audit", "verify"]).expect_code(1);
        fs::write(&path, &whole).unwrap();
        fs::remove_file(env.state().join("audit.jsonl.head")).unwrap();
        add(&env, "D");
        fs::write(&path, &whole).unwrap();
        fs::remove_file(env.state().join("audit.jsonl.head")).unwrap();
        restore_head(&env, &lines);
    }
}

/// Writes the head as it was after the untouched lines.
fn restore_head(env: &TestEnv, lines: &[&str]) {
    let last: serde_json::Value = serde_json::from_str(lines[lines.len() - 1]).unwrap();
    let head = json!({"seq": last["seq"], "hash": last["hash"]});
    fs::write(env.state().join("audit.jsonl.head"), head.to_string()).unwrap();
}

#[test]
fn a_torn_line_is_reported_and_is_no_fault() {
    let stub = world();
    let env = stub.env();
    add(&env, "A");
    let path = env.state().join("audit.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"seq\":3,\"at")).unwrap();
    let run = env.run(["audit", "verify", "-o", "json"]).expect_code(0);
    assert_eq!(run.json()["verdict"], "warn");
    assert_eq!(run.json()["data"]["torn"], "{\"seq\":3,\"at");
    add(&env, "B");
    env.run(["audit", "verify"]).expect_code(0);
    assert_eq!(env.run(["audit", "list", "-o", "json"]).json()["data"]["changes"].as_array().unwrap().len(), 2);
}

#[test]
fn a_change_that_was_killed_is_unfinished_and_can_be_undone_if_it_happened() {
    for (post, happened) in [(Post::KeptAndHeld, true), (Post::LostAndHeld, false)] {
        let stub = world();
        stub.posts(&[post]);
        let env = stub.env();
        let mut command = env.bare(["silence", "add", "A", "--for", "1h", "--comment", "x", "--yes"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        until("the post", Duration::from_secs(10), || (stub.changes() > 0).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        let verify = env.run(["audit", "verify", "-o", "json"]).expect_code(0).json();
        assert_eq!(verify["data"]["unfinished"].as_array().unwrap().len(), 1);
        let list = env.run(["audit", "list"]).expect_code(0);
        assert!(list.stdout.contains("unfinished: begun, and its end was never written"), "{}", list.stdout);
        let undo = env.run(["undo", "--yes"]);
        if happened {
            assert_eq!(undo.code, 0, "{}", undo.stderr);
            assert_eq!(stub.live().len(), 0);
            assert_eq!(stub.silences().len(), 1);
        } else {
            assert_eq!(undo.code, 4, "{}", undo.stderr);
            assert!(undo.stderr.contains("it did not happen"), "{}", undo.stderr);
        }
    }
}

#[test]
fn writers_at_once_do_not_lose_or_break_anything() {
    let stub = world();
    let env = stub.env();
    thread::scope(|scope| {
        for name in ["A", "B", "C", "D"] {
            let env = &env;
            scope.spawn(move || {
                for _ in 0..3 {
                    add(env, name);
                }
            });
        }
    });
    let json = env.run(["audit", "verify", "-o", "json"]).expect_code(0).json();
    assert_eq!((&json["data"]["changes"], &json["data"]["events"]), (&json!(12), &json!(24)));
    assert_eq!(stub.live().len(), 12);
}
