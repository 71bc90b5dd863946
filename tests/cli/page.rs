//! Who is told by which rules and in which words, the test of the way, that no secret shows, and Alertmanager's webhook.

use std::fs;

use serde_json::{Value, json};

use crate::notify::{CANARY, OPEN, accepts, deliveries, env, json_of, later, pagerduty};
use crate::support::{Answer, Run, Stub};

#[test]
fn rules_say_who_is_told_of_what() {
    let stub = Stub::new().on("POST", "/*", Answer::text("").status(200));
    let url = stub.url();
    let env = env(&format!(
        "    - {{ name: a, type: webhook, url: \"{url}/a\" }}\n    - {{ name: b, type: webhook, url: \"{url}/b\" }}\n  rules:\n    - {{ on: opened, severity: [p1], page: [[a, b]] }}\n    - {{ on: [acked], tell: b }}\n"
    ));
    let run = json_of(&env, &OPEN).expect_code(0);
    assert_eq!(run.json()["data"]["paged"], true);
    env.run(["incident", "ack"]).expect_code(0);
    env.run(["incident", "mitigate", "x"]).expect_code(0);
    let paths: Vec<String> = stub.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths.iter().filter(|path| *path == "/a").count(), 1);
    assert_eq!(paths.iter().filter(|path| *path == "/b").count(), 2);
}

#[test]
fn a_projects_own_words_are_used_and_bad_ones_hold_nothing_up() {
    let stub = Stub::new().on("POST", "/*", Answer::text("").status(200));
    let env = env(&format!("    - {{ name: a, type: webhook, url: \"{}\" }}\n", stub.url()));
    env.write("templates/notify/subject.webhook.j2", "{{ severity }}! {{ title }}");
    env.write("templates/notify/body.j2", "{% if %}");
    let run = env.run(OPEN).expect_code(0);
    assert!(run.stderr.contains("templates/notify/body.j2 is not used"), "{}", run.stderr);
    // In an encoding of old.
    fs::write(env.path().join("templates/notify/body.j2"), b"\xe9").unwrap();
    let run = env.run(["incident", "mitigate", "x"]).expect_code(0);
    assert!(run.stderr.contains("body.j2 is not used: it is not UTF-8 text"), "{}", run.stderr);
    let body = stub.requests()[0].json();
    assert_eq!(body["subject"], "p1! down <!channel>");
    assert!(body["body"].as_str().unwrap().contains("by ada"));
}

#[test]
fn a_test_proves_the_way_and_calls_nobody() {
    let stub = accepts().on("POST", "/services/*", Answer::text("ok"));
    let env = env(&format!(
        "{}    - {{ name: team, type: slack, url: \"${{SLACK}}\" }}\n    - {{ name: phone, type: exec, command: [sh, -c, 'touch called'] }}\n    - {{ name: lost, type: exec, command: [liveops-surely-missing] }}\n",
        pagerduty(&stub)
    ))
    .var("SLACK", &format!("{}/services/{CANARY}", stub.url()));
    let run = json_of(&env, &["page", "test"]).expect_code(1);
    let states: Vec<String> = deliveries(&run).into_iter().map(|(name, state)| format!("{name} {state}")).collect();
    assert_eq!(states, ["oncall accepted", "team accepted", "phone accepted", "lost given_up"]);
    assert!(!env.path().join("called").exists(), "the program was not run");
    let sent: Vec<Value> = stub.requests_to("/v2/enqueue").iter().map(|request| request.json()).collect();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["event_action"], "resolve", "the end of what never began");
    let posted = stub.requests_to(&format!("/services/{CANARY}"));
    assert!(posted[0].json()["text"].as_str().unwrap().starts_with("TEST, nobody has to come"));
    env.run(["page", "test", "--channel", "nobody"]).expect_code(2);
    env.run(["page", "test", "--channel", "phone", "--for-real"]).expect_code(0);
    assert!(env.path().join("called").exists());
}

#[test]
fn no_secret_shows_anywhere() {
    let env = env(
        "    - { name: oncall, type: pagerduty, url: 'http://127.0.0.1:1', routing_key: \"${KEY}\" }\n    - { name: team, type: slack, url: \"${HOOK}\" }\n    - { name: mail, type: email, url: \"smtp://ops:${KEY}@127.0.0.1:1\", from: a@h, to: b@h }\n",
    );
    for args in [
        &["incident", "open", "--sev", "p1", "-vv"][..],
        &["incident", "ack", "-v"],
        &["incident", "show"],
        &["incident", "timeline", "--notifications"],
        &["page", "list"],
        &["page", "test", "-vv"],
        &["page", "flush", "-v"],
    ] {
        for format in ["table", "json"] {
            let run = env.run(args.iter().copied().chain(["-o", format]));
            assert!(
                !run.stdout.contains("canary") && !run.stderr.contains("canary"),
                "{args:?}\n{}\n{}",
                run.stdout,
                run.stderr
            );
        }
    }
    let mut folders = vec![env.path(), env.state()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                assert!(!text.contains("canary"), "{}", path.display());
            }
        }
    }
}

#[test]
fn a_projects_program_is_run_only_when_it_is_trusted() {
    let env = env("    []\n");
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\nnotify: { channels: [{ name: phone, type: exec, command: [touch, called] }] }\n");
    env.run(OPEN).expect_code(5);
    assert!(!env.path().join("called").exists());
    env.run(["config", "trust", "--yes"]).expect_code(0);
    later(&env, "2026-01-15T10:35:00Z", &["page", "flush"]).expect_code(0);
    assert!(env.path().join("called").exists());
}

fn webhook(status: &str, starts: &str) -> String {
    json!({
        "version": "4", "groupKey": "{}:{alertname=\"ServerDown\"}", "truncatedAlerts": 0, "status": status, "receiver": "liveops",
        "groupLabels": { "alertname": "ServerDown" }, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am",
        "alerts": [{ "status": status, "labels": { "alertname": "ServerDown", "severity": "critical", "service": "match" },
            "annotations": { "runbook_url": "https://wiki/ServerDown" }, "startsAt": starts, "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "", "fingerprint": "f1" }],
    })
    .to_string()
}

#[test]
fn alertmanagers_webhook_opens_one_incident_and_tells_it_of_the_rest() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let receive = |body: String, time: &str| {
        env.command(["incident", "receive", "-o", "json"])
            .stdin(body)
            .env("LIVEOPS_NOW", time)
            .run()
            .expect_code(0)
            .json()["data"]
            .clone()
    };
    let start = "2026-01-15T10:20:00Z";
    let first = receive(webhook("firing", start), "2026-01-15T10:30:00Z");
    assert_eq!((&first["action"], &first["incident"]["severity"]), (&json!("opened"), &json!("p1")));
    assert_eq!(first["incident"]["started_at"], start);
    assert_eq!(first["incident"]["runbook"], "https://wiki/ServerDown");
    assert_eq!(first["paged"], true);
    assert_eq!(receive(webhook("firing", start), "2026-01-15T10:31:00Z")["action"], "known");
    let ended = receive(webhook("resolved", start), "2026-01-15T10:32:00Z");
    assert_eq!((&ended["action"], &ended["incident"]["phase"]), (&json!("updated"), &json!("open")));
    env.run(["incident", "resolve", "over"]).expect_code(0);
    assert_eq!(receive(webhook("firing", start), "2026-01-15T10:33:00Z")["action"], "known");
    assert_eq!(receive(webhook("firing", "2026-01-15T10:34:00Z"), "2026-01-15T10:35:00Z")["action"], "opened");
    let triggers = stub.requests().iter().filter(|request| request.json()["event_action"] == "trigger").count();
    assert_eq!(triggers, 2);
    let bad = env.command(["incident", "receive"]).stdin("<html>").run().expect_code(2);
    assert!(bad.stderr.contains("not the JSON of Alertmanager's webhook"), "{}", bad.stderr);
    env.run(["incident", "receive", "--listen", "0.0.0.0:0"]).expect_code(2);
}

#[test]
fn an_alert_that_never_stopped_is_news_again_and_one_that_nobody_heard_of_is_no_success() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let start = "2026-01-15T10:20:00Z";
    let receive = |time: &str| {
        env.command(["incident", "receive", "-o", "json"])
            .stdin(webhook("firing", start))
            .env("LIVEOPS_NOW", time)
            .run()
    };
    let action = |run: Run| run.json()["data"]["action"].as_str().unwrap_or_default().to_owned();
    assert_eq!(action(receive("2026-01-15T10:25:00Z").expect_code(0)), "opened");
    env.run(["incident", "resolve", "I think"]).expect_code(0);
    assert_eq!(action(receive("2026-01-15T10:32:00Z").expect_code(0)), "known", "sent before, most likely");
    stub.set("POST", "/v2/enqueue", Answer::text("bad key").status(400));
    let again = receive("2026-01-15T14:25:00Z").expect_code(5);
    assert_eq!(again.json()["data"]["incident"]["started_at"], "2026-01-15T10:30:00Z");
    assert_eq!(action(again), "opened");
    let reminder = receive("2026-01-15T18:25:00Z").expect_code(5);
    assert!(reminder.stderr.contains("NOBODY WAS PAGED"), "{}", reminder.stderr);
    assert_eq!(action(reminder), "known");
    stub.set("POST", "/v2/enqueue", Answer::json(json!({ "status": "success" })).status(202));
    later(&env, "2026-01-15T18:26:00Z", &["page", "flush"]).expect_code(0);
    receive("2026-01-15T22:25:00Z").expect_code(0);
    let keys: std::collections::BTreeSet<String> =
        stub.requests().iter().map(|request| request.json()["dedup_key"].to_string()).collect();
    assert_eq!(keys.len(), 2, "the second call rings under a key of its own");
}
