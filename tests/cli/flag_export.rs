//! `liveops flag export`, and flagd's schema in both directions.

use serde_json::{Value, json};

use crate::flag_write::{change, env, flags};
use crate::support::TestEnv;

const OWN: &str = "{\n  \"a\": { \"enabled\": true, \"percentage\":100, \"big\": 12345678901234567890, \"defaultValue\": true },\n  \"b c\": {\"enabled\":false,\"percentage\":5,\"defaultValue\":true}\n}\n";

fn import(env: &TestEnv, args: &[&str]) {
    let all = ["flag", "import", "--apply", "--yes"].iter().chain(args);
    env.run(all).expect_code(0);
}

#[test]
fn our_own_format_comes_back_to_the_byte() {
    let env = env();
    env.write("in.json", OWN);
    import(&env, &["in.json"]);
    let run = env.run(["flag", "export", "--out", "out.json"]);
    let run = run.expect_code(0);
    assert_eq!(run.stdout, "");
    for said in ["2 flags of `default` in out.json", "liveops flag import out.json"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    assert_eq!(env.read("out.json"), OWN, "without liveops' own member");
    let one = env.run(["flag", "export", "b c"]).expect_code(0);
    let one: Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(one["b c"]["percentage"], 5);
    assert!(one.get("a").is_none());
    let run = env.run(["flag", "export", "bc"]).expect_code(2);
    assert!(run.stderr.contains("`b c`"), "{}", run.stderr);
    // Where there are none, it is an empty file.
    let none = crate::flag_write::env().run(["flag", "export"]);
    assert_eq!(none.expect_code(0).stdout, "{}\n");
}

#[test]
fn flagd_gets_what_it_can_say_and_hears_of_the_rest() {
    let env = env();
    change(&env, &["flag", "set", "all", "--pct", "100"]);
    change(&env, &["flag", "set", "some", "--pct", "10"]);
    change(&env, &["flag", "set", "odd", "--pct", "100", "--rule", "name matches ^a"]);
    let run = env.run(["flag", "export", "--format", "flagd", "--out", "x.json"]);
    let run = run.expect_code(2);
    for said in [
        "odd: rule 1: flagd has no regular expressions",
        "some: the same share of users, but other users",
        "murmur3",
        "nothing was written",
        "--lossy",
    ] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    assert!(!env.path().join("x.json").exists());
    let exact = env.run(["flag", "export", "--format", "flagd", "all"]).expect_code(0);
    let exact: Value = serde_json::from_str(&exact.stdout).unwrap();
    assert_eq!(
        exact["flags"]["all"],
        json!({ "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on", "targeting": {} })
    );
    let run = env.run(["flag", "export", "--format", "flagd", "--lossy"]);
    let run = run.expect_code(0);
    for said in ["left out", "odd: rule 1", "answers otherwise", "some: the same share"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    let lossy: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(lossy["flags"].as_object().unwrap().len(), 2);
}

const FLAGD: &str = r#"{ "$schema": "https://flagd.dev/schema/v0/flags.json", "flags": {
  "shop": { "state": "ENABLED", "variants": { "yes": true, "no": false }, "defaultVariant": "no",
    "targeting": { "if": [{ "in": [{ "var": "region" }, ["eu", "uk"]] }, "yes", null] }, "metadata": { "team": "x" } },
  "slow": { "state": "ENABLED", "variants": { "yes": true, "no": false }, "defaultVariant": "no",
    "targeting": { "fractional": [["yes", 25], ["no", 75]] } } } }"#;

#[test]
fn from_flagd_it_is_a_dry_run_with_diff_audience_and_losses() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    env.write("in.json", FLAGD);
    let before = env.read("flags.json");
    let run = env.run(["flag", "import", "--format", "flagd", "in.json"]);
    let run = run.expect_code(0);
    for said in [
        "flag shop, revision 1",
        "new flag slow",
        "about 25 % of users",
        "left out, as no reader here asks for it: `metadata`",
        "WARNING: the same share of users, but other users",
    ] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    let next = "next: liveops flag import --format flagd in.json --apply --lossy";
    assert!(run.stdout.contains(next), "{}", run.stdout);
    assert_eq!(env.read("flags.json"), before);
    // A loss must be agreed to, and nothing of the rest is done without.
    let apply = ["flag", "import", "--format", "flagd", "in.json", "--apply", "--yes"];
    let run = env.run(apply).expect_code(2);
    for said in ["slow: the same share", "nothing was changed", "--lossy"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    assert_eq!(env.read("flags.json"), before);
    env.run(apply.iter().chain(&["--lossy"])).expect_code(0);
    let now = flags(&env);
    assert_eq!(
        (&now["shop"]["rules"], &now["shop"]["defaultValue"], &now["slow"]["percentage"]),
        (
            &json!([{ "attribute": "region", "operator": "in", "values": ["eu", "uk"], "enabled": true }]),
            &json!(false),
            &json!(25)
        )
    );
    // What went in comes out again with the same answers.
    let out = env.run(["flag", "export", "--format", "flagd", "shop"]).expect_code(0);
    env.write("again.json", &out.stdout);
    let run = env.run(["flag", "import", "--format", "flagd", "again.json"]);
    assert!(run.stdout.contains("so already"), "{}", run.stdout);
}

#[test]
fn what_no_flag_here_can_do_is_refused_flag_by_flag() {
    let env = env();
    let texts = [
        (
            r#"{"flags":{"a":{"state":"ENABLED","variants":{"red":"r"},"defaultVariant":"red"},"b":{"state":"ON"}}}"#,
            "a: its variants are no booleans",
        ),
        (r#"{"a":{}}"#, "no member `flags`"),
        (r#"{"flags":7}"#, "holds no flags"),
        (r#"{"flags":{"a":{},"a":{}}}"#, "more than once"),
    ];
    for (text, said) in texts {
        let command = env.command(["flag", "import", "--format", "flagd", "-"]);
        let run = command.stdin(text).run().expect_code(2);
        assert!(run.stderr.contains(said), "{text}: {}", run.stderr);
    }
    // Each is named, and the rest can be had.
    let both = FLAGD.replace("\"slow\": { \"state\": \"ENABLED\"", "\"slow\": { \"state\": \"ON\"");
    env.write("in.json", both);
    let args = ["flag", "import", "--format", "flagd", "in.json", "--lossy", "--apply", "--yes"];
    let run = env.run(args).expect_code(0);
    assert!(run.stderr.contains("left out, as no flag here can do it:\n  slow: its `state`"), "{}", run.stderr);
    assert!(flags(&env).get("slow").is_none());
    // And who forgets the format is told.
    env.write("in.json", FLAGD);
    let run = env.run(["flag", "import", "in.json"]).expect_code(2);
    assert!(run.stderr.contains("say so: `--format flagd`"), "{}", run.stderr);
}

#[test]
fn what_is_stored_broken_is_not_passed_over_in_silence() {
    let env = env();
    env.write("flags.json", r#"{"a":{"enabled":true,"defaultValue":true},"b":[1]}"#);
    for format in ["own", "flagd"] {
        let run = env.run(["flag", "export", "--format", format]).expect_code(2);
        assert!(run.stderr.contains("b: it is an array"), "{}", run.stderr);
        let run = env.run(["flag", "export", "--format", format, "--lossy"]);
        let run = run.expect_code(0);
        assert!(run.stderr.contains("b: it is an array"), "{}", run.stderr);
        assert!(run.stdout.contains("\"a\""), "{}", run.stdout);
    }
}
