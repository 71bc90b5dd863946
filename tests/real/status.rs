//! `liveops status` against a real Prometheus and Alertmanager: the same numbers by either way, the same alerts, and
//! a screen that survives the death of Prometheus.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::process::free_port;
use crate::support::{Alertmanager, Answer, Exporter, Prometheus, Target, TestEnv, alertmanager, rules, until};

const KPIS: &str = r#"kpis:
  - { name: players, gauge: game_active_players, by: region }
  - { name: load_avg, gauge: cpu_usage_ratio, agg: avg }
  - { name: load_max, gauge: cpu_usage_ratio, agg: max }
  - { name: load_min, gauge: cpu_usage_ratio, agg: min }
  - { name: purchases, rate: { of: game_purchases_total, window: 10s }, by: currency }
  - { name: errors, ratio: { of: 'http_requests_total{status=~"5.."}', to: http_requests_total, window: 10s } }
  - { name: no_teapots, ratio: { of: 'http_requests_total{status="418"}', to: http_requests_total, window: 10s } }
  - { name: tick_p50, quantile: { q: 0.5, histogram: game_tick_duration_seconds, window: 10s } }
  - { name: tick_p99, quantile: { q: 0.99, histogram: game_tick_duration_seconds, window: 10s } }
  - { name: tick_max, quantile: { q: 1, histogram: game_tick_duration_seconds, window: 10s } }
"#;

/// An exporter whose counters grow steadily with the clock, so that any two scrapes see the same rates.
fn steady() -> Exporter {
    let exporter = Exporter::new("");
    let began = Instant::now();
    exporter.stub.set_fn("GET", "/metrics", move |_| {
        let at = |rate: f64| 1000.0 + rate * began.elapsed().as_secs_f64();
        Answer::text(format!(
            "# TYPE game_active_players gauge\ngame_active_players{{region=\"eu\"}} 702\ngame_active_players{{region=\"us\"}} 502\n\
             cpu_usage_ratio{{core=\"0\"}} 0.25\ncpu_usage_ratio{{core=\"1\"}} 0.65\n\
             # TYPE game_purchases_total counter\ngame_purchases_total{{currency=\"gems\"}} {}\ngame_purchases_total{{currency=\"eur\"}} {}\n\
             # TYPE http_requests_total counter\nhttp_requests_total{{status=\"200\"}} {}\nhttp_requests_total{{status=\"503\"}} {}\n\
             # TYPE game_tick_duration_seconds histogram\n\
             game_tick_duration_seconds_bucket{{le=\"0.005\"}} {}\ngame_tick_duration_seconds_bucket{{le=\"0.016\"}} {}\n\
             game_tick_duration_seconds_bucket{{le=\"0.033\"}} {}\ngame_tick_duration_seconds_bucket{{le=\"+Inf\"}} {}\n",
            at(8.0), at(3.0), at(200.0), at(4.0), at(20.0), at(50.0), at(59.0), at(60.0),
        ))
    });
    exporter
}

fn config(prometheus: &str, alertmanager: &str, metrics: &[String]) -> String {
    let metrics: Vec<String> = metrics.iter().map(|url| format!("{url:?}")).collect();
    format!(
        "version: 1\ndefault_env: prod\nenvironments:\n  prod: {{ prometheus: \"{prometheus}\"{alertmanager} }}\n  bare: {{}}\n\
         services: [ {{ name: game-backend, metrics: [ {} ] }} ]\n{KPIS}",
        metrics.join(", ")
    )
}

fn look(env: &TestEnv, environment: &str) -> Value {
    env.run(["status", "-e", environment, "-o", "json"]).json()
}

#[test]
fn every_kind_of_kpi_is_the_same_by_prometheus_and_by_direct_scrape() {
    let exporter = steady();
    let prometheus = Prometheus::start(&[exporter.target("game-servers")], "", None, "1s");
    let env = TestEnv::new();
    env.write("liveops.yaml", config(&prometheus.url(), "", &[exporter.url()]));
    prometheus.wait_until("count_over_time(game_purchases_total{currency=\"eur\"}[10s])", |count| count >= 6.0);
    // The base of the rates, and five seconds later the other end.
    look(&env, "bare");
    let began = Instant::now();
    until("five seconds", Duration::from_secs(10), || (began.elapsed() > Duration::from_secs(5)).then_some(()));
    let (scraped, asked) = (look(&env, "bare"), look(&env, "prod"));
    let mut compared = 0;
    for (name, kpi) in asked["metrics"].as_object().unwrap() {
        let other = &scraped["metrics"][name];
        assert_eq!((kpi["source"].as_str(), other["source"].as_str()), (Some("prometheus"), Some("scrape")));
        assert_eq!((&kpi["unit"], &kpi["level"]), (&other["unit"], &other["level"]), "{name}");
        let mut agree = |what: &str, a: &Value, b: &Value| {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            assert!((a - b).abs() <= 0.01 * a.abs(), "{name} {what}: prometheus {a}, scrape {b}");
            compared += 1;
        };
        agree("in all", &kpi["value"], &other["value"]);
        for (label, part) in kpi["by"].as_object().unwrap() {
            agree(label, part, &other["by"][label]);
        }
    }
    assert_eq!(compared, 10 + 4, "ten KPIs, two of them in two parts");
    // And both are what the exporter does.
    let purchases = scraped["metrics"]["purchases"]["value"].as_f64().unwrap();
    assert!((purchases - 11.0).abs() < 0.2, "{purchases}");
    assert_eq!(asked["metrics"]["no_teapots"]["value"], 0.0);
}

#[test]
fn alerts_are_grouped_targets_named_and_the_death_of_prometheus_survived() {
    let (exporter, alertmanager) = (steady(), Alertmanager::start(alertmanager::CONFIG));
    let dead = [free_port(), free_port()].map(|port| Target::new("game-servers", port));
    let [first, second] = dead.clone();
    let mut prometheus = Prometheus::start(
        &[exporter.target("game-servers"), first, second],
        &rules::with_window(&rules::without_wait(rules::ALL), "10s"),
        Some(alertmanager.server.port()),
        "1s",
    );
    let env = TestEnv::new();
    let text = config(&prometheus.url(), &format!(", alertmanager: \"{}\"", alertmanager.url()), &[exporter.url()]);
    env.write("liveops.yaml", text);
    let is_down = |alert: &Value| alert["labels"]["alertname"] == "GameServerDown";
    until("both alerts", Duration::from_secs(30), || {
        let alerts = alertmanager.get("alerts");
        (alerts.as_array()?.iter().filter(|alert| is_down(alert)).count() == 2).then_some(())
    });
    let run = env.run(["status"]).expect_code(1);
    for shown in [
        "CRITICAL  prod",
        "GameServerDown ×2  critical",
        "runbook docs/runbooks/alerts/GameServerDown.md",
        "Targets ✖",
        "next: liveops alerts explain GameServerDown",
    ] {
        let shown = shown.replace("Targets ✖", "2 down");
        assert!(run.stdout.contains(&shown), "`{shown}` in\n{}", run.stdout);
    }
    for target in &dead {
        assert!(run.stdout.contains(&format!("game-servers {}", target.address)), "{}", run.stdout);
    }
    let report = look(&env, "prod");
    assert_eq!(report["data"]["targets"]["down"].as_array().unwrap().len(), 2);
    assert_eq!(report["data"]["alerts"][0]["name"], "GameServerDown", "the worst first");
    assert_eq!(report["metrics"]["players"]["source"], "prometheus");

    prometheus.server.kill();
    let report = look(&env, "prod");
    let sources = report["sources"].as_array().unwrap();
    let state = |name: &str| sources.iter().find(|source| source["name"] == name).map(|source| source["state"].clone());
    assert_eq!(state("prometheus"), Some(json!("down")));
    assert_eq!(state("alertmanager"), Some(json!("ok")));
    assert_eq!(state("game-backend metrics"), Some(json!("ok")));
    assert_eq!(report["metrics"]["players"]["source"], "scrape");
    assert_eq!(report["metrics"]["players"]["value"], 1204.0);
    assert_eq!(report["data"]["targets"], Value::Null, "nobody knows the targets now");
    assert_eq!(report["verdict"], "fail", "alertmanager still holds the alerts");
}

#[test]
fn without_alertmanager_the_alerts_come_from_prometheus() {
    let exporter = steady();
    let prometheus = Prometheus::start(
        &[exporter.target("game-servers"), Target::new("game-servers", free_port())],
        &rules::without_wait(rules::ALL),
        None,
        "1s",
    );
    prometheus.wait_alert("GameServerDown", "firing");
    prometheus.wait_until("sum(up)", |up| up == 1.0);
    let env = TestEnv::new();
    let run = env.run(["status", "--prometheus", &prometheus.url(), "-o", "json"]).expect_code(1).json();
    // Not alone: the ratio of errors has its alert as soon as two samples are there.
    let alerts = run["data"]["alerts"].as_array().unwrap();
    assert!(alerts.iter().any(|alert| alert["name"] == "GameServerDown"), "{alerts:?}");
    assert_eq!(run["data"]["targets"]["up"], 1);
}
