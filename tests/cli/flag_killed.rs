//! kill -9 at every change of the file system, of what writes several flags: each is the old one or the new one, its
//! history says which, and the next command goes on.

use serde_json::{Value, json};

use crate::flag_write::{env, flags};
use crate::support::TestEnv;
use crate::support::killer::kill_everywhere;

const OLD: &str = r#"{"shop":{"enabled":true,"percentage":10,"defaultValue":true}}"#;
const FILE: &str = r#"{"shop":{"enabled":true,"percentage":40,"defaultValue":true},"fresh":{"enabled":true,"percentage":5,"defaultValue":true}}"#;

fn world() -> TestEnv {
    let env = env();
    env.write(
        "liveops.yaml",
        "version: 1\ndefault_env: prod\nenvironments: { prod: { flags: 'file:flags.json' }, staging: { flags: 'file:new.json' } }\n",
    );
    env.write("flags.json", OLD);
    env.write("new.json", FILE);
    env
}

/// The entries of the history about a flag.
fn history(env: &TestEnv, name: &str) -> Vec<Value> {
    let run = env.run(["flag", "history", name, "-o", "json"]);
    if run.code != 0 { Vec::new() } else { run.json()["data"]["revisions"].as_array().expect("a list").clone() }
}

fn killed(env: &TestEnv, args: &[&str], vars: &[(&str, String)]) -> bool {
    let run = env.command(args.iter().chain(&["--yes"]));
    let run = vars.iter().fold(run, |run, (name, value)| run.env(name, value)).run();
    assert!([0, 137].contains(&run.code), "{}", run.stderr);
    run.code == 0
}

/// Whole, with what was there or what was wanted; and going on ends where it should.
fn goes_on(env: &TestEnv, args: &[&str], (from, to): ((u64, bool), (u64, bool)), lived: bool) {
    let now = flags(env);
    let shop = now["shop"]["percentage"].as_u64().expect("there");
    let fresh = now.get("fresh").is_some();
    assert!([from.0, to.0].contains(&shop), "{now}");
    assert!([from.1, to.1].contains(&fresh), "{now}");
    assert_eq!(history(env, "shop").len() % 2 == 1, shop == 40, "the history says what is there: {now}");
    env.run(["audit", "verify"]).expect_code(0);
    if !lived {
        env.run(args.iter().chain(&["--yes"]));
    }
    let now = flags(env);
    assert_eq!((&now["shop"]["percentage"], now.get("fresh").is_some()), (&json!(to.0), to.1), "{args:?}");
    // What a repetition with nothing to do has left is settled by the next change.
    env.run(["flag", "kill", "shop", "--yes"]).expect_code(0);
    let left: Vec<String> = std::fs::read_dir(env.path())
        .expect("the project")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".pending") || name.ends_with(".next"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn an_import_that_is_killed_anywhere_can_be_repeated() {
    let args = ["flag", "import", "new.json", "--apply"];
    let died = kill_everywhere(|vars| {
        let env = world();
        let lived = killed(&env, &args, vars);
        goes_on(&env, &args, ((10, false), (40, true)), lived);
        lived
    });
    assert!(died > 10, "{died}");
}

#[test]
fn a_promotion_that_is_killed_anywhere_can_be_repeated() {
    let args = ["flag", "promote", "--from", "staging", "--to", "prod"];
    kill_everywhere(|vars| {
        let env = world();
        let lived = killed(&env, &args, vars);
        goes_on(&env, &args, ((10, false), (40, true)), lived);
        lived
    });
}

#[test]
fn an_undo_that_is_killed_anywhere_leaves_each_flag_whole() {
    kill_everywhere(|vars| {
        let env = world();
        env.run(["flag", "import", "new.json", "--apply", "--yes"]).expect_code(0);
        let lived = killed(&env, &["undo"], vars);
        let now = flags(&env);
        let (shop, fresh) = (now["shop"]["percentage"].as_u64(), now.get("fresh").is_some());
        assert!(shop == Some(40) || shop == Some(10), "{now}");
        assert!(!lived || (shop == Some(10) && !fresh), "{now}");
        env.run(["audit", "verify"]).expect_code(0);
        // Flag by flag it can be taken back in any case.
        if shop == Some(40) {
            env.run(["flag", "undo", "shop", "--yes"]).expect_code(0);
        }
        if fresh {
            env.run(["flag", "undo", "fresh", "--yes"]).expect_code(0);
        }
        let now = flags(&env);
        assert_eq!((&now["shop"]["percentage"], now.get("fresh")), (&json!(10), None));
        lived
    });
}

/// A file with a second name is written in place.
#[test]
fn a_write_in_place_that_is_killed_anywhere_is_completed() {
    kill_everywhere(|vars| {
        let env = world();
        let second = env.path().join("second.json");
        std::fs::hard_link(env.path().join("flags.json"), &second).expect("a link");
        let lived = killed(&env, &["flag", "set", "shop", "--pct", "40"], vars);
        env.run(["flag", "set", "shop", "--pct", "60", "--yes"]).expect_code(0);
        assert_eq!(flags(&env)["shop"]["percentage"], 60);
        assert_eq!(
            std::fs::read(&second).expect("there"),
            std::fs::read(env.path().join("flags.json")).expect("there")
        );
        lived
    });
}
