//! The writing verbs of `liveops flag`, on the file store: what is written, what is said, what is refused.

use serde_json::{Value, json};

use crate::support::TestEnv;

/// As the services wrote it: nothing of liveops in it.
const FOREIGN: &str = r#"{"enabled":true,"percentage":10,"allowlist":["admin_user_1"],"big":1234567890123456789012,"defaultValue":false}"#;

pub(crate) fn env() -> TestEnv {
    TestEnv::new().now("2026-01-15T10:30:00Z").var("LIVEOPS_ACTOR", "ada")
}

/// A store with these raw values.
fn store(env: &TestEnv, flags: &[(&str, &str)]) {
    let members: Vec<String> = flags.iter().map(|(name, raw)| format!("{}:{raw}", Value::from(*name))).collect();
    env.write("flags.json", format!("{{{}}}\n", members.join(",")));
}

pub(crate) fn flags(env: &TestEnv) -> Value {
    serde_json::from_str(&env.read("flags.json")).unwrap()
}

pub(crate) fn change(env: &TestEnv, args: &[&str]) -> Value {
    let run = env.run(args.iter().chain(&["--yes", "-o", "json"]));
    run.expect_code(0).json()["data"].clone()
}

fn protected(env: &TestEnv) {
    env.write(
        "liveops.yaml",
        "version: 1\ndefault_env: prod\nenvironments: { prod: { protected: true, flags: 'file:flags.json' } }\n",
    );
}

#[test]
fn a_new_flag_is_on_for_whom_the_percentage_lets_pass() {
    let env = env();
    let made = change(&env, &["flag", "set", "new_matchmaking", "--pct", "10"]);
    assert_eq!(
        flags(&env)["new_matchmaking"],
        json!({ "enabled": true, "percentage": 10, "allowlist": [], "blocklist": [], "rules": [],
            "defaultValue": true, "_liveops": { "rev": 1 } })
    );
    let flag = &made["result"]["flags"][0];
    assert_eq!((&flag["created"], &flag["rev"], &flag["written"]), (&json!(true), &json!(1), &json!(true)));
    assert_eq!(made["result"]["readers_by"], "2026-01-15T10:30:30Z");
    assert_eq!(made["undo"], format!("liveops undo {}", made["id"].as_str().unwrap()));
    // The same again writes nothing, and says so.
    let before = env.read("flags.json");
    let again = env.run(["flag", "set", "new_matchmaking", "--pct", "10", "--yes"]);
    let again = again.expect_code(0);
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    assert_eq!(env.read("flags.json"), before);
}

#[test]
fn an_edit_touches_nothing_but_what_is_named() {
    let env = env();
    store(&env, &[("shop", FOREIGN)]);
    let run = env.run(["flag", "set", "shop", "--pct", "25", "--yes"]);
    let run = run.expect_code(2);
    for said in ["25 % would be on for nobody", "the one user of the allowlist", "--default true"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    change(&env, &["flag", "set", "shop", "--pct", "25", "--default", "true"]);
    let text = env.read("flags.json");
    assert!(
        text.contains(r#"{"enabled":true,"percentage":25,"allowlist":["admin_user_1"],"big":1234567890123456789012,"defaultValue":true,"_liveops":{"rev":1}}"#),
        "{text}"
    );
    // 0 % is what it says with any default.
    change(&env, &["flag", "set", "shop", "--pct", "0", "--default", "false"]);
}

#[test]
fn what_readers_would_not_take_is_refused_with_what_would_have_happened() {
    let env = env();
    store(&env, &[("shop", FOREIGN)]);
    for (args, said) in [
        (vec!["--pct", "10.5"], "would have switched on 11 %"),
        (vec!["--pct", "-5"], "0 to 100"),
        (vec!["--pct", "101"], "0 to 100"),
        (vec!["--pct", "ten"], "is no percentage"),
        (vec!["--salt", "x"], "the same users as ever would be on"),
        (vec!["--variant", "blue"], "no variants"),
        (vec![], "nothing to set"),
        (vec!["--rule", "region start_with eu"], "did you mean `starts_with`?"),
    ] {
        let run = env.run(["flag", "set", "shop"].iter().chain(&args));
        let run = run.expect_code(2);
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains("hint: "), "{args:?}: {}", run.stderr);
    }
    for (name, near) in [("shopp", "shop"), ("Shop", "shop"), ("shop-v2", "shop_v2"), ("shop_v-2", "shop_v2")] {
        let env = self::env();
        store(&env, &[(near, FOREIGN)]);
        let run = env.run(["flag", "set", name, "--pct", "10", "--yes"]).expect_code(2);
        assert!(run.stderr.contains(&format!("did you mean `{near}`?")), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("flag set {name} --pct 10 --yes --create")), "{}", run.stderr);
        assert_eq!(flags(&env)[name], Value::Null);
        change(&env, &["flag", "set", name, "--pct", "10", "--create"]);
        assert_eq!(flags(&env)[name]["percentage"], 10);
        change(&env, &["flag", "set", name, "--pct", "20"]);
    }
    change(&env, &["flag", "set", "exp_1", "--pct", "10"]);
    change(&env, &["flag", "set", "exp_2", "--pct", "10"]);
    let run = env.run(["flag", "enable", "shp", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("did you mean `shop`?"), "{}", run.stderr);
    let run = env.run(["flag", "set", "a\nb", "--pct", "1"]).expect_code(2);
    assert!(run.stderr.contains("control character"), "{}", run.stderr);
}

#[test]
fn the_preview_names_who_is_surprised() {
    let env = env();
    store(&env, &[("shop", FOREIGN)]);
    let run = env.run(["flag", "set", "shop", "--pct", "30", "--default", "true", "--dry-run"]);
    let run = run.expect_code(0);
    assert!(run.stderr.contains("admin_user_1 (bucket 43, on from 44 %)"), "{}", run.stderr);
    assert!(!run.stderr.contains("without an id"), "{}", run.stderr);
    let run = env.run(["flag", "set", "shop", "--pct", "76", "--default", "true", "--dry-run"]);
    let run = run.expect_code(0);
    assert!(run.stderr.contains("all users without an id are switched on at once"), "{}", run.stderr);
    assert!(!run.stderr.contains("bucket 43"), "{}", run.stderr);
    assert_eq!(flags(&env)["shop"]["percentage"], 10, "nothing was written");
    let run = env.run(["flag", "set", "shopp", "--pct", "1", "--dry-run"]);
    let run = run.expect_code(0);
    assert!(run.stderr.contains("did you mean `shop`?"), "{}", run.stderr);
}

#[test]
fn lists_are_edited_one_id_at_a_time() {
    let env = env();
    store(&env, &[("shop", FOREIGN)]);
    let added = change(&env, &["flag", "allow", "shop", "add", "qa_1", "admin_user_1", "日本"]);
    assert_eq!(flags(&env)["shop"]["allowlist"], json!(["admin_user_1", "qa_1", "日本"]));
    let summary = added["summary"].as_str().unwrap();
    assert!(summary.contains("allowlist +qa_1 +日本"), "{summary}");
    change(&env, &["flag", "block", "shop", "add", "qa_1"]);
    let run = env.run(["flag", "block", "shop", "add", "qa_1", "--yes", "-v"]).expect_code(0);
    assert!(run.stdout.contains("nothing to do"), "{}", run.stdout);
    let both = env.run(["flag", "allow", "shop", "rm", "日本", "--dry-run"]).expect_code(0);
    assert!(both.stderr.contains("qa_1 is in both lists; the allowlist wins"), "{}", both.stderr);
    change(&env, &["flag", "allow", "shop", "rm", "qa_1", "日本", "nobody"]);
    assert_eq!(flags(&env)["shop"]["allowlist"], json!(["admin_user_1"]));
    assert_eq!(flags(&env)["shop"]["blocklist"], json!(["qa_1"]));
}

#[test]
fn rules_are_written_as_readers_know_them() {
    let env = env();
    change(&env, &["flag", "set", "event", "--rule", "region in eu,uk", "--rule", "level >= 10 : off"]);
    assert_eq!(
        flags(&env)["event"]["rules"],
        json!([
            { "attribute": "region", "operator": "in", "values": ["eu", "uk"], "enabled": true },
            { "attribute": "level", "operator": "gte", "values": [10], "enabled": false },
        ])
    );
    assert_eq!(flags(&env)["event"]["defaultValue"], false);
    change(&env, &["flag", "set", "event", "--no-rules"]);
    assert_eq!(flags(&env)["event"]["rules"], json!([]));
}

#[test]
fn killing_keeps_the_rest_takes_what_is_broken_and_goes_on() {
    let env = env();
    store(&env, &[("shop", FOREIGN), ("broken", "\"no object\"")]);
    let run = env.run(["flag", "set", "broken", "--pct", "1", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("liveops flag kill broken"), "{}", run.stderr);
    let run = env.run(["flag", "kill", "shop", "nope", "broken", "--yes"]);
    let run = run.expect_code(5);
    assert!(run.stderr.contains("changed broken, shop; left: flag `nope` does not exist"), "{}", run.stderr);
    let now = flags(&env);
    assert_eq!(now["broken"]["enabled"], false);
    assert_eq!((&now["shop"]["enabled"], &now["shop"]["percentage"]), (&json!(false), &json!(10)));
    let again = env.run(["flag", "kill", "shop", "--yes"]).expect_code(0);
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    env.run(["flag", "kill", "nope", "--yes"]).expect_code(2);
}

#[test]
fn killing_does_not_wait_for_the_audit_log() {
    let env = env();
    store(&env, &[("shop", FOREIGN)]);
    // A folder where the log should be.
    std::fs::create_dir_all(env.state().join("audit.jsonl")).unwrap();
    env.run(["flag", "disable", "shop", "--yes"]).expect_code(3);
    assert_eq!(flags(&env)["shop"]["enabled"], true);
    let run = env.run(["flag", "kill", "shop", "--yes"]).expect_code(0);
    assert!(run.stderr.contains("this change is not in the audit log"), "{}", run.stderr);
    assert!(run.stdout.contains("undo: liveops flag undo shop"), "{}", run.stdout);
    assert_eq!(flags(&env)["shop"]["enabled"], false);
}

#[test]
fn nothing_is_written_unasked() {
    let env = env();
    store(&env, &[("shop", FOREIGN)]);
    let before = env.read("flags.json");
    for verb in [
        vec!["flag", "enable", "shop"],
        vec!["flag", "disable", "shop"],
        vec!["flag", "kill", "shop"],
        vec!["flag", "rm", "shop"],
        vec!["flag", "allow", "shop", "add", "x"],
        vec!["flag", "set", "fresh", "--pct", "1"],
    ] {
        let code = if verb[1] == "enable" { 0 } else { 4 };
        env.run(&verb).expect_code(code);
        env.run(verb.iter().chain(&["--dry-run"])).expect_code(0);
        env.run(verb.iter().chain(&["--yes", "--read-only"])).expect_code(code);
    }
    assert_eq!(env.read("flags.json"), before);
    assert!(!env.state().join("audit.jsonl").exists());
}

#[test]
fn a_protected_environment_wants_a_reason_but_not_for_a_kill() {
    let env = env();
    store(&env, &[("shop", FOREIGN)]);
    protected(&env);
    let run = env.run(["flag", "allow", "shop", "add", "x", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("`prod` is protected"), "{}", run.stderr);
    assert!(run.stderr.contains("liveops flag allow shop add x --yes --reason"), "{}", run.stderr);
    env.run(["flag", "allow", "shop", "add", "x", "--dry-run"]).expect_code(0);
    let run = env.run(["flag", "allow", "shop", "add", "x", "--reason", "qa", "--yes"]).expect_code(4);
    assert!(run.stderr.contains("`prod` is protected: pass `--yes --confirm prod`"), "{}", run.stderr);
    let run = env.run(["flag", "allow", "shop", "add", "x", "--reason", "qa", "--yes", "--confirm", "staging"]);
    let run = run.expect_code(4);
    assert!(run.stderr.contains("does not name the environment"), "{}", run.stderr);
    change(&env, &["flag", "allow", "shop", "add", "x", "--reason", "qa", "--confirm", "prod"]);
    change(&env, &["flag", "kill", "shop"]);
    // What gives it back to users asks why, what takes it away does not.
    env.run(["flag", "undo", "shop", "--yes"]).expect_code(2);
    change(&env, &["flag", "undo", "shop", "--reason", "fixed", "--confirm", "prod"]);
    change(&env, &["flag", "undo", "shop"]);
    assert_eq!(flags(&env)["shop"]["enabled"], false);
}

#[test]
fn a_revision_can_be_asked_for() {
    let env = env();
    store(&env, &[("shop", FOREIGN)]);
    let set = ["flag", "set", "shop", "--pct", "0", "--yes", "--expect-rev"];
    let run = env.run(set.iter().chain(&["1"])).expect_code(4);
    assert!(run.stderr.contains("liveops has never written it"), "{}", run.stderr);
    change(&env, &["flag", "allow", "shop", "add", "x"]);
    env.run(set.iter().chain(&["2"])).expect_code(4);
    env.run(set.iter().chain(&["1"])).expect_code(0);
    let run = env.run(set.iter().chain(&["1", "-o", "json"])).expect_code(4);
    assert_eq!(run.json_error()["kind"], "conflict");
}

#[test]
fn who_is_switched_is_counted_where_users_are_given() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "40"]);
    env.write("ids", "user_1\nuser_123\nadmin_user_1\nplayer-42\n");
    let line = ["flag", "set", "shop", "--pct", "75", "--users", "ids", "--dry-run"];
    let run = env.run(line).expect_code(0);
    assert!(run.stderr.contains("of the users given: 2 turn on, 0 turn off, 1 stay on, 1 stay off"), "{}", run.stderr);
    let json = env.run(line.iter().chain(&["-o", "json"])).expect_code(0).json();
    assert_eq!(json["data"]["result"]["flags"][0]["users"]["turn_on"], 2);
    env.run(["flag", "set", "shop", "--pct", "75", "--users", "nowhere", "--dry-run"]).expect_code(2);
}
