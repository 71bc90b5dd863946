//! Text from outside reaches no terminal as a command: alert names, labels, health answers, metrics, error texts.

use serde_json::json;

use crate::support::backends::{NOW, alert};
use crate::support::run::Run;
use crate::support::{Answer, Backends, TestEnv};

/// Sets the title, clears the screen, hides text, moves by a C1 control, reverses the direction, breaks the line.
const EVIL: &str = "x\x1b]0;owned\x07\x1b[2J\x1b[8m\u{9b}2J\u{202e}\x7f\nerror: y\r\x08z";

/// Nothing but line ends may control the terminal.
#[track_caller]
fn assert_tame(what: &str, run: &Run) {
    for (stream, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        let wild = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(wild, None, "{what}: {stream}\n{text:?}");
        assert!(!text.contains('\u{202e}') || what.contains("yaml"), "{what}: {stream}\n{text:?}");
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
