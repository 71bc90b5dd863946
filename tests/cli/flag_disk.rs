//! The file store on a disk that is full, in a folder that takes nothing: said, and nothing is lost.

use serde_json::{Value, json};

use crate::flag_write::{change, env, flags};

/// The file is larger than the disk has place for: 8 blocks of 512 bytes.
#[test]
fn where_the_file_cannot_be_written_it_stays_as_it_was() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    let mut all = flags(&env);
    all["large"] = json!({ "enabled": false, "note": "x".repeat(8 * 512) });
    env.write("flags.json", all.to_string());
    std::fs::remove_file(env.state().join("audit.jsonl")).unwrap();
    let before = env.read("flags.json");
    let history = env.read("flags.history.jsonl");
    for verb in [&["set", "shop", "--pct", "50"][..], &["kill", "shop"], &["rm", "shop"]] {
        let args: Vec<&str> = ["flag"].iter().chain(verb).chain(&["--yes"]).copied().collect();
        let (code, stderr) = env.limited(8, &args);
        assert_eq!(code, 3, "{verb:?}: {stderr}");
        for said in ["cannot write", "flags.json", "has space"] {
            assert!(stderr.contains(said), "{said}: {stderr}");
        }
        assert_eq!(env.read("flags.json"), before, "{verb:?}");
        assert_eq!(env.read("flags.history.jsonl"), history, "{verb:?}");
        assert!(!env.path().join("flags.pending").exists(), "{verb:?}");
    }
    let list = env.run(["audit", "list", "-o", "json"]).expect_code(0).json();
    assert_eq!(list["data"]["changes"][0]["state"], "failed");
    // With space again it goes on.
    change(&env, &["flag", "set", "shop", "--pct", "50"]);
    assert_eq!(flags(&env)["shop"]["percentage"], 50);
}

/// The file has place, its history has not: the change took place, and stands in the history all the same.
#[test]
fn where_only_the_history_cannot_grow_nothing_of_it_is_lost() {
    let env = env();
    for pct in 1..40 {
        change(&env, &["flag", "set", "shop", "--pct", &pct.to_string()]);
    }
    assert!(env.read("flags.history.jsonl").len() > 8 * 512);
    std::fs::remove_file(env.state().join("audit.jsonl")).unwrap();
    let (code, stderr) = env.limited(8, &["flag", "set", "shop", "--pct", "90", "--yes"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(flags(&env)["shop"]["percentage"], 90);
    let newest = |env: &crate::support::TestEnv| -> Value {
        let run = env.run(["flag", "history", "shop", "-o", "json"]).expect_code(0);
        run.json()["data"]["revisions"][0]["rev"].clone()
    };
    assert_eq!(newest(&env), 40);
    // The next writer writes both down.
    change(&env, &["flag", "kill", "shop"]);
    assert_eq!(newest(&env), 41);
    let text = env.read("flags.history.jsonl");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 41);
    for pair in lines.windows(2) {
        assert_eq!(pair[0]["after"], pair[1]["before"]);
    }
}

/// `/sys` takes no files, from root neither.
#[test]
fn a_folder_that_takes_nothing_is_named_with_what_to_do() {
    let env = env();
    env.write("liveops.yaml", "version: 1\nenvironments: { dev: { flags: 'file:/sys/flags.json' } }\n");
    env.trust();
    env.run(["flag", "list"]).expect_code(0);
    for verb in [&["set", "shop", "--pct", "50"][..], &["set", "shop", "--disable"]] {
        let run = env.run(["flag"].iter().chain(verb).chain(&["--yes"]));
        let run = run.expect_code(3);
        for said in ["cannot lock /sys/flags.lock", "hint: "] {
            assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
        }
        // In a container it is mounted read-only.
        assert!(["denied", "Read-only"].iter().any(|why| run.stderr.contains(why)), "{}", run.stderr);
    }
    let list = env.run(["audit", "list", "-o", "json"]).expect_code(0).json();
    assert_eq!(list["data"]["changes"][0]["state"], "failed");
}
