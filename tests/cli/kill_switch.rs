//! A kill switch needs the switch alone: nothing that only takes notes, and no mistake elsewhere, stands before it.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Stub, TestEnv};

/// Long enough for a slow machine, and shorter than one wait for another writer.
const AT_ONCE: Duration = Duration::from_millis(4_500);

fn alertmanager() -> Stub {
    let silence = json!({
        "id": "s-1", "status": {"state": "active"}, "createdBy": "ada", "comment": "c",
        "matchers": [{"name": "a", "value": "b", "isRegex": false, "isEqual": true}],
        "startsAt": "2026-01-15T10:00:00Z", "endsAt": "2026-01-15T12:00:00Z", "updatedAt": "2026-01-15T10:00:00Z",
    });
    Stub::new()
        .on("GET", "/api/v2/silences", Answer::json(json!([silence.clone()])))
        .on("GET", "/api/v2/silence/s-1", Answer::json(silence))
        .on("DELETE", "/api/v2/silence/s-1", Answer::json(json!({})))
}

/// What stands in the way, and what has to be held meanwhile.
type Obstacle = fn(&TestEnv) -> Option<File>;

fn beside_audit(env: &TestEnv, name: &str) -> std::path::PathBuf {
    fs::create_dir_all(env.state()).unwrap();
    env.state().join(name)
}

fn held(path: &std::path::Path) -> Option<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path).unwrap();
    file.lock().unwrap();
    Some(file)
}

const OBSTACLES: [(&str, Obstacle); 7] = [
    ("the audit log is a folder", |env| fs::create_dir_all(beside_audit(env, "audit.jsonl")).ok().and(None)),
    ("the audit log is one long line", |env| {
        fs::write(beside_audit(env, "audit.jsonl"), "x".repeat(20 << 20)).ok().and(None)
    }),
    ("the audit log is locked", |env| held(&beside_audit(env, "audit.jsonl.lock"))),
    ("the journal of an open incident is locked", |env| {
        env.run(["incident", "open", "--sev", "p3", "--title", "x"]).expect_code(0);
        held(&env.path().join("incidents/2026-01-15-p3-x/journal.jsonl.lock"))
    }),
    ("the incidents are a file", |env| fs::write(env.path().join("incidents"), "x").ok().and(None)),
    ("an objective is wrong", |env| {
        let text = env.read("liveops.yaml");
        env.write("liveops.yaml", format!("{text}slos: [ {{ nam: x }} ]\nkpis: [ {{ gauge: }} ]\n"));
        None
    }),
    ("the incidents lie where nobody trusts the project", |env| {
        let text = env.read("liveops.yaml");
        env.write("liveops.yaml", format!("{text}incidents: {{ folder: ../elsewhere }}\n"));
        None
    }),
];

#[test]
fn nothing_that_only_takes_notes_and_no_mistake_elsewhere_stands_before_it() {
    for (what, obstacle) in OBSTACLES {
        let stub = alertmanager();
        let env = TestEnv::new().now("2026-01-15T10:30:00Z").var("LIVEOPS_ACTOR", "ada");
        env.write(
            "liveops.yaml",
            format!(
                "version: 1\nenvironments: {{ prod: {{ protected: true, alertmanager: '{}', flags: {{ url: 'file:flags.json' }} }} }}\n",
                stub.url()
            ),
        );
        env.write("flags.json", r#"{"a":{"enabled":true,"percentage":10,"defaultValue":true}}"#);
        let _held = obstacle(&env);
        for args in [&["flag", "kill", "a", "--yes"][..], &["silence", "expire", "s-1", "--yes"]] {
            let began = Instant::now();
            let run = env.run(args);
            assert!(run.code == 0 || run.code == 5, "{what}: {args:?}: {} {}", run.code, run.stderr);
            assert!(began.elapsed() < AT_ONCE, "{what}: {args:?}: {:?}", began.elapsed());
        }
        let flags: Value = serde_json::from_str(&env.read("flags.json")).unwrap();
        assert_eq!(flags["a"]["enabled"], false, "{what}");
        let expired = stub.requests().iter().any(|request| request.method == "DELETE");
        assert!(expired, "{what}");
    }
}

#[test]
fn what_it_passes_over_is_said_and_others_are_refused() {
    let env = TestEnv::new();
    let config = "version: 1\nenvironments: { prod: { flags: { url: 'file:flags.json' } } }\nslos: [ { nam: x } ]\n";
    env.write("liveops.yaml", config);
    env.write("flags.json", r#"{"a":{"enabled":true,"percentage":10,"defaultValue":true}}"#);
    env.run(["flag", "set", "a", "--pct", "5", "--yes"]).expect_code(2);
    let run = env.run(["flag", "kill", "a", "--yes"]).expect_code(0);
    assert!(
        run.stderr.contains("an error that this does without: ") && run.stderr.contains("slos[0]"),
        "{}",
        run.stderr
    );
    // Where the switch itself may be meant by the mistake, nothing is guessed.
    env.write("liveops.yaml", config.replace("url:", "ur:"));
    env.run(["flag", "kill", "a", "--yes"]).expect_code(2);
}

/// A file that cannot be read is the mistake of a second; the switch is thrown by what it was before, or by what is typed.
#[test]
fn a_file_that_is_no_yaml_does_not_stand_before_it() {
    let env = TestEnv::new();
    let config = "version: 1\nenvironments: { prod: { protected: true, flags: { url: 'file:flags.json' } } }\n";
    env.write("flags.json", r#"{"a":{"enabled":true},"b":{"enabled":true}}"#);
    env.write("liveops.yaml", format!("{config}kpis: [\n"));
    let enabled = |name: &str| {
        let flags: Value = serde_json::from_str(&env.read("flags.json")).unwrap();
        flags[name]["enabled"].clone()
    };
    // Nobody has seen it right: the line that does it by hand.
    let run = env.run(["flag", "kill", "a", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("without the file: liveops flag kill a --yes --redis URL"), "{}", run.stderr);
    let run = env.run(["flag", "kill", "a", "--yes", "--redis", "file:flags.json"]).expect_code(0);
    assert!(run.stderr.contains("the file is left out, since the address is typed"), "{}", run.stderr);
    assert_eq!((enabled("a"), enabled("b")), (json!(false), json!(true)));
    // Seen right once, it serves as it was.
    env.write("liveops.yaml", config);
    env.run(["flag", "list"]).expect_code(0);
    env.write("liveops.yaml", format!("{config}kpis: [\n"));
    let run = env.run(["flag", "kill", "b", "--yes"]).expect_code(0);
    assert!(run.stderr.contains("the file serves as it was when it last had no error"), "{}", run.stderr);
    assert_eq!(enabled("b"), false);
    env.run(["flag", "enable", "b", "--yes", "--confirm", "prod", "--reason", "x"]).expect_code(2);
}
