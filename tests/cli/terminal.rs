//! Where output goes: ASCII and Unicode, colour or none, 80×24, and a pipe whose reader leaves.

use std::io::Read;
use std::process::Stdio;

use crate::status::busy;
use crate::support::run::{Run, code};

#[test]
fn ascii_terminals_get_ascii() {
    let (_backends, env) = busy();
    for (name, value) in [("LANG", "C"), ("LC_ALL", "POSIX"), ("TERM", "dumb")] {
        let run = env.command(["status"]).env(name, value).run();
        assert!(run.stdout.is_ascii(), "{name}={value}\n{}", run.stdout);
        assert!(
            run.stdout.contains("! WARNING") || run.stdout.contains("? UNKNOWN"),
            "{}",
            run.stdout
        );
    }
}

#[test]
fn colour_is_asked_for_or_not_and_never_changes_the_words() {
    let (_backends, env) = busy();
    let plain = env.run(["status"]);
    assert!(!plain.stdout.contains('\x1b'));
    let always = env.run(["status", "--color", "always"]);
    assert!(always.stdout.contains("\x1b["), "{}", always.stdout);
    let words = |run: &Run| {
        let stdout = console::strip_ansi_codes(&run.stdout).into_owned();
        let mut text = run.clone();
        text.stdout = stdout;
        text.snapshot()
            .split_whitespace()
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&always), words(&plain));
    let cases = [
        (Some("1"), None, false),
        (None, None, false),
        (None, Some("1"), true),
        (None, Some("0"), false),
        (Some("1"), Some("1"), false),
    ];
    for (no_color, force, coloured) in cases {
        let mut command = env.command(["status"]).env_remove("NO_COLOR");
        if let Some(value) = no_color {
            command = command.env("NO_COLOR", value);
        }
        if let Some(value) = force {
            command = command.env("CLICOLOR_FORCE", value);
        }
        assert_eq!(
            command.run().stdout.contains('\x1b'),
            coloured,
            "{no_color:?} {force:?}"
        );
    }
    let json = env.run(["status", "--color", "always", "-o", "json"]);
    assert!(!json.stdout.contains('\x1b'), "JSON is never coloured");
}

#[test]
fn the_screen_fits_a_terminal_of_80_by_24() {
    let (_backends, env) = busy();
    let (code, transcript) = env.pty(["status"]).wait();
    assert_eq!(code, 3);
    let text = console::strip_ansi_codes(&transcript).into_owned();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    assert!(lines.len() <= 24, "{} lines\n{text}", lines.len());
    for line in lines {
        assert!(console::measure_text_width(line) <= 80, "`{line}`");
    }
    assert!(transcript.contains('\x1b'), "a terminal gets colour");
    assert!(
        text.contains("next: liveops alerts explain TickPerformanceDegraded"),
        "{text}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (_backends, env) = busy();
    for args in [
        &["status"][..],
        &["status", "-o", "json"],
        &["status", "--watch", "--interval", "50ms"],
    ] {
        let mut child = env
            .bare(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(
            (code(child.wait().unwrap()), said.as_str()),
            (3, ""),
            "{args:?}"
        );
    }
}
