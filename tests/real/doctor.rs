//! `liveops doctor` against real servers that have real troubles.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process::{Program, Server};
use crate::support::stub::Answer;
use crate::support::{Alertmanager, Exporter, Prometheus, Run, Target, TestEnv, alertmanager, rules, until};

/// What was looked at, as `{check, level, message}`.
fn findings(run: &Run) -> Vec<Value> {
    let json = run.json();
    let flat = |list: &Value, level: &dyn Fn(&Value) -> &'static str| -> Vec<Value> {
        let of = |one: &Value| json!({ "check": one["id"], "level": level(one), "message": one["why"] });
        list.as_array().unwrap().iter().map(of).collect()
    };
    let mut all = flat(&json["data"]["findings"], &|one| if one["level"] == "HIGH" { "fail" } else { "warn" });
    all.extend(flat(&json["data"]["unknown"], &|_| "unknown"));
    for system in json["data"]["systems"].as_array().unwrap() {
        all.extend(flat(&system["passed"], &|_| "ok"));
    }
    all
}

#[track_caller]
fn find(run: &Run, check: &str, level: &str, words: &str) {
    let all = findings(run);
    let found = all.iter().any(|found| {
        found["check"] == check && found["level"] == level && found["message"].as_str().unwrap().contains(words)
    });
    assert!(found, "no {level} {check} with `{words}` in {all:#?}");
}

#[test]
fn a_healthy_world_has_no_problem() {
    let exporter = Exporter::new("game_active_players{region=\"eu\"} 17\n");
    let alertmanager = Alertmanager::start(alertmanager::CONFIG);
    let prometheus =
        Prometheus::start(&[exporter.target("game-servers")], rules::ALL, Some(alertmanager.server.port()), "1s");
    prometheus.wait_targets("up");
    prometheus.wait_until("game_active_players", |players| players == 17.0);
    let env = TestEnv::new();
    env.write("liveops.yaml", "kpis: [ { name: players, gauge: game_active_players } ]\n");
    let ask =
        || env.run(["doctor", "-o", "json", "--prometheus", &prometheus.url(), "--alertmanager", &alertmanager.url()]);
    let run = until("all rules to be evaluated", Duration::from_secs(30), || {
        let run = ask();
        (run.code == 0 && findings(&run).iter().all(|found| found["level"] == "ok")).then_some(run)
    });
    find(&run, "clock", "ok", "agrees");
    find(&run, "targets", "ok", "1 target up");
    find(&run, "rules", "ok", "evaluated in time");
    find(&run, "runbooks", "ok", "every alert has one");
    find(&run, "delivery", "ok", "1 Alertmanager");
    find(&run, "kpis", "ok", "1 KPI with data");
    find(&run, "cluster", "ok", "a single one");
    assert!(run.json()["data"]["systems"][0]["version"].is_string());
}

const BROKEN: &str = r#"
groups:
  - name: broken
    rules:
      - { record: twice, expr: "up * on (job) up" }
      - { alert: NoRunbook, expr: "vector(0) > 1" }
      - { alert: Always, expr: "vector(1)", labels: { severity: critical } }
"#;

#[test]
fn down_and_slow_targets_broken_rules_and_missing_metrics_are_found() {
    let exporter = Exporter::new("game_active_players{region=\"eu\"} 17\n");
    let slow = Exporter::new("");
    slow.stub.set("GET", "/metrics", Answer::text("a 1\n").after(Duration::from_millis(700)));
    let targets = [exporter.target("game-servers"), Target::new("game-servers", 1), slow.target("slow")];
    let prometheus = Prometheus::start(&targets, BROKEN, None, "1s");
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "kpis:\n  - { name: players, gauge: game_active_player }\n  - { name: refused, promql: 'up * on (job) up' }\n",
    );
    let ask = || env.run(["doctor", "-o", "json", "--prometheus", &prometheus.url()]);
    let run = until("prometheus to have seen all of it", Duration::from_secs(30), || {
        let run = ask();
        let has = |check: &str, words: &str| {
            findings(&run)
                .iter()
                .any(|found| found["check"] == check && found["message"].as_str().unwrap().contains(words))
        };
        (has("rules", "fails") && has("scrapes", "slow") && has("targets", "down") && has("kpis", "did you mean"))
            .then_some(run)
    })
    .expect_code(1);
    find(&run, "targets", "fail", "1 of 2 targets of job `game-servers` is down: 127.0.0.1:1");
    find(&run, "targets", "fail", "connection refused");
    find(&run, "scrapes", "warn", "of an interval of 1s");
    find(&run, "rules", "fail", "rule `twice` of group `broken` fails: found duplicate series");
    find(&run, "runbooks", "warn", "2 alerts have no runbook: NoRunbook, Always");
    find(&run, "delivery", "warn", "nobody is paged");
    find(&run, "kpis", "warn", "did you mean `game_active_players`?");
    find(&run, "kpis", "fail", "KPI `refused`: answers 422");
    let (_, screen) = env.pty(["doctor", "--prometheus", &prometheus.url()]).wait();
    let screen = console::strip_ansi_codes(&screen);
    assert!(
        screen.lines().all(|line| console::measure_text_width(line.trim_end()) <= 80 || line.contains("http")),
        "{screen}"
    );
}

#[test]
fn silences_and_fatigue_come_from_the_alertmanager() {
    let alertmanager = Alertmanager::start(alertmanager::CONFIG);
    let alerts: Vec<Value> = (0..12)
        .map(|n| json!({"labels": {"alertname": format!("A{n}"), "severity": "high"}, "startsAt": "2020-01-01T00:00:00Z"}))
        .collect();
    alertmanager.post_alerts(&json!(alerts));
    let run = TestEnv::new().run(["doctor", "-o", "json", "--alertmanager", &alertmanager.url()]).expect_code(0);
    find(&run, "fatigue", "warn", "12 alerts of different names fire at once");
    find(&run, "fatigue", "warn", "fires for more than a day: A0");
}

fn redis(password: &'static str) -> Server {
    assert_eq!(password, "canary-redis");
    Server::start(
        Program {
            binary: "redis-server",
            package: "redis-server",
            args: |port, folder: &Path| {
                [
                    "--port",
                    &port.to_string(),
                    "--bind",
                    "127.0.0.1",
                    "--dir",
                    &folder.display().to_string(),
                    "--save",
                    "",
                    "--requirepass",
                    "canary-redis",
                ]
                .map(ToOwned::to_owned)
                .into()
            },
            ready: |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
        },
        |_| {},
    )
}

#[test]
fn redis_wants_its_password() {
    let server = redis("canary-redis");
    let at = format!("127.0.0.1:{}/0", server.port());
    let env = TestEnv::new().var("REDIS_PASSWORD", "canary-redis");
    let none = env.run(["doctor", "-o", "json", "--redis", &format!("redis://{at}")]).expect_code(1);
    find(&none, "credentials", "fail", "asks for a password");
    let wrong = env.run(["doctor", "-o", "json", "--redis", &format!("redis://:wrong-canary@{at}")]).expect_code(1);
    find(&wrong, "credentials", "fail", "does not accept user and password");
    assert!(!format!("{}{}", wrong.stdout, wrong.stderr).contains("wrong-canary"));
    env.write("liveops.yaml", format!("environments: {{ a: {{ flags: 'redis://:${{REDIS_PASSWORD}}@{at}' }} }}\n"));
    env.trust();
    let good = env.run(["doctor", "-vv", "-o", "json"]).expect_code(0);
    find(&good, "reachable", "ok", "accepts the credentials");
    assert!(!format!("{}{}", good.stdout, good.stderr).contains("canary-redis"));
    assert!(good.json()["data"]["systems"][0]["version"].is_string());
}
