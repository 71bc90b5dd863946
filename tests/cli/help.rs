//! Help, global flags and usage errors: what a stranger reads first, and what a typing error gets.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use liveops_domain::error::EXIT_CODES;
use serde_json::Value;

use crate::support::backends::NOW;
use crate::support::{Backends, TestEnv};

/// The commands that have a manual page: every command there is, `health-metrics` for a verb.
fn commands(env: &TestEnv) -> BTreeSet<String> {
    env.run(["man", "--out", "pages"]).expect_code(0);
    let entries = fs::read_dir(env.path().join("pages")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter_map(|name| Some(name.strip_prefix("liveops-")?.strip_suffix(".1")?.to_owned())).collect()
}

#[test]
fn the_root_help_lists_every_command_once_under_a_heading() {
    let env = TestEnv::new();
    let commands = commands(&env);
    for args in [&["--help"][..], &["help"]] {
        let help = env.run(args).expect_code(0).stdout;
        let (mut heading, mut listed) = ("", Vec::new());
        for line in help.lines() {
            match line.strip_prefix("  ") {
                None => heading = line,
                Some(row) if HEADINGS.contains(&heading) => {
                    let (name, purpose) = row.split_once(' ').unwrap_or((row, ""));
                    assert!(!purpose.trim().is_empty(), "`{name}` has no purpose line");
                    listed.push(name.to_owned());
                }
                Some(_) => {}
            }
        }
        let once: BTreeSet<String> = listed.iter().cloned().collect();
        assert_eq!(once.len(), listed.len(), "{listed:?}");
        let nouns: BTreeSet<String> = commands.iter().filter(|name| !name.contains('-')).cloned().collect();
        assert_eq!(once, nouns, "{args:?}");
        let order = help.lines().filter(|line| HEADINGS.contains(line));
        assert!(order.eq(HEADINGS.iter().copied().filter(|heading| help.contains(heading))), "{help}");
    }
}

const HEADINGS: [&str; 7] = ["Monitor:", "Respond:", "Change:", "Analyze:", "Check:", "Write:", "Tool:"];

#[test]
fn liveops_alone_is_one_page_with_every_command_in_the_order_of_the_headings() {
    let env = TestEnv::new();
    let alone = env.run::<&str>([]).expect_code(2);
    let page = env.run(["-h"]).expect_code(0).stdout;
    assert_eq!(alone.stderr, page);
    assert!(page.lines().count() <= 24 && page.lines().all(|line| line.chars().count() <= 80), "{page}");
    let words: BTreeSet<&str> = page.split_whitespace().collect();
    for noun in commands(&env).iter().filter(|name| !name.contains('-')) {
        assert!(words.contains(noun.as_str()), "{noun}\n{page}");
    }
    let first = |heading: &&str| page.lines().position(|line| line.starts_with(heading.trim_end_matches(':')));
    assert!(HEADINGS.iter().filter_map(first).is_sorted(), "{page}");
}

#[test]
fn options_of_every_command_stand_on_one_page_and_not_on_each() {
    let env = TestEnv::new();
    let all = env.run(["help", "options"]).expect_code(0).stdout;
    for option in ["--env", "--output", "--yes", "--dry-run", "--confirm", "--prometheus"] {
        assert!(all.contains(option), "{all}");
        for command in commands(&env) {
            let words: Vec<&str> = command.split('-').collect();
            let help = env.run(words.iter().copied().chain(["-h"])).expect_code(0).stdout;
            assert!(!help.lines().any(|line| line.trim_start().starts_with(option)), "{command}: {help}");
            assert!(help.trim_end().ends_with("liveops help options"), "{command}: {help}");
            assert!(!help.contains("Examples:"), "{command}");
        }
    }
}

#[test]
fn the_command_line_is_data_for_scripts() {
    let env = TestEnv::new();
    let data = env.run(["help", "-o", "json"]).expect_code(0).json()["data"].clone();
    let entry = |command: &str| {
        let all = data["commands"].as_array().unwrap();
        all.iter().find(|entry| entry["command"] == command).unwrap_or_else(|| panic!("{command}")).clone()
    };
    let set = entry("liveops flag set");
    assert_eq!((&set["group"], &set["changes"], &set["output"]), (&"Change".into(), &true.into(), &"report".into()));
    let named = |option: &&Value| option["name"] == "--pct";
    assert_eq!(set["options"].as_array().unwrap().iter().find(named).unwrap()["value"], "N");
    assert_eq!(entry("liveops completions")["output"], "text");
    assert_eq!(entry("liveops status")["exit_codes"], serde_json::json!(["0", "1", "2", "3", "130/143"]));
    assert!(data["global_options"].as_array().unwrap().iter().any(|option| option["variable"] == "LIVEOPS_ENV"));
    for command in commands(&env) {
        if command.contains('-') && command != "flag-ramp" {
            entry(&format!("liveops {}", command.replace('-', " ")));
        }
    }
}

#[test]
fn a_noun_alone_lists() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\n");
    env.write("flags.json", r#"{"a": {"enabled": true, "percentage": 10, "defaultValue": true}}"#);
    for (bare, whole) in [
        (&["flag"][..], &["flag", "list"][..]),
        (&["flag", "-o", "csv"], &["flag", "list", "-o", "csv"]),
        (&["flag", "--stale"], &["flag", "list", "--stale"]),
        (&["incident"], &["incident", "list"]),
        (&["runbook"], &["runbook", "list"]),
        (&["silence"], &["silence", "list"]),
        (&["audit"], &["audit", "list"]),
        (&["page"], &["page", "list"]),
        (&["config"], &["config", "show"]),
        (&["rollout"], &["rollout", "status"]),
    ] {
        assert_eq!(env.run(bare).snapshot(), env.run(whole).snapshot(), "{bare:?}");
    }
    let wrong = env.run(["flag", "lst"]).expect_code(2);
    assert!(wrong.stderr.contains("did you mean `liveops flag list`?"), "{}", wrong.stderr);
}

/// The old words, each hidden, still mean the same.
#[test]
fn one_word_for_one_thing_and_the_old_ones_still_work() {
    let env = TestEnv::new();
    for (verb, old, word) in [
        ("incident escalate", "--because", "--reason"),
        ("incident severity", "--because", "--reason"),
        ("incident amend", "--because", "--reason"),
        ("silence add", "--comment", "--reason"),
        ("silence extend", "--by", "--for"),
        ("flag set", "--percent", "--pct"),
    ] {
        let help = |option: &str| env.run(verb.split(' ').chain([option, "1h", "--help"]));
        assert_eq!(help(old).code, 0, "{verb} {old}: {}", help(old).stderr);
        let text = help(word).expect_code(0).stdout;
        let is_listed = |option: &str| text.lines().any(|line| line.trim_start().starts_with(option));
        assert!(is_listed(word) && !text.contains(&format!("{old} ")), "{text}");
    }
    for verb in ["incident open", "incident list", "incident report"] {
        for option in ["--sev", "--severity"] {
            env.run(verb.split(' ').chain([option, "p1", "--help"])).expect_code(0);
        }
    }
}

#[test]
fn a_variable_is_blamed_by_its_name_and_a_misspelt_one_gets_the_nearest() {
    for (name, value, words) in [
        ("LIVEOPS_TIMEOUT", "5", "LIVEOPS_TIMEOUT is `5`"),
        ("LIVEOPS_OUTPUT", "xml", "LIVEOPS_OUTPUT is `xml`"),
        ("LIVEOPS_PROMETHUES", "http://127.0.0.1:1", "did you mean LIVEOPS_PROMETHEUS?"),
        ("LIVEOPS_READ_ONYL", "true", "did you mean LIVEOPS_READ_ONLY?"),
    ] {
        let env = TestEnv::new().var(name, value);
        let run = env.run(["status"]).expect_code(2);
        assert!(run.stderr.contains(words), "{name}: {}", run.stderr);
        assert!(!run.stderr.contains("--"), "{name}: {}", run.stderr);
    }
    // Nobody's typing error: a secret's own variable, and those that liveops gives to a runbook's step.
    for name in ["LIVEOPS_CHAT_HOOK", "LIVEOPS_INCIDENT"] {
        TestEnv::new().var(name, "x").run(["audit", "list"]).expect_code(0);
    }
}

#[test]
fn every_command_has_a_purpose_a_paragraph_and_worked_examples() {
    let env = TestEnv::new();
    for command in commands(&env) {
        let words: Vec<&str> = command.split('-').collect();
        let help = env.run(words.iter().copied().chain(["--help"])).expect_code(0).stdout;
        let purpose = help.lines().next().unwrap_or_default();
        assert!(purpose.len() <= 90 && !purpose.ends_with('.'), "{command}: `{purpose}`");
        let third = help.lines().nth(2).unwrap_or_default();
        assert!(third.len() > 20 || third == "Examples:", "{command}: no paragraph\n{help}");
        assert!(help.contains("Examples:\n  liveops "), "{command}: no examples\n{help}");
        assert!(!help.contains('\x1b'), "{command}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{command}\n{help}");
    }
}

#[test]
fn the_one_table_of_exit_codes_stands_wherever_it_is_shown() {
    let env = TestEnv::new();
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = squeezed(&env.run(["--help"]).expect_code(0).stdout);
    let page = squeezed(&env.run(["man"]).expect_code(0).stdout.replace('\\', ""));
    for (code, meaning) in EXIT_CODES {
        let row = squeezed(&format!("{code} {meaning}"));
        assert!(help.contains(&row), "`{row}` in --help");
        let row = squeezed(&format!("fB{code}fR {meaning}"));
        assert!(page.contains(&row), "`{row}` in the manual page\n{page}");
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    if let Ok(readme) = fs::read_to_string(readme) {
        for (code, meaning) in EXIT_CODES {
            assert!(readme.contains(&format!("| {code} | {meaning} |")), "`{code}` in README.md");
        }
    }
}

#[test]
fn usage_errors_exit_2_and_suggest() {
    let env = TestEnv::new();
    let cases: [(&[&str], &str); 12] = [
        (&["statu"], "did you mean `liveops status`?"),
        (&["status", "--servce", "x"], "did you mean `liveops status --service x`?"),
        (&["status", "--fail-on", "warning"], "warn, critical, never"),
        (&["-o", "xml", "status"], "table, json, yaml, csv, name"),
        (&["--timeout", "soon", "status"], "--timeout"),
        (&["status", "--interval", "0s"], "--interval"),
        (&["status", "--interval", "1ms"], "look every 100ms at most"),
        (&["status", "--watch", "--nagios"], "cannot be used with"),
        (&["demo", "--port", "70000"], "65535"),
        (&["flag", "set", "x", "30"], "did you mean `liveops flag set x --pct 30`?"),
        (&["flag", "allow", "x", "qa_1"], "did you mean `liveops flag allow x add qa_1`?"),
        (&["flag", "allow", "x"], "liveops flag allow new_matchmaking add qa_1 qa_2"),
    ];
    for (args, words) in cases {
        let run = env.run(args).expect_code(2);
        assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{args:?}");
    }
    let nothing = env.run::<&str>([]).expect_code(2);
    assert!(nothing.stderr.contains("Monitor "), "{}", nothing.stderr);
}

#[test]
fn usage_errors_are_json_where_json_was_asked_for() {
    let env = TestEnv::new();
    for args in [&["-o", "json", "statu"][..], &["statu", "--output=json"], &["status", "-ojson", "--servce", "x"]] {
        let error = env.run(args).expect_code(2).json_error();
        assert_eq!(error["kind"], "usage", "{args:?}");
        assert_eq!(error["exit_code"], 2);
        let text = format!("{} {}", error["error"], error["hint"]);
        assert!(text.contains("status") || text.contains("--service"), "{text}");
    }
    let named = env.command(["statu"]).env("LIVEOPS_OUTPUT", "json").run().expect_code(2);
    assert_eq!(named.json_error()["kind"], "usage");
}

#[test]
fn the_version_is_one_line() {
    let run = TestEnv::new().run(["--version"]).expect_code(0);
    assert_eq!(run.stdout, format!("liveops {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn global_flags_stand_before_or_after_the_command_and_win_over_the_environment() {
    let backends = Backends::start();
    let env = TestEnv::new().now(NOW).var("LIVEOPS_OUTPUT", "yaml");
    env.write("liveops.yaml", backends.scrape_config(""));
    backends.health(crate::support::Answer::text("OK"));
    let before = env.run(["-o", "json", "health"]).expect_code(0);
    let after = env.run(["health", "-o", "json"]).expect_code(0);
    assert_eq!(before.snapshot(), after.snapshot());
    let yaml = env.run(["health"]).expect_code(0);
    assert!(yaml.stdout.starts_with("schema: liveops.health/1"), "{}", yaml.stdout);
}

#[test]
fn an_environment_is_chosen_and_a_wrong_one_gets_the_nearest() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\nenvironments: { staging: {}, prod: {} }\n");
    let several = env.run(["status"]).expect_code(2);
    assert!(several.stderr.contains("-e staging"), "{}", several.stderr);
    let wrong = env.run(["status", "-e", "stagin"]).expect_code(2);
    assert!(wrong.stderr.contains("did you mean `staging`?"), "{}", wrong.stderr);
    let chosen = env.command(["status", "-o", "json"]).env("LIVEOPS_ENV", "prod").run();
    assert_eq!(chosen.json()["environment"], "prod");
}

#[test]
fn the_timeout_bounds_the_whole_command() {
    let backends = Backends::start();
    let slow = crate::support::Answer::text("ok").after(std::time::Duration::from_secs(20));
    backends.health(slow);
    let env = TestEnv::new();
    let run =
        env.run(["health", "--health", &backends.service.url(), "--timeout", "300ms", "-o", "json"]).expect_code(3);
    assert!(run.took < std::time::Duration::from_secs(5), "{:?}", run.took);
    let service: &Value = &run.json()["data"]["services"][0];
    assert!(service["detail"].as_str().unwrap().contains("no answer within 0.3 s"), "{service}");
}

#[test]
fn a_wrong_test_clock_is_refused() {
    let run = TestEnv::new().now("yesterday").run(["status"]).expect_code(2);
    assert!(run.stderr.contains("LIVEOPS_NOW is `yesterday`"), "{}", run.stderr);
}
