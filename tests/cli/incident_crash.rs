//! kill -9 at every change of the file system: what was begun is there, whole or not at all, and is gone on with.

use crate::incident::{OPEN, show};
use crate::notify::{accepts, env, pagerduty};
use crate::support::killer::kill_everywhere;
use crate::support::{Run, TestEnv};

/// An environment in which a page appends a line to `called`.
fn with_pager() -> TestEnv {
    env("    - { name: phone, type: exec, command: [sh, -c, 'cat >> called; echo >> called'] }\n")
}

fn killed(env: &TestEnv, args: &[&str], vars: &[(&str, String)]) -> Run {
    let run = env.command(args);
    let run = vars.iter().fold(run, |run, (name, value)| run.env(name, value)).run();
    assert!([0, 137].contains(&run.code), "{}", run.stderr);
    run
}

/// Half a minute later.
fn after(env: &TestEnv, args: &[&str]) -> Run {
    env.command(args).env("LIVEOPS_NOW", "2026-01-15T10:30:30Z").run()
}

fn ids_of_all(env: &TestEnv) -> Vec<String> {
    let list = env.run(["incident", "list", "--all", "-o", "json"]).expect_code(0);
    let all = list.json()["data"]["incidents"].clone();
    let all = all.as_array().expect("a list").iter();
    all.map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

fn ids(env: &TestEnv) -> Vec<String> {
    let list = env.run(["incident", "list", "-o", "json"]).expect_code(0);
    let all = list.json()["data"]["incidents"].clone();
    let all = all.as_array().expect("a list").iter();
    all.map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn an_opening_that_is_killed_anywhere_is_whole_or_nothing_and_pages_all_the_same() {
    let mut opened = 0;
    let died = kill_everywhere(|vars| {
        let env = with_pager();
        let run = killed(&env, &OPEN, vars);
        let called = || std::fs::read_to_string(env.path().join("called")).unwrap_or_default();
        match ids(&env).as_slice() {
            [] => assert_eq!(called(), "", "nobody is called for what is not there"),
            [id] => {
                opened += 1;
                after(&env, &["incident", "note", "going on"]).expect_code(0);
                assert!(called().contains(id.as_str()), "{vars:?}: nobody was paged");
                let shown = show(&env, id);
                assert_eq!(shown["faults"], serde_json::json!([]), "{vars:?}");
                assert_eq!(shown["incident"]["paged"], true, "{vars:?}");
                after(&env, &["incident", "ack"]).expect_code(0);
            }
            several => panic!("{several:?}"),
        }
        run.code == 0
    });
    assert!(died > opened && opened > 5, "{died} died, {opened} opened");
}

#[test]
fn a_step_that_is_killed_anywhere_happened_or_did_not() {
    kill_everywhere(|vars| {
        let env = with_pager();
        env.run(OPEN).expect_code(0);
        let run = killed(&env, &["incident", "ack"], vars);
        let id = &ids(&env)[0];
        let phase = show(&env, id)["incident"]["phase"].clone();
        match phase.as_str() {
            Some("open") => {
                after(&env, &["incident", "ack"]).expect_code(0);
            }
            Some("acknowledged") => {
                after(&env, &["incident", "ack"]).expect_code(4);
            }
            other => panic!("{other:?}"),
        }
        after(&env, &["incident", "resolve", "over"]).expect_code(0);
        assert_eq!(show(&env, id)["faults"], serde_json::json!([]), "{vars:?}");
        run.code == 0
    });
}

#[test]
fn what_is_left_of_a_killed_opening_is_said_and_goes_with_the_next() {
    let mut left = 0;
    kill_everywhere(|vars| {
        let env = with_pager();
        let run = killed(&env, &OPEN, vars);
        let unnamed = || -> Vec<std::path::PathBuf> {
            let entries = std::fs::read_dir(env.path().join("incidents")).into_iter().flatten().flatten();
            let unnamed = |path: &std::path::PathBuf| path.to_string_lossy().contains("/.new-");
            entries.map(|entry| entry.path()).filter(unnamed).collect()
        };
        let said = || env.run(["doctor"]).stdout.contains("1 opening was killed before the incident had a name");
        for folder in unnamed() {
            left += 1;
            assert!(!said(), "{vars:?}: it may be at it still");
            let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
            std::fs::File::open(&folder).and_then(|folder| folder.set_modified(old)).expect("ours");
            assert!(said(), "{vars:?}");
            env.run(OPEN).expect_code(0);
            assert_eq!(unnamed(), [] as [std::path::PathBuf; 0], "{vars:?}");
            assert!(!said(), "{vars:?}");
        }
        run.code == 0
    });
    assert!(left > 0, "no opening died before it had a name");
}

/// What is in the journal of the end of a call, its pager hears, if only from the next command.
#[test]
fn the_end_of_a_call_reaches_its_pager_wherever_the_step_was_killed() {
    for (args, action) in [(&["incident", "ack"][..], "acknowledge"), (&["incident", "resolve", "x"], "resolve")] {
        kill_everywhere(|vars| {
            let stub = accepts();
            let env = env(&pagerduty(&stub));
            env.run(OPEN).expect_code(0);
            let run = killed(&env, args, vars);
            let phase = show(&env, &ids_of_all(&env)[0])["incident"]["phase"].clone();
            after(&env, &["page", "flush"]).expect_code(0);
            let heard = stub.requests().iter().any(|request| request.json()["event_action"] == action);
            assert!(heard || phase == "open", "{vars:?}: {action} is in the journal alone");
            run.code == 0
        });
    }
}
