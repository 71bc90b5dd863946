//! One world, many commands: whoever says what fires says the same. A stub Prometheus and a stub Alertmanager that
//! disagree, as they do in life.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, Run, Stub, TestEnv};

pub(crate) const NOW: &str = "2026-01-15T10:30:00Z";

/// An alert as Prometheus lists it, in its state since ten minutes.
pub(crate) fn fired(labels: &Value, state: &str) -> Value {
    json!({"labels": labels, "annotations": {}, "state": state, "activeAt": "2026-01-15T10:20:00Z", "value": "1"})
}

/// An alert as Alertmanager lists it.
pub(crate) fn held(labels: &Value, silenced_by: &[&str]) -> Value {
    let state = if silenced_by.is_empty() { "active" } else { "suppressed" };
    json!({
        "labels": labels, "annotations": {}, "fingerprint": labels.to_string(), "startsAt": "2026-01-15T10:20:00Z",
        "updatedAt": NOW, "endsAt": "2026-01-15T10:35:00Z", "generatorURL": "", "receivers": [{"name": "pager"}],
        "status": {"state": state, "silencedBy": silenced_by, "inhibitedBy": []},
    })
}

fn good(data: &Value) -> Answer {
    Answer::json(json!({"status": "success", "data": data}))
}

/// Puts what Prometheus says of alerts on a stub.
pub(crate) fn evaluates(stub: &Stub, alerts: &[Value]) {
    let named = |name: &str| alerts.iter().filter(|alert| alert["labels"]["alertname"] == name).collect::<Vec<_>>();
    let rule = |name: &str| {
        json!({"type": "alerting", "name": name, "query": "up == 0", "duration": 0, "labels": {},
            "annotations": {"runbook_url": "x"}, "alerts": named(name), "health": "ok", "state": "inactive",
            "lastEvaluation": NOW, "evaluationTime": 0.001})
    };
    let all = alerts.iter().filter_map(|alert| alert["labels"]["alertname"].as_str()).chain(["Down"]);
    let rules: Vec<Value> = all.collect::<BTreeSet<_>>().into_iter().map(rule).collect();
    stub.set("GET", "/api/v1/alerts", good(&json!({ "alerts": alerts })));
    stub.set("GET", "/api/v1/rules", good(&json!({"groups": [{"name": "g", "interval": 15, "rules": rules}]})));
    let config = "global:\n  external_labels:\n    cluster: eu\nscrape_configs: []\n";
    stub.set("GET", "/api/v1/status/config", good(&json!({ "yaml": config })));
    stub.set("GET", "/api/v1/targets", good(&json!({"activeTargets": []})));
    stub.set("POST", "/api/v1/query", good(&json!({"resultType": "vector", "result": []})));
    stub.set("POST", "/api/v1/query_range", good(&json!({"resultType": "matrix", "result": []})));
    stub.set("GET", "/api/v1/status/buildinfo", good(&json!({"version": "2.42.0"})));
    let managers = json!({"activeAlertmanagers": [{"url": "http://am/api/v2/alerts"}], "droppedAlertmanagers": []});
    stub.set("GET", "/api/v1/alertmanagers", good(&managers));
}

/// Puts what Alertmanager has on a stub; it runs for long.
pub(crate) fn holds(stub: &Stub, alerts: &[Value]) {
    stub.set("GET", "/api/v2/alerts", Answer::json(json!(alerts)));
    stub.set("GET", "/api/v2/silences", Answer::json(json!([])));
    let config = "route: {receiver: pager}\nreceivers: [{name: pager, webhook_configs: [{url: x}]}]\n";
    let status = json!({"versionInfo": {"version": "0.25.0"}, "cluster": {"status": "disabled"},
        "uptime": "2026-01-15T00:00:00Z", "config": {"original": config}});
    stub.set("GET", "/api/v2/status", Answer::json(status));
}

/// Both, and an environment that asks them.
struct World {
    prometheus: Stub,
    alertmanager: Stub,
    env: TestEnv,
}

fn labels(name: &str, severity: &str) -> Value {
    json!({"alertname": name, "severity": severity})
}

fn in_eu(name: &str, severity: &str) -> Value {
    json!({"alertname": name, "severity": severity, "cluster": "eu"})
}

impl World {
    fn new(evaluated: &[Value], received: &[Value]) -> Self {
        let (prometheus, alertmanager, env) = (Stub::new(), Stub::new(), TestEnv::new().now(NOW));
        evaluates(&prometheus, evaluated);
        holds(&alertmanager, received);
        env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\n");
        let env = env
            .var("LIVEOPS_ACTOR", "ada")
            .var("LIVEOPS_PROMETHEUS", &prometheus.url())
            .var("LIVEOPS_ALERTMANAGER", &alertmanager.url());
        Self { prometheus, alertmanager, env }
    }

    /// Delivered, lost on the way, from elsewhere, silenced, pending.
    fn torn() -> Self {
        let evaluated = [
            fired(&labels("Down", "critical"), "firing"),
            fired(&labels("Lost", "medium"), "firing"),
            fired(&labels("Quiet", "critical"), "firing"),
            fired(&labels("Soon", "critical"), "pending"),
        ];
        let received = [
            held(&in_eu("Down", "critical"), &[]),
            held(&labels("Elsewhere", "high"), &[]),
            held(&in_eu("Quiet", "critical"), &["s-1"]),
        ];
        Self::new(&evaluated, &received)
    }

    fn json(&self, args: &[&str]) -> (Run, Value) {
        let run = self.env.run(args.iter().chain(&["-o", "json"]));
        let json = run.json();
        (run, json)
    }
}

fn names(alerts: &Value) -> BTreeSet<String> {
    let firing = alerts.as_array().unwrap().iter().filter(|alert| alert["state"] == "firing");
    firing.map(|alert| alert["name"].as_str().unwrap().to_owned()).collect()
}

fn text(value: &Value) -> String {
    value.to_string()
}

#[test]
fn every_command_names_the_same_alerts() {
    let world = World::torn();
    let all = ["Down", "Elsewhere", "Lost"];
    let want: BTreeSet<String> = all.map(String::from).into();
    let (run, status) = world.json(&["status"]);
    assert_eq!(run.code, 1);
    assert_eq!(names(&status["data"]["alerts"]), want);
    let headline = status["data"]["headline"].as_str().unwrap();
    assert!(headline.contains("not in Alertmanager"), "{headline}");
    let nagios = world.env.run(["status", "--nagios"]).expect_code(2);
    assert!(nagios.stdout.contains("Lost not in Alertmanager"), "{}", nagios.stdout);
    let (run, alerts) = world.json(&["alerts"]);
    assert_eq!(run.code, 1);
    assert_eq!(names(&alerts["data"]["alerts"]), want);
    let of = |name: &str, key: &str| {
        let all = alerts["data"]["alerts"].as_array().unwrap().iter();
        all.filter(|alert| alert["name"] == name).map(|alert| alert[key].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("Down", "delivery"), ["delivered"]);
    assert_eq!(of("Lost", "delivery"), ["undelivered"]);
    assert_eq!(of("Elsewhere", "delivery"), ["not_firing"]);
    assert_eq!((of("Quiet", "delivery"), of("Quiet", "state")), (vec![json!("delivered")], vec![json!("silenced")]));
    assert_eq!(of("Soon", "delivery"), [Value::Null]);
    let (_, triage) = world.json(&["triage", "--non-interactive"]);
    let item = triage["data"]["items"].as_array().unwrap().iter().find(|item| item["id"] == "alerts").unwrap();
    assert_eq!(item["outcome"], "suspicious");
    assert!(all.iter().all(|name| text(item).contains(name)), "{item}");
    assert!(!text(item).contains("Quiet") && !text(item).contains("Soon"), "{item}");
    let (run, doctor) = world.json(&["doctor"]);
    assert_eq!(run.code, 1);
    assert!(text(&doctor).contains("3 alerts of different names fire"), "{doctor}");
    assert!(text(&doctor).contains("does not have `Lost`"), "{doctor}");
    let opened = world.env.run(["incident", "open", "--from-alert"]);
    assert!(opened.stdout.contains("opened P1 Down"), "{}", opened.stdout);
    assert!(
        opened.stdout.contains("alerts: 3 fire: Down, Elsewhere, Lost; Alertmanager does not have `Lost`"),
        "{}",
        opened.stdout
    );
    // What was lost is explained as lost.
    let (run, explained) = world.json(&["alerts", "explain", "Lost"]);
    assert_eq!(run.code, 1);
    assert_eq!(explained["data"]["broken"], json!(true));
}

#[test]
fn a_page_that_is_lost_is_critical_whatever_the_alert_is() {
    let world = World::new(&[fired(&labels("Heartbeat", "info"), "firing")], &[]);
    let run = world.env.run(["status"]).expect_code(1);
    assert!(run.stdout.contains("Alertmanager does not have `Heartbeat`, which Prometheus fires"), "{}", run.stdout);
    let run = world.env.run(["alerts"]).expect_code(1);
    assert!(run.stdout.contains("not in Alertmanager"), "{}", run.stdout);
    assert!(world.env.run(["triage", "--non-interactive"]).stdout.contains("Heartbeat"));
}

#[test]
fn rules_whose_alerts_go_to_no_alertmanager_page_nobody() {
    let world = World::new(&[], &[]);
    let none = json!({"activeAlertmanagers": [], "droppedAlertmanagers": []});
    world.prometheus.set("GET", "/api/v1/alertmanagers", good(&none));
    for args in [&["status"][..], &["alerts"], &["doctor"]] {
        let run = world.env.run(args);
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(text.contains("no Alertmanager to send alerts to"), "{args:?} {}: {text}", run.code);
        assert!(!text.contains("notifications fail"), "the reason is in the first line: {text}");
    }
}

#[test]
fn a_list_that_is_not_whole_is_unknown() {
    for path in ["/api/v1/alerts", "/api/v1/rules"] {
        let world = World::new(&[], &[]);
        let data = if path.ends_with("rules") {
            json!({"groups": [{"name": "g", "interval": 15, "rules": [{"type": "alerting", "name": "Down",
                "query": "up == 0", "duration": 0, "labels": {}, "annotations": {"runbook_url": "x"}, "alerts": [],
                "health": "ok", "state": "inactive", "lastEvaluation": NOW, "evaluationTime": 0.001}]}]})
        } else {
            json!({"alerts": []})
        };
        let partial = json!({"status": "success", "data": data, "warnings": ["store eu-2 is down"]});
        world.prometheus.set("GET", path, Answer::json(partial));
        for args in [&["status"][..], &["alerts"]] {
            let run = world.env.run(args).expect_code(3);
            assert!(format!("{}{}", run.stdout, run.stderr).contains("store eu-2 is down"), "{path}: {}", run.stdout);
        }
    }
}

#[test]
fn a_rule_that_is_no_longer_evaluated_is_unknown() {
    let world = World::new(&[], &[]);
    let rule = json!({"type": "alerting", "name": "Down", "query": "up == 0", "duration": 0, "labels": {},
        "annotations": {"runbook_url": "x"}, "alerts": [], "health": "ok", "state": "inactive",
        "lastEvaluation": "2026-01-15T10:00:00Z", "evaluationTime": 0.001});
    let groups = json!({"groups": [{"name": "g", "interval": 15, "rules": [rule]}]});
    world.prometheus.set("GET", "/api/v1/rules", good(&groups));
    for (args, code) in [(&["status"][..], 3), (&["alerts"], 3), (&["alerts", "explain", "Down"], 1)] {
        let run = world.env.run(args).expect_code(code);
        assert!(format!("{}{}", run.stdout, run.stderr).contains("Down"), "{args:?}: {}", run.stdout);
    }
}

#[test]
fn what_one_source_cannot_know_is_said() {
    let world = World::new(&[], &[]);
    for args in [&["status"][..], &["alerts"]] {
        world.env.run(args).expect_code(0);
    }
    // Nobody evaluates the rules.
    for args in
        [&["status", "--prometheus", "http://127.0.0.1:1"][..], &["alerts", "--prometheus", "http://127.0.0.1:1"]]
    {
        let run = world.env.run(args).expect_code(3);
        assert!(format!("{}{}", run.stdout, run.stderr).contains("nobody evaluates the rules"), "{}", run.stdout);
    }
    // No rule is loaded: that is not "none firing".
    world.prometheus.set("GET", "/api/v1/rules", good(&json!({"groups": []})));
    for args in [&["status"][..], &["alerts"]] {
        let run = world.env.run(args).expect_code(3);
        assert!(format!("{}{}", run.stdout, run.stderr).contains("no alerting rule"), "{}", run.stdout);
    }
    let (_, triage) = world.json(&["triage", "--non-interactive"]);
    let item = triage["data"]["items"].as_array().unwrap().iter().find(|item| item["id"] == "alerts").unwrap();
    assert_eq!(item["outcome"], "unknown", "{item}");
    // A list of rules that cannot be had is no proof that a name does not exist.
    world.prometheus.set("GET", "/api/v1/rules", Answer::text("boom").status(500));
    let run = world.env.run(["alerts", "show", "X"]).expect_code(3);
    assert!(!run.stderr.contains("does not exist"), "{}", run.stderr);
}

#[test]
fn a_state_that_nobody_knows_is_neither_firing_nor_good() {
    let alert = |name: &str, state: &str| fired(&labels(name, "critical"), state);
    let quiet = [alert("A", "Normal"), alert("B", "Pending"), alert("C", "INACTIVE")];
    let world = World::new(&quiet, &[]);
    let (run, alerts) = world.json(&["alerts"]);
    assert_eq!((run.code, alerts["data"]["alerts"].as_array().unwrap().len()), (0, 1), "{alerts}");
    evaluates(&world.prometheus, &[alert("A", "NoData"), alert("B", "Sleeping")]);
    for args in [&["alerts"][..], &["status"]] {
        let (run, json) = world.json(args);
        assert_eq!(run.code, 3, "{json}");
        assert!(names(&json["data"]["alerts"]).is_empty(), "{json}");
    }
    evaluates(&world.prometheus, &[alert("A", "Alerting"), alert("B", "recovering")]);
    assert_eq!(names(&world.json(&["status"]).1["data"]["alerts"]).len(), 2);
}

#[test]
fn a_receiver_that_fails_is_said_wherever_somebody_relies_on_it() {
    let world = World::new(&[fired(&labels("Down", "critical"), "firing")], &[held(&in_eu("Down", "critical"), &[])]);
    let metrics = "alertmanager_notifications_total{integration=\"webhook\"} 7\nalertmanager_notifications_failed_total{integration=\"webhook\"} 6\n";
    world.alertmanager.set("GET", "/metrics", Answer::text(metrics));
    let run = world.env.run(["alerts", "explain", "Down"]).expect_code(1);
    assert!(run.stdout.contains("is handed to pager, whose notifications fail (webhook: 6 of 7"), "{}", run.stdout);
    for args in [&["status"][..], &["doctor"], &["alerts"]] {
        let run = world.env.run(args).expect_code(1);
        assert!(
            format!("{}{}", run.stdout, run.stderr).contains("6 of 7 notifications failed"),
            "{args:?} {}",
            run.stdout
        );
    }
}

#[test]
fn what_a_time_interval_mutes_is_muted_for_its_receiver() {
    let world = World::new(&[], &[held(&labels("Backup", "critical"), &[])]);
    let config = "route: {receiver: pager, routes: [{receiver: pager, mute_time_intervals: [night]}]}\nreceivers: [{name: pager, webhook_configs: [{url: x}]}]\n";
    let status =
        json!({"versionInfo": {"version": "0.28.1"}, "uptime": "2026-01-15T00:00:00Z", "config": {"original": config}});
    world.alertmanager.set("GET", "/api/v2/status", Answer::json(status));
    let fingerprint = labels("Backup", "critical").to_string();
    let group = |by: Value| {
        json!([{"labels": {}, "receiver": {"name": "pager"}, "alerts": [
            {"fingerprint": fingerprint, "status": {"state": "suppressed", "silencedBy": [], "inhibitedBy": [], "mutedBy": by}}]}])
    };
    world.alertmanager.set("GET", "/api/v2/alerts/groups", Answer::json(group(json!(["night"]))));
    let (run, alerts) = world.json(&["alerts"]);
    let alert = &alerts["data"]["alerts"][0];
    assert_eq!((run.code, &alert["state"], &alert["muted_by"]), (0, &json!("muted"), &json!(["night"])), "{alerts}");
    let run = world.env.run(["alerts", "explain", "Backup"]).expect_code(0);
    assert!(
        run.stdout.contains("by time interval night") && run.stdout.contains("does not page: it is muted"),
        "{}",
        run.stdout
    );
    world.alertmanager.set("GET", "/api/v2/alerts/groups", Answer::json(group(json!([]))));
    world.env.run(["alerts"]).expect_code(1);
    world.alertmanager.set("GET", "/api/v2/alerts/groups", Answer::text("down").status(500));
    let run = world.env.run(["status"]).expect_code(1);
    assert!(run.stdout.contains("which alerts a time interval mutes is not known"), "{}", run.stdout);
}

#[test]
fn an_external_label_is_a_label_of_the_alert() {
    let world = World::torn();
    let (run, explained) = world.json(&["alerts", "explain", "Down", "cluster=eu"]);
    assert_eq!((run.code, &explained["data"]["paging"]), (0, &json!("yes")), "{explained}");
    let (run, explained) = world.json(&["alerts", "explain", "Down", "cluster=us"]);
    assert_eq!(run.code, 3, "{explained}");
    assert!(text(&explained["data"]["conclusion"]).contains("no alert `Down` has"), "{explained}");
}
