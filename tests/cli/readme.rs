//! The README does not promise what the tool does not hold: its configuration is valid, its commands parse.

use super::support::env::TestEnv;

const README: &str = include_str!("../../README.md");

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    README.split(&start).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn its_configuration_is_valid() {
    let environments = blocks("yaml").into_iter().map(|block| {
        let env = TestEnv::new();
        env.write("liveops.yaml", block);
        let run = env.run(["config", "validate"]).expect_code(0);
        run.stdout.split(',').next().unwrap_or_default().to_owned()
    });
    let found: Vec<String> = environments.collect();
    assert_eq!(found, ["1 environment", "2 environments"]);
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
        let words: Vec<&str> =
            words.split_whitespace().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
        if words.is_empty() {
            continue;
        }
        seen += 1;
        env.run(words.iter().copied().chain(["--help"])).expect_code(0);
    }
    assert!(seen > 8, "only {seen} commands were found in README.md");
}

/// The commands below a heading, as somebody follows them on the demo: each does what its line says. `shown` gives, for
/// the words of a command, what its screen must have.
#[cfg(feature = "demo")]
fn follow(heading: &str, count: usize, shown: impl Fn(&[&str]) -> &'static str) {
    let env = TestEnv::new();
    let mut demo = env.pty(["demo", "--keep"]);
    demo.expect("until Ctrl-C").expect("cd ").expect("liveops flag list");
    let transcript = console::strip_ansi_codes(demo.transcript()).into_owned();
    let (_, folder) = transcript.rsplit_once("go there: cd ").unwrap();
    let folder = folder.lines().next().unwrap().trim().to_owned();
    hurry(&format!("{folder}/liveops.yaml"));
    let chapter = README.split(heading).nth(1).unwrap();
    let block = chapter.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let mut seen = 0;
    for line in block.lines() {
        let (command, remark) = line.split_once(" # ").unwrap_or((line, ""));
        let words = words(command.strip_prefix("$ liveops ").unwrap());
        let config = format!("{folder}/liveops.yaml");
        let args = words.iter().map(|word| match word.as_str() {
            "players.txt" => format!("{folder}/players.txt"),
            "3s" => "1s".to_owned(),
            word => word.to_owned(),
        });
        let code = i32::from(remark.contains("(exit 1)"));
        let run = env
            .command(args.chain(["--config".into(), config]))
            .limit(std::time::Duration::from_secs(60))
            .run()
            .expect_code(code);
        let plain: Vec<&str> = words.iter().map(String::as_str).collect();
        let shown = shown(&plain);
        assert!(run.stdout.contains(shown), "{line}: `{shown}` in\n{}", run.stdout);
        seen += 1;
    }
    assert_eq!(seen, count);
    demo.interrupt();
    assert_eq!(demo.wait().0, 130);
}

#[cfg(feature = "demo")]
#[test]
fn its_flags_chapter_works_on_the_demo() {
    follow("### Ten minutes on the demo", 10, |words| match words {
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
    follow("### A quarter of an hour on the demo", 13, |words| match words {
        ["incident", "open", ..] => "liveops triage --incident",
        ["incident", "ack"] => "acknowledged by",
        ["triage"] => "liveops flag kill new_matchmaking",
        ["changes", ..] => "new_matchmaking",
        ["runbook", "new", ..] => "service-degradation.md",
        ["runbook", "run", ..] => "List what changed",
        ["flag", "set", ..] => "percentage 10 to 40",
        ["flag", ..] => "kill flag `new_matchmaking`",
        ["incident", "mitigate", ..] => "when it is over",
        ["incident", "timeline"] => "service-degradation `List what changed` done",
        ["incident", "resolve", ..] => "write the postmortem, due",
        ["postmortem", "new"] => "postmortem.md is written",
        _ => "left to fill in",
    });
}

/// In shorter steps: a good build is promoted, a bad one goes back by itself, a flag gets everybody.
#[cfg(feature = "demo")]
#[test]
fn its_rollouts_chapter_works_on_the_demo() {
    follow("### A minute on the demo", 7, |words| match words {
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

/// The words of a shell command with single quotes.
#[cfg(feature = "demo")]
fn words(command: &str) -> Vec<String> {
    let parts = command.split('\'').enumerate();
    let word = |(place, part): (usize, &str)| match place % 2 {
        0 => part.split_whitespace().map(ToOwned::to_owned).collect(),
        _ => vec![part.to_owned()],
    };
    parts.flat_map(word).collect()
}
