//! `liveops status`: what it shows, what it says to scripts, and what it does when it is asked wrongly.

use serde_json::{Value, json};

use crate::support::backends::{NOW, alert};
use crate::support::{Answer, Backends, TestEnv};

const KPIS: &str = r#"- { name: active_players, gauge: game_active_players, by: region }
- { name: tick_p99, quantile: { q: 0.99, histogram: game_tick_duration_seconds, window: 5m }, warn: "> 16ms", critical: "> 20ms" }
- { name: error_rate, ratio: { of: 'http_requests_total{status=~"5.."}', to: http_requests_total, window: 5m }, warn: "> 0.1%", critical: "> 1%" }
- { name: lag, promql: 'max(kafka_lag)' }"#;

/// What Prometheus knows in the story that most tests here tell.
fn story(query: &str) -> Vec<(Value, f64)> {
    match query {
        "sum by (region) (game_active_players)" => {
            vec![(json!({"region": "eu"}), 702.0), (json!({"region": "us"}), 502.0)]
        }
        query if query.contains("game_active_players") => vec![(json!({}), 1204.0)],
        query if query.contains("histogram_quantile") => vec![(json!({}), 0.0172)],
        query if query.contains("http_requests_total") => vec![(json!({}), 0.0002)],
        _ => vec![],
    }
}

/// One KPI in warning, one without data, two alerts of one name, one silenced.
pub(crate) fn busy() -> (Backends, TestEnv) {
    let backends = Backends::start();
    backends.prometheus_answers(story);
    let tick = |instance: &str, minutes, state| {
        alert(json!({"alertname": "TickPerformanceDegraded", "severity": "high", "instance": instance}), minutes, state)
    };
    backends.alerts(json!([
        tick("10.0.0.2:5050", 3, "active"),
        tick("10.0.0.1:5050", 12, "active"),
        tick("10.0.0.3:5050", 40, "suppressed"),
    ]));
    let env = TestEnv::new().now(NOW);
    env.write("liveops.yaml", backends.config(KPIS));
    (backends, env)
}

pub(crate) fn quiet() -> (Backends, TestEnv) {
    let backends = Backends::start();
    backends.prometheus_answers(story);
    let env = TestEnv::new().now(NOW);
    env.write("liveops.yaml", backends.config("- { name: active_players, gauge: game_active_players, by: region }"));
    (backends, env)
}

#[test]
fn the_screen_shows_everything_and_ends_with_the_next_command() {
    let (_backends, env) = busy();
    insta::assert_snapshot!(env.run(["status"]).snapshot(), @r#"
        code: 3
        --- stdout
        ? UNKNOWN  starfall · staging  10:30:00Z in [S]
          TickPerformanceDegraded firing (2 times), tick p99 [MS] (> [MS]), lag unknown

        Services
          ●  game-backend  healthy [MS]

        KPIs
          ?  lag             unknown                    no series; is the metric scraped?
          ▲  tick p99 [MS]  ▁▁▂▂▃▃▃▄▄▅▅▆▆▇▇█  warn > [MS]
          ●  active players    1,204  ▁▁▂▂▃▃▄▄▅▅▅▆▆▇▇█  eu 702 · us 502
          ●  error rate       0.02 %  ▁▁▂▂▃▃▄▄▅▅▅▆▆▇▇█

        Alerts
          ▲ TickPerformanceDegraded ×2  high  for 12m  2 instances
              runbook docs/runbooks/alerts/TickPerformanceDegraded.md
            and 1 kept quiet by silences, inhibition or time: liveops alerts

        Targets ● all 1 up
        Sources ● prometheus [MS] · ● alertmanager [MS]
        next: liveops alerts explain TickPerformanceDegraded
        next: liveops query --kpi tick_p99 --plot --changes
        --- stderr
        "#);
}

#[test]
fn when_all_is_well_the_screen_is_short() {
    let (_backends, env) = quiet();
    insta::assert_snapshot!(env.run(["status"]).snapshot(), @r#"
        code: 0
        --- stdout
        ● OK  starfall · staging  10:30:00Z in [S]
          nothing wrong in sight

        Services
          ●  game-backend  healthy [MS]

        KPIs
          ●  active players  1,204  ▁▁▂▂▃▃▄▄▅▅▅▆▆▇▇█  eu 702 · us 502

        Alerts
          ● none firing

        Targets ● all 1 up
        Sources ● prometheus [MS] · ● alertmanager [MS]
        next: liveops status --watch
        --- stderr
        "#);
}

/// A service in this state, an alert of this severity: the words and codes that follow.
#[test]
fn verdicts_and_exit_codes_follow_the_worst_finding() {
    let degraded = || Answer::json(json!({"status": "degraded"}));
    let healthy = || Answer::json(json!({"status": "ok"}));
    let strange = || Answer::json(json!({"status": "purple"}));
    let down = || Answer::json(json!({"status": "down"})).status(503);
    // Health, severity of the firing alert; verdict, then the code by default, with --fail-on warn, with --nagios.
    let cases = [
        (healthy(), None, "pass", 0, 0, 0),
        (degraded(), None, "warn", 0, 1, 1),
        (healthy(), Some("warning"), "warn", 0, 1, 1),
        (healthy(), Some("info"), "pass", 0, 0, 0),
        (strange(), None, "unknown", 3, 3, 3),
        (strange(), Some("high"), "unknown", 3, 1, 3),
        (down(), None, "fail", 1, 1, 2),
        (strange(), Some("critical"), "fail", 1, 1, 2),
    ];
    let (backends, env) = quiet();
    for (health, severity, verdict, by_default, on_warn, nagios) in cases {
        let what = format!("{} {severity:?}", String::from_utf8_lossy(&health.body));
        backends.health(health);
        let alerts: Vec<Value> = severity
            .map(|severity| alert(json!({"alertname": "Some", "severity": severity}), 5, "active"))
            .into_iter()
            .collect();
        backends.alerts(json!(alerts));
        let run = env.run(["status", "-o", "json"]);
        assert_eq!((run.json()["verdict"].as_str(), run.code), (Some(verdict), by_default), "{what}");
        let codes = [
            (["status", "--fail-on", "critical"], by_default),
            (["status", "--fail-on", "warn"], on_warn),
            (["status", "--fail-on", "never"], 0),
            (["status", "--nagios", "-q"], nagios),
        ];
        for (args, code) in codes {
            assert_eq!(env.run(args).code, code, "{what}: {args:?}");
        }
    }
}

#[test]
fn nagios_gets_one_line_with_performance_data() {
    let (backends, env) = busy();
    let run = env.run(["status", "--nagios"]);
    insta::assert_snapshot!(run.snapshot_exact(), @r#"
        code: 3
        --- stdout
        LIVEOPS UNKNOWN - TickPerformanceDegraded firing (2 times), tick p99 17.2 ms (> 16ms), lag unknown | 'active_players'=1204;; 'tick_p99'=0.0172;0.016;0.02 'error_rate'=0.0002;0.001;0.01
        --- stderr
        "#);
    backends.health(Answer::json(json!({"status": "down"})).status(503));
    let run = env.run(["status", "--nagios"]).expect_code(2);
    assert!(run.stdout.starts_with("LIVEOPS CRITICAL - game-backend down, "), "{}", run.stdout);
}

#[test]
fn a_service_is_chosen_by_name_and_a_wrong_name_gets_the_nearest() {
    let (backends, env) = quiet();
    backends.alerts(json!([
        alert(json!({"alertname": "Lobby", "severity": "critical", "service": "lobby"}), 5, "active"),
        alert(json!({"alertname": "Ours", "severity": "warning", "service": "game-backend"}), 5, "active"),
        alert(json!({"alertname": "Nobody", "severity": "warning"}), 5, "active"),
    ]));
    let run = env.run(["status", "--service", "game-backend"]).expect_code(0);
    assert!(run.stdout.contains("Ours") && run.stdout.contains("Nobody"), "{}", run.stdout);
    assert!(!run.stdout.contains("Lobby"), "{}", run.stdout);
    assert!(run.stdout.contains("1 of other services"), "{}", run.stdout);
    let wrong = env.run(["status", "-s", "game-backnd"]).expect_code(2);
    insta::assert_snapshot!(wrong.snapshot(), @r#"
        code: 2
        --- stdout
        --- stderr
        error: service `game-backnd` does not exist

        hint: did you mean `game-backend`?
        "#);
    let error = env.run(["status", "-s", "x", "-o", "json"]).expect_code(2).json_error();
    assert_eq!(error["kind"], "not_found");
    assert_eq!(error["exit_code"], 2);
    assert_eq!(error["hint"], "there is `game-backend`");
}

#[test]
fn a_new_user_without_any_configuration_is_told_where_to_begin() {
    let env = TestEnv::new().now(NOW);
    let run = env.run(["status"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 3
        --- stdout
        ? UNKNOWN  default  10:30:00Z in [S]
          nothing to look at

        next: liveops init
        next: liveops status --prometheus URL
        next: liveops demo
        --- stderr
        "#);
    assert_eq!(env.run(["status", "-o", "json"]).json()["verdict"], "unknown");
}

#[test]
fn endpoints_on_the_command_line_need_no_file() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    backends.prometheus_answers(story);
    let run = env.run(["status", "--prometheus", &backends.prometheus.url(), "-o", "json"]).expect_code(0).json();
    assert_eq!(run["environment"], "default");
    assert_eq!(run["sources"][0]["name"], "prometheus");
    assert_eq!(run["data"]["targets"]["up"], 1);
    let url = format!("lobby={}", backends.service.url());
    let run = env.run(["status", "--health", &url, "-o", "json"]).expect_code(0).json();
    assert_eq!(run["data"]["services"][0]["name"], "lobby");
    assert_eq!(run["data"]["services"][0]["state"], "healthy");
    let named = TestEnv::new().var("LIVEOPS_HEALTH", &backends.service.url());
    assert_eq!(named.run(["status"]).code, 0);
}

#[test]
fn one_dead_backend_leaves_the_rest_on_the_screen() {
    let (mut backends, env) = busy();
    backends.alertmanager = crate::support::Stub::new();
    let text = env.read("liveops.yaml");
    let (before, after) = text.split_once("alertmanager: ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    env.write("liveops.yaml", format!("{before}alertmanager: http://127.0.0.1:1\n{after}"));
    let run = env.run(["status"]).expect_code(3);
    for shown in ["1,204", "alertmanager down: connection refused", "UNKNOWN", "game-backend  healthy"] {
        assert!(run.stdout.contains(shown), "`{shown}` in\n{}", run.stdout);
    }
    let json = env.run(["status", "-o", "json"]).expect_code(3).json();
    assert_eq!(json["status"], "partial");
}

#[test]
fn verbose_shows_each_request_on_stderr_and_nothing_on_stdout() {
    let (_backends, env) = quiet();
    let plain = env.run(["status"]).expect_code(0);
    let verbose = env.run(["status", "-v"]).expect_code(0);
    assert_eq!(verbose.snapshot().split("--- stderr").next(), plain.snapshot().split("--- stderr").next());
    assert!(verbose.stderr.contains("/api/v2/alerts"), "{}", verbose.stderr);
    assert!(verbose.stderr.contains("status=200"), "{}", verbose.stderr);
}

#[test]
fn prometheus_without_its_api_at_the_url_is_not_taken_for_a_quiet_one() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    let elsewhere = crate::support::Stub::new();
    let run = env.run([
        "status",
        "--prometheus",
        &elsewhere.url(),
        "--alertmanager",
        &backends.alertmanager.url(),
        "-o",
        "json",
    ]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    let json = run.json();
    assert_eq!(json["sources"][0]["state"], "down");
    assert!(json["sources"][0]["error"].as_str().unwrap().contains("404"), "{json}");
}

#[test]
fn warnings_of_prometheus_are_passed_on() {
    let (backends, env) = quiet();
    backends.prometheus.set(
        "POST",
        "/api/v1/query",
        Answer::json(json!({"status": "success", "warnings": ["a store is missing"],
            "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1_768_473_000, "5"]}]}})),
    );
    let run = env.run(["status"]).expect_code(3);
    assert_eq!(run.stderr, "warning: prometheus, on KPI `active_players`: a store is missing\n");
    assert!(run.stdout.contains("not everything answered: a store is missing"), "{}", run.stdout);
}
