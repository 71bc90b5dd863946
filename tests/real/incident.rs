//! Incidents with real servers: Alertmanager delivers to `incident receive --listen`, two teams share a Redis.

use std::time::Duration;

use serde_json::{Value, json};

use crate::flag_crash::{MOST, killed, proxy};
use crate::support::listener::Listener;
use crate::support::process::{Program, Server};
use crate::support::{Alertmanager, TestEnv, until};

const LIMIT: Duration = Duration::from_secs(30);

fn incidents(env: &TestEnv) -> Vec<Value> {
    let run = env.run(["incident", "list", "--all", "-o", "json"]).expect_code(0);
    run.json()["data"]["incidents"].as_array().unwrap().clone()
}

#[test]
fn alertmanager_opens_an_incident_and_tells_of_its_end() {
    let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\n");
    let listener = Listener::start(&env);
    let alertmanager = Alertmanager::start(&format!(
        "route: {{ receiver: liveops, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1s }}\nreceivers:\n  - name: liveops\n    webhook_configs: [ {{ url: 'http://127.0.0.1:{}/', send_resolved: true }} ]\n",
        listener.port
    ));
    let alert = |ends: Option<&str>| {
        let labels = json!({ "alertname": "ServerDown", "severity": "critical", "service": "match" });
        match ends {
            Some(ends) => json!([{ "labels": labels, "endsAt": ends }]),
            None => {
                json!([{ "labels": labels, "annotations": { "runbook_url": "https://wiki/x" } }])
            }
        }
    };
    alertmanager.post_alerts(&alert(None));
    let opened = until("the incident", LIMIT, || incidents(&env).first().cloned());
    assert_eq!(opened["title"], "ServerDown on match");
    assert_eq!((&opened["severity"], &opened["runbook"]), (&json!("p1"), &json!("https://wiki/x")));
    until("its alert", LIMIT, || (incidents(&env)[0]["alerts_firing"] == 1).then_some(()));
    let now = crate::support::backends::real_now().to_rfc3339();
    let answer = crate::support::http::post_json(alertmanager.server.port(), "/api/v2/alerts", &alert(Some(&now)));
    assert_eq!(answer.unwrap().status, 200);
    until("the end of its alert", LIMIT, || (incidents(&env)[0]["alerts_firing"] == 0).then_some(()));
    let all = incidents(&env);
    assert_eq!((all.len(), &all[0]["phase"]), (1, &json!("open")), "repeated deliveries open no other");
}

fn redis() -> Server {
    Server::start(
        Program {
            binary: "redis-server",
            package: "redis-server",
            args: |port, folder| {
                let port = port.to_string();
                let folder = folder.display().to_string();
                ["--port", &port, "--bind", "127.0.0.1", "--dir", &folder, "--save", "", "--appendonly", "no"]
                    .map(ToOwned::to_owned)
                    .to_vec()
            },
            ready: |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
        },
        |_| {},
    )
}

fn member(actor: &str, port: u16) -> TestEnv {
    let env = TestEnv::new().var("LIVEOPS_ACTOR", actor);
    share(&env, port);
    env
}

/// From now on by the Redis at this port.
fn share(env: &TestEnv, port: u16) {
    env.write(
        "liveops.yaml",
        format!("version: 1\nenvironments: {{ prod: {{}} }}\nincidents: {{ redis: {{ url: 'redis://127.0.0.1:{port}/0' }} }}\n"),
    );
}

fn texts(env: &TestEnv, id: &str) -> Vec<String> {
    let run = env.run(["incident", "timeline", id, "-o", "json"]).expect_code(0).json();
    assert_eq!(run["data"]["faults"], json!([]), "the chain holds");
    let events = run["data"]["events"].as_array().unwrap().clone();
    let text = |event: &Value| event["text"].as_str().unwrap().to_owned();
    events.iter().filter(|event| event["type"] != "incident.evidence").map(text).collect()
}

#[test]
fn two_teams_share_a_redis_and_lose_nothing() {
    let mut server = redis();
    let (ada, bob) = (member("ada", server.port()), member("bob", server.port()));
    ada.run(["incident", "open", "--sev", "p1", "--title", "down"]).expect_code(0);
    let id = incidents(&ada)[0]["id"].as_str().unwrap().to_owned();
    bob.run(["incident", "sync"]).expect_code(0);
    bob.run(["incident", "ack"]).expect_code(0);
    ada.run(["incident", "note", "by ada"]).expect_code(0);

    // Redis is gone: both go on, each for itself.
    server.kill();
    let run = ada.run(["incident", "note", "ada alone"]).expect_code(0);
    assert!(run.stderr.contains("not in the shared store yet"), "{}", run.stderr);
    bob.run(["incident", "note", "bob alone"]).expect_code(0);
    ada.run(["incident", "sync"]).expect_code(3);

    // It comes back empty, and both bring what they have.
    server.restart();
    ada.run(["incident", "sync"]).expect_code(0);
    let run = bob.run(["incident", "sync", "-o", "json"]).expect_code(0).json();
    assert!(run["data"]["received"].as_u64().unwrap() >= 2 && run["data"]["sent"].as_u64().unwrap() >= 1);
    ada.run(["incident", "sync"]).expect_code(0);
    let story = texts(&ada, &id);
    assert_eq!(story, texts(&bob, &id));
    assert_eq!(story, ["opened P1: down", "acknowledged", "by ada", "ada alone", "bob alone"]);
    let again = ada.run(["incident", "sync", "-o", "json"]).expect_code(0).json();
    assert_eq!((&again["data"]["received"], &again["data"]["sent"]), (&json!(0), &json!(0)));
}

#[test]
fn a_sync_that_is_killed_between_any_two_requests_loses_nothing_and_doubles_nothing() {
    let server = redis();
    for arrives in [false, true] {
        let mut finished = false;
        for cut in 0..MOST {
            crate::support::redis::cli(server.port(), &["FLUSHALL"]);
            let (ada, bob) = (member("ada", server.port()), member("bob", server.port()));
            ada.run(["incident", "open", "--sev", "p3", "--title", "slow"]).expect_code(0);
            let id = incidents(&ada)[0]["id"].as_str().unwrap().to_owned();
            bob.run(["incident", "note", "by bob"]).expect_code(0);
            // Nothing listens there.
            share(&ada, 1);
            ada.run(["incident", "note", "by ada"]).expect_code(0);
            let (proxy, cuts) = proxy(server.port(), cut, arrives);
            share(&ada, proxy.port());
            finished = !killed(&ada, &["incident", "sync"], &cuts);
            share(&ada, server.port());
            ada.run(["incident", "sync"]).expect_code(0);
            bob.run(["incident", "sync"]).expect_code(0);
            let (hers, his) = (texts(&ada, &id), texts(&bob, &id));
            assert_eq!(hers, his, "cut at {cut}, {arrives}");
            assert_eq!(hers, ["opened P3: slow", "by bob", "by ada"], "cut at {cut}, {arrives}");
            if finished {
                break;
            }
        }
        assert!(finished, "it sends more than {MOST} requests");
    }
}
