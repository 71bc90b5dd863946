//! `liveops alerts`: list, show, explain, watch, against stubs.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::alertmanager_stub::{AlertmanagerStub, NOW, alert, silenced};
use crate::support::fault::serve;
use crate::support::{Answer, Backend, Fault, Stub, TestEnv};

/// Two names that page and one that is silenced.
pub(crate) fn world() -> AlertmanagerStub {
    AlertmanagerStub::start(json!([
        alert("TickSlow", "high", "eu-1"),
        alert("ServerDown", "critical", "eu-1"),
        alert("ServerDown", "critical", "eu-2"),
        silenced(alert("QueueLong", "medium", "us-1"), "5117ce00"),
    ]))
}

/// A Prometheus with these alerts and one rule.
pub(crate) fn prometheus(alerts: &Value) -> Stub {
    let rule = json!({"type": "alerting", "name": "TickSlow", "query": "tick > 0.02", "duration": 300,
        "labels": {"severity": "high"}, "annotations": {}, "alerts": [], "health": "ok", "state": "inactive",
        "lastEvaluation": NOW, "evaluationTime": 0.001});
    let ok = |data: Value| Answer::json(json!({"status": "success", "data": data}));
    Stub::new()
        .on("GET", "/api/v1/alerts", ok(json!({ "alerts": *alerts })))
        .on("GET", "/api/v1/rules", ok(json!({"groups": [{"name": "game", "interval": 15, "rules": [rule]}]})))
        .on(
            "GET",
            "/api/v1/alertmanagers",
            ok(json!({"activeAlertmanagers": [{"url": "http://am/api/v2/alerts"}], "droppedAlertmanagers": []})),
        )
        .on(
            "POST",
            "/api/v1/query",
            ok(json!({"resultType": "vector", "result": [{"metric": {"region": "eu"}, "value": [1, "0.012"]}]})),
        )
}

pub(crate) fn made(name: &str, state: &str) -> Value {
    json!({"labels": {"alertname": name, "severity": "critical"}, "annotations": {}, "state": state,
        "activeAt": "2026-01-15T10:29:00Z", "value": "1"})
}

#[test]
fn the_list_has_the_worst_on_top_and_is_bad() {
    let run = world().env().run(["alerts"]).expect_code(1);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 1
        --- stdout
        ✖ 3 firing (2 critical), 1 silenced

        ✖ ServerDown  critical   ×2      7m  instance=eu-1|eu-2
            ServerDown at eu-1
            runbook: runbooks/ServerDown.md
        ▲ TickSlow    high               7m  instance=eu-1
            TickSlow at eu-1
            runbook: runbooks/TickSlow.md
        · QueueLong   medium             7m  silenced  instance=us-1

        next: liveops alerts explain ServerDown
        --- stderr
        "#);
}

#[test]
fn the_list_as_json_csv_and_names() {
    let stub = world();
    let env = stub.env();
    let json = env.run(["alerts", "list", "-o", "json"]).expect_code(1).json();
    assert_eq!(json["schema"], "liveops.alerts.list/1");
    assert_eq!((&json["verdict"], &json["status"]), (&json!("fail"), &json!("success")));
    assert_eq!(json["data"]["origin"], "alertmanager");
    assert_eq!(json["data"]["groups"][0]["name"], "ServerDown");
    assert_eq!(json["data"]["groups"][0]["count"], 2);
    assert_eq!(json["data"]["alerts"][0]["since"], "2026-01-15T10:23:00Z");
    assert_eq!(json["data"]["alerts"][3]["silenced_by"][0], "5117ce00");
    assert_eq!(json["sources"][0]["state"], "ok");
    assert_eq!(json["sources"][1]["state"], "unconfigured");
    let names = env.run(["alerts", "-o", "name"]);
    assert_eq!(names.stdout, "ServerDown\nServerDown\nTickSlow\nQueueLong\n");
    let csv = env.run(["alerts", "-o", "csv", "--state", "silenced"]);
    assert_eq!(
        csv.stdout,
        "name,state,severity,since,service,labels,runbook,receivers\n\
         QueueLong,silenced,medium,2026-01-15T10:23:00Z,game,\
         \"{alertname=\"\"QueueLong\"\",instance=\"\"us-1\"\",job=\"\"game\"\",severity=\"\"medium\"\"}\",\
         runbooks/QueueLong.md,pager\n"
    );
}

#[test]
fn filters_narrow_the_list_and_the_verdict() {
    let stub = world();
    let env = stub.env();
    for (args, code, names) in [
        (&["alerts", "--severity", "p2"][..], 0, "TickSlow\n"),
        (&["alerts", "instance=~eu-.*", "--state", "firing"], 1, "ServerDown\nServerDown\nTickSlow\n"),
        (&["alerts", "instance=eu-2", "list"], 1, "ServerDown\n"),
        (&["alerts", "ServerDown", "instance!=eu-1"], 1, "ServerDown\n"),
        (&["alerts", "--service", "lobby"], 0, ""),
        (&["alerts", "QueueLong"], 0, "QueueLong\n"),
    ] {
        let run = env.run(args.iter().chain(&["-o", "name"])).expect_code(code);
        assert_eq!(run.stdout, names, "{args:?}");
    }
    let none = env.run(["alerts", "--service", "lobby"]);
    assert!(none.stdout.contains("no alert matches; 4 more do not match"), "{}", none.stdout);
}

#[test]
fn wrong_words_are_usage_errors_with_a_way_out() {
    let stub = world();
    for (args, part) in [
        (&["alerts", "region=~("][..], "is no regular expression"),
        (&["alerts", "1a=x"], "is no label name"),
        (&["alerts", "list", "--state", "loud"], "one of firing, pending"),
        (&["alerts", "show", "ServerDwon"], "did you mean `ServerDown`?"),
        (&["alerts", "region=eu", "show", "X"], "takes no filter before it"),
        (&["alerts", "watch", "-o", "csv"], "a stream has no `csv`"),
        (&["alerts", "watch", "--interval", "5"], "write `5s`"),
    ] {
        let run = stub.env().run(args).expect_code(2);
        assert!(run.stderr.contains(part), "{args:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{args:?}");
    }
    let run = TestEnv::new().run(["alerts"]).expect_code(2);
    assert!(run.stderr.contains("no Alertmanager or Prometheus is configured"), "{}", run.stderr);
}

#[test]
fn without_alertmanager_prometheus_is_asked() {
    let prometheus = prometheus(&json!([made("ServerDown", "firing"), made("TickSlow", "pending")]));
    let env = TestEnv::new().now(NOW).var("LIVEOPS_PROMETHEUS", &prometheus.url());
    let alone = env.run(["alerts", "-o", "json"]).expect_code(1).json();
    assert_eq!(alone["data"]["origin"], "prometheus");
    assert_eq!(alone["status"], "success");
    assert_eq!(alone["data"]["alerts"][1]["state"], "pending");
    // Configured and down is another thing than not configured: it is said.
    let run = env.run(["alerts", "--alertmanager", "http://127.0.0.1:1", "-o", "json"]).expect_code(1);
    let json = run.json();
    assert_eq!(json["status"], "partial");
    assert!(json["warnings"][0].as_str().unwrap().starts_with("silences are not known"), "{json}");
    assert_eq!(json["sources"][0]["state"], "down");
}

#[test]
fn what_is_not_known_is_not_green() {
    let stub = AlertmanagerStub::start(json!([]));
    assert!(stub.env().run(["alerts"]).expect_code(0).stdout.contains("nothing fires"));
    let run = stub.env().run(["alerts", "--prometheus", "http://127.0.0.1:1"]).expect_code(3);
    assert!(run.stdout.contains("nothing fires, as far as is known"), "{}", run.stdout);
    assert!(run.stderr.contains("alerts may be missing"), "{}", run.stderr);
}

#[test]
fn pending_and_lost_alerts_come_from_prometheus() {
    let stub = world();
    let prometheus =
        prometheus(&json!(
            [made("ServerDown", "firing"), made("DiskFull", "pending"), made("NeverArrived", "firing"),]
        ));
    let run = stub.env().run(["alerts", "--prometheus", &prometheus.url(), "-o", "json"]).expect_code(1);
    let json = run.json();
    let names: Vec<&str> =
        json["data"]["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ServerDown", "NeverArrived", "TickSlow", "DiskFull", "QueueLong"]);
    assert!(json["warnings"][0].as_str().unwrap().contains("`NeverArrived`"), "{json}");
}

#[test]
fn names_from_outside_cannot_steer_the_terminal() {
    let stub = AlertmanagerStub::start(json!([alert("Evil\u{1b}[2J\u{202e}", "critical", "a\nb")]));
    for verb in [&["alerts"][..], &["alerts", "show", "Evil\u{1b}[2J\u{202e}"]] {
        let run = stub.env().run(verb);
        assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\u{202e}'), "{:?}", run.stdout);
        assert!(run.stdout.contains("Evil\\x1b[2J\\u{202e}"), "{:?}", run.stdout);
    }
}

#[test]
fn every_fault_of_alertmanager_is_told_and_bounded() {
    for fault in Fault::ALL.iter().copied().filter(|fault| fault.applies_to(Backend::Alertmanager)) {
        let server = serve(fault, Backend::Alertmanager);
        let env = TestEnv::new().var("LIVEOPS_ALERTMANAGER", &server.url);
        for args in [&["alerts", "--timeout", "1s"][..], &["silence", "list", "--timeout", "1s"]] {
            let run = env.run(args);
            assert!(run.took.as_secs() < 4, "{fault} {args:?}: {:?}", run.took);
            assert!(!run.stderr.contains("panicked"), "{fault}: {}", run.stderr);
            if fault == Fault::WrongTypes {
                // One of another shape is an alert of which nothing is known.
                assert_eq!(run.code, 3, "{fault} {args:?}: {}", run.stderr);
            } else if fault.is_outage() {
                assert_eq!(run.code, 3, "{fault} {args:?}: {}", run.stderr);
                let said = run.stderr.contains(&server.endpoint) && run.stderr.contains("hint: ");
                assert!(said, "{fault}: {}", run.stderr);
                assert_eq!(run.stdout, "", "{fault}");
            } else {
                assert!(run.code < 2, "{fault} {args:?}: {} {}", run.code, run.stderr);
            }
        }
    }
}

#[test]
fn watch_gives_an_object_a_line_and_keeps_what_was_good() {
    let stub = Stub::new().on("GET", "/api/v2/alerts", Answer::json(json!([alert("A", "high", "x")])));
    let env = TestEnv::new();
    let mut command = env.bare(["alerts", "watch", "--interval", "100ms", "-o", "json"]);
    command.env("LIVEOPS_ALERTMANAGER", stub.url()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["verdict"], "warn");
    stub.set("GET", "/api/v2/alerts", Answer::text("down").status(500));
    let stale = loop {
        let line = next();
        if line["data"]["stale_seconds"].is_number() {
            break line;
        }
    };
    assert_eq!((&stale["verdict"], &stale["status"]), (&json!("unknown"), &json!("error")));
    assert_eq!(stale["data"]["alerts"][0]["name"], "A");
    stub.set("GET", "/api/v2/alerts", Answer::json(json!([])));
    while next()["data"]["stale_seconds"].is_number() {}
    // Whoever reads goes away, and the stream ends without a word.
    drop(lines);
    assert_eq!(crate::support::run::code(child.wait().unwrap()), 0);
}

#[test]
fn watch_gives_the_terminal_back() {
    let stub = world();
    let mut pty = stub.env().pty(["alerts", "watch", "--interval", "100ms"]);
    pty.expect("\u{1b}[?1049h").expect("ServerDown").expect("ServerDown");
    pty.interrupt();
    let (code, transcript) = pty.wait();
    assert_eq!(code, 130);
    assert!(transcript.ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{transcript:?}");
}
