//! `liveops flag promote`: from one environment into another, whole or member by member.

use serde_json::{Value, json};

use crate::flag_write::env;
use crate::support::TestEnv;

const STAGING: &str = r#"{"shop":{"enabled":true,"percentage":50,"allowlist":["qa_1"],"defaultValue":true,"_liveops":{"rev":7}},"fresh":{"enabled":true,"percentage":5,"defaultValue":true}}"#;
const PROD: &str = r#"{"shop":{"enabled":true,"percentage":10,"allowlist":["vip"],"defaultValue":true,"_liveops":{"rev":2}},"old":{"enabled":false}}"#;

fn world() -> TestEnv {
    let env = env();
    env.write(
        "liveops.yaml",
        "version: 1\ndefault_env: staging\nenvironments:\n  staging: { flags: 'file:staging.json' }\n  prod: { protected: true, flags: 'file:prod.json' }\n",
    );
    env.write("staging.json", STAGING);
    env.write("prod.json", PROD);
    env
}

fn prod(env: &TestEnv) -> Value {
    serde_json::from_str(&env.read("prod.json")).unwrap()
}

const PROMOTE: [&str; 6] = ["flag", "promote", "--from", "staging", "--to", "prod"];

fn promote(env: &TestEnv, more: &[&str]) -> Value {
    let run =
        env.run(PROMOTE.iter().chain(more).chain(&["--reason", "week 2", "--yes", "--confirm", "prod", "-o", "json"]));
    run.expect_code(0).json()
}

#[test]
fn only_the_named_members_are_carried_over() {
    let env = world();
    let done = promote(&env, &["--only", "percentage", "shop"]);
    assert_eq!(done["environment"], "prod", "the one that is changed");
    assert_eq!(
        prod(&env)["shop"],
        json!({ "enabled": true, "percentage": 50, "allowlist": ["vip"], "defaultValue": true, "_liveops": { "rev": 3 } })
    );
    let id = done["data"]["id"].as_str().unwrap();
    let undo = done["data"]["undo"].as_str().unwrap();
    assert_eq!(undo, format!("liveops undo {id} -e prod"));
    env.run(["undo", id, "-e", "prod", "--yes"]).expect_code(0);
    assert_eq!(prod(&env)["shop"]["percentage"], 10);
    assert_eq!(env.read("staging.json"), STAGING);
}

#[test]
fn all_flags_are_carried_over_and_others_left_alone() {
    let env = world();
    let done = promote(&env, &[]);
    let summary = done["data"]["summary"].as_str().unwrap();
    assert!(summary.contains("promote 2 flags: `fresh`, `shop`"), "{summary}");
    let now = prod(&env);
    assert_eq!(
        (&now["shop"]["percentage"], &now["shop"]["allowlist"], &now["fresh"]["percentage"], &now["old"]),
        (&json!(50), &json!(["qa_1"]), &json!(5), &json!({ "enabled": false }))
    );
    let again = promote(&env, &[]);
    assert_eq!(again["data"]["changed"], false);
    // One change, one undo.
    env.run(["undo", "-e", "prod", "--yes", "--confirm", "prod"]).expect_code(0);
    assert_eq!(prod(&env)["shop"]["percentage"], 10);
    assert_eq!(prod(&env)["fresh"], Value::Null);
}

#[test]
fn the_environment_that_is_changed_is_the_one_that_is_guarded() {
    let env = world();
    let run = env.run(PROMOTE.iter().chain(&["--yes"])).expect_code(2);
    assert!(run.stderr.contains("`prod` is protected"), "{}", run.stderr);
    let run = env.run(PROMOTE.iter().chain(&["--dry-run"])).expect_code(0);
    assert!(run.stderr.contains("percentage"), "{}", run.stderr);
    let run = env.run(PROMOTE.iter().chain(&["--reason", "x"])).expect_code(4);
    assert!(run.stderr.contains("nobody can be asked"), "{}", run.stderr);
    assert!(run.stderr.contains("pass `--yes --confirm prod`"), "{}", run.stderr);
    for wrong in [&["--yes"][..], &["--yes", "--confirm", "staging"]] {
        env.run(PROMOTE.iter().chain(&["--reason", "x"]).chain(wrong)).expect_code(4);
    }
    assert_eq!(env.read("prod.json"), PROD);
}

#[test]
fn what_cannot_be_carried_over_is_said() {
    let env = world();
    for (more, code, said) in [
        (vec!["nope"], 2, "flag `nope` does not exist"),
        (vec!["--only", "percentage", "fresh"], 2, "a part of it cannot be carried over"),
        (vec!["--only", "pct", "shop"], 2, "neither side has a member `pct`"),
    ] {
        let run = env.run(PROMOTE.iter().chain(&more).chain(&["--reason", "x", "--yes"]));
        let run = run.expect_code(code);
        assert!(run.stderr.contains(said), "{more:?}: {}", run.stderr);
    }
    let run = env.run(PROMOTE.iter().chain(&["--only", "percentage", "--dry-run"])).expect_code(0);
    assert!(run.stderr.contains("flag `fresh` is not in `prod` yet"), "{}", run.stderr);
    let run = env.run(["flag", "promote", "--from", "prod", "--to", "prod", "--yes"]);
    run.expect_code(2);
    let run = env.run(["flag", "promote", "--from", "nowhere", "--to", "prod", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("nowhere"), "{}", run.stderr);
}
