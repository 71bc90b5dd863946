//! What a person sees when things are broken, hostile or moving: damaged files, escapes, `flag watch`, `status`.

use super::*;

#[test]
fn a_damaged_file_and_a_dead_redis_are_not_an_empty_list() {
    let env = world();
    env.write("flags.json", "{\"a\": ");
    let run = env.run(["flag", "list"]).expect_code(3);
    assert!(run.stderr.contains("is damaged"), "{}", run.stderr);
    for args in [
        &["flag", "list"][..],
        &["flag", "get", "a"],
        &["flag", "explain", "u"],
        &["flag", "history", "a"],
        &["flag", "watch"],
        &["flag", "lint"],
    ] {
        let redis = ["--redis", "redis://127.0.0.1:1", "--timeout", "2s"];
        let run = env.run(args.iter().chain(&redis)).expect_code(3);
        assert!(run.stderr.contains("127.0.0.1:1") && run.stderr.contains("hint: "), "{args:?} {}", run.stderr);
        assert_eq!(run.stdout, "", "{args:?}");
    }
}

#[test]
fn names_and_values_reach_no_terminal_as_commands() {
    let env = world();
    let evil = "x\u{1b}]0;owned\u{7}\u{202e}";
    let flag = json!({"enabled": true, "percentage": 5, evil: evil, "defaultValue": true, "allowlist": [evil]});
    let flags = json!({ evil: flag, "tame": flag });
    env.write("flags.json", flags.to_string());
    env.write("users.txt", format!("{evil}\n"));
    env.write("flags.history.jsonl", revision(evil, 1, "2026-01-15T10:20:00Z", evil, evil, evil, (None, "{}")));
    for format in ["table", "json", "yaml", "csv", "name"] {
        for args in [
            &["flag", "list"][..],
            &["flag", "lint"],
            &["flag", "stale"],
            &["flag", "explain", "u1"],
            &["flag", "get", "tame"],
            &["status"],
        ] {
            let run = env.run(args.iter().copied().chain(["-o", format]));
            for text in [&run.stdout, &run.stderr] {
                assert!(!text.contains(['\u{1b}', '\u{7}']), "{args:?} {format}\n{text:?}");
                assert!(format == "yaml" || !text.contains('\u{202e}'), "{args:?} {format}\n{text:?}");
            }
        }
    }
}

#[test]
fn watch_tells_changes_as_they_happen_and_ends_cleanly() {
    let env = world();
    let mut pty = env.pty(["flag", "watch", "--interval", "100ms"]);
    pty.expect("watching all flags in staging");
    env.write("flags.json", FLAGS.replace("\"percentage\":10,", "\"percentage\":40,"));
    pty.expect("new_matchmaking").expect("past liveops").expect("percentage 10 to 40").expect("on now: 40 %");
    pty.interrupt();
    assert_eq!(pty.wait().0, 130);
    let run = env.run(["flag", "watch", "-o", "csv"]).expect_code(2);
    assert!(run.stderr.contains("a stream has no `csv`"), "{}", run.stderr);
}

#[test]
fn status_has_a_line_for_flags_and_their_changes() {
    let env = world();
    let run = env.run(["status"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
    code: 0
    --- stdout
    ▲ WARNING  starfall · staging  10:30:00Z in [S]
      1 flag that services cannot read

    Changed in the last hour
      · 2026-01-15T10:18:00Z  sam  flag `ranked_queue`: enabled true to false  queue p95 doubled

    Flags   ▲ 6, 1 killed, 1 changed in the last hour, 2 with errors
      ▲ odd  E01 readers cannot take it: it is an array, where an object `{…}` is meant
      · battle_pass  E06 it is enabled, and on for nobody: `defaultValue` is false, and no rule or reac…
    Sources ● flags [MS]
    next: liveops flag lint odd
    --- stderr
    "#);
    let json = env.run(["status", "-o", "json"]).json();
    let flags = &json["data"]["flags"];
    assert_eq!(
        (&flags["count"], &flags["off"], &flags["killed"], &flags["changed"]),
        (&json!(6), &json!(1), &json!(1), &json!(1))
    );
    let codes: Vec<&Value> = flags["errors"].as_array().unwrap().iter().map(|error| &error["code"]).collect();
    assert_eq!(codes, ["E01", "E06"]);
    // One that is on for nobody is no trouble of the service.
    env.write("flags.json", r#"{"a":{"enabled":true,"percentage":10,"defaultValue":false}}"#);
    let run = env.run(["status"]);
    assert!(run.stdout.contains("flag new_matchmaking gone, 3 more flags gone"), "{}", run.stdout);
    assert!(run.stdout.contains("· a  E06"), "{}", run.stdout);
    let change = &json["data"]["changes"][0];
    assert_eq!(
        (&change["by"], &change["reason"], &change["at"]),
        (&json!("sam"), &json!("queue p95 doubled"), &json!("2026-01-15T10:18:00Z"))
    );
    // Without flags nothing is said of them.
    let none = TestEnv::new().now(NOW);
    none.write("liveops.yaml", "version: 1\nenvironments: { staging: { prometheus: http://127.0.0.1:1 } }\n");
    let json = none.run(["status", "-o", "json"]).json();
    assert_eq!(json["data"]["flags"], Value::Null);
    assert!(json["sources"].as_array().unwrap().iter().all(|source| source["name"] != "flags"));
    // A store that does not answer is unknown, and the rest is still there.
    let run = env.run(["status", "--redis", "redis://127.0.0.1:1"]).expect_code(3);
    for shown in ["UNKNOWN", "flags not answering", "Flags   ? unknown"] {
        assert!(run.stdout.contains(shown), "`{shown}` in\n{}", run.stdout);
    }
}
