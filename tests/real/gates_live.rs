//! `liveops check alerts --live` against a real Prometheus and Alertmanager: series, health, past, drift, routes.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{Alertmanager, Exporter, Prometheus, Run, TestEnv, alertmanager, until};

const LOADED: &str = r#"
groups:
  - name: g
    rules:
      - { record: twice, expr: "up * on (job) group_left () up" }
      - { alert: Broken, expr: "up * on (nothing) up > 0", labels: { severity: warning } }
      - { alert: Same, expr: "game_active_players > 1000", for: 5m, labels: { severity: warning } }
      - { alert: Changed, expr: "game_active_players > 1000", for: 1m, labels: { severity: critical } }
      - { alert: OnlyThere, expr: "game_active_players > 9", for: 5m, labels: { severity: info } }
"#;

const FILE: &str = r#"
groups:
  - name: g
    rules:
      - { alert: Same, expr: "game_active_players>1000", for: 5m, labels: { severity: warning } }
      - { alert: Changed, expr: "game_active_players > 2000", for: 1m, labels: { severity: critical } }
      - { alert: OnlyHere, expr: "twice > 10", for: 1m, labels: { severity: warning } }
      - { alert: Misspelt, expr: "game_active_playrs > 10", for: 1m, labels: { severity: warning } }
      - { alert: Elsewhere, expr: "game_active_players{region=\"us\"} > 10", for: 1m, labels: { severity: warning } }
      - { alert: Hoped, expr: "absent(nothing_at_all)", for: 5m, labels: { severity: warning } }
"#;

/// `id subject` of those that only a running server tells.
fn live(run: &Run) -> Vec<String> {
    let json = run.json();
    let all = json["data"]["findings"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut found: Vec<String> = all
        .map(|one| format!("{} {}", text(&one["id"]), text(&one["subject"])))
        .filter(|one| ["A17", "A18", "A19", "A20", "A21"].iter().any(|id| one.starts_with(id)))
        .collect();
    found.sort();
    found
}

#[test]
fn what_runs_is_held_against_the_files() {
    let exporter = Exporter::new("game_active_players{region=\"eu\"} 17\n");
    let alertmanager = Alertmanager::start(alertmanager::CONFIG);
    let prometheus = Prometheus::start(
        &[exporter.target("game"), exporter.target("again")],
        LOADED,
        Some(alertmanager.server.port()),
        "1s",
    );
    prometheus.wait_targets("up");
    prometheus.wait_until("count(game_active_players)", |players| players == 2.0);
    let env = TestEnv::new();
    env.write("rules.yml", FILE);
    let (prometheus_url, alertmanager_url) = (prometheus.url(), alertmanager.url());
    let ask = |more: &[&str]| {
        let fixed =
            ["check", "alerts", "-o", "json", "--prometheus", &prometheus_url, "--alertmanager", &alertmanager_url];
        env.run(fixed.iter().chain(more))
    };
    let run = until("the broken rule to be evaluated", Duration::from_secs(30), || {
        let run = ask(&["rules.yml", "--live"]);
        live(&run).contains(&"A19 Broken".to_owned()).then_some(run)
    });
    assert_eq!(
        live(&run),
        [
            "A17 Changed",
            "A17 Elsewhere",
            "A17 Hoped",
            "A17 Misspelt",
            "A17 OnlyHere",
            "A17 Same",
            "A17 receivers",
            "A18 Elsewhere",
            "A18 Misspelt",
            "A19 Broken",
            "A21 Changed",
            "A21 Elsewhere",
            "A21 Hoped",
            "A21 Misspelt",
            "A21 OnlyHere",
            "A21 loaded rules",
        ],
        "{}",
        run.stdout
    );
    let unknown = run.json()["data"]["unknown"].clone();
    assert!(unknown.to_string().contains("its history is shorter than an hour"), "{unknown}");
    assert!(!unknown.to_string().contains("`twice`"), "{unknown}");

    // Without a path, what is loaded is what is checked.
    let run = ask(&["--live"]);
    assert_eq!(run.json()["data"]["checked"]["alerts"], 4, "{}{}", run.stdout, run.stderr);
    assert!(live(&run).contains(&"A19 Broken".to_owned()) && !live(&run).iter().any(|one| one.starts_with("A21")));

    // A tunnel that is down makes nothing missing.
    let run = env.run(["check", "alerts", "rules.yml", "--live", "-o", "json", "--prometheus", "http://127.0.0.1:1"]);
    assert_eq!(live(&run), Vec::<String>::new());
    let unknown: Vec<String> = run.json()["data"]["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(["A17", "A18", "A19", "A20", "A21"].iter().all(|id| unknown.contains(&(*id).to_owned())), "{unknown:?}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the past of a test ends now")]
fn the_past_speaks_against_an_alert() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 * 60;
    let series = |head: &str, text: &mut String| {
        for minute in (0..180).rev() {
            let _ = writeln!(text, "{head} 1 {}", now - minute * 60);
        }
    };
    let mut text = String::from("# TYPE up gauge\n");
    series("up{job=\"game\",instance=\"a\"}", &mut text);
    text.push_str("# TYPE ALERTS gauge\n");
    series("ALERTS{alertname=\"Ever\",alertstate=\"firing\"}", &mut text);
    series("ALERTS{alertname=\"Almost\",alertstate=\"pending\"}", &mut text);
    text.push_str("# EOF\n");
    let rules = "groups: [{name: g, interval: 1h, rules: [{alert: Ever, expr: x > 1}, {alert: Almost, expr: x > 2, for: 5h}, {alert: Calm, expr: x > 3}]}]\n";
    let prometheus = Prometheus::remembering(&text, rules);
    let env = TestEnv::new();
    let run = env.run(["check", "alerts", "--live", "-o", "json", "--prometheus", &prometheus.url()]);
    let past: Vec<String> = live(&run).into_iter().filter(|one| one.starts_with("A20")).collect();
    assert_eq!(past, ["A20 Almost", "A20 Ever"], "{}{}", run.stdout, run.stderr);
}
