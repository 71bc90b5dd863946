//! Help, global flags and usage errors: what a stranger reads first, and what a typing error gets.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use liveops::EXIT_CODES;
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
    for flag in ["-h", "--help"] {
        let help = env.run([flag]).expect_code(0).stdout;
        let (mut heading, mut listed) = ("", Vec::new());
        for line in help.lines() {
            match line.strip_prefix("  ") {
                None => heading = line,
                Some(row) if ["Monitor:", "Respond:", "Change:", "Analyze:", "Tool:", "More:"].contains(&heading) => {
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
        assert_eq!(&once - &BTreeSet::from(["help".to_owned()]), nouns, "{flag}");
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
        assert!(help.lines().nth(2).is_some_and(|line| line.len() > 20), "{command}: no paragraph\n{help}");
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
    let cases: [(&[&str], &str); 9] = [
        (&["statu"], "'status'"),
        (&["status", "--servce", "x"], "'--service'"),
        (&["status", "--fail-on", "warning"], "warn, critical, never"),
        (&["-o", "xml", "status"], "table, json, yaml, csv, name"),
        (&["--timeout", "soon", "status"], "--timeout"),
        (&["status", "--interval", "0s"], "--interval"),
        (&["status", "--interval", "1ms"], "look every 100ms at most"),
        (&["status", "--watch", "--nagios"], "cannot be used with"),
        (&["demo", "--port", "70000"], "65535"),
    ];
    for (args, words) in cases {
        let run = env.run(args).expect_code(2);
        assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{args:?}");
    }
    let nothing = env.run::<&str>([]).expect_code(2);
    assert!(nothing.stderr.contains("Monitor:"), "{}", nothing.stderr);
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
