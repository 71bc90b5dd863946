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

/// The chapter on flags, as somebody follows it on the demo: every command does what its line says.
#[cfg(feature = "demo")]
#[test]
fn its_flags_chapter_works_on_the_demo() {
    let env = TestEnv::new();
    let mut demo = env.pty(["demo", "--keep"]);
    demo.expect("until Ctrl-C")
        .expect("cd ")
        .expect("liveops flag list");
    let transcript = console::strip_ansi_codes(demo.transcript()).into_owned();
    let (_, folder) = transcript.rsplit_once("go there: cd ").unwrap();
    let folder = folder.lines().next().unwrap().trim().to_owned();
    let chapter = README.split("### Ten minutes on the demo").nth(1).unwrap();
    let block = chapter
        .split("```console\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let mut seen = 0;
    for line in block.lines() {
        let (command, remark) = line.split_once(" # ").unwrap_or((line, ""));
        let words = words(command.strip_prefix("$ liveops ").unwrap());
        let config = format!("{folder}/liveops.yaml");
        let args = words.iter().map(|word| match word.as_str() {
            "players.txt" => format!("{folder}/players.txt"),
            word => word.to_owned(),
        });
        let code = i32::from(remark.contains("(exit 1)"));
        let run = env
            .run(args.chain(["--config".into(), config]))
            .expect_code(code);
        let shown = match words.get(1).map_or("", String::as_str) {
            "list" => "nobody: defaultValue is false",
            "lint" => "E06",
            "explain" => "not reached (on)",
            "preview" => "switched on",
            "set" => "percentage 10 to 25",
            "history" => "rev 4",
            "undo" => "percentage",
            "kill" => "kill flag `new_matchmaking`",
            "stale" => "double_xp",
            _ => "Changed in the last hour",
        };
        assert!(
            run.stdout.contains(shown),
            "{line}: `{shown}` in\n{}",
            run.stdout
        );
        seen += 1;
    }
    assert_eq!(seen, 10);
    demo.interrupt();
    assert_eq!(demo.wait().0, 130);
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
