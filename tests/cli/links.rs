//! A project that somebody else wrote: links, pipes and names in it lead no command to a file of the user's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::support::TestEnv;

const OURS: &str = "export PATH=/usr/bin\nalias ll='ls -l'\n";

const FLAGS: &str = r#"{"a": {"enabled": true, "percentage": 10, "defaultValue": true}}"#;

/// A project with one incident, and a file of the user's beside it.
fn world() -> (TestEnv, String) {
    let env = TestEnv::new();
    env.write("liveops.yaml", "environments: { prod: {} }\n");
    env.write("flags.json", FLAGS);
    fs::write(env.root().join("home/.bashrc"), OURS).unwrap();
    env.run(["incident", "open", "--sev", "p3", "--title", "x"]).expect_code(0);
    let incidents = fs::read_dir(env.path().join("incidents")).unwrap().map(|entry| entry.unwrap().file_name());
    let id = incidents.map(|name| name.into_string().unwrap()).find(|name| name.starts_with('2')).unwrap();
    (env, id)
}

fn link(target: &Path, at: &Path) {
    let _ = fs::remove_file(at);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    symlink(target, at).unwrap();
}

fn hook() -> String {
    json!({ "version": "4", "groupKey": "g", "status": "firing", "alerts": [ { "status": "firing",
        "labels": { "alertname": "A", "severity": "warning" }, "annotations": {}, "startsAt": "2026-01-15T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "f" } ] })
    .to_string()
}

const SET: [&str; 6] = ["flag", "set", "a", "--pct", "20", "--yes"];

/// The name of the link, where ID is the incident's, and the command that opens it.
const LINKS: [(&str, &[&str]); 10] = [
    ("incidents/opening.lock", &["incident", "receive"]),
    ("incidents/ID/journal.jsonl", &["incident", "note", "n"]),
    ("incidents/ID/journal.jsonl.lock", &["incident", "note", "n"]),
    ("incidents/ID/journal.jsonl.head", &["incident", "note", "n"]),
    ("incidents/ID/postmortem.md", &["postmortem", "new", "--force"]),
    ("flags.pending", &SET),
    ("flags.history.jsonl", &SET),
    ("flags.lock", &SET),
    ("changes/deployments.jsonl", &["changes", "record", "--kind", "deploy", "--version", "1"]),
    ("docs/runbooks/service-degradation.md", &["runbook", "new", "service-degradation", "--yes"]),
];

#[test]
fn no_command_writes_through_a_link() {
    for (name, args) in LINKS {
        for there in [true, false] {
            let (env, id) = world();
            let target = env.root().join("home").join(if there { ".bashrc" } else { ".new" });
            link(&target, &env.path().join(name.replace("ID", &id)));
            env.command(args).stdin(hook()).run();
            assert_eq!(fs::read_to_string(env.root().join("home/.bashrc")).unwrap(), OURS, "{name}");
            assert!(there || !target.exists(), "{name}: made a file outside");
        }
    }
}

#[test]
fn flags_behind_a_link_are_kept_where_they_are_and_outside_only_with_trust() {
    let (env, _) = world();
    let target = env.write("real/flags.json", FLAGS);
    link(&target, &env.path().join("flags.json"));
    env.run(SET).expect_code(0);
    assert!(env.path().join("flags.json").is_symlink() && fs::read_to_string(&target).unwrap().contains("20"));
    let outside = env.root().join("home/docker.json");
    fs::write(&outside, FLAGS).unwrap();
    link(&outside, &env.path().join("flags.json"));
    let run = env.run(SET).expect_code(3);
    assert!(run.stderr.contains("outside of the project"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&outside).unwrap(), FLAGS);
    env.trust();
    env.run(SET).expect_code(0);
}

#[test]
fn a_file_that_is_no_journal_is_not_repaired() {
    let (env, _) = world();
    let text = "ssh-ed25519 AAAA one line, and no newline";
    let file = env.write("notes", text);
    env.write("liveops.yaml", "changes: { journal: notes }\n");
    let run = env.run(["changes", "record", "--kind", "deploy", "--version", "1"]).expect_code(3);
    assert!(run.stderr.contains("it is no journal"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(file).unwrap(), text);
}

#[test]
fn pipes_and_devices_hold_no_command() {
    for name in ["flags.json", "flags.pending", "flags.history.jsonl", "flags.lock", "changes/deployments.jsonl"] {
        for device in [true, false] {
            let (env, _) = world();
            let at = env.path().join(name);
            let _ = fs::remove_file(&at);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            if device {
                symlink("/dev/zero", &at).unwrap();
            } else {
                let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
                rustix::fs::mkfifoat(rustix::fs::CWD, &at, mode).unwrap();
            }
            // None of them hangs, whatever it makes of it.
            for args in [&SET[..], &["flag", "list"], &["flag", "history", "a"], &["changes"]] {
                env.run(args);
            }
        }
    }
}

#[test]
fn names_of_environments_lead_nowhere() {
    for name in ["x/../../../home/evil", "..", "a b", "-x", "a\\u001b[31m"] {
        let env = TestEnv::new();
        env.write("liveops.yaml", format!("environments: {{ \"{name}\": {{}} }}\n"));
        let run = env.run(["status"]).expect_code(2);
        assert!(run.stderr.contains("a name has letters"), "{name}: {}", run.stderr);
        assert!(!run.stderr.contains('\x1b'));
    }
    let env = TestEnv::new();
    env.run(["-e", "x/../../../home/evil", "status"]).expect_code(2);
}
