//! What a tired person met on a screen, each once as a kind: reasons said once, ends of errors, rows for scripts,
//! questions that stay as they are, dumb terminals, totals of time, several services.

use serde_json::json;

use crate::support::backends::NOW;
use crate::support::pty::Pty;
use crate::support::{Answer, Backends, TestEnv};

const KPIS: &str = "- { name: active_players, gauge: game_active_players }\n- { name: lobby_players, gauge: game_lobby_players }\n- { name: rooms, gauge: game_rooms }";

/// Prometheus says 500; nobody can be scraped in its place.
fn silent() -> (Backends, TestEnv) {
    let backends = Backends::start();
    let env = TestEnv::new().now(NOW);
    let kpis = KPIS.replace("- ", "  - ");
    let text = format!(
        "version: 1\nenvironments: {{ lab: {{ prometheus: '{}' }} }}\nkpis:\n{kpis}\n",
        backends.prometheus.url()
    );
    env.write("liveops.yaml", text);
    backends.prometheus.set_fn("POST", "/api/v1/query", |_| Answer::text("overloaded").status(500));
    backends.prometheus.set_fn("POST", "/api/v1/query_range", |_| Answer::text("overloaded").status(500));
    backends.prometheus.set("GET", "/api/v1/targets", Answer::text("overloaded").status(500));
    backends.prometheus.set("GET", "/api/v1/alerts", Answer::text("overloaded").status(500));
    (backends, env)
}

#[test]
fn a_reason_is_said_once_at_its_source() {
    let (_backends, env) = silent();
    let run = env.run(["status"]).expect_code(3);
    let named = run.stdout.lines().filter(|line| line.contains("500")).count();
    assert_eq!(named, 1, "{}", run.stdout);
    assert!(run.stdout.contains("prometheus") && run.stdout.contains("active players  unknown"), "{}", run.stdout);
    let json = env.run(["status", "-o", "json"]).expect_code(3).json();
    assert!(json["metrics"]["rooms"]["reason"].as_str().unwrap().contains("500"), "scripts have it with each");
}

/// The services' own metrics, where there is no Prometheus: each KPI and each budget hangs on the same endpoint.
#[test]
fn a_reason_is_said_once_where_services_are_scraped() {
    let env = TestEnv::new().now(NOW);
    let kpis = KPIS.replace("- ", "  - ");
    let service =
        "  - { name: game, health: { url: 'http://127.0.0.1:9' }, metrics: [ 'http://127.0.0.1:9/metrics' ] }";
    let slo = |name: &str| {
        format!("  - {{ name: {name}, service: game, objective: 99%, window: 30d, ratio: {{ bad: b, total: t }} }}\n")
    };
    let text = format!("version: 1\nservices:\n{service}\nkpis:\n{kpis}\nslos:\n{}{}", slo("logins"), slo("matches"));
    env.write("liveops.yaml", text);
    let run = env.run(["status"]).expect_code(1);
    let named: Vec<&str> = run.stdout.lines().filter(|line| line.contains("refused")).collect();
    // The health API and the metrics are two sources.
    assert_eq!(named.len(), 2, "{}", run.stdout);
    assert!(run.stdout.contains("game down, 3 KPIs unknown, 2 SLOs unknown, game metrics"), "{}", run.stdout);
    let json = env.run(["status", "-o", "json"]).expect_code(1).json();
    assert!(json["metrics"]["rooms"]["reason"].as_str().unwrap().contains("game metrics: connection refused"));
}

#[test]
fn a_table_of_budgets_fits_a_narrow_screen() {
    let env = TestEnv::new().now(NOW);
    let slo = "{ name: logins-of-players, service: game, objective: 99%, window: 30d, ratio: { bad: b, total: t } }";
    let game = "{ name: game, metrics: [ 'http://127.0.0.1:9/metrics' ] }";
    env.write("liveops.yaml", format!("version: 1\nservices: [ {game} ]\nslos: [ {slo} ]\n"));
    let shown = env.command(["slo"]).env("COLUMNS", "50").run().expect_code(3).stdout;
    let row = shown.lines().find(|line| line.contains("SLO ")).expect("the table");
    assert!(row.contains("BUDGET LEFT") && row.contains("1H") && row.chars().count() <= 50, "{shown}");
}

#[test]
fn the_end_of_an_error_is_not_cut() {
    let (backends, env) = silent();
    let error = format!("Get \"http://127.0.0.1:15051/{}\": dial tcp: connect: connection refused", "x".repeat(60));
    let target = json!({"labels": {"job": "game", "instance": "us:1"}, "health": "down", "lastError": error,
        "scrapeUrl": "http://us:1/", "scrapeInterval": "15s", "lastScrape": NOW});
    let answer = json!({"status": "success", "data": {"activeTargets": [target]}});
    backends.prometheus.set("GET", "/api/v1/targets", Answer::json(answer));
    let mut command = env.bare(["status"]);
    command.env("TERM", "xterm").env_remove("COLUMNS");
    let (_, transcript) = Pty::spawn(command).wait();
    let words: String = console::strip_ansi_codes(&transcript).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("connect: connection refused"), "{words}");
}

#[test]
fn status_has_rows_for_scripts_the_worst_first() {
    let (_backends, env) = silent();
    let csv = env.run(["status", "-o", "csv"]).expect_code(3);
    assert_eq!(csv.stdout.lines().next(), Some("name,kind,level,value,detail"));
    assert!(csv.stdout.lines().nth(1).unwrap().contains("unknown"), "{}", csv.stdout);
    let names = env.run(["status", "-o", "name"]).expect_code(3);
    assert!(names.stdout.lines().any(|line| line == "rooms"), "{}", names.stdout);
}

#[test]
fn a_dumb_terminal_gets_lines_and_no_codes() {
    let (_backends, env) = silent();
    for args in [&["status", "--watch", "--interval", "200ms"][..], &["alerts", "watch", "--interval", "200ms"][..]] {
        let mut command = env.bare(args);
        command.env("TERM", "dumb");
        let mut pty = Pty::spawn(command);
        pty.expect("prometheus");
        pty.interrupt();
        let (_, transcript) = pty.wait();
        assert!(!transcript.contains("\x1b["), "{args:?}: {transcript:?}");
    }
}

/// It is [y/N] to its end: Enter alone, Escape and n are no, and a slip is taken back.
#[test]
fn a_question_stays_as_it_is_while_one_types() {
    for (keys, percentage) in [("\r", 10), ("n\r", 10), ("y\x7f\r", 10), ("\x1b", 10), ("nyy\r", 30), ("Y\r", 30)] {
        let env = TestEnv::new();
        env.write("liveops.yaml", "version: 1\nenvironments: { lab: {} }\n");
        env.write("flags.json", r#"{"shop_v2": {"enabled": true, "percentage": 10, "defaultValue": true}}"#);
        let mut pty = env.pty(["flag", "set", "shop_v2", "--pct", "30"]);
        pty.expect("[y/N]").send(keys);
        let (_, transcript) = pty.wait();
        assert!(!transcript.contains("[Y/n]") && !transcript.contains("[y/n]"), "{transcript:?}");
        let flags: serde_json::Value = serde_json::from_str(&env.read("flags.json")).unwrap();
        assert_eq!(flags["shop_v2"]["percentage"], percentage, "{keys:?}: {transcript:?}");
    }
}

#[test]
fn a_total_of_time_is_no_span() {
    let backends = Backends::start();
    let env = TestEnv::new().now(NOW);
    env.write("liveops.yaml", backends.config(KPIS));
    backends
        .expose("# TYPE request_latency_ms summary\nrequest_latency_ms_sum 7954000000\nrequest_latency_ms_count 9\n");
    let run = env.run(["health", "metrics"]);
    assert!(!run.stdout.contains("92d"), "{}", run.stdout);
    assert!(run.stdout.lines().any(|line| line.contains("_ms_sum") && line.ends_with(" ms")), "{}", run.stdout);
}

#[test]
fn a_runbook_is_written_for_none_of_several_services_by_guess() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { lab: {} }\nservices: [ { name: game-eu }, { name: game-us } ]\n",
    );
    let run = env.run(["runbook", "new", "GameServerDown"]).expect_code(2);
    assert!(run.stderr.contains("game-eu, game-us"), "{}", run.stderr);
    assert!(run.stderr.contains("liveops runbook new GameServerDown --service game-eu"), "{}", run.stderr);
    let mut pty = env.pty(["runbook", "new", "GameServerDown"]);
    pty.expect("which service").send("us").expect("game-us").send("\r");
    let (code, transcript) = pty.wait();
    assert_eq!(code, 0, "{transcript}");
    assert!(transcript.contains("game-us"), "{transcript}");
}

/// Steps that look are in the log, and are no changes.
#[test]
fn a_look_of_a_runbook_is_no_change() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\nenvironments: { lab: {} }\nservices: [ { name: game } ]\n");
    let book = "# Fix\n\n## Detection\nx\n## Triage\n\n```sh liveops step=\"Look\"\necho well\n```\n\n## Diagnosis\nx\n## Mitigation\nx\n## Resolution\nx\n## Post-incident\nx\n";
    env.write("docs/runbooks/Fix.md", book);
    env.run(["runbook", "run", "Fix", "--yes"]).expect_code(0);
    let log = env.run(["audit", "list"]).expect_code(0);
    assert!(log.stdout.contains("Look"), "{}", log.stdout);
    let status = env.run(["status", "-o", "json"]).json();
    assert_eq!(status["data"]["changes"], json!([]));
    let changes = env.run(["changes", "-o", "json"]);
    assert!(!changes.stdout.contains("Look"), "{}", changes.stdout);
}
