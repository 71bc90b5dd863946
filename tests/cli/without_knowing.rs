//! Nothing is green, and nothing is said firmly, without knowing: changes in incidents, what was not looked at, flags that
//! are gone, a percentage on a killed flag, typos in filters.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Answer, Stub, TestEnv};

const INCIDENT: [&str; 6] = ["incident", "open", "--sev", "p1", "--title", "shop is slow"];

fn env() -> TestEnv {
    let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada");
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { live: { flags: 'file:flags.json' }, other: {} }\ndefault_env: live\n",
    );
    env.write(
        "flags.json",
        r#"{"shop": {"enabled": true, "percentage": 10, "defaultValue": true}, "old": {"enabled": true}}"#,
    );
    env
}

fn texts(env: &TestEnv) -> Vec<(String, String)> {
    let json = env.run(["incident", "timeline", "-o", "json"]).expect_code(0).json();
    let events = json["data"]["events"].as_array().unwrap().clone();
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events.iter().map(|event| (text(event, "type"), text(event, "text"))).collect()
}

#[test]
fn every_change_while_an_incident_is_open_is_an_event_of_it() {
    let env = env();
    env.run(["flag", "set", "shop", "--pct", "20", "--yes"]).expect_code(0);
    let _ = env.run(INCIDENT).expect_code(0);
    env.run(["flag", "kill", "shop", "--yes"]).expect_code(0);
    env.run(["flag", "kill", "shop", "--dry-run"]).expect_code(0);
    env.run(["undo", "--yes"]).expect_code(0);
    let told = texts(&env);
    let changes: Vec<&str> =
        told.iter().filter(|(kind, _)| kind == "change.done").map(|(_, text)| text.as_str()).collect();
    assert_eq!(changes.len(), 2, "one line a change, none for a dry run, none from before: {told:?}");
    assert_eq!(changes[0], "kill flag `shop`");
    assert!(changes[1].contains("(undoes c"), "{changes:?}");
    let shown = env.run(["incident", "show"]).stdout;
    assert!(shown.contains("kill flag `shop`"), "{shown}");
    env.run(["incident", "resolve", "shop is off"]).expect_code(0);
    env.run(["flag", "set", "shop", "--pct", "30", "--yes"]).expect_code(0);
    env.run(["postmortem", "new"]).expect_code(0);
    let incident =
        fs::read_dir(env.path().join("incidents")).unwrap().flatten().find(|one| one.path().is_dir()).unwrap();
    let document = fs::read_to_string(incident.path().join("postmortem.md")).unwrap();
    assert_eq!(document.matches("kill flag `shop`").count(), 1, "{document}");
    assert!(!document.contains("percentage 20 becomes 30") && !document.contains("30 %"), "{document}");
}

#[test]
fn what_fails_is_an_event_too_and_another_environment_is_told_nothing() {
    let env = env();
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { live: { alertmanager: 'http://127.0.0.1:1' }, other: {} }\ndefault_env: live\n",
    );
    env.run([&INCIDENT[..], &["-e", "other"]].concat()).expect_code(0);
    env.run(INCIDENT).expect_code(0);
    let _ = env.run(["silence", "add", "Down", "--for", "1h", "--comment", "x", "--yes", "--timeout", "2s"]);
    env.run(["flag", "kill", "shop", "--yes"]).expect_code(0);
    let told: Vec<(String, String)> = texts(&env).into_iter().filter(|(kind, _)| kind.starts_with("change.")).collect();
    assert!(told.iter().any(|(kind, text)| kind == "change.done" && text == "kill flag `shop`"), "{told:?}");
    let other = env.run(["incident", "timeline", "-e", "other", "-o", "json"]).stdout;
    assert!(!other.contains("kill flag"), "{other}");
}

#[test]
fn a_change_that_was_killed_stands_in_the_incident_as_begun() {
    let env = env();
    env.run(INCIDENT).expect_code(0);
    env.run(["flag", "kill", "shop", "--yes"]).expect_code(0);
    // As a crash leaves it: the last line, which is the end of the change, was never written.
    let incident =
        fs::read_dir(env.path().join("incidents")).unwrap().flatten().find(|one| one.path().is_dir()).unwrap();
    let path = incident.path().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    assert!(lines.pop().unwrap().contains("change.done"));
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    for file in fs::read_dir(incident.path())
        .unwrap()
        .flatten()
        .filter(|one| one.file_name().to_string_lossy().ends_with(".head"))
    {
        fs::remove_file(file.path()).unwrap();
    }
    let told = texts(&env);
    assert!(told.contains(&("change.begun".into(), "begun: kill flag `shop`".into())), "{told:?}");
}

#[test]
fn what_is_not_looked_at_is_not_clear() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\nenvironments: { live: {} }\n");
    let json = env.run(["triage", "--non-interactive", "-o", "json"]).expect_code(3).json();
    assert_eq!(json["verdict"], "unknown", "nothing was looked at");
    for item in json["data"]["items"].as_array().unwrap() {
        assert_ne!(item["outcome"], "clear", "{item}");
    }
    let shown = env.run(["triage", "--non-interactive"]).expect_code(3).stdout;
    assert!(shown.contains("Did a deployment do it?  not looked at"), "{shown}");
    assert!(shown.contains("no Kubernetes is configured, and CI records nothing"), "{shown}");
    // A journal that CI writes is looked at.
    env.run(["changes", "record", "--kind", "deploy", "--service", "game", "--version", "1", "--at", "5h ago"])
        .expect_code(0);
    let json = env.run(["triage", "--non-interactive", "-o", "json"]).json();
    let items = json["data"]["items"].as_array().unwrap();
    let deployments = items.iter().find(|item| item["id"] == "deployments").unwrap();
    assert_eq!(deployments["outcome"], "clear", "{deployments}");
    let sources = env.run(["changes", "-o", "json"]).json()["sources"].clone();
    let flags = sources.as_array().unwrap().iter().find(|source| source["name"] == "flags").unwrap().clone();
    assert_eq!(flags["state"], "unconfigured", "{flags}");
}

#[test]
fn a_percentage_on_a_killed_flag_says_that_it_is_still_off() {
    let env = env();
    env.run(["flag", "kill", "shop", "--yes"]).expect_code(0);
    let run = env.run(["flag", "set", "shop", "--pct", "34", "--yes"]).expect_code(0);
    assert!(
        run.stderr.contains("still off for everybody: the flag is disabled; `liveops flag enable shop`"),
        "{}",
        run.stderr
    );
    assert!(!run.stdout.contains("every service has it"), "{}", run.stdout);
    let json = env.run(["flag", "allow", "shop", "add", "qa_1", "--yes", "-o", "json"]).expect_code(0).json();
    assert!(json["warnings"].to_string().contains("still off for everybody"), "{json}");
    let on = env.run(["flag", "set", "shop", "--pct", "40", "--enable", "--yes", "-o", "json"]).expect_code(0).json();
    assert!(!on["warnings"].to_string().contains("still off"), "{on}");
}

#[test]
fn flags_that_were_seen_and_are_gone_are_said() {
    let env = env();
    env.run(["status"]).expect_code(0);
    env.write("flags.json", "{}");
    let run = env.run(["status"]).expect_code(1);
    assert!(run.stdout.contains("2 flags that were there"), "{}", run.stdout);
    assert!(run.stdout.contains("are gone: old, shop"), "{}", run.stdout);
    let json = env.run(["status", "-o", "json"]).json();
    assert_eq!((&json["verdict"], json["data"]["flags"]["gone"].as_array().map(Vec::len)), (&json!("fail"), Some(2)));
    let list = env.run(["flag", "list"]).expect_code(0);
    assert!(list.stderr.contains("2 flags that were there"), "{}", list.stderr);
    let nagios = env.run(["status", "--nagios"]);
    assert!(nagios.stdout.contains(" gone"), "{}", nagios.stdout);
}

#[test]
fn a_flag_that_was_removed_on_purpose_is_not_missed() {
    let env = env();
    env.run(["status"]).expect_code(0);
    env.run(["flag", "rm", "old", "--yes"]).expect_code(0);
    let run = env.run(["status"]).expect_code(0);
    assert!(!run.stdout.contains("gone"), "{}", run.stdout);
    // Another store has other flags.
    env.write("elsewhere.json", r#"{"x": {"enabled": true}}"#);
    let run = env.command(["status", "--redis", "redis://127.0.0.1:1"]).run();
    assert!(!run.stdout.contains("gone"), "{}", run.stdout);
}

fn prometheus() -> Stub {
    let rule = |name: &str, severity: &str, state: &str| {
        json!({"type": "alerting", "name": name, "query": "vector(1)", "duration": 0, "labels": {"severity": severity},
            "annotations": {}, "alerts": [], "health": "ok", "state": state, "evaluationTime": 0.1, "lastEvaluation": "2026-01-15T10:29:50Z"})
    };
    let groups = json!([{"name": "g", "file": "f", "interval": 15, "rules": [rule("Down", "critical", "inactive"), rule("Odd", "sev9", "inactive")]}]);
    Stub::new().on("GET", "/api/v1/rules", Answer::json(json!({"status": "success", "data": {"groups": groups}}))).on(
        "GET",
        "/api/v1/alerts",
        Answer::json(json!({"status": "success", "data": {"alerts": []}})),
    )
}

#[test]
fn a_list_of_alerts_that_is_none_is_not_an_empty_one() {
    let stub = prometheus();
    stub.set("GET", "/api/v1/alerts", Answer::json(json!({"status": "success", "data": {"alerts": "no"}})));
    let env = TestEnv::new().now("2026-01-15T10:30:00Z").var("LIVEOPS_PROMETHEUS", &stub.url());
    // What its rules say is known all the same.
    let run = env.run(["alerts"]).expect_code(0);
    assert!(run.stderr.contains("/api/v1/alerts"), "{}", run.stderr);
    stub.set("GET", "/api/v1/rules", Answer::json(json!({"status": "success", "data": {"groups": "no"}})));
    let run = env.run(["alerts"]).expect_code(3);
    assert!(run.stderr.contains("/api/v1/alerts"), "{}", run.stderr);
    assert!(!env.run(["status"]).stdout.contains("none firing"));
}

#[test]
fn a_typo_in_a_filter_is_no_good_news() {
    let stub = prometheus();
    let env = TestEnv::new().now("2026-01-15T10:30:00Z").var("LIVEOPS_PROMETHEUS", &stub.url());
    env.write("liveops.yaml", "version: 1\nenvironments: { live: {} }\nservices: [{ name: game }, { name: lobby }]\n");
    for (args, want) in [
        (&["alerts", "--severity", "critcal"][..], "critical"),
        (&["alerts", "list", "--severity", "critical,critcal"], "critical"),
        (&["alerts", "--service", "gmae"], "game"),
        (&["alerts", "--state", "fireing"], "firing"),
        (&["changes", "--service", "gmae"], "game"),
        (&["status", "--service", "gmae"], "game"),
        (&["incident", "report", "--service", "gmae"], "game"),
        (&["runbook", "new", "Down", "--service", "gmae"], "game"),
        (&["health", "--service", "gmae"], "game"),
    ] {
        let run = env.run(args).expect_code(2);
        assert!(run.stderr.contains(want), "{args:?}\n{}", run.stderr);
    }
    // A severity that a rule has is known, though nothing fires; case is no typo, and p1 is a word.
    for severity in ["sev9", "CRITICAL", "p1", "warning"] {
        env.run(["alerts", "--severity", severity]).expect_code(0);
    }
}

#[test]
fn a_wrong_path_is_told_from_a_server_that_is_down() {
    let wrong = Stub::new();
    let env = TestEnv::new().now("2026-01-15T10:30:00Z").var("LIVEOPS_PROMETHEUS", &format!("{}/wrong", wrong.url()));
    env.write("liveops.yaml", "version: 1\nenvironments: { live: {} }\nkpis: [ { name: k, promql: 'x' } ]\n");
    let screen = env.run(["status"]).expect_code(3).stdout;
    let source = screen.lines().find(|line| line.starts_with("Sources")).unwrap_or_default();
    assert!(source.contains("404") && source.contains("is the path right?"), "{screen}");
    let refused = env.var("LIVEOPS_PROMETHEUS", "http://127.0.0.1:1").run(["status"]).expect_code(3).stdout;
    assert!(refused.contains("connection refused") && !refused.contains("path"), "{refused}");
}

#[test]
fn an_escalation_that_calls_nobody_says_so() {
    let env = env();
    env.run(["incident", "open", "--sev", "p2", "--title", "x"]).expect_code(0);
    let run = env.run(["incident", "escalate"]).expect_code(5);
    assert!(run.stderr.contains("NOBODY WAS PAGED"), "{}", run.stderr);
}

#[test]
fn one_odd_entry_takes_no_other_along() {
    let alert = |labels: Value| json!({"labels": labels, "state": "firing", "activeAt": "2026-01-15T10:20:00Z"});
    let down = alert(json!({"alertname": "Down", "severity": "critical", "port": 8080}));
    let rules = json!([
        null, 7, [], "text", {"type": "alerting"}, {"type": "alerting", "name": "Null", "labels": null, "annotations": null, "alerts": null},
        {"type": "alerting", "name": "Down", "query": "up == 0", "duration": "60", "labels": {"severity": "critical", "team": null, "port": 8080},
            "annotations": {"summary": 5}, "alerts": [null, 5, {"state": "firing"}, down], "health": "ok", "state": "firing",
            "evaluationTime": "0.1", "lastEvaluation": "never"},
    ]);
    let groups = json!([null, {"rules": null}, {"name": "g", "interval": "15", "rules": rules}]);
    let good = |data: Value| Answer::json(json!({"status": "success", "data": data}));
    let prometheus = Stub::new()
        .on("GET", "/api/v1/rules", good(json!({"groups": groups})))
        .on(
            "GET",
            "/api/v1/alerts",
            good(json!({"alerts": [null, down, alert(json!({"alertname": "Slow", "severity": 2}))]})),
        )
        .on("GET", "/api/v1/targets", good(json!({"activeTargets": [null, {"labels": null, "health": "up"}]})));
    let held = json!([null, {"labels": {"alertname": "Held", "n": 5}, "annotations": null, "startsAt": 5, "receivers": ["x", null, {"name": "y"}],
        "fingerprint": null, "status": {"state": "active", "silencedBy": null}}]);
    let silence = json!({"id": "5f1c", "status": {"state": "active"}, "matchers": [{"name": "a", "value": "b", "isRegex": false}],
        "startsAt": "2026-01-15T10:00:00Z", "endsAt": "2026-01-15T12:00:00Z", "createdBy": null});
    let alertmanager = Stub::new().on("GET", "/api/v2/alerts", Answer::json(held)).on(
        "GET",
        "/api/v2/silences",
        Answer::json(json!([null, silence])),
    );
    let env = TestEnv::new()
        .now("2026-01-15T10:30:00Z")
        .var("LIVEOPS_PROMETHEUS", &prometheus.url())
        .var("LIVEOPS_ALERTMANAGER", &alertmanager.url());
    env.write("liveops.yaml", "version: 1\nenvironments: { live: {} }\n");
    let json = env.run(["alerts", "-o", "json"]).expect_code(1).json();
    let named = |name: &str| {
        let all = json["data"]["alerts"].as_array().unwrap();
        all.iter().find(|one| one["labels"]["alertname"] == name).unwrap_or_else(|| panic!("{name}: {json}")).clone()
    };
    for name in ["Down", "Slow", "Held"] {
        assert_eq!(named(name)["state"], "firing", "{json}");
    }
    assert_eq!(named("Down")["labels"]["port"], "8080");
    let screen = env.run(["status"]).expect_code(1).stdout;
    assert!(screen.contains("Down") && !screen.contains("whether a rule is loaded is not known"), "{screen}");
    let listed = env.run(["silence", "list"]).expect_code(0).stdout;
    assert!(listed.contains("5f1c"), "{listed}");
    let explained = env.run(["alerts", "explain", "Down"]);
    assert!(
        explained.stdout.contains("is there a rule?") && !explained.stdout.contains("another shape"),
        "{}",
        explained.stdout
    );
}
