//! `liveops check deploy`: each gate refuses by itself, and who does not answer is unknown.

use serde_json::{Value, json};

use crate::support::backends::Backends;
use crate::support::{Answer, Run, Stub, TestEnv};

const CONFIG: &str = "version: 1
project: game
environments:
  staging: {}
services:
  - { name: game, health: { url: 'http://127.0.0.1:1' } }
";

fn world(more: &str) -> TestEnv {
    let env = TestEnv::new().now("2026-12-24T12:00:00Z");
    env.write("liveops.yaml", format!("{CONFIG}{more}"));
    env
}

fn check(env: &TestEnv, more: &[&str]) -> Run {
    env.run(["check", "deploy", "game", "-o", "json"].iter().chain(more))
}

fn ids(run: &Run, kind: &str) -> Vec<String> {
    let json = run.json();
    let all = json["data"][kind].as_array().unwrap().iter();
    let mut ids: Vec<String> = all.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    ids.dedup();
    ids
}

#[test]
fn dead_backends_are_unknown_and_never_pass() {
    let env = world("");
    let dead = ["--prometheus", "http://127.0.0.1:1", "--alertmanager", "http://127.0.0.1:1"];
    let run = check(&env, &dead);
    // No way back is known to be bad; the rest is not known.
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert_eq!(ids(&run, "findings"), ["D05"]);
    assert_eq!(ids(&run, "unknown"), ["D01", "D02", "D03", "D07"]);
    env.write("liveops.waivers.yaml", "- { id: D05, subject: game, owner: ana, reason: by hand, until: 2099-01-01 }\n");
    assert_eq!(check(&env, &dead).code, 3);
}

#[test]
fn an_open_incident_and_a_freeze_refuse_with_the_way_to_waive_them() {
    let freeze = "freezes: [ { reason: holidays, from: 2026-12-20, to: 2027-01-02 }, { reason: other, from: 2026-12-20, to: 2027-01-02, services: [ lobby ] } ]\n";
    let env = world(freeze);
    let run = env.run(["incident", "open", "--sev", "p1", "--title", "Queue stuck", "--service", "game", "--yes"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let run = check(&env, &[]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert_eq!(ids(&run, "findings"), ["D05", "D08", "D09"]);
    let json = run.json();
    let last = &json["data"]["findings"][2];
    assert!(last["why"].as_str().unwrap().contains("until 2027-01-03 00:00 UTC: holidays"), "{last}");
    assert!(last["fix"].as_str().unwrap().contains("`id: D09, subject: game`"), "{last}");
    let run = env.run(["check", "deploy", "gaem"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("game"), "{}", run.stderr);
}

#[test]
fn freezes_are_read_with_their_faults() {
    let env = world("freezes: [ { reason: r, from: 2026-12-20, to: 2026-12-01 } ]\n");
    let run = check(&env, &[]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("it ends before it begins"), "{}", run.stderr);
}

const RUNBOOK: &str = "# Down

## Description
x
## Severity
x
## Impact
x
## Investigation
x
## Common causes
x
## Remediation
x
## Escalation
x
## Related
x
";

/// A service that may be deployed: each gate passes until a test moves something.
struct Ready {
    env: TestEnv,
    backends: Backends,
    balancer: Stub,
}

fn rules(alerts: &Value) -> Answer {
    Answer::json(
        json!({ "status": "success", "data": { "groups": [{ "name": "g", "interval": 15, "rules": alerts }] } }),
    )
}

fn alert(name: &str, service: &str) -> Value {
    json!({
        "type": "alerting", "name": name, "query": "up == 0", "duration": 60, "alerts": [], "health": "ok",
        "state": "inactive", "evaluationTime": 0.001, "labels": { "service": service, "severity": "critical" },
        "annotations": { "runbook_url": format!("docs/runbooks/alerts/{name}.md") },
    })
}

fn routes(receiver: &str) -> Answer {
    let config = format!(
        "route: {{ receiver: {receiver} }}\nreceivers: [ {{ name: pager, pagerduty_configs: [ {{ routing_key: x }} ] }}, {{ name: nobody }} ]\n"
    );
    Answer::json(json!({
        "config": { "original": config }, "cluster": { "status": "ready", "peers": [] }, "uptime": "2026-01-01T00:00:00Z",
        "versionInfo": { "version": "0.25.0" },
    }))
}

fn vector(value: &str) -> Answer {
    let series = json!([{ "metric": {}, "value": [1_798_113_600, value] }]);
    Answer::json(json!({ "status": "success", "data": { "resultType": "vector", "result": series } }))
}

impl Ready {
    fn new() -> Self {
        let balancer = Stub::new().on(
            "GET",
            "/weight",
            Answer::json(json!({ "weight": 0, "stable": "game:1", "canary": null })).header("ETag", "\"1\""),
        );
        let backends = Backends::start();
        backends.prometheus.set("GET", "/api/v1/rules", rules(&json!([alert("Down", "game")])));
        backends.prometheus.set("POST", "/api/v1/query", vector("0.5"));
        backends.alertmanager.set("GET", "/api/v2/status", routes("pager"));
        let env = TestEnv::new().now("2026-12-24T12:00:00Z");
        env.write("docs/runbooks/alerts/Down.md", RUNBOOK);
        let one = Self { env, backends, balancer };
        one.configure("");
        one
    }

    fn configure(&self, more: &str) {
        let (prometheus, alertmanager) = (self.backends.prometheus.url(), self.backends.alertmanager.url());
        let weight = format!("{}/weight", self.balancer.url());
        self.env.write(
            "liveops.yaml",
            format!(
                "version: 1
default_env: test
environments:
  test: {{ prometheus: '{prometheus}', alertmanager: '{alertmanager}' }}
services:
  - name: game
    rollout:
      policy: fast
      traffic: {{ kind: http, url: '{weight}' }}
      metrics: {{ errors: {{ ratio: {{ of: 'e', to: t }} }} }}
policies:
  fast:
    canary: {{ steps: [20, 100], interval: 300ms, poll: 50ms }}
    success: [ 'errors < 1%' ]
    rollback: [ 'errors > 5%', 'alert Down' ]
    error_budget: budget_left
{more}"
            ),
        );
    }

    /// What is found, and what is not known.
    fn found(&self) -> (Vec<String>, Vec<String>) {
        let run = check(&self.env, &[]);
        (ids(&run, "findings"), ids(&run, "unknown"))
    }
}

#[test]
fn each_gate_refuses_by_itself_and_passes_its_clean_twin() {
    let ready = Ready::new();
    let run = check(&ready.env, &["--strict", "--fail-on", "low"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let prometheus = &ready.backends.prometheus;
    let caught = |id: &str| {
        let (found, unknown) = ready.found();
        assert_eq!((found, unknown), (vec![id.to_owned()], vec![]), "{id}");
    };
    let clean = || {
        let run = check(&ready.env, &["--strict", "--fail-on", "low"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    };
    // D01: the alert that the policy relies on is made by no rule.
    ready.env.write("docs/runbooks/alerts/Other.md", RUNBOOK);
    prometheus.set("GET", "/api/v1/rules", rules(&json!([alert("Other", "game")])));
    caught("D01");
    prometheus.set("GET", "/api/v1/rules", rules(&json!([alert("Down", "game")])));
    clean();
    // D02: its page goes to a receiver that tells nobody.
    ready.backends.alertmanager.set("GET", "/api/v2/status", routes("nobody"));
    caught("D02");
    ready.backends.alertmanager.set("GET", "/api/v2/status", routes("pager"));
    clean();
    // D03: it fires.
    let fires = json!([{ "labels": { "alertname": "Down", "service": "game", "severity": "critical" }, "annotations": {},
        "state": "firing", "activeAt": "2026-12-24T11:00:00Z", "value": "1" }]);
    let active = json!([{ "labels": { "alertname": "Down", "service": "game", "severity": "critical" }, "annotations": {},
        "startsAt": "2026-12-24T11:00:00Z", "endsAt": "2026-12-24T12:05:00Z", "updatedAt": "2026-12-24T11:59:00Z",
        "fingerprint": "a", "generatorURL": "", "receivers": [{ "name": "pager" }],
        "status": { "state": "active", "silencedBy": [], "inhibitedBy": [] } }]);
    prometheus.set("GET", "/api/v1/alerts", Answer::json(json!({ "status": "success", "data": { "alerts": fires } })));
    ready.backends.alertmanager.set("GET", "/api/v2/alerts", Answer::json(active));
    caught("D03");
    prometheus.set("GET", "/api/v1/alerts", Answer::json(json!({ "status": "success", "data": { "alerts": [] } })));
    ready.backends.alertmanager.set("GET", "/api/v2/alerts", Answer::json(json!([])));
    clean();
    // D04: nothing of the error budget is left.
    prometheus.set("POST", "/api/v1/query", vector("-0.1"));
    caught("D04");
    prometheus.set("POST", "/api/v1/query", vector("0.5"));
    clean();
    // D07: its alert has no runbook.
    std::fs::remove_file(ready.env.path().join("docs/runbooks/alerts/Down.md")).unwrap();
    caught("D07");
    ready.env.write("docs/runbooks/alerts/Down.md", RUNBOOK);
    clean();
    // D09: changes are frozen; of another service, or over, they are not.
    let freeze = |service: &str, to: &str| {
        ready.configure(&format!(
            "freezes: [ {{ reason: holidays, from: 2026-12-20, to: {to}, services: [ {service} ] }} ]\n"
        ));
    };
    freeze("game", "2027-01-02");
    caught("D09");
    freeze("game", "2026-12-23");
    clean();
    // D08: an incident is open, and resolved.
    let open = ["incident", "open", "--sev", "p1", "--title", "x", "--service", "game", "--yes"];
    ready.env.run(open).expect_code(0);
    caught("D08");
    ready.env.run(["incident", "resolve", "over", "--yes"]).expect_code(0);
    clean();
}

#[test]
fn a_reason_stands_there_once_and_the_last_line_is_a_command() {
    let env = world("");
    let run = env.run(["check", "deploy", "game"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("unknown D01, D02, D07 game  no Prometheus is configured"), "{}", run.stdout);
    assert_eq!(run.stdout.matches("  no Prometheus is configured").count(), 1, "{}", run.stdout);
}

#[test]
fn a_way_back_passes_its_gate() {
    let weight = Stub::new().on("GET", "/weight", Answer::json(json!({ "weight": 0 })));
    let rollout = format!(
        "    rollout: {{ traffic: {{ kind: http, url: '{}/weight' }}, metrics: {{ errors: {{ ratio: {{ of: e_total, to: r_total }} }} }} }}\n",
        weight.url()
    );
    let env = TestEnv::new().now("2026-12-24T12:00:00Z");
    env.write(
        "liveops.yaml",
        CONFIG.replace(
            "  - { name: game, health: { url: 'http://127.0.0.1:1' } }\n",
            &format!("  - name: game\n{rollout}"),
        ),
    );
    let run = check(&env, &[]);
    // A balancer without an ETag is a remark, and no missing way back.
    let json = run.json();
    let all = json["data"]["findings"].as_array().unwrap();
    assert!(all.iter().all(|one| one["id"] != "D05" || one["level"] == "LOW"), "{}{}", run.stdout, run.stderr);
    assert!(!ids(&run, "unknown").contains(&"D05".to_owned()), "{}", run.stdout);
}
