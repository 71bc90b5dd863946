//! Completion scripts and manual pages: what is committed is what the binary writes; and what Tab offers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::{TestEnv, run::Run};

const REMEDY: &str = "run scripts/gen and commit what it writes";

/// Shell, and its file in `completions/`.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "liveops.bash"),
    ("zsh", "_liveops"),
    ("fish", "liveops.fish"),
    ("powershell", "liveops.ps1"),
    ("elvish", "liveops.elv"),
];

/// Name and text of each file in a folder.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}; {REMEDY}", folder.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

#[test]
fn committed_completions_are_what_the_binary_writes() {
    let env = TestEnv::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written: BTreeMap<String, String> = SHELLS
        .iter()
        .map(|(shell, file)| ((*file).to_owned(), env.run(["completions", shell]).expect_code(0).stdout))
        .collect();
    assert!(files(&root.join("completions")) == written, "completions/ is out of date; {REMEDY}");
}

#[test]
fn committed_manual_pages_are_what_the_binary_writes() {
    let env = TestEnv::new();
    env.run(["man", "--out", "pages"]).expect_code(0);
    let (written, committed) =
        (files(&env.path().join("pages")), files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("man")));
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&written), "{REMEDY}");
    for (name, page) in written {
        assert!(committed[&name] == page, "man/{name} is out of date; {REMEDY}");
    }
}

#[test]
fn every_command_has_a_page_and_pages_are_free_of_terminal_codes() {
    let env = TestEnv::new();
    let run = env.run(["man", "--out", "pages"]).expect_code(0);
    let pages = files(&env.path().join("pages"));
    assert_eq!(run.stderr, format!("{} pages in pages\n", pages.len()));
    for page in ["liveops.1", "liveops-status.1", "liveops-health-metrics.1", "liveops-demo.1"] {
        assert!(pages.contains_key(page), "{page}");
    }
    for (name, page) in &pages {
        assert!(!page.contains('\x1b'), "{name}");
        assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{name}");
    }
    let status = &pages["liveops-status.1"];
    assert!(status.contains("fail\\-on") && status.contains("liveops status \\-\\-nagios"), "{status}");
    assert!(!status.contains("\\-\\-alertmanager"), "global options stand once, in liveops(1)");
}

#[test]
fn an_unknown_shell_names_the_known_ones() {
    let run = TestEnv::new().run(["completions", "tcsh"]).expect_code(2);
    assert!(run.stderr.contains("bash, zsh, fish, powershell, elvish"), "{}", run.stderr);
}

/// What Tab offers after these words, with the last one unfinished.
fn tab(env: &TestEnv, words: &[&str]) -> Vec<String> {
    let index = words.len().to_string();
    let run: Run = env
        .command(["--", "liveops"].iter().chain(words))
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", &index)
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "false")
        .run()
        .expect_code(0);
    assert_eq!(run.stderr, "");
    run.stdout.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn tab_offers_commands_options_and_the_names_of_the_configuration() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "version: 1\ndefault_env: staging\nenvironments: { staging: {}, prod: { protected: true } }\n\
         services: [ { name: game-backend, health: { url: \"http://127.0.0.1:1\" } }, { name: lobby, health: { url: \"http://127.0.0.1:1\" } } ]\n\
         kpis: [ { name: tick_p99, gauge: tick }, { name: players, gauge: players } ]\n",
    );
    assert_eq!(tab(&env, &["stat"]), ["status"]);
    assert_eq!(tab(&env, &["status", "--service", ""]), ["game-backend", "lobby"]);
    assert_eq!(tab(&env, &["status", "--service", "lo"]), ["lobby"]);
    assert_eq!(tab(&env, &["-e", ""]), ["staging", "prod"]);
    assert_eq!(tab(&env, &["status", "--fail-on", "c"]), ["critical"]);
    assert_eq!(tab(&env, &["-o", "j"]), ["json"]);
    assert!(tab(&env, &["status", "--fa"]).contains(&"--fail-on".to_owned()));
}

#[test]
fn tab_is_quiet_where_there_is_no_configuration_or_a_broken_one() {
    let env = TestEnv::new();
    assert!(tab(&env, &["status", "--service", ""]).is_empty());
    env.write("liveops.yaml", "version: [\n");
    assert!(tab(&env, &["-e", ""]).is_empty());
}
