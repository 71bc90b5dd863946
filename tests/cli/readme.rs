//! The README and the chapters are typed as they stand: their configuration is valid, their tours work on the demo.

#[cfg(feature = "demo")]
use std::path::Path;

use super::book::{blocks, chapters};
use super::support::env::TestEnv;

#[test]
fn the_configuration_in_them_is_valid() {
    let mut seen = 0;
    for (name, text) in chapters() {
        for block in blocks(&text, "yaml").into_iter().filter(|block| block.starts_with("version:")) {
            let env = TestEnv::new();
            env.write("liveops.yaml", block);
            let run = env.run(["config", "validate"]);
            assert_eq!(run.code, 0, "{name}: {}", run.stderr);
            seen += 1;
        }
    }
    assert!(seen >= 2, "only {seen} whole files were found");
}

#[test]
fn the_readme_is_short() {
    let (_, readme) = chapters().remove(0);
    assert!(readme.lines().count() <= 130, "{} lines", readme.lines().count());
    for command in ["$ cargo run --release -- demo ", "$ ./scripts/test "] {
        assert!(readme.contains(command), "{command}");
    }
}

/// A demo that goes on, and the folder of its project.
#[cfg(feature = "demo")]
fn demo(env: &TestEnv) -> (super::support::pty::Pty, String) {
    let mut demo = env.pty(["demo", "--keep"]);
    demo.expect("until Ctrl-C").expect("cd ").expect("liveops flag list");
    let transcript = console::strip_ansi_codes(demo.transcript()).into_owned();
    let (_, folder) = transcript.rsplit_once("go there: cd ").unwrap();
    let folder = folder.lines().next().unwrap().trim().to_owned();
    hurry(&format!("{folder}/liveops.yaml"));
    (demo, folder)
}

/// The commands of the first block below a heading, as somebody types them on the demo, in its folder, in a shell:
/// each does what its line says. `shown` gives, for the words of a command, what its screen must have.
#[cfg(feature = "demo")]
fn follow(file: &str, heading: &str, count: usize, shown: impl Fn(&[&str]) -> &'static str) {
    let env = TestEnv::new().with_program(Path::new(env!("CARGO_BIN_EXE_liveops")), "liveops");
    let (mut demo, folder) = demo(&env);
    let (_, text) = chapters().into_iter().find(|(name, _)| name == file).unwrap();
    let chapter = text.split(heading).nth(1).unwrap();
    let block = blocks(chapter, "console").remove(0);
    let mut seen = 0;
    for line in block.lines() {
        let (command, remark) = line.split_once(" # ").unwrap_or((line, ""));
        let command = command.strip_prefix("$ ").unwrap().trim();
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let shown = shown(&words);
        seen += 1;
        if words == ["watch"] {
            let mut pty = env.pty(["watch", "--config", &format!("{folder}/liveops.yaml")]);
            pty.expect(shown).send("q");
            assert_eq!(pty.wait().0, 0);
            continue;
        }
        let typed = format!("cd '{folder}' && {}", command.replace("--hold 3s", "--hold 1s"));
        let run = env.shell(&typed);
        // With the clock of the demo an objective may have no look yet: that is exit code 3, as the chapter on them says.
        let code = i32::from(remark.contains("(exit 1)"));
        assert!(run.code == code || (words[0] == "status" && run.code == 3), "{line}: {}\n{}", run.code, run.stderr);
        assert!(run.stdout.contains(shown), "{line}: `{shown}` in\n{}", run.stdout);
    }
    assert_eq!(seen, count);
    demo.interrupt();
    assert_eq!(demo.wait().0, 130);
}

#[cfg(feature = "demo")]
#[test]
fn the_tour_works_as_typed() {
    follow("README.md", "## Five minutes on the demo", 12, |words| match words {
        ["status", "-o", ..] => "liveops.status/1",
        ["status"] => "tick p99",
        ["watch"] => "? keys",
        [_, "explain", ..] => "not reached (on)",
        [_, "set", ..] => "percentage 10 to 25",
        ["undo", ..] => "percentage 25 to 10",
        ["rollout", ..] => "it is the canary",
        ["incident", "open", ..] => "liveops triage --incident",
        ["incident", "ack"] => "acknowledged by",
        ["triage"] => "liveops flag kill new_matchmaking",
        ["incident", ..] => "liveops postmortem new",
        _ => "postmortem.md is written",
    });
}

#[cfg(feature = "demo")]
#[test]
fn its_flags_chapter_works_on_the_demo() {
    follow("docs/flags.md", "## Ten minutes on the demo", 10, |words| match words {
        [_, "list", ..] => "nobody: defaultValue is false",
        [_, "lint", ..] => "E06",
        [_, "explain", ..] => "not reached (on)",
        [_, "preview", ..] => "switched on",
        [_, "set", ..] => "percentage 10 to 25",
        [_, "history", ..] => "rev 4",
        [_, "undo", ..] => "percentage",
        [_, "kill", ..] => "kill flag `new_matchmaking`",
        [_, "stale", ..] => "double_xp",
        _ => "Changed in the last hour",
    });
}

#[cfg(feature = "demo")]
#[test]
fn its_incident_chapter_works_on_the_demo() {
    follow("docs/incidents.md", "## A quarter of an hour on the demo", 13, |words| match words {
        ["incident", "open", ..] => "liveops triage --incident",
        ["incident", "ack"] => "acknowledged by",
        ["triage"] => "liveops flag kill new_matchmaking",
        ["changes", ..] => "new_matchmaking",
        ["runbook", "new", ..] => "service-degradation.md",
        ["runbook", "run", ..] => "List what changed",
        ["flag", "set", ..] => "percentage 10 to 40",
        ["flag", ..] => "kill flag `new_matchmaking`",
        ["incident", "mitigate", ..] => "liveops incident resolve",
        ["incident", "timeline"] => "service-degradation `List what changed` done",
        ["incident", "resolve", ..] => "liveops postmortem new",
        ["postmortem", "new"] => "postmortem.md is written",
        _ => "left to fill in",
    });
}

/// In shorter steps: a good build is promoted, a bad one goes back by itself, a flag gets everybody.
#[cfg(feature = "demo")]
#[test]
fn its_rollouts_chapter_works_on_the_demo() {
    follow("docs/rollouts.md", "## A minute on the demo", 7, |words| match words {
        ["rollout", "plan", ..] => "req/s",
        [.., "game-backend:2.2-bad", _] => "it is the canary",
        ["rollout", "canary", ..] => "succeeded",
        ["undo", ..] => "take game-backend:2.1",
        ["rollout", "history"] => "errors > 5%",
        ["flag", "ramp", ..] => "every condition holds at the last step",
        _ => "ramp, step 3 of 3",
    });
}

/// Makes the demo's rollouts quicker than anybody would want to read.
#[cfg(feature = "demo")]
fn hurry(config: &str) {
    let text = std::fs::read_to_string(config).unwrap();
    let fast = text
        .replace("interval: 6s, poll: 1s", "interval: 1500ms, poll: 300ms")
        .replace("rollback_window: 5s", "rollback_window: 200ms")
        .replace("cache_ttl: 2s", "cache_ttl: 100ms");
    assert_ne!(fast, text);
    std::fs::write(config, fast).unwrap();
}
