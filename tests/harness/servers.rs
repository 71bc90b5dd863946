//! The real servers start, see what the test gives them, and are gone afterwards.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::support::{Alertmanager, Exporter, Prometheus, alertmanager, http, rules};

#[test]
fn prometheus_scrapes_the_exporter_and_notifies_alertmanager() {
    let exporter = Exporter::new("game_active_players{region=\"eu\"} 17\n");
    let alertmanager = Alertmanager::start(alertmanager::CONFIG);
    let mut prometheus = Prometheus::start(
        &[exporter.target("game-servers").label("region", "lab")],
        &rules::without_wait(rules::ALL),
        Some(alertmanager.server.port()),
        "1s",
    );
    prometheus.wait_targets("up");
    prometheus.wait_until("game_active_players", |players| players == 17.0);
    exporter.set("game_active_players{region=\"eu\"} 23\n");
    prometheus.wait_until("game_active_players", |players| players == 23.0);

    exporter.fail(500);
    let firing = prometheus.wait_alert("GameServerDown", "firing");
    assert_eq!(firing["labels"]["severity"], "critical");
    assert!(firing["annotations"]["runbook_url"].as_str().unwrap().ends_with("GameServerDown.md"));
    let listed = alertmanager.wait_alert("GameServerDown", |alert| alert["labels"]["alertname"] == "GameServerDown");
    assert_eq!(listed["receivers"][0]["name"], "pager");

    let port = prometheus.server.port();
    prometheus.server.kill();
    assert!(http::get(port, "/-/ready").is_err(), "a killed server answers no more");
    prometheus.server.restart();
    assert!(!prometheus.query("vector(1)").is_empty());
    drop(prometheus);
    assert!(http::get(port, "/-/ready").is_err(), "a dropped server answers no more");
}

#[test]
fn alertmanager_inhibits_what_the_rule_says() {
    let alertmanager = Alertmanager::start(alertmanager::CONFIG);
    let now = DateTime::<Utc>::from(SystemTime::now()).to_rfc3339();
    alertmanager.post_alerts(&json!([
        {"labels": {"alertname": "GameServerDown", "severity": "critical", "instance": "a"}, "startsAt": now},
        {"labels": {"alertname": "TickPerformanceDegraded", "severity": "high", "instance": "a"}, "startsAt": now},
        {"labels": {"alertname": "TickPerformanceDegraded", "severity": "high", "instance": "b"}, "startsAt": now},
    ]));
    for (instance, state) in [("a", "suppressed"), ("b", "active")] {
        alertmanager.wait_alert(&format!("{instance} {state}"), |alert| {
            alert["labels"]["severity"] == "high"
                && alert["labels"]["instance"] == instance
                && alert["status"]["state"] == state
        });
    }
    assert!(alertmanager.silences().is_empty());
}
