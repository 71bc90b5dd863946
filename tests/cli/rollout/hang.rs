//! A Prometheus that takes every question and answers none: it keeps nobody from hearing, from going back, or from seeing
//! an alert.

use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;

use super::world::{LIMIT, RULES, Seen, World, end};
use crate::support::process::signal;
use crate::support::{Answer, Stub, until};

/// Observes for long, so that what is known is not enough before Prometheus hangs; and each call may take longer than a
/// look may.
fn slow(rules: &str) -> World {
    let rules = rules.replace("interval: 300ms", "interval: 30s");
    let world = World::ruled(Seen::Good, &rules.replace("max_step: 1s", "max_step: 60s"));
    let text = world.env.read("liveops.yaml");
    let slow = "version: 1\ncall_timeout: 60s\ntimeout: 60s\n";
    world.env.write("liveops.yaml", text.replacen("version: 1\n", slow, 1));
    world
}

/// Begins, and has it hang at the first step.
fn hanging(world: &World) -> Child {
    let child = world.spawn(&[]);
    until("the first step", LIMIT, || {
        let status = world.status();
        (status["phase"] == "observe" && status["weight"] == 20.0).then_some(())
    });
    world.set(Seen::Hangs);
    child
}

#[test]
fn it_holds_the_rollout_and_too_long_takes_it_back() {
    let world = slow(&format!("{RULES}    max_blind: 2s\n"));
    let child = hanging(&world);
    let (code, said) = end(child);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(world.weights(), [0.0, 20.0, 0.0], "it never advances");
    let status = world.status();
    let reason = status["reason"].as_str().unwrap();
    assert!(reason.contains("nothing can be seen"), "{status}");
    assert!(status.to_string().contains("no answer within 4 s"), "{status}");
}

#[test]
fn a_signal_is_heard_meanwhile() {
    let world = slow(RULES);
    let child = hanging(&world);
    until("the hold", LIMIT, || {
        let status = world.status();
        status.to_string().contains("no answer within").then_some(())
    });
    let asked = Instant::now();
    signal(child.id(), "TERM");
    let (code, said) = end(child);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(world.weight(), 0.0);
    let took = asked.elapsed();
    assert!(took.as_secs() < 10, "{took:?}");
}

#[test]
fn an_alert_takes_it_back_meanwhile() {
    let fires = Arc::new(AtomicBool::new(false));
    let rings = Arc::clone(&fires);
    let alertmanager = Stub::new().on_fn("GET", "/api/v2/alerts", move |_| {
        let alert = json!({
            "labels": { "alertname": "GameDown", "severity": "critical" },
            "annotations": {},
            // After the rollout began, whenever that is.
            "startsAt": "2090-01-01T00:00:00Z",
            "endsAt": "2099-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z",
            "fingerprint": "1",
            "receivers": [{ "name": "default" }],
            "status": { "state": "active", "silencedBy": [], "inhibitedBy": [] },
        });
        let all = if rings.load(Ordering::Relaxed) { vec![alert] } else { Vec::new() };
        Answer::json(json!(all))
    });
    let rules = RULES.replace("'errors > 5%'", "'errors > 5%', 'alert GameDown'");
    let world = slow(&rules);
    let text = world.env.read("liveops.yaml");
    let text = text.replacen("test: { ", &format!("test: {{ alertmanager: {{ url: '{}' }}, ", alertmanager.url()), 1);
    world.env.write("liveops.yaml", text);
    let child = hanging(&world);
    fires.store(true, Ordering::Relaxed);
    let (code, said) = end(child);
    assert_eq!(code, Some(1), "{said}");
    let reason = world.status()["reason"].to_string();
    assert!(reason.contains("alert GameDown"), "{reason}");
    assert_eq!(world.weight(), 0.0);
}

#[test]
fn an_alert_that_alertmanager_never_got_counts_for_the_gate_and_the_guard() {
    let rules =
        RULES.replace("'errors > 5%'", "'errors > 5%', 'alert GameDown'").replace("capacity ]", "no_firing_alert ]");
    let world = World::ruled(Seen::Good, &rules);
    let alertmanager = Stub::new();
    let alert = |since: &str| json!({"labels": {"alertname": "GameDown", "severity": "critical"}, "annotations": {}, "state": "firing", "activeAt": since, "value": "1"});
    let answers = |stub: &Stub, alerts: &[serde_json::Value]| {
        let data = json!({"status": "success", "data": {"alerts": alerts}});
        stub.set("GET", "/api/v1/alerts", Answer::json(data));
    };
    alertmanager.set("GET", "/api/v2/alerts", Answer::json(json!([])));
    answers(&world.prometheus, &[alert("2026-01-01T00:00:00Z")]);
    let text = world.env.read("liveops.yaml");
    let text = text.replacen("test: { ", &format!("test: {{ alertmanager: {{ url: '{}' }}, ", alertmanager.url()), 1);
    world.env.write("liveops.yaml", text);
    let refused = world.start(&[]);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(refused.code != 0 && said.contains("GameDown fires"), "{said}");
    assert_eq!(world.weights(), Vec::<f64>::new());
    answers(&world.prometheus, &[]);
    let child = world.spawn_to_first_step();
    answers(&world.prometheus, &[alert("2090-01-01T00:00:00Z")]);
    let (code, said) = end(child);
    assert_eq!(code, Some(1), "{said}");
    assert!(world.status()["reason"].to_string().contains("alert GameDown"), "{}", world.status());
}

#[test]
fn an_alert_of_which_nobody_knows_whether_it_fires_lets_nothing_advance() {
    let unknown = json!([{"labels": {"alertname": "GameDown"}, "annotations": {}, "state": "NoData", "activeAt": "2026-01-01T00:00:00Z", "value": "1"}]);
    let fails =
        json!({"health": "err", "lastError": "many-to-many matching", "lastEvaluation": "2026-01-01T00:00:00Z"});
    let young = json!({"health": "unknown", "lastEvaluation": "0001-01-01T00:00:00Z"});
    let other = json!({"health": "ok", "name": "Other", "lastEvaluation": "2026-01-01T00:00:00Z"});
    for (alerts, odd, want) in [
        (unknown, json!({"health": "ok", "lastEvaluation": "2026-01-01T00:00:00Z"}), "its state is not known"),
        (json!([]), fails, "many-to-many matching"),
        (json!([]), young, "not been evaluated yet"),
        (json!([]), other, "no rule makes it"),
    ] {
        let rules = RULES.replace("'errors > 5%'", "'errors > 5%', 'alert GameDown'");
        let world = World::ruled(Seen::Good, &format!("{rules}    hold_timeout: 1s\n"));
        let mut rule = json!({"type": "alerting", "name": "GameDown", "query": "up == 0", "duration": 0, "labels": {},
            "annotations": {}, "alerts": [], "state": "inactive", "evaluationTime": 0.001});
        rule.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
        let good = |data: serde_json::Value| Answer::json(json!({"status": "success", "data": data}));
        world.prometheus.set("GET", "/api/v1/alerts", good(json!({ "alerts": alerts })));
        let groups = json!({"groups": [{"name": "g", "interval": 15, "rules": [rule]}]});
        world.prometheus.set("GET", "/api/v1/rules", good(groups));
        let run = world.start(&[]);
        assert_eq!(run.code, 1, "{want}: {}{}", run.stdout, run.stderr);
        assert_eq!(world.weight(), 0.0, "{want}");
        assert!(world.weights().iter().all(|weight| *weight <= 20.0), "{want}: {:?}", world.weights());
        assert!(world.status().to_string().contains(want), "{want}: {}", world.status());
    }
}
