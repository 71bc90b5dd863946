//! `liveops flag`, the verbs that read: who is on, who changed it, what is wrong, in every format; on the file store.

use serde_json::{Value, json};

use crate::support::TestEnv;

mod compare;
mod screens;

const NOW: &str = "2026-01-15T10:30:00Z";

/// Six flags: one at 10 % with a tester behind the gate, one that is on for nobody and was edited past liveops, one that
/// was killed, one with a rule, one that has long been on for everybody, one that is no JSON object.
const FLAGS: &str = r#"{
  "new_matchmaking": {"enabled":true,"percentage":10,"allowlist":["admin_user_1"],"blocklist":[],"rules":[],"defaultValue":true,"big":12345678901234567890,"_liveops":{"rev":3}},
  "battle_pass": {"enabled":true,"percentage":25,"allowlist":[],"blocklist":[],"rules":[],"defaultValue":false},
  "ranked_queue": {"enabled":false,"percentage":50,"allowlist":[],"blocklist":["bot_17"],"rules":[],"defaultValue":true,"_liveops":{"rev":2}},
  "winter_event": {"enabled":true,"percentage":100,"allowlist":[],"blocklist":[],"rules":[{"attribute":"region","operator":"in","values":["eu"],"enabled":true}],"defaultValue":false},
  "double_xp": {"enabled":true,"percentage":100,"allowlist":[],"blocklist":[],"rules":[],"defaultValue":true,"_liveops":{"rev":1}},
  "odd": [1]
}
"#;

/// The raw value of a flag of [`FLAGS`].
fn raw(flag: &str) -> String {
    let line = FLAGS.lines().find(|line| line.contains(&format!("\"{flag}\": ")));
    let (_, value) = line.unwrap().split_once(": ").unwrap();
    value.trim_end_matches(',').to_owned()
}

fn revision(
    flag: &str,
    rev: u64,
    at: &str,
    by: &str,
    reason: &str,
    verb: &str,
    values: (Option<&str>, &str),
) -> String {
    let mut line = json!({"op": format!("c{flag}{rev}"), "flag": flag, "rev": rev.to_string(), "at": at, "by": by,
        "reason": reason, "command": format!("liveops flag {verb} {flag}"), "after": values.1});
    if let Some(before) = values.0 {
        line["before"] = json!(before);
    }
    format!("{line}\n")
}

fn history() -> String {
    let first = r#"{"enabled":true,"percentage":1,"defaultValue":true}"#;
    let queue = raw("ranked_queue").replace("\"enabled\":false", "\"enabled\":true");
    [
        revision("double_xp", 1, "2025-10-11T10:30:00.000Z", "kim", "stays", "set", (None, &raw("double_xp"))),
        revision(
            "battle_pass",
            1,
            "2026-01-06T10:30:00.000Z",
            "lee",
            "prepared",
            "set",
            (None, r#"{"enabled":false,"percentage":0}"#),
        ),
        revision("new_matchmaking", 2, "2026-01-14T10:30:00.000Z", "ada", "first", "set", (None, first)),
        revision(
            "new_matchmaking",
            3,
            "2026-01-15T07:30:00.000Z",
            "ada",
            "queues are calm",
            "set",
            (Some(first), &raw("new_matchmaking")),
        ),
        revision(
            "ranked_queue",
            2,
            "2026-01-15T10:18:00.000Z",
            "sam",
            "queue p95 doubled",
            "kill",
            (Some(&queue), &raw("ranked_queue")),
        ),
    ]
    .concat()
}

fn world() -> TestEnv {
    let env = TestEnv::new().now(NOW);
    env.write(
        "liveops.yaml",
        "version: 1\nproject: starfall\ndefault_env: staging\nenvironments:\n  staging: {}\n  prod: { flags: \"file:prod.json\" }\n",
    );
    env.write("flags.json", FLAGS);
    env.write("flags.history.jsonl", history());
    env
}

fn data(env: &TestEnv, args: &[&str], code: i32) -> Value {
    let run = env.run(args.iter().copied().chain(["-o", "json"])).expect_code(code);
    run.json()["data"].clone()
}

#[test]
fn list_says_who_is_on_and_what_is_wrong() {
    let env = world();
    insta::assert_snapshot!(env.run(["flag", "list"]).snapshot(), @r#"
    code: 0
    --- stdout
    6 flags in staging, 1 off, 2 with errors, 1 with warnings
    file:[TEMP]/work/flags.json, reader legacy-v1
    ✖ battle_pass      nobody: defaultValue is false             E06 W19  2026-01-06T10:30:00Z lee
    ● double_xp        everybody                                          2025-10-11T10:30:00Z kim
    ▲ new_matchmaking  10 %, about 1 in 10                       W10      2026-01-15T07:30:00Z ada
    ✖ odd              cannot be read: it is an array, where an object `{…}` is meant  E01
    · ranked_queue     nobody: it is switched off                         2026-01-15T10:18:00Z sam
    ● winter_event     turned on by 1 rule

    next: liveops flag lint battle_pass
    --- stderr
    "#);
    let list = data(&env, &["flag", "list"], 0);
    let flags = list["flags"].as_array().unwrap();
    let names: Vec<&str> = flags.iter().map(|flag| flag["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["battle_pass", "double_xp", "new_matchmaking", "odd", "ranked_queue", "winter_event"]);
    assert_eq!(flags[0]["findings"], json!(["E06", "W19"]));
    assert_eq!(flags[2]["changed"]["by"], "ada");
    assert_eq!(flags[2]["reach"]["shut_out"], json!(["admin_user_1"]));
    assert_eq!(flags[3]["state"], "malformed");
    let run = env.run(["flag", "list", "-o", "name"]).expect_code(0);
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), names);
    let run = env.run(["flag", "list", "-o", "csv"]).expect_code(0);
    assert!(
        run.stdout.contains("\nnew_matchmaking,on,10,\"10 %, about 1 in 10\",1,0,0,true,3,2026-01-15T07:30:00Z,ada,queues are calm,W10\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn without_any_flag_there_is_a_next_step() {
    let env = TestEnv::new().now(NOW);
    let run = env.run(["flag", "list"]).expect_code(0);
    assert!(
        run.stdout.contains("0 flags in default") && run.stdout.contains("flag set NAME --pct 10"),
        "{}",
        run.stdout
    );
    let run = env.run(["flag", "get", "x"]).expect_code(2);
    assert!(run.stderr.contains("hint: there is no flag yet; `liveops flag set NAME"), "{}", run.stderr);
}

#[test]
fn get_shows_the_members_and_keeps_the_bytes() {
    let env = world();
    insta::assert_snapshot!(env.run(["flag", "get", "new_matchmaking", "--history"]).snapshot(), @r#"
    code: 0
    --- stdout
    ▲ new_matchmaking  staging, rev 3
      10 %, about 1 in 10

      enabled       true
      percentage    10
      allowlist     ["admin_user_1"]
      blocklist     []
      rules         []
      defaultValue  true
      big           12345678901234567890
      _liveops      {"rev":3}

      ▲ W10  on the allowlist and still off, since the percentage 10 comes first: admin_user_1 (bucket 43)

    rev 3  2026-01-15T07:30:00Z  ada  queues are calm
        percentage 1 to 10, allowlist +admin_user_1, blocklist [], rules [], big 12345678901234567890
    rev 2  2026-01-14T10:30:00Z  ada  first
        enabled true, percentage 1, defaultValue true

    next: liveops flag explain USER new_matchmaking
    --- stderr
    "#);
    let flag = data(&env, &["flag", "get", "new_matchmaking"], 0);
    assert_eq!(flag["raw"], raw("new_matchmaking"));
    assert_eq!((&flag["changes"], &flag["drifted"]), (&Value::Null, &Value::Null));
    let flag = data(&env, &["flag", "get", "battle_pass", "--history"], 0);
    assert_eq!(flag["drifted"], true);
    assert_eq!(flag["audience"], "nobody: defaultValue is false");
    let odd = data(&env, &["flag", "get", "odd"], 0);
    assert_eq!((&odd["state"], &odd["findings"][0]["code"]), (&json!("malformed"), &json!("E01")));
}

#[test]
fn a_wrong_name_gets_the_nearest() {
    let env = world();
    for args in [
        &["flag", "get", "new_matchmakng"][..],
        &["flag", "history", "new_matchmakng"],
        &["flag", "explain", "u", "new_matchmakng"],
        &["flag", "preview", "new_matchmakng", "--pct", "5"],
        &["flag", "overlap", "new_matchmakng", "double_xp"],
        &["flag", "lint", "new_matchmakng"],
        &["flag", "diff", "--from", "prod", "new_matchmakng"],
    ] {
        let error = env.run(args.iter().copied().chain(["-o", "json"])).expect_code(2).json_error();
        assert_eq!(error["kind"], "not_found", "{args:?}");
        assert_eq!(error["hint"], "did you mean `new_matchmaking`?", "{args:?}");
    }
    let run = env.run(["flag", "get", ""]).expect_code(2);
    assert!(run.stderr.contains("a flag's name cannot be empty"), "{}", run.stderr);
}

#[test]
fn history_tells_who_when_why_and_what() {
    let env = world();
    insta::assert_snapshot!(env.run(["flag", "history", "new_matchmaking"]).snapshot(), @r#"
    code: 0
    --- stdout
    new_matchmaking in staging: 2 revisions

    rev 3  2026-01-15T07:30:00Z  ada  queues are calm
        percentage 1 to 10, allowlist +admin_user_1, blocklist [], rules [], big 12345678901234567890
    rev 2  2026-01-14T10:30:00Z  ada  first
        enabled true, percentage 1, defaultValue true

    next: liveops flag undo new_matchmaking
    --- stderr
    "#);
    let run = env.run(["flag", "history", "battle_pass"]).expect_code(0);
    assert!(run.stdout.contains("changed past liveops since the revision below"), "{}", run.stdout);
    let one = data(&env, &["flag", "history", "new_matchmaking", "--limit", "1"], 0);
    assert_eq!((&one["more"], &one["revisions"][0]["rev"]), (&json!(true), &json!(3)));
    assert_eq!(one["revisions"][0]["after"], raw("new_matchmaking"));
    let none = data(&env, &["flag", "history", "winter_event"], 0);
    assert_eq!((&none["revisions"], &none["drifted"]), (&json!([]), &json!(false)));
}

#[test]
fn explain_shows_every_step_and_those_not_reached() {
    let env = world();
    insta::assert_snapshot!(env.run(["flag", "explain", "admin_user_1", "new_matchmaking"]).snapshot(), @r#"
    code: 0
    --- stdout
    · new_matchmaking for admin_user_1: off, by its percentage
      1  exists      yes              goes on
      2  enabled     true             goes on
      3  percentage  bucket 43 >= 10  off
      4  allowlist   listed           not reached (on)
      5  blocklist   not listed       not reached
      6  rules       no rules         not reached
      7  default     true             not reached (on)
      on from 44 % up, everything else as it is; reader v2 would say on
      by reader legacy-v1; servers may still hold what was there 30 s ago

    next: liveops flag set new_matchmaking --pct 44 --dry-run
    --- stderr
    "#);
    // A regular flag for whoever has no id: bucket 75.
    let nobody = data(&env, &["flag", "explain", "", "new_matchmaking"], 0);
    assert_eq!((&nobody["flags"][0]["bucket"], &nobody["flags"][0]["on_from"]), (&json!(75), &json!(76)));
    let winter = ["flag", "explain", "u1", "winter_event"];
    assert_eq!(data(&env, &winter, 0)["flags"][0]["answer"], "off");
    let eu = [&winter[..], &["--attr", "region=eu"]].concat();
    assert_eq!(data(&env, &eu, 0)["flags"][0]["answer"], "on");
    // What cannot be told is not guessed.
    let all = env.run(["flag", "explain", "user_123"]).expect_code(3);
    assert!(all.stdout.contains("user_123: 1 of 6 flags on in staging"), "{}", all.stdout);
    assert_eq!(data(&env, &["flag", "explain", "user_123", "odd"], 3)["flags"][0]["answer"], "unknown");
    let run = env.run(["flag", "explain", "u1", "odd", "--attr", "region"]).expect_code(2);
    assert!(run.stderr.contains("write KEY=VALUE"), "{}", run.stderr);
}
