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
fn the_committed_schema_is_what_the_binary_writes() {
    let written = TestEnv::new().run(["config", "schema"]).expect_code(0).stdout;
    let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("liveops.schema.json"));
    assert!(committed.unwrap() == written, "liveops.schema.json is out of date; {REMEDY}");
}

#[test]
fn every_page_has_the_sections_that_one_looks_for_and_examples_that_can_be_pasted() {
    let env = TestEnv::new();
    env.run(["man", "--out", "pages"]).expect_code(0);
    for (name, page) in files(&env.path().join("pages")) {
        // Where man-pages(7) has them.
        let wanted = match name.ends_with(".1") {
            true => &["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"][..],
            false => &["FILES", "EXAMPLES", "SEE ALSO"],
        };
        let headings = page.lines().filter_map(|line| line.strip_prefix(".SH \"")?.strip_suffix('"'));
        let found: Vec<&str> = headings.filter(|heading| wanted.contains(heading)).collect();
        assert_eq!(found, wanted, "{name}");
        assert!(!page.contains(".SH EXTRA"), "{name}");
    }
    // As a reader sees it, in a narrow window: nothing is hyphenated or filled.
    let shown = env.shell("man -l pages/liveops-flag-set.1 2>/dev/null || groff -man -Tascii pages/liveops-flag-set.1");
    let plain = shown.stdout.replace("\u{8}", "");
    assert!(
        plain.lines().any(|line| line.trim() == "liveops flag set new_matchmaking --pct 25 --expect-rev 3"),
        "{}{}",
        shown.stdout,
        shown.stderr
    );
}

#[test]
fn the_page_of_the_file_has_every_key() {
    let env = TestEnv::new();
    env.run(["man", "--out", "pages"]).expect_code(0);
    let page = env.read("pages/liveops-config.5").replace("\\(aq", "'").replace("\\(ga", "`").replace('\\', "");
    for key in liveops_engine::config::keys::KEYS {
        assert!(page.contains(key.path) && page.contains(&key.about[..key.about.len() / 2]), "{}", key.path);
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
fn what_a_shell_would_run_is_not_offered() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { prod: {} }\nservices:\n  - { name: lobby, health: { url: \"http://127.0.0.1:1\" } }\n",
    );
    env.write("flags.json", "{\"f`touch${IFS}P`\": {\"enabled\": true}, \"fine\": {\"enabled\": true}}");
    env.write("docs/runbooks/r$(touch P).md", "# r\n");
    env.write("docs/runbooks/plain.md", "# plain\n");
    for words in [&["status", "--service", ""][..], &["flag", "get", ""], &["runbook", "show", ""]] {
        let found = tab(&env, words);
        assert!(!found.is_empty() && found.iter().all(|one| !one.contains(['$', '`', '('])), "{words:?}: {found:?}");
    }
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
    assert!(tab(&env, &["-o", "j"]).contains(&"json".to_owned()));
    assert!(tab(&env, &["status", "--fa"]).contains(&"--fail-on".to_owned()));
}

/// A project with everything that has a name.
fn named() -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "version: 1\ndefault_env: prod\nenvironments: { prod: { regions: { eu: {}, us: {} } } }\n\
         services: [ { name: game, owner: platform } ]\npolicies: { careful: { success: [ \"errors < 1%\" ] } }\n\
         kpis: [ { name: errors, promql: \"up\" } ]\n\
         slos: [ { name: api, objective: 99%, up: up } ]\n\
         notify: { channels: [ { name: room, type: exec, command: [call] } ] }\n",
    );
    env.write("flags.json", r#"{"shop_v2": {"enabled": true, "percentage": 10, "defaultValue": true}}"#);
    env.write("docs/runbooks/alerts/TickSlow.md", "# TickSlow\n\n## Impact\n\nslow\n");
    env.trust();
    env
}

#[test]
fn tab_offers_every_name_that_there_is() {
    let env = named();
    env.run(["flag", "set", "shop_v2", "--pct", "20", "--yes"]).expect_code(0);
    env.run(["incident", "open", "--sev", "p3", "--title", "slow"]);
    for (words, want) in [
        (&["flag", "kill", ""][..], "shop_v2"),
        (&["flag", "set", "sh"], "shop_v2"),
        (&["flag", "ramp", "start", ""], "shop_v2"),
        (&["rollout", "canary", ""], "game"),
        (&["rollout", "canary", "game", "--policy", ""], "careful"),
        (&["rollout", "status", "--region", ""], "eu"),
        (&["scale", ""], "game"),
        (&["query", "--kpi", ""], "errors"),
        (&["changes", "--around", ""], "errors"),
        (&["slo", "budget", ""], "api"),
        (&["runbook", "show", "Ti"], "TickSlow"),
        (&["runbook", "new", "full"], "full-outage"),
        (&["incident", "open", "--severity", ""], "p1"),
        (&["incident", "severity", ""], "p1"),
        (&["alerts", "--severity", "cr"], "critical"),
        (&["page", "test", "--channel", ""], "room"),
        (&["postmortem", "new", ""], "-p3-slow"),
        (&["incident", "show", ""], "-p3-slow"),
        (&["triage", "--incident", ""], "-p3-slow"),
        (&["--config", "liveops.yaml", "-e", "prod", "flag", "get", ""], "shop_v2"),
    ] {
        let offered = tab(&env, words);
        assert!(offered.iter().any(|name| name.ends_with(want)), "{words:?}: {offered:?}");
        assert!(
            words.last() != Some(&"") || !offered.iter().any(|name| name.starts_with("--")),
            "{words:?}: {offered:?}"
        );
    }
    let audit = env.run(["audit", "list", "-o", "name"]).expect_code(0).stdout;
    for words in [["undo", ""], ["audit", "show"]] {
        let line: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).chain([""]).collect();
        let offered = tab(&env, &line);
        assert!(audit.lines().any(|id| offered.contains(&id.to_owned())), "{words:?}: {offered:?}");
    }
}

/// What the last answer of a server named is offered without asking it again.
#[test]
fn tab_offers_what_servers_named_last_and_asks_none() {
    let backends = crate::support::Backends::start();
    let env = TestEnv::new().now(crate::support::backends::NOW);
    env.write(
        "liveops.yaml",
        format!("version: 1\nenvironments: {{ prod: {{ alertmanager: \"{}\" }} }}\n", backends.alertmanager.url()),
    );
    backends.alerts(serde_json::json!([crate::support::backends::alert(
        serde_json::json!({ "alertname": "TickSlow", "severity": "critical" }),
        5,
        "firing"
    )]));
    env.run(["alerts"]);
    let asked = backends.alertmanager.requests().len();
    let began = std::time::Instant::now();
    let offered = tab(&env, &["alerts", "explain", ""]);
    let took = began.elapsed();
    assert!(
        offered.contains(&"TickSlow".to_owned()) && offered.iter().all(|name| !name.starts_with('-')),
        "{offered:?}"
    );
    assert_eq!(backends.alertmanager.requests().len(), asked, "no server is asked");
    // A release build takes 10 ms; this one is not optimized, and the machine is busy.
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}

#[test]
fn tab_is_quiet_where_there_is_no_configuration_or_a_broken_one() {
    let env = TestEnv::new();
    assert!(tab(&env, &["status", "--service", ""]).is_empty());
    env.write("liveops.yaml", "version: [\n");
    assert!(tab(&env, &["-e", ""]).is_empty());
}
