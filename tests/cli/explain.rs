//! `liveops alerts show` and `explain`, against stubs.

use serde_json::json;

use crate::alertmanager_stub::{AlertmanagerStub, NOW, alert};
use crate::alerts::{prometheus, world};
use crate::support::TestEnv;

#[test]
fn show_tells_all_that_is_known() {
    let stub = world();
    let prometheus = prometheus(&json!([]));
    let run = stub.env().run(["alerts", "show", "TickSlow", "--prometheus", &prometheus.url()]).expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 0
        --- stdout
        ▲ TickSlow: 1 firing
          rule        group game, for 5m, inactive
          expression  tick > 0.02
          runbook     runbooks/TickSlow.md

        ▲ firing for 7m, severity high
          labels      instance=eu-1 job=game
          summary     TickSlow at eu-1
          receivers   pager
          delivery    Alertmanager has it; no rule of this Prometheus fires it now

        next: liveops alerts explain TickSlow --prometheus http://127.0.0.1:[PORT]
        --- stderr
        "#);
    let json = stub.env().run(["alerts", "show", "ServerDown", "-o", "json"]).expect_code(1).json();
    assert_eq!(json["schema"], "liveops.alerts.show/1");
    assert_eq!(json["data"]["alerts"][1]["labels"]["instance"], "eu-2");
    assert_eq!(json["data"]["rules"], json!([]));
}

#[test]
fn explain_says_how_far_the_condition_is_from_holding() {
    let stub = AlertmanagerStub::start(json!([]));
    let prometheus = prometheus(&json!([]));
    let run = stub.env().run(["alerts", "explain", "TickSlow", "--prometheus", &prometheus.url()]).expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 0
        --- stdout
        ● is there a rule?                   yes
            group game, for 5m, severity=high
            tick > 0.02
        ● is the rule evaluated?             yes
            last 0s ago
        ▲ does its condition hold now?       no
            is 0.012 {region="eu"}; must be > 0.02: `tick`
        ● does Prometheus tell Alertmanager? yes
            http://am/api/v2/alerts

        → `TickSlow` does not page, since its condition does not hold
        next: liveops query tick --range 1h --plot --prometheus http://127.0.0.1:[PORT]
        --- stderr
        "#);
}

#[test]
fn explain_names_the_silence_and_how_to_end_it() {
    let stub = world();
    stub.add("5117ce00", "QueueLong", "active", "2026-01-15T11:00:00.000Z");
    let run = stub.env().run(["alerts", "explain", "QueueLong"]).expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 0
        --- stdout
        ? is there a rule?                   unknown
            no Prometheus is configured
        ? does Prometheus tell Alertmanager? unknown
            no Prometheus is configured
        ● does Alertmanager have it?         yes
            instance=us-1 job=game for 7m
        ● is it inhibited by another alert?  no
        ▲ is it silenced?                    yes
            by silence 5117ce00 of bob for another 30m, until 2026-01-15T11:00:00Z: known
        ● is it muted by a time interval?    no
        ● does it reach a receiver?          yes
            pager

        → `QueueLong` fires and does not page: it is silenced
        next: liveops silence expire 5117ce00
        --- stderr
        "#);
    let json = stub.env().run(["alerts", "explain", "QueueLong", "-o", "json"]).json();
    assert_eq!(json["data"]["paging"], "no");
    assert_eq!(json["data"]["steps"][0]["answer"], "unknown");
    assert_eq!(json["data"]["next"], "silence expire 5117ce00");
}

#[test]
fn explain_without_what_it_needs_does_not_know() {
    let prometheus = prometheus(&json!([]));
    let env = TestEnv::new().now(NOW).var("LIVEOPS_PROMETHEUS", &prometheus.url());
    let run = env.run(["alerts", "explain", "TickSlwo"]).expect_code(2);
    assert!(run.stderr.contains("did you mean `TickSlow`?"), "{}", run.stderr);
    // That the condition does not hold is enough to know, without any Alertmanager.
    env.run(["alerts", "explain", "TickSlow"]).expect_code(0);
    let run = world().env().run(["alerts", "explain", "Unheard", "-o", "json"]).expect_code(3);
    assert_eq!(run.json()["data"]["paging"], "unknown");
    let dead = env.run(["alerts", "explain", "TickSlow", "--prometheus", "http://127.0.0.1:1"]).expect_code(3);
    assert!(dead.stdout.contains("connection refused"), "{}", dead.stdout);
}

#[test]
fn the_command_that_is_recommended_runs_as_it_is_printed() {
    let names = [
        "Disk usage >90%",
        "CPU (prod)",
        "a,b",
        "a=b",
        "{x}",
        "{a=b}",
        "trailing ",
        " leading",
        "it's",
        "quo\"te",
        "back\\slash",
        "ümlaut",
        "x!~y",
        "a!=b",
        "$HOME",
        "`id`",
        "a;b|c&d",
        "*?",
        "~",
        "#x",
        "[x]",
        "<x>",
        "50%s",
        "plain",
        "a:b.c-d",
    ];
    for name in names {
        let stub =
            AlertmanagerStub::start(json!([alert(name, "critical", "eu-1"), alert("Other", "critical", "eu-1")]));
        let env = stub.env();
        let explained = env.run(["alerts", "explain", name, "-o", "json"]).expect_code(0).json();
        let command = explained["recommendations"][0]["command"].as_str().unwrap();
        let words = liveops_domain::text::shell::words(command);
        let run = env.run(words[1..].iter().map(String::as_str).chain(["-o", "json"])).expect_code(0);
        let hides = &run.json()["data"]["result"]["hides"];
        assert_eq!((&hides["matches"], &hides["names"][0]), (&json!(1), &json!(name)), "{command}\n{}", run.stdout);
    }
}
