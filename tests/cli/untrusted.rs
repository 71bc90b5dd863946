//! Text from outside reaches no terminal as a command: alert names, labels, health answers, metrics, error texts.

use serde_json::json;

use crate::support::backends::{NOW, alert};
use crate::support::run::Run;
use crate::support::{Answer, Backends, TestEnv};

/// Sets the title, clears the screen, hides text, moves by a C1 control, reverses the direction, breaks the line.
const EVIL: &str =
    "x\x1b]0;owned\x07\x1b[2J\x1b[8m\u{9b}2J\u{202e}\u{61c}\u{e0041}\u{3164}\u{2028}\u{2066}\x7f\nerror: y\r\x08z";

/// Directions, a tag, a filler, a separator of lines.
const HIDDEN: [char; 6] = ['\u{202e}', '\u{61c}', '\u{e0041}', '\u{3164}', '\u{2028}', '\u{2066}'];

/// Nothing but line ends may control the terminal.
#[track_caller]
fn assert_tame(what: &str, run: &Run) {
    for (stream, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        let wild = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(wild, None, "{what}: {stream}\n{text:?}");
        let hidden = text.chars().find(|c| HIDDEN.contains(c));
        assert_eq!(hidden, None, "{what}: {stream}\n{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: y")), "{what}: {stream}\n{text}");
    }
}

fn world() -> (Backends, TestEnv) {
    let backends = Backends::start();
    backends.alerts(json!([
        alert(json!({"alertname": EVIL, "severity": EVIL, "instance": EVIL}), 5, "active"),
        alert(json!({"alertname": EVIL, "severity": "critical", "service": EVIL}), 5, "active"),
    ]));
    backends.prometheus_answers(|query| {
        let labels = if query.contains("by (region)") { json!({"region": EVIL}) } else { json!({}) };
        vec![(labels, 5.0)]
    });
    backends.prometheus.set(
        "GET",
        "/api/v1/targets",
        Answer::json(
            json!({"status": "success", "data": {"activeTargets": [{"labels": {"job": EVIL, "instance": EVIL},
            "scrapePool": EVIL, "scrapeUrl": "http://x", "health": "down", "lastError": EVIL,
            "lastScrape": NOW, "lastScrapeDuration": 0.1}]}}),
        ),
    );
    backends.health(Answer::json(json!({"status": EVIL, EVIL: EVIL})));
    backends.service.set(
        "GET",
        "/api/health/detailed",
        Answer::json(json!({"status": "ok", "components": {EVIL: {"status": "down"}}, "x": [EVIL]})),
    );
    let label = EVIL.replace('\n', "\\n");
    backends.expose(&format!("game_active_players{{region=\"{label}\"}} 5\n"));
    let env = TestEnv::new().now(NOW);
    env.write("liveops.yaml", backends.config("- { name: players, gauge: game_active_players, by: region }"));
    (backends, env)
}

#[test]
fn status_and_health_neutralise_what_they_are_told() {
    let (_backends, env) = world();
    for format in ["table", "json", "yaml", "csv", "name"] {
        for command in [&["status"][..], &["health"], &["health", "detailed"], &["health", "metrics"]] {
            let run = env.run(command.iter().chain(&["-o", format, "-vv"]));
            assert_tame(&format!("{command:?} {format}"), &run);
        }
    }
    assert_tame("nagios", &env.run(["status", "--nagios"]));
    let json = env.run(["status", "-o", "json"]).json();
    assert_eq!(json["data"]["alerts"][0]["name"], EVIL, "programs get the text as it is");
}

#[test]
fn error_texts_of_backends_are_neutralised() {
    let (backends, env) = world();
    let refusal = json!({"status": "error", "errorType": "bad_data", "error": EVIL});
    backends.prometheus.set("*", "/*", Answer::json(refusal).status(400));
    backends.prometheus.set("POST", "/api/v1/query", Answer::text(EVIL).status(500));
    backends.alertmanager.set("*", "/*", Answer::text(EVIL).status(500));
    backends.alerts(json!(EVIL));
    backends.health(Answer::text(EVIL).status(500));
    for format in ["table", "json", "yaml"] {
        let run = env.run(["status", "-o", format, "-v"]);
        assert_tame(&format!("status {format}"), &run);
        assert_ne!(run.code, 0);
    }
}

#[test]
fn a_command_to_paste_is_one_word_for_the_shell() {
    let (backends, env) = world();
    backends.alerts(json!([alert(json!({"alertname": "a'; rm -rf ~ #", "severity": "critical"}), 5, "active")]));
    let run = env.run(["status"]).expect_code(1);
    assert!(run.stdout.contains(r"next: liveops alerts explain 'a'\''; rm -rf ~ #'"), "{}", run.stdout);
}

/// What a terminal got, without what liveops itself sends it.
fn foreign(transcript: &str) -> bool {
    ["\x1b]52", "\x1b[31mX", "\u{202e}", "\u{3164}", "\u{e0041}"].iter().any(|wild| transcript.contains(wild))
}

const MARK: &str = "a\\e]52;c;ZXZpbA==\\a\\e[31mX\u{202e}\u{3164}\u{e0041}";

#[test]
fn questions_show_no_escapes_of_others() {
    let flags = r#"{"a": {"enabled": true, "percentage": 10, "defaultValue": true}}"#;
    for (config, args, waits) in [
        (
            format!("incidents: {{ severities: {{ p1: {{ impact: \"{MARK}\" }} }} }}\n"),
            &["incident", "open"][..],
            "how bad",
        ),
        (
            format!("services: [ {{ name: g, health: {{ url: {{ command: [x, \"{MARK}\"] }} }} }} ]\n"),
            &["config", "trust"],
            "let it?",
        ),
        (format!("project: \"{MARK}\"\n"), &["flag", "set", "a", "--pct", "20"], "go on in"),
    ] {
        let env = TestEnv::new();
        env.write("liveops.yaml", config);
        env.write("flags.json", flags);
        let mut terminal = env.pty(args);
        terminal.expect(waits);
        let (_, text) = terminal.interrupt_until_the_end();
        assert!(!foreign(&text), "{args:?}: {text:?}");
    }
}

#[test]
fn the_whole_of_a_step_is_seen_before_it_runs() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\n");
    let book = |name: &str, step: &str| {
        env.write(
            format!("docs/runbooks/{name}.md"),
            format!("# {name}\n\n```sh liveops step=\"s\" confirm\n{step}\n```\n"),
        );
    };
    book("blanks", &format!("echo hello{}; touch ran", " ".repeat(5000)));
    let mut terminal = env.pty(["runbook", "run", "blanks"]);
    terminal.expect("[5000 blanks]").expect("touch ran").expect("go on in").interrupt();
    terminal.wait();
    book("filler", "echo hello\u{3164}; touch ran");
    let mut terminal = env.pty(["runbook", "run", "filler"]);
    terminal.expect("\\u{3164}").expect("go on in").interrupt();
    terminal.wait();
    // Longer than the screen: page by page, and no question before the end.
    book("long", &format!("echo first\ntouch ran\n{}echo last", "echo b\n".repeat(60)));
    let mut terminal = env.pty(["runbook", "run", "long"]);
    terminal.expect("touch ran").expect("more lines to read, Enter shows them");
    assert!(!terminal.transcript().contains("go on in"));
    terminal.send_line("").expect("more lines to read").send_line("").expect("more lines to read").send_line("");
    terminal.expect("echo last").expect("go on in").interrupt();
    terminal.wait();
    assert!(!env.path().join("ran").exists());
}

/// A pipe in a repository holds nothing up, least of all a kill switch.
#[test]
fn a_certificate_that_is_a_pipe_or_a_device_is_refused() {
    let env = TestEnv::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, env.path().join("pipe"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    for files in ["ca: pipe", "ca: /dev/zero", "cert: pipe, key_file: pipe"] {
        env.write(
            "liveops.yaml",
            format!("environments: {{ prod: {{ flags: {{ url: 'rediss://127.0.0.1:1', {files} }} }} }}\n"),
        );
        env.run(["config", "trust", "-y"]).expect_code(0);
        for args in [&["flag", "list"][..], &["flag", "kill", "f", "--yes"]] {
            let run = env.run(args).expect_code(3);
            assert!(run.stderr.contains("not a regular file"), "{files}: {}", run.stderr);
        }
    }
}
