//! The writing verbs of `liveops flag` and their undo on a real Redis.

use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::process::{Program, Server};

const FOREIGN: &str =
    r#"{ "enabled": true, "percentage": 10, "allowlist": [], "big": 1234567890123456789012, "defaultValue": true }"#;

fn start() -> (Server, TestEnv) {
    let server = Server::start(
        Program {
            binary: "redis-server",
            package: "redis-server",
            args: |port, folder: &Path| {
                let (port, folder) = (port.to_string(), folder.display().to_string());
                ["--port", &port, "--bind", "127.0.0.1", "--dir", &folder, "--save", ""].map(ToOwned::to_owned).into()
            },
            ready: |port| cli(port, &["PING"]).trim() == "PONG",
        },
        |_| {},
    );
    let url = format!("redis://127.0.0.1:{}/0", server.port());
    let env = TestEnv::new().var("LIVEOPS_REDIS", &url).var("LIVEOPS_ACTOR", "ada");
    (server, env)
}

#[allow(clippy::disallowed_methods, reason = "a test asks the server that it has started")]
fn cli(port: u16, args: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(args)
        .output()
        .expect("`redis-cli` of the Debian package `redis-tools` runs");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn put(server: &Server, name: &str, raw: &str) {
    cli(server.port(), &["HSET", "feature_flags", name, raw]);
}

fn raw(server: &Server, name: &str) -> String {
    cli(server.port(), &["HGET", "feature_flags", name])
}

fn flag(server: &Server, name: &str) -> Value {
    serde_json::from_str(&raw(server, name)).unwrap()
}

fn change(env: &TestEnv, args: &[&str]) -> Value {
    let run = env.run(args.iter().chain(&["--yes", "-o", "json"]));
    run.expect_code(0).json()["data"].clone()
}

#[test]
fn every_verb_writes_one_revision_that_undo_takes_back() {
    let (server, env) = start();
    put(&server, "shop", FOREIGN);
    let set = change(&env, &["flag", "set", "shop", "--pct", "25", "--reason", "second step"]);
    assert_eq!(
        raw(&server, "shop"),
        r#"{ "enabled": true, "percentage": 25, "allowlist": [], "big": 1234567890123456789012, "defaultValue": true, "_liveops": {"rev":1} }"#,
        "everything else to the byte"
    );
    // The history knows who, why, what was typed, and the id of the audit log.
    let history = cli(server.port(), &["XREVRANGE", "{feature_flags}:history", "+", "-"]);
    for known in [set["id"].as_str().unwrap(), "ada", "second step", "liveops flag set shop", FOREIGN] {
        assert!(history.contains(known), "{known}: {history}");
    }
    change(&env, &["flag", "allow", "shop", "add", "日本"]);
    change(&env, &["flag", "kill", "shop"]);
    assert_eq!(flag(&server, "shop")["enabled"], false);
    change(&env, &["undo"]);
    change(&env, &["flag", "rm", "shop"]);
    assert_eq!(raw(&server, "shop"), "");
    change(&env, &["flag", "undo", "shop"]);
    let now = flag(&server, "shop");
    assert_eq!((&now["enabled"], &now["percentage"], &now["allowlist"]), (&json!(true), &json!(25), &json!(["日本"])));
    let length = cli(server.port(), &["XLEN", "{feature_flags}:history"]);
    assert_eq!(length, "6", "one entry a change");
    env.run(["audit", "verify"]).expect_code(0);
}

#[test]
fn what_is_no_json_can_be_killed_and_brought_back() {
    let (server, env) = start();
    put(&server, "shop", "{\"enabled\": tru");
    let run = env.run(["flag", "set", "shop", "--pct", "1", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("liveops flag kill shop"), "{}", run.stderr);
    change(&env, &["flag", "kill", "shop"]);
    assert_eq!(flag(&server, "shop")["enabled"], false);
    let run = env.run(["flag", "undo", "shop", "--yes"]).expect_code(0);
    assert!(run.stderr.contains("readers fail on it"), "{}", run.stderr);
    assert_eq!(raw(&server, "shop"), "{\"enabled\": tru");
}

#[test]
fn a_rival_between_look_and_write_is_not_overwritten() {
    let (server, env) = start();
    put(&server, "shop", FOREIGN);
    let mut pty = env.pty(["flag", "set", "shop", "--pct", "25"]);
    pty.expect("go on in");
    put(&server, "shop", &FOREIGN.replace("10", "50"));
    pty.send_line("y");
    pty.expect("outside liveops");
    pty.expect("percentage 10 to 50");
    assert_eq!(pty.wait().0, 4);
    assert_eq!(flag(&server, "shop")["percentage"], 50);
    assert_eq!(cli(server.port(), &["XLEN", "{feature_flags}:history"]), "0");
}

#[test]
fn of_many_at_once_none_is_lost() {
    let (server, env) = start();
    put(&server, "shop", FOREIGN);
    thread::scope(|scope| {
        for writer in 0..6 {
            let env = &env;
            scope.spawn(move || {
                for n in 0..4 {
                    let id = format!("u{writer}_{n}");
                    env.run(["flag", "allow", "shop", "add", &id, "--yes"]).expect_code(0);
                }
            });
        }
    });
    let now = flag(&server, "shop");
    assert_eq!(now["allowlist"].as_array().unwrap().len(), 24);
    assert_eq!(now["_liveops"]["rev"], 24);
    env.run(["audit", "verify"]).expect_code(0);
}
