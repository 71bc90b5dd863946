//! Every command that liveops prints into a document, a rule, a pipeline, a postmortem or a runbook runs as it is printed:
//! the program's own grammar reads each of them, by `runbook check`.

use std::collections::BTreeSet;

use regex::Regex;

use super::new::{KINDS, env as rich};
use super::support::env::TestEnv;

const SCENARIOS: [&str; 10] = [
    "rollback",
    "hotfix",
    "service-degradation",
    "data-corruption",
    "full-outage",
    "credential-rotation",
    "backup-restore",
    "failover",
    "circuit-breaker-open",
    "load-shedding",
];

/// The commands in spans and blocks of code, and those of pipelines, with a value in each placeholder.
fn commands(text: &str) -> BTreeSet<String> {
    let span = Regex::new("`(liveops [^`]+)`").unwrap();
    let angle = Regex::new("<[a-z|. -]+>").unwrap();
    let spans = span.captures_iter(text).map(|found| found[1].to_owned());
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches("run: "));
    let lines = lines.filter(|line| line.starts_with("liveops ")).map(str::to_owned);
    let filled = |line: String| {
        let line = angle.replace_all(&line, "x").into_owned();
        line.split(' ').map(|word| if word == "N" { "2" } else { word }).collect::<Vec<_>>().join(" ")
    };
    spans.chain(lines).map(filled).collect()
}

/// Everything that is written for this configuration.
fn documents(env: &TestEnv) -> String {
    let mut text = String::new();
    for kind in KINDS {
        text.push_str(&env.run(["new", kind, "--dry-run"]).expect_code(0).stdout);
        env.run(["new", kind]).expect_code(0);
    }
    let mut folders = vec![env.path()];
    for name in SCENARIOS {
        // What is not written is shown, too.
        env.run(["runbook", "show", name]).expect_code(0);
        let service =
            if env.read("liveops.yaml").contains("name: second") { &["--service", "second"][..] } else { &[] };
        env.run(["runbook", "new", name].iter().chain(service)).expect_code(0);
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != ".git" {
                folders.push(path);
            } else if name.ends_with(".md") || (name.ends_with(".yml") && name != "liveops.yaml") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
                text.push('\n');
            }
        }
    }
    text
}

/// What is wrong with each of these, as `runbook check` says it of blocks that are there to be run.
fn wrong<'a>(env: &TestEnv, commands: impl Iterator<Item = &'a String>) -> Vec<String> {
    let blocks: String = commands.map(|command| format!("```sh\n{command}\n```\n\n")).collect();
    env.write("docs/runbooks/printed.md", format!("# Printed\n\n{blocks}"));
    let check = env.run(["runbook", "check", "printed", "-o", "json"]).json();
    let findings = check["data"]["findings"].as_array().expect("findings").iter();
    findings.filter(|one| one["id"] == "R11").map(|one| one["why"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_command_of_every_document_and_runbook_parses() {
    let two = rich();
    let text = two.read("liveops.yaml").replace("services:\n", "services:\n  - { name: second }\n");
    two.write("liveops.yaml", text);
    let mut worlds = vec![rich(), two];
    for preset in ["game-server", "http-api"] {
        let env = TestEnv::new();
        env.run(["init", "--preset", preset, "--yes"]).expect_code(0);
        worlds.push(env);
    }
    let mut all = BTreeSet::new();
    for env in &worlds {
        all.extend(commands(&documents(env)));
    }
    all.extend(commands(include_str!("../../templates/postmortem/postmortem.md.j2")));
    assert!(all.len() > 90, "{}: {all:#?}", all.len());
    let env = &worlds[0];
    assert_eq!(wrong(env, all.iter()), Vec::<String>::new());
    for name in all.iter().filter_map(|line| line.strip_prefix("liveops runbook show ")) {
        env.run(["runbook", "show", name]).expect_code(0);
    }
    // What is wrong is seen.
    let bad = [
        "liveops silence add --dry-run",
        "liveops check deploy",
        "liveops changes record --service game",
        "liveops flag slay x",
        "liveops status --watsh",
        "liveops changes --since yesterdayish",
    ];
    let found = wrong(env, bad.map(str::to_owned).iter());
    assert_eq!(found.len(), bad.len(), "{found:#?}");
}
