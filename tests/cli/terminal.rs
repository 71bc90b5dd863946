//! Where output goes: ASCII and Unicode, colour or none, 80×24, and a pipe whose reader leaves.

use std::io::Read;
use std::process::Stdio;

use crate::status::busy;
use crate::support::run::{Run, code};
use crate::support::{Answer, Stub, TestEnv};

#[test]
fn ascii_terminals_get_ascii() {
    let (_backends, env) = busy();
    for (name, value) in [("LANG", "C"), ("LC_ALL", "POSIX"), ("TERM", "dumb")] {
        let run = env.command(["status"]).env(name, value).run();
        assert!(run.stdout.is_ascii(), "{name}={value}\n{}", run.stdout);
        assert!(run.stdout.contains("! WARNING") || run.stdout.contains("? UNKNOWN"), "{}", run.stdout);
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
        text.snapshot().split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>()
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
        assert_eq!(command.run().stdout.contains('\x1b'), coloured, "{no_color:?} {force:?}");
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
    assert!(text.contains("next: liveops alerts explain TickPerformanceDegraded"), "{text}");
}

#[test]
fn many_services_in_trouble_are_counted_and_the_verdict_stays_in_sight() {
    let (stub, env) = (Stub::new(), TestEnv::new());
    let stub = stub.on("GET", "/dead/*", Answer::text("").status(503));
    let degraded = Answer::json(serde_json::json!({ "status": "degraded" }));
    let stub = stub.on("GET", "/ill/*", degraded);
    let mut config = "version: 1\nservices:\n".to_owned();
    for n in 0..40 {
        let kind = if n < 25 { "ill" } else { "dead" };
        config += &format!("  - {{ name: {kind}-{n}, health: \"{}/{kind}\" }}\n", stub.url());
    }
    config += "kpis:\n";
    for n in 0..10 {
        config += &format!("  - {{ name: kpi-{n}, promql: up }}\n");
    }
    env.write("liveops.yaml", config);
    let (code, transcript) = env.pty(["status"]).wait();
    let text = console::strip_ansi_codes(&transcript).into_owned();
    assert_eq!(code, 1, "{text}");
    // The worst come first, and what is left out is counted.
    assert!(text.contains("dead-39") && !text.contains("ill-0  "), "{text}");
    assert!(text.contains("and 30 more that are not healthy"), "{text}");
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let last: Vec<&str> = lines.iter().rev().take(24).copied().collect();
    assert!(last.iter().any(|line| line.contains("dead-27 down, 12 more services down")), "{text}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (_backends, env) = busy();
    for args in [&["status"][..], &["status", "-o", "json"], &["status", "--watch", "--interval", "100ms"]] {
        let mut child =
            env.bare(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((code(child.wait().unwrap()), said.as_str()), (3, ""), "{args:?}");
    }
}

#[test]
fn too_few_files_to_open_are_said_and_are_no_bug() {
    let env = TestEnv::new();
    let runs: Vec<_> = (5..9).map(|limit| env.under(&format!("ulimit -n {limit}"), &["status"])).collect();
    for (code, stderr) in &runs {
        assert!(*code == 3 && !stderr.contains("bug") && !stderr.contains("panicked"), "{code}: {stderr}");
    }
    assert!(runs[0].1.contains("raise the limit of open files: `ulimit -n 256`"), "{}", runs[0].1);
}
