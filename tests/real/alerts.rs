//! `liveops alerts` against a real Prometheus and a real Alertmanager.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Alertmanager, Exporter, Prometheus, Stub, Target, TestEnv, alertmanager, rules, until};

const RULES: &str = r#"
groups:
  - name: extra
    rules:
      - alert: TickSlow
        expr: game_tick > 20
        labels: { severity: high }
      - alert: LongWait
        expr: game_tick > 20
        for: 1h
        labels: { severity: medium }
      - alert: Broken
        expr: game_tick * on () (game_tick or game_twin)
        labels: { severity: high }
      - alert: Absent
        expr: no_such_metric > 1 and game_tick > 0
        labels: { severity: high }
"#;

fn answer<'a>(explained: &'a Value, step: &str) -> &'a Value {
    explained["data"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|found| found["step"] == step)
        .unwrap_or_else(|| panic!("no step {step} in {explained:#}"))
}

fn says(explained: &Value, step: &str, reply: &str, part: &str) {
    let found = answer(explained, step);
    assert_eq!(found["answer"], reply, "{found:#}");
    let evidence = found["evidence"].to_string();
    assert!(evidence.contains(part), "{step}: {part} in {evidence}");
}

#[test]
fn explain_follows_an_alert_from_its_rule_to_its_receiver() {
    let exporter = Exporter::new("game_tick 16\ngame_twin{x=\"1\"} 1\n");
    let alertmanager = Alertmanager::start(alertmanager::CONFIG);
    let dead = Target::new("game-servers", 1);
    let both = format!("{}{}", rules::without_wait(rules::ALL).trim_end(), RULES.trim_start_matches("\ngroups:"));
    let mut prometheus =
        Prometheus::start(&[exporter.target("game"), dead], &both, Some(alertmanager.server.port()), "1s");
    prometheus.wait_until("game_tick", |tick| tick == 16.0);
    let env =
        TestEnv::new().var("LIVEOPS_PROMETHEUS", &prometheus.url()).var("LIVEOPS_ALERTMANAGER", &alertmanager.url());
    let explain = |name: &str, code: i32| env.run(["alerts", "explain", name, "-o", "json"]).expect_code(code).json();

    // Its condition does not hold, and by how much; or there is nothing to compare.
    let quiet = explain("TickSlow", 0);
    says(&quiet, "rule", "yes", "group extra, fires at once, severity=high");
    says(&quiet, "evaluated", "yes", "ago");
    says(&quiet, "condition", "no", "is 16");
    says(&quiet, "condition", "no", "must be > 20");
    says(&quiet, "delivered", "yes", "/api/v2/alerts");
    assert_eq!(quiet["data"]["paging"], "no");
    let absent = explain("Absent", 0);
    says(&absent, "condition", "no", "is missing or has no recent samples");

    // It holds, but not yet for long enough; its neighbour fires.
    exporter.set("game_tick 30\ngame_twin{x=\"1\"} 1\n");
    prometheus.wait_alert("LongWait", "pending");
    alertmanager.wait_alert("TickSlow", |alert| alert["labels"]["alertname"] == "TickSlow");
    alertmanager.wait_alert("GameServerDown", |alert| alert["labels"]["alertname"] == "GameServerDown");
    let pending = explain("LongWait", 0);
    says(&pending, "held", "no", "fires in 59m");
    let loud = explain("TickSlow", 1);
    says(&loud, "condition", "yes", "firing");
    says(&loud, "received", "yes", "job=game");
    says(&loud, "inhibited", "no", "");
    says(&loud, "muted", "no", "");
    says(&loud, "receivers", "no", "default, which has no integration");
    assert_eq!(loud["data"]["broken"], true);

    // The list has all three states of it.
    let list = env.run(["alerts", "-o", "json"]).expect_code(1).json();
    // It arrived with a label that Prometheus itself does not show, and is the same alert.
    let slow = list["data"]["alerts"].as_array().unwrap().iter().find(|alert| alert["name"] == "TickSlow").unwrap();
    assert_eq!((&slow["delivery"], &slow["labels"]["cluster"]), (&json!("delivered"), &json!("lab")), "{slow}");
    let groups = list["data"]["groups"].to_string();
    assert!(groups.contains("GameServerDown") && groups.contains("\"pending\""), "{groups}");
    let named = env.run(["alerts", "explain", "GameServrDown"]).expect_code(2);
    assert!(named.stderr.contains("did you mean `GameServerDown`?"), "{}", named.stderr);

    // Silenced: by whom, until when.
    env.run(["silence", "add", "TickSlow", "--for", "1h", "--comment", "known", "--yes"]).expect_code(0);
    alertmanager.wait_alert("TickSlow silenced", |alert| {
        alert["labels"]["alertname"] == "TickSlow" && alert["status"]["state"] == "suppressed"
    });
    let silenced = explain("TickSlow", 0);
    says(&silenced, "silenced", "yes", "known");
    let next = silenced["data"]["next"].as_str().unwrap().to_owned();
    assert!(next.starts_with("silence expire "), "{next}");
    env.run(next.split(' ').chain(["--yes"])).expect_code(0);
    alertmanager.wait_alert("TickSlow loud", |alert| {
        alert["labels"]["alertname"] == "TickSlow" && alert["status"]["state"] == "active"
    });

    // Inhibited: by which alert.
    let instance = exporter.target("game").address;
    alertmanager.post_alerts(&serde_json::json!([
        {"labels": {"alertname": "HostDown", "severity": "critical", "instance": instance}}
    ]));
    alertmanager.wait_alert("TickSlow inhibited", |alert| {
        alert["labels"]["alertname"] == "TickSlow" && alert["status"]["state"] == "suppressed"
    });
    let inhibited = explain("TickSlow", 0);
    says(&inhibited, "inhibited", "yes", "by HostDown");
    assert_eq!(inhibited["data"]["next"], "alerts explain HostDown");

    // An alert that no rule makes.
    let foreign = explain("HostDown", 1);
    says(&foreign, "rule", "no", "something else sends");

    // Without Prometheus the rest is still known.
    prometheus.server.kill();
    let partial = explain("TickSlow", 0);
    says(&partial, "rule", "unknown", "cannot be reached");
    assert_eq!(partial["status"], "partial");
}

#[test]
fn a_rule_that_fails_and_a_prometheus_that_tells_nobody_are_broken() {
    let exporter = Exporter::new("game_tick 30\ngame_twin{x=\"1\"} 1\ngame_twin{x=\"2\"} 2\n");
    let prometheus = Prometheus::start(&[exporter.target("game")], RULES, None, "1s");
    prometheus.wait_alert("TickSlow", "firing");
    let env = TestEnv::new().var("LIVEOPS_PROMETHEUS", &prometheus.url());
    let told = env.run(["alerts", "explain", "TickSlow", "-o", "json"]).expect_code(1).json();
    says(&told, "delivered", "no", "knows no Alertmanager");
    assert!(told["data"]["conclusion"].as_str().unwrap().contains("nobody is paged"), "{told:#}");
    let broken = env.run(["alerts", "explain", "Broken", "-o", "json"]).expect_code(1).json();
    says(&broken, "evaluated", "no", "many-to-many");
    let show = env.run(["alerts", "show", "TickSlow", "-o", "json"]).json();
    assert_eq!(show["data"]["rules"][0]["expression"], "game_tick > 20");
}

#[test]
fn a_receiver_that_refuses_is_no_page() {
    let hook = Stub::new();
    let config = format!(
        "route: {{receiver: ops, group_wait: 0s, group_interval: 1s}}\nreceivers: [{{name: ops, webhook_configs: [{{url: '{}/hook'}}]}}]\n",
        hook.url()
    );
    let alertmanager = Alertmanager::start(&config);
    alertmanager.post_alerts(&json!([{"labels": {"alertname": "Down", "severity": "critical"}}]));
    let env = TestEnv::new().var("LIVEOPS_ALERTMANAGER", &alertmanager.url());
    let told = until("a refused notification", Duration::from_secs(30), || {
        let run = env.run(["alerts", "explain", "Down"]);
        (run.code == 1).then_some(run.stdout)
    });
    assert!(told.contains("is handed to ops, whose notifications fail (webhook: "), "{told}");
    assert!(env.run(["doctor"]).expect_code(1).stdout.contains("notifications fail"));
    assert!(env.run(["status"]).expect_code(1).stdout.contains("notifications fail"));
}
