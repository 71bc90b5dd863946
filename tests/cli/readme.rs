//! The README does not promise what the tool does not hold: its configuration is valid, its commands parse.

use super::support::env::TestEnv;

const README: &str = include_str!("../../README.md");

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    README
        .split(&start)
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect()
}

#[test]
fn its_configuration_is_valid() {
    let found = blocks("yaml");
    assert_eq!(found.len(), 1);
    let env = TestEnv::new();
    env.write("liveops.yaml", found[0]);
    let run = env.run(["config", "validate"]).expect_code(0);
    assert!(run.stdout.contains("2 environments"), "{}", run.stdout);
}

#[test]
fn its_commands_exist() {
    let env = TestEnv::new();
    let mut seen = 0;
    for line in README.lines().flat_map(|line| line.split('`')) {
        let line = line.trim_start_matches("$ ");
        let Some(words) = line.strip_prefix("liveops ") else {
            continue;
        };
        let words: Vec<&str> = words
            .split_whitespace()
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()))
            .collect();
        if words.is_empty() {
            continue;
        }
        seen += 1;
        env.run(words.iter().copied().chain(["--help"]))
            .expect_code(0);
    }
    assert!(seen > 8, "only {seen} commands were found in README.md");
}
