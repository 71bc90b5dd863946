//! What `liveops new` writes, read by those it is written for: promtool, amtool, both real servers, and a Prometheus that
//! scrapes the demo.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use liveops_domain::document::dashboard::queries;
use serde_json::Value;

use crate::support::process::free_port;
use crate::support::prometheus::Target;
use crate::support::{Alertmanager, Prometheus, TestEnv, http, until};

#[allow(clippy::disallowed_methods, reason = "a test starts the programs it needs")]
#[track_caller]
fn tool(program: &str, args: &[&str], folder: &Path) -> String {
    let ran = Command::new(program).args(args).current_dir(folder).output();
    let ran = ran.unwrap_or_else(|error| {
        panic!("{program} is installed (Debian packages prometheus, prometheus-alertmanager): {error}")
    });
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{program} {args:?}: {said}");
    said
}

/// A project of a preset with so many services.
fn project(preset: &str, services: usize) -> TestEnv {
    let env = TestEnv::new();
    env.run(["init", "--preset", preset, "--yes"]).expect_code(0);
    let text = env.read("liveops.yaml");
    let kpis = text.split_once("\nkpis:").expect("KPIs").1;
    let list: String = (1..=services)
        .map(|n| {
            format!("  - {{ name: game-{n}, owner: team-{}, health: {{ url: 'http://127.0.0.{n}:5050' }} }}\n", n % 3)
        })
        .collect();
    let head = "version: 1\nproject: it's\nenvironments: { prod: { prometheus: { url: 'http://127.0.0.1:1' }, alertmanager: { url: 'http://127.0.0.1:1/am' } } }\n";
    env.write("liveops.yaml", format!("{head}services:\n{list}kpis:{kpis}"));
    env
}

#[test]
fn every_preset_with_one_to_fifty_services_is_accepted_by_the_tools_and_the_servers() {
    for preset in ["game-server", "http-api"] {
        let prometheus = Prometheus::start(&[], "", None, "15s");
        let alertmanager = Alertmanager::start(crate::support::alertmanager::CONFIG);
        for services in 1..=50 {
            let env = project(preset, services);
            for kind in ["prometheus", "alert-rules", "alertmanager"] {
                env.run(["new", kind]).expect_code(0);
            }
            let said = tool("promtool", &["check", "config", "monitoring/prometheus.yml"], &env.path());
            assert!(said.contains("rules found"), "{said}");
            tool("amtool", &["check-config", "monitoring/alertmanager.yml"], &env.path());
            alertmanager.set_config(&env.read("monitoring/alertmanager.yml"));
            prometheus.set_config(&env.read("monitoring/prometheus.yml"), &env.read("monitoring/rules/liveops.yml"));
            let groups = prometheus.api("rules", &[])["groups"].clone();
            let rules = groups.as_array().into_iter().flatten().filter_map(|group| group["rules"].as_array());
            let down = rules.flatten().filter(|rule| rule["name"] == "GameServerDown" || rule["name"] == "ServiceDown");
            assert_eq!(down.count(), services, "{preset}: {groups}");
            if ![1, 50].contains(&services) {
                continue;
            }
            // Each of them also starts with it.
            Alertmanager::start(&env.read("monitoring/alertmanager.yml"));
            Prometheus::of_config(&env.read("monitoring/prometheus.yml"));
            for discovery in ["file", "kubernetes"] {
                let out = format!("monitoring/{discovery}.yml");
                env.run(["new", "prometheus", "--discovery", discovery, "--out", &out]).expect_code(0);
                // Debian builds its Prometheus without the discovery of Kubernetes; all else of the job is checked.
                let pods = "    kubernetes_sd_configs:\n      - role: pod\n";
                let text = env.read(&out);
                assert_eq!(text.contains(pods), discovery == "kubernetes");
                env.write(&out, text.replace(pods, "    static_configs: [{ targets: ['pod:8080'] }]\n"));
                tool("promtool", &["check", "config", &out], &env.path());
            }
        }
    }
}

#[test]
fn alertmanager_routes_every_severity_to_its_receiver() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "version: 1
incidents: { business_days: { days: [mon, sun], end: '18:30', time_zone: Europe/Berlin } }
notify:
  channels:
    - { name: room, type: slack, url: '${SLACK}' }
    - { name: pager, type: pagerduty, routing_key: '${PD}' }
    - { name: mail, type: email, url: 'smtp://mail:587', from: ops@example.com, to: [a@example.com, b@example.com] }
    - { name: chat, type: discord, url: '${D}' }
  schedule: { rotation: { order: [ada, bob], from: 2026-01-05, handover: 'mon 09:00' }, people: { ada: pager, bob: mail } }
  rules: [ { severity: p1, page: on-call, tell: room }, { severity: p2, page: [mail] }, { severity: p3, tell: [chat] } ]
",
    );
    env.run(["new", "alertmanager"]).expect_code(0);
    let file = "monitoring/alertmanager.yml";
    tool("amtool", &["check-config", file], &env.path());
    for (severity, receiver) in [
        ("critical", "critical"),
        ("page", "critical"),
        ("high", "high"),
        ("medium", "medium"),
        ("warning", "medium"),
        ("ticket", "medium"),
        ("anything", "medium"),
        ("info", "low"),
    ] {
        let matcher = format!("severity={severity}");
        let said = tool("amtool", &["config", "routes", "test", "--config.file", file, &matcher], &env.path());
        assert_eq!(said.lines().next(), Some(receiver), "{severity}");
    }
    let text = env.read(file);
    for said in ["routing_key_file", "api_url_file", "'mail:587'", "Europe/Berlin", "[monday, sunday]", "'18:30'"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn every_query_of_every_dashboard_has_data_from_the_demo_and_every_alert_can_be_evaluated() {
    let env = TestEnv::new();
    let port = free_port();
    let mut demo = env.pty(["demo", "--keep", "--port", &port.to_string()]);
    demo.expect("until Ctrl-C");
    until("the demo's service", Duration::from_secs(10), || {
        http::get(port, "/api/health").ok().filter(|answer| answer.status == 200)
    });
    let config = include_str!("../../templates/demo/liveops.yaml");
    env.write("liveops.yaml", config.replace("{{ url }}", &format!("http://127.0.0.1:{port}")));
    env.run(["new", "alert-rules"]).expect_code(0);
    let target = Target::new("game-backend", port).path("/api/health/metrics");
    let prometheus = Prometheus::start(&[target], &env.read("monitoring/rules/liveops.yml"), None, "1s");
    let mut asked = 0;
    for name in ["game", "backend", "business", "performance", "resources"] {
        env.run(["new", "grafana", "--dashboard", name]).expect_code(0);
        let board: Value = serde_json::from_str(&env.read(format!("monitoring/dashboards/{name}.json"))).expect("JSON");
        let all = queries(&board);
        assert!(all.len() >= 4, "{name}: {all:?}");
        for (title, query) in all {
            let query = query.replace("$__rate_interval", "10s").replace("$__range", "1m");
            assert!(!query.contains('$'), "{name}, {title}: {query}");
            until(format_args!("{name}, {title}: `{query}`"), Duration::from_secs(30), || {
                (!prometheus.query(&query).is_empty()).then_some(())
            });
            asked += 1;
        }
        let text = board.to_string();
        for said in ["${datasource}", "\"Deployments\"", "\"Incidents\""] {
            assert!(text.contains(said), "{name}: {said}");
        }
        for removed in ["\"graph\"", "singlestat", "table-old", "__inputs", "DS_PROMETHEUS"] {
            assert!(!text.contains(removed), "{name}: {removed}");
        }
    }
    assert!(asked > 40, "{asked} queries");
    until("every rule to be evaluated", Duration::from_secs(30), || {
        let groups = prometheus.api("rules", &[])["groups"].clone();
        let rules = groups.as_array()?.iter().flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let health: Vec<&str> = rules.filter_map(|rule| rule["health"].as_str()).collect();
        (health.len() > 20 && health.iter().all(|one| *one == "ok")).then_some(())
    });
}

/// An alert, the series that it is shown, when it is silent last, and when it fires; 0 is never.
type Scene = (&'static str, &'static [(&'static str, &'static str)], u32, u32);

const SCENES: [Scene; 15] = [
    ("GameServerDown", &[("up{job=\"game-backend\"}", "1x4 0x20")], 120, 135),
    ("GameServerDown", &[], 45, 60),
    ("GameServerDown", &[("up{job=\"game-backend\"}", "1x60")], 900, 0),
    (
        "TickPerformanceDegraded",
        &[
            ("game_tick_duration_seconds_bucket{le=\"0.01\"}", "0x60"),
            ("game_tick_duration_seconds_bucket{le=\"0.05\"}", "0+100x60"),
            ("game_tick_duration_seconds_bucket{le=\"+Inf\"}", "0+100x60"),
        ],
        300,
        315,
    ),
    (
        "HighMatchmakingQueueTime",
        &[
            ("game_matchmaking_queue_seconds_bucket{le=\"120\"}", "0x60"),
            ("game_matchmaking_queue_seconds_bucket{le=\"300\"}", "0+100x60"),
            ("game_matchmaking_queue_seconds_bucket{le=\"+Inf\"}", "0+100x60"),
        ],
        600,
        615,
    ),
    ("RequestLatencyHigh", &SLOW, 600, 615),
    ("RequestLatencyCritical", &SLOW, 900, 0),
    ("ErrorRateHigh", &FAILING, 600, 615),
    ("ErrorRateCritical", &FAILING, 900, 0),
    (
        "ErrorRateCritical",
        &[("http_requests_total{status=\"500\"}", "0+20x60"), ("http_requests_total{status=\"200\"}", "0+980x60")],
        180,
        195,
    ),
    ("CpuSaturated", &[("cpu_usage_ratio", "0.95x60")], 285, 300),
    ("CpuSaturated", &[("cpu_usage_ratio", "0.85x60")], 900, 0),
    ("MemoryHigh", &[("memory_usage_ratio", "0.9x60")], 585, 600),
    ("TrafficTooLow", &[("http_requests_total{status=\"200\"}", "0+1x60")], 300, 315),
    ("UnexpectedPlayerSpike", &[("game_active_players{region=\"eu\"}", "0+100x60")], 300, 600),
];

/// 95 of 100 requests take less than 392 ms.
const SLOW: [(&str, &str); 3] = [
    ("http_request_duration_ms_bucket{le=\"250\"}", "0x60"),
    ("http_request_duration_ms_bucket{le=\"400\"}", "0+100x60"),
    ("http_request_duration_ms_bucket{le=\"+Inf\"}", "0+100x60"),
];

/// 8 of 1000 requests fail.
const FAILING: [(&str, &str); 2] =
    [("http_requests_total{status=\"500\"}", "0+8x60"), ("http_requests_total{status=\"200\"}", "0+992x60")];

#[test]
fn each_alert_of_the_table_fires_at_its_second_and_not_before() {
    let env = TestEnv::new();
    let config = include_str!("../../templates/demo/liveops.yaml");
    env.write("liveops.yaml", config.replace("{{ url }}", "http://127.0.0.1:5050"));
    env.run(["new", "alert-rules", "--out", "rules.yml"]).expect_code(0);
    let mut tests = String::from("rule_files: [rules.yml]\nevaluation_interval: 15s\ntests:\n");
    for (alert, series, silent, fires) in SCENES {
        tests.push_str("  - interval: 15s\n    input_series:");
        tests.push_str(if series.is_empty() { " []\n" } else { "\n" });
        for (name, values) in series {
            tests.push_str(&format!("      - {{ series: '{name}', values: '{values}' }}\n"));
        }
        tests.push_str("    promql_expr_test:\n");
        let expr = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})");
        for (at, samples) in [(silent, "[]"), (fires, "[{ labels: '{}', value: 1 }]")] {
            if at > 0 {
                tests.push_str(&format!("      - {{ expr: '{expr}', eval_time: {at}s, exp_samples: {samples} }}\n"));
            }
        }
    }
    env.write("test.yml", tests);
    tool("promtool", &["test", "rules", "test.yml"], &env.path());
}
