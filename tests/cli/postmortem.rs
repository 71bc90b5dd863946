//! `liveops postmortem`: filled in from journal and metrics, honest about what is not known, checked, closed.

use serde_json::{Value, json};

use crate::support::http::Request;
use crate::support::{Answer, Stub, TestEnv};

/// Unix seconds of 2026-01-15T10:30:00Z, when the incident is opened.
const OPENED: i64 = 1_768_473_000;

const CONFIG: &str = "version: 1\nenvironments: { staging: {} }\nservices: [{ name: game }]\nkpis:\n  - { name: active_players, gauge: game_active_players }\n  - { name: error_rate, ratio: { of: bad_total, to: all_total }, critical: '> 1%', service: game }\n  - { name: purchases, rate: { of: game_purchases_total } }\n";

fn env() -> TestEnv {
    let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", CONFIG);
    env
}

fn at(time: &str, env: TestEnv) -> TestEnv {
    env.now(&format!("2026-01-15T{time}Z"))
}

/// Players halve and errors rise between 10:20 and 10:50; the week before was calm.
fn prometheus() -> Stub {
    prometheus_without(0..0)
}

/// As [`prometheus`], and nothing was measured in these seconds.
fn prometheus_without(hole: std::ops::Range<i64>) -> Stub {
    let field = |request: &Request, name: &str| -> String {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let found = url::form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let number = move |request: &Request, name: &str| -> f64 { field(request, name).parse().unwrap_or(0.0) };
    Stub::new()
        .on_fn("POST", "/api/v1/query_range", move |request| {
            let query = field(request, "query");
            let (start, end, step) = (number(request, "start"), number(request, "end"), number(request, "step"));
            let mut values: Vec<Value> = Vec::new();
            let mut time = start;
            while time <= end {
                #[allow(clippy::cast_possible_truncation, reason = "whole seconds")]
                let second = time as i64;
                let hit = (OPENED - 600..OPENED + 1_200).contains(&second);
                let wobble = f64::from(u8::try_from(second / 15 % 5).unwrap()) * 0.01;
                let value = if query.contains("players") {
                    if hit { 500.0 } else { 1_000.0 + wobble }
                } else if query.contains("bad_total") {
                    if hit { 0.08 } else { 0.001 + wobble * 0.001 }
                } else if hit {
                    0.5
                } else {
                    2.0
                };
                if !hole.contains(&second) {
                    values.push(json!([second, value.to_string()]));
                }
                time += step;
            }
            Answer::json(json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}))
        })
        .on_fn("POST", "/api/v1/query", move |request| {
            let result = if field(request, "query").starts_with("sum(increase(bad_total") {
                json!([{"metric": {}, "value": [OPENED, "1234.4"]}])
            } else {
                json!([])
            };
            Answer::json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
        })
}

/// Opens, mitigates and resolves an incident; returns its id and an environment an hour later.
fn incident(env: TestEnv) -> (String, TestEnv) {
    let env = at("10:30:00", env);
    env.run([
        "incident",
        "open",
        "--sev",
        "p1",
        "--title",
        "players | leave",
        "--service",
        "game",
        "--started-at",
        "10m ago",
        "--yes",
    ]);
    let env = at("10:34:00", env);
    env.run(["incident", "ack", "--yes"]);
    let env = at("10:50:00", env);
    env.run(["incident", "mitigate", "rolled back 1.42", "--yes"]);
    let env = at("11:00:00", env);
    env.run(["incident", "resolve", "over", "--yes"]);
    let ids = std::fs::read_dir(env.path().join("incidents")).unwrap();
    let id = ids
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("2026-01-15-p1"))
        .unwrap();
    (id, at("11:30:00", env))
}

#[test]
fn a_time_without_data_is_said_and_is_a_gap_in_the_line() {
    // From 10:31 to 10:39, while the incident is open.
    let stub = prometheus_without(OPENED + 60..OPENED + 540);
    let (id, env) = incident(env().var("LIVEOPS_PROMETHEUS", &stub.url()));
    env.run(["postmortem", "new"]).expect_code(0);
    let text = env.read(format!("incidents/{id}/postmortem.md"));
    let row = text.lines().find(|line| line.contains("active_players") && line.contains("no data")).expect(&text);
    assert!(row.contains("no data 10:30") && row.contains("to 10:39"), "{row}");
    assert!(row.contains("at least 500") || row.contains("at most 500") || !row.contains("at "), "{row}");
    let line: String = row.chars().filter(|c| ('\u{2581}'..='\u{2588}').contains(c) || *c == ' ').collect();
    let drawn = line.trim();
    assert!(drawn.trim_matches(' ').contains(' '), "the line has no gap: {row}");
    // Where everything was measured, nothing is missing.
    let stub = prometheus();
    let (id, env) = incident(self::env().var("LIVEOPS_PROMETHEUS", &stub.url()));
    env.run(["postmortem", "new"]).expect_code(0);
    assert!(!env.read(format!("incidents/{id}/postmortem.md")).contains("no data"));
}

#[test]
fn new_fills_in_what_the_journal_and_the_metrics_know() {
    let stub = prometheus();
    let (id, env) = incident(env().var("LIVEOPS_PROMETHEUS", &stub.url()));
    env.run([
        "changes",
        "record",
        "--kind",
        "deploy",
        "--service",
        "game",
        "--version",
        "1.42",
        "--at",
        "2026-01-15T10:19:30Z",
    ])
    .expect_code(0);
    let json = env.run(["postmortem", "new", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["schema"], "liveops.postmortem.new/1");
    assert_eq!(json["data"]["incident"], id);
    let text = env.read(format!("incidents/{id}/postmortem.md"));
    for want in [
        "# Postmortem: players \\| leave",
        "| began | 2026-01-15 10:20:00 |",
        "| duration | 40m | the journal |",
        "player-minutes",
        "| errors served | 1,234 |",
        "opened P1: players",
        "rolled back 1.42",
        "deploy of game 1.42",
        "| acknowledge | 2026-01-15 10:35:00 | kept at 2026-01-15 10:34:00 |",
        "(error_rate.svg)",
        // The break of the beginning, not that of the recovery.
        "at 2026-01-15 10:20:00.",
    ] {
        assert!(text.contains(want), "{want}\n{text}");
    }
    assert!(!text.contains("| unknown |"), "{text}");
    let svg = env.read(format!("incidents/{id}/active_players.svg"));
    assert!(svg.starts_with("<svg") && svg.contains(">mitigated<"), "{svg}");
    // It is not overwritten, and what people must add is asked for.
    env.run(["postmortem", "new"]).expect_code(4);
    let check = env.run(["postmortem", "check", "-o", "json"]).expect_code(1).json();
    assert_eq!(check["verdict"], "fail");
    assert!(check["data"]["findings"].to_string().contains("to_fill_in"));
}

#[test]
fn what_the_metrics_do_not_know_is_unknown_and_never_zero() {
    let (id, env) = incident(env().var("LIVEOPS_PROMETHEUS", "http://127.0.0.1:1"));
    let json = env.run(["postmortem", "new", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["status"], "partial");
    let text = env.read(format!("incidents/{id}/postmortem.md"));
    assert_eq!(text.matches("| unknown |").count(), 3, "{text}");
    assert!(text.contains("Unknown: changes of prometheus"), "{text}");
}

#[test]
fn a_whole_one_passes_and_is_closed() {
    let (id, env) = incident(env());
    let unwritten = env.run(["postmortem", "check"]).expect_code(1);
    assert!(unwritten.stdout.contains("not written"), "{}", unwritten.stdout);
    env.run(["postmortem", "new"]).expect_code(0);
    env.run(["postmortem", "done"]).expect_code(1);
    let path = format!("incidents/{id}/postmortem.md");
    let text = env.read(&path);
    let filled: String = text
        .lines()
        .map(|line| {
            let line = if line.starts_with("| [fill in") {
                "| alert on it | ada | 2026-02-01 | open |".to_owned()
            } else {
                line.replace("[fill in", "[said")
            };
            line + "\n"
        })
        .collect();
    env.write(&path, filled);
    env.run(["postmortem", "check"]).expect_code(0);
    env.run(["postmortem", "done", "--read-only"]).expect_code(4);
    // Two days later it is overdue, until it is closed.
    let env = env.now("2026-01-18T00:00:00Z");
    let late = env.run(["postmortem", "check"]).expect_code(1);
    assert!(late.stdout.contains("it was due at 2026-01-17"), "{}", late.stdout);
    env.run(["postmortem", "done"]).expect_code(0);
    env.run(["postmortem", "check", &id]).expect_code(0);
}

#[test]
fn without_an_incident_it_says_so() {
    let env = env().now("2026-01-15T10:30:00Z");
    let none = env.run(["postmortem", "new"]).expect_code(2);
    assert!(none.stderr.contains("there is no incident"), "{}", none.stderr);
    env.run(["postmortem", "check", "nope"]).expect_code(2);
}
