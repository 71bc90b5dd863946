//! `liveops flag import`: a dry run until `--apply`, flag by flag.

use serde_json::json;

use crate::flag_write::{change, env, flags};

const FILE: &str = r#"{
  "shop": { "enabled": true, "percentage": 50, "allowlist": [], "blocklist": [], "rules": [], "defaultValue": true },
  "fresh": { "enabled": false, "percentage": 0, "defaultValue": true, "note": 1234567890123456789012 }
}"#;

#[test]
fn without_apply_it_only_shows_what_it_would_do() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    let before = env.read("flags.json");
    env.write("in.json", FILE);
    let run = env.run(["flag", "import", "in.json"]).expect_code(0);
    for said in ["new flag fresh", "flag shop, revision 1", "percentage"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    assert!(run.stdout.contains("next: liveops flag import in.json --apply"), "{}", run.stdout);
    assert_eq!(env.read("flags.json"), before);
    env.run(["flag", "import", "in.json", "--apply"]).expect_code(4);
    let done = change(&env, &["flag", "import", "in.json", "--apply"]);
    assert_eq!(done["summary"], "import 2 flags: `shop`, `fresh`");
    let now = flags(&env);
    assert_eq!((&now["shop"]["percentage"], &now["shop"]["_liveops"]), (&json!(50), &json!({ "rev": 2 })));
    assert!(env.read("flags.json").contains("\"note\": 1234567890123456789012"), "to the byte");
    // Once more there is nothing to do; and one undo takes both back.
    let run = env.run(["flag", "import", "in.json", "--apply", "--yes"]).expect_code(0);
    assert!(run.stdout.contains("nothing to do"), "{}", run.stdout);
    change(&env, &["undo"]);
    let now = flags(&env);
    assert_eq!(now["shop"]["percentage"], 10);
    assert!(now.get("fresh").is_none());
}

#[test]
fn what_no_reader_would_take_is_refused_as_a_whole() {
    let env = env();
    for (text, said) in [
        ("[]", "holds no flags"),
        ("{", "holds no flags"),
        (r#"{"a":{"enabled":true},"a":{}}"#, "more than once"),
        (r#"{"a":7}"#, "flag `a` of the file cannot be taken"),
        (r#"{"":{}}"#, "cannot be empty"),
        (r#"{"a":{"enabled":true,"percentage":10.5,"defaultValue":true}}"#, "has decimals"),
        (r#"{"a":{"enabled":true,"percentage":10,"allowlist":{},"defaultValue":true}}"#, "not an array"),
    ] {
        let run = env.command(["flag", "import", "-", "--apply", "--yes"]).stdin(text).run().expect_code(2);
        assert!(run.stderr.contains(said), "{text}: {}", run.stderr);
    }
    assert!(!env.path().join("flags.json").exists());
    let run = env.run(["flag", "import", "nowhere.json"]).expect_code(2);
    assert!(run.stderr.contains("cannot read nowhere.json"), "{}", run.stderr);
}
