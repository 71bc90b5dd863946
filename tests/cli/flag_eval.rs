//! `flag eval`: one user, and files of users in every form, with the codes and hints of what can go wrong.

use serde_json::json;

use crate::support::TestEnv;
use crate::support::run::Run;

const FLAG: &str = r#"{"enabled":true,"percentage":50,"allowlist":["admin_user_1"],"blocklist":["user_123"],"rules":[],"defaultValue":true}"#;
const RULED: &str = r#"{"enabled":true,"percentage":100,"rules":[{"attribute":"region","operator":"in","values":["eu"],"enabled":true}],"defaultValue":false}"#;

fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\nenvironments: { default: { flags: { url: \"file:flags.json\" } } }\n");
    let odd = r#"{"enabled":true,"rules":[{"if":"x"}],"defaultValue":true}"#;
    env.write("flags.json", format!("{{\"half\":{FLAG},\"eu\":{RULED},\"odd\":{odd},\"broken\":[]}}"));
    env
}

fn eval(env: &TestEnv, args: &[&str]) -> Run {
    env.run(["flag", "eval"].iter().chain(args))
}

#[test]
fn one_user() {
    let env = env();
    let run = eval(&env, &["half", "--user", "admin_user_1"]).expect_code(0);
    assert!(run.stdout.starts_with("half for admin_user_1 on  (allowlist: listed)\n"), "{}", run.stdout);
    assert!(run.stdout.contains("liveops flag explain admin_user_1 half"), "{}", run.stdout);
    let run = eval(&env, &["half", "--user", "user_1"]).expect_code(0);
    assert!(run.stdout.contains("off  (percentage: bucket 75 >= 50)\nwould be on from 76 %"), "{}", run.stdout);
    let data = eval(&env, &["half", "--user", "user_123", "-o", "json"]).expect_code(0).json()["data"].clone();
    assert_eq!((&data["on"], &data["decided_by"], &data["bucket"]), (&json!(false), &json!("blocklist"), &json!(22)));
    assert_eq!(eval(&env, &["half", "--user", "user_1", "-o", "csv"]).expect_code(0).stdout, "user,on\nuser_1,false\n");
}

#[test]
fn attributes_reach_rules_and_missing_ones_are_said() {
    let env = env();
    assert!(
        eval(&env, &["eu", "--user", "u", "--attr", "region=eu"])
            .expect_code(0)
            .stdout
            .contains(" on  (rule 1 matches: on)")
    );
    let run = eval(&env, &["eu", "--user", "u"]).expect_code(0);
    assert!(run.stderr.contains("rules ask for region"), "{}", run.stderr);
    let run = eval(&env, &["odd", "--user", "u"]).expect_code(3);
    assert!(run.stdout.contains("unknown  (rule 1 is of another shape"), "{}", run.stdout);
}

#[test]
fn files_in_every_form() {
    let env = env();
    env.write("ids.txt", "\u{feff}admin_user_1\r\nuser_1\n\nuser_123\na,\"b\"");
    let rows = eval(&env, &["half", "--users", "ids.txt", "-o", "csv"]).expect_code(0).stdout;
    assert!(rows.starts_with("user,on\nadmin_user_1,true\nuser_1,false\nuser_123,false\n\"a,\"\"b\"\"\","), "{rows}");
    let data =
        eval(&env, &["half", "--users", "ids.txt", "--count", "-o", "json"]).expect_code(0).json()["data"].clone();
    assert_eq!((&data["users"], &data["unknown"], &data["empty_lines"]), (&json!(4), &json!(0), &json!(1)));
    env.write("ids.jsonl", "{\"id\":\"a\",\"region\":\"eu\"}\n{\"region\":\"us\",\"user\":\"b\"}\n\"c\"\n");
    let rows = eval(&env, &["eu", "--users", "ids.jsonl", "-o", "json"]).expect_code(0);
    assert_eq!(
        rows.json_lines(),
        [json!({"user":"a","on":true}), json!({"user":"b","on":false}), json!({"user":"c","on":false})]
    );
    env.write("people.csv", "region,user\neu,a\nus,b\n,c\n");
    assert_eq!(
        eval(&env, &["eu", "--users", "people.csv", "-o", "csv"]).expect_code(0).stdout,
        "user,on\na,true\nb,false\nc,false\n"
    );
    assert_eq!(eval(&env, &["eu", "--users", "people.csv", "-o", "name"]).expect_code(0).stdout, "a\n");
    let shown = eval(&env, &["eu", "--users", "people.csv"]).expect_code(0).stdout;
    assert!(
        shown.starts_with("on       a\noff      b\noff      c\n\neu is on for 1 of 3 users (33.33 %), off for 2\n"),
        "{shown}"
    );
    let piped = env
        .command(["flag", "eval", "half", "--users", "-", "--count"])
        .stdin("user_1\nadmin_user_1\n")
        .run()
        .expect_code(0);
    assert!(piped.stdout.starts_with("half is on for 1 of 2 users (50.00 %), off for 1\n"), "{}", piped.stdout);
}

#[test]
fn many_ids_come_out_in_order() {
    let env = env();
    let ids: Vec<String> = (0..200_000).map(|n| format!("player-{n}")).collect();
    env.write("ids", ids.join("\n"));
    let rows = eval(&env, &["half", "--users", "ids", "-o", "csv"]).expect_code(0).stdout;
    let named: Vec<&str> = rows.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
    assert!(named == ids, "the rows are those of the file, in its order");
    let data = eval(&env, &["half", "--users", "ids", "--count", "-o", "json"]).expect_code(0).json()["data"].clone();
    assert_eq!(data["on"].as_u64().unwrap(), rows.matches(",true\n").count() as u64);
}

#[test]
fn what_is_wrong_is_named() {
    let env = env();
    env.write("bad.txt", b"a\nb\xff\nc\n");
    env.write("bad.jsonl", "{\"id\":1}\n{\"name\":\"x\"}\n");
    env.write("bad.csv", "id,region\na,eu\nb\n");
    env.write("array.json", "[{\"id\":1}]");
    env.write("long", "x".repeat(3 << 20));
    for (file, said) in [
        ("bad.txt", "bad.txt: line 2 is not UTF-8"),
        ("bad.jsonl", "bad.jsonl: line 2 has no id"),
        ("bad.csv", "bad.csv: line 3 has 1 cell, and the header 2"),
        ("array.json", "array.json is one JSON array"),
        ("long", "long: line 1 has more than 1 MiB"),
        (".", ". is a folder"),
    ] {
        let run = eval(&env, &["half", "--users", file, "--count"]).expect_code(2);
        assert!(run.stderr.contains(said) && run.stderr.contains("hint: "), "{}", run.stderr);
    }
    assert!(eval(&env, &["half", "--users", "absent"]).expect_code(2).stderr.contains("cannot open absent"));
    assert!(eval(&env, &["hal", "--user", "u"]).expect_code(2).stderr.contains("did you mean `half`?"));
    assert!(eval(&env, &["broken", "--user", "u"]).expect_code(3).stderr.contains("flag kill broken"));
    assert!(eval(&env, &["half", "--user", "u", "--attr", "region"]).expect_code(2).stderr.contains("write KEY=VALUE"));
    assert!(eval(&env, &["half", "--users", "bad.csv", "-o", "yaml"]).expect_code(2).stderr.contains("no YAML form"));
    eval(&env, &["half"]).expect_code(2);
}
