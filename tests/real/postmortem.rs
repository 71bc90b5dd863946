//! Postmortems and runbooks against a real Prometheus: the numbers are those of the series, and without it unknown.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Prometheus, TestEnv};

const CONFIG: &str = "version: 1\nenvironments: { staging: {} }\nservices: [{ name: game }]\nkpis:\n  - { name: active_players, gauge: game_active_players }\n  - { name: error_rate, ratio: { of: 'http_requests_total{status=\"500\"}', to: http_requests_total }, critical: '> 1%' }\n  - { name: purchases, rate: { of: game_purchases_total } }\n";

/// Four hours of every series at 15 s, this week and the week before. For half an hour from `start` on 400 players are
/// there instead of 1,000 (900 a week ago), ten requests of a hundred fail, and one purchase a second is made, not four.
fn series(start: DateTime<Utc>) -> String {
    let mut players = String::from("# TYPE game_active_players gauge\n");
    let mut requests = String::from("# TYPE http_requests counter\n");
    let mut purchases = String::from("# TYPE game_purchases counter\n");
    for (week, usual) in [(TimeDelta::days(7), 900), (TimeDelta::zero(), 1_000)] {
        let begin = (start - week - TimeDelta::hours(2)).timestamp();
        let (mut good, mut bad, mut bought) = (0, 0, 0);
        for n in 0..960 {
            let at = begin + n * 15;
            let hit = week.is_zero() && (480..600).contains(&n);
            let there = if hit { 400 } else { usual };
            let _ = writeln!(players, "game_active_players {there} {at}");
            good += if hit { 90 } else { 100 };
            bad += if hit { 10 } else { 0 };
            bought += if hit { 15 } else { 60 };
            let _ = writeln!(requests, "http_requests_total{{status=\"200\"}} {good} {at}");
            let _ = writeln!(requests, "http_requests_total{{status=\"500\"}} {bad} {at}");
            let _ = writeln!(purchases, "game_purchases_total {bought} {at}");
        }
    }
    format!("{players}{requests}{purchases}# EOF\n")
}

/// An incident of an hour that began at `start`.
fn incident(env: TestEnv, start: DateTime<Utc>) -> TestEnv {
    let at = |minutes: i64| (start + TimeDelta::minutes(minutes)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let env = env.now(&at(10));
    env.run(["incident", "open", "--sev", "p1", "--title", "errors", "--started-at", "10m ago"]);
    let env = env.now(&at(31));
    env.run(["incident", "mitigate", "rolled back"]);
    let env = env.now(&at(60));
    env.run(["incident", "resolve", "over"]);
    env.now(&at(90))
}

fn amount(json: &Value, name: &str) -> Option<f64> {
    let all = json["data"]["impact"].as_array().unwrap();
    let one = all.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(one["known"], !one["amount"].is_null(), "{one}");
    one["amount"].as_f64()
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the blocks of a server must be recent")]
fn the_impact_is_what_the_series_say_and_unknown_without_them() {
    // Whole minutes, so that a sample lies on the start.
    let start = Utc::now() - TimeDelta::hours(3);
    let start = DateTime::from_timestamp(start.timestamp() / 60 * 60, 0).unwrap();
    let mut prometheus = Prometheus::remembering(&series(start), "");
    let env = TestEnv::new().var("LIVEOPS_PROMETHEUS", &prometheus.url());
    env.write("liveops.yaml", CONFIG);
    let env = incident(env, start);
    let json = env.run(["postmortem", "new", "-o", "json"]).expect_code(0).json();
    for (name, want) in [
        ("duration", 3_600.0),
        // 500 fewer for 30 minutes.
        ("players lost", 15_000.0),
        // 120 scrapes of ten.
        ("errors served", 1_200.0),
        // Three fewer a second for 30 minutes.
        ("purchases missed", 5_400.0),
    ] {
        let found = amount(&json, name).unwrap();
        let off = (found - want).abs() / want;
        assert!(off < 0.02, "{name}: {found}, not {want}");
    }
    let folder = std::fs::read_dir(env.path().join("incidents")).unwrap();
    let id = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.ends_with("p1-errors"))
        .unwrap();
    let text = env.read(format!("incidents/{id}/postmortem.md"));
    assert!(text.contains("500 at the worst"), "{text}");
    for plot in ["active_players", "error_rate", "purchases"] {
        let svg = env.read(format!("incidents/{id}/{plot}.svg"));
        assert!(svg.contains("<polyline") && text.contains(&format!("({plot}.svg)")), "{plot}");
    }

    prometheus.server.kill();
    let json = env.run(["postmortem", "new", "--force", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["status"], "partial");
    for name in ["players lost", "errors served", "purchases missed"] {
        assert_eq!(amount(&json, name), None, "{name} is unknown, and never zero");
    }
    assert_eq!(amount(&json, "duration"), Some(3_600.0), "that is in the journal");
}

#[test]
fn runbooks_are_held_against_the_rules_of_prometheus() {
    let rules = "groups:\n- name: game\n  rules:\n  - { alert: TickSlow, expr: 'vector(1) > 2', labels: { severity: high } }\n  - { alert: QueueLong, expr: 'vector(1) > 2', labels: { severity: high }, annotations: { runbook_url: docs/runbooks/alerts/QueueLong.md } }\n";
    let prometheus = Prometheus::start(&[], rules, None, "1s");
    let env = TestEnv::new().var("LIVEOPS_PROMETHEUS", &prometheus.url());
    env.write("liveops.yaml", CONFIG);
    let json = env.run(["runbook", "check", "-o", "json"]).expect_code(1).json();
    assert_eq!(json["data"]["checked"]["rules"], 2, "{json:#}");
    let missing = json["data"]["findings"].to_string();
    assert_eq!(missing.matches("alert_without_runbook").count(), 2, "{missing}");
    for alert in ["TickSlow", "QueueLong"] {
        env.run(["runbook", "new", alert]).expect_code(0);
    }
    env.write("docs/runbooks/alerts/Gone.md", "# Gone\n");
    let json = env.run(["runbook", "check", "-o", "json"]).expect_code(1).json();
    let found = json["data"]["findings"].to_string();
    assert!(!found.contains("alert_without_runbook"), "{found}");
    assert!(found.contains("no rule makes an alert `Gone`"), "{found}");
    assert!(!found.contains("no_such_command"), "{found}");
}
