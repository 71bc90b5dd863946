//! `incident receive --listen`: accepted means that it will be paged; web pages, silent connections and floods hurt nobody.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::notify::{accepts, env, pagerduty};
use crate::support::deadline::happens;
use crate::support::http::post_json;
use crate::support::listener::Listener;
use crate::support::{Answer, Stub};

const LIMIT: Duration = Duration::from_secs(60);

fn delivery(name: &str) -> Value {
    json!({ "version": "4", "groupKey": name, "status": "firing", "alerts": [{ "status": "firing",
        "labels": { "alertname": name, "severity": "critical" }, "annotations": {}, "startsAt": "2026-01-15T10:20:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": name }] })
}

/// The incidents that somebody was paged for.
fn paged(stub: &Stub) -> HashSet<String> {
    let events = stub.requests().into_iter().map(|one| one.json());
    let pages = events.filter(|event| event["event_action"] == "trigger");
    pages.map(|event| event["payload"]["custom_details"]["incident"].as_str().unwrap().to_owned()).collect()
}

/// What one raw request is answered with.
fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn programs_of_this_machine_deliver_and_web_pages_do_not() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let listener = Listener::start(&env);
    let body = delivery("A").to_string();
    let with = |head: &str| format!("POST / HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for (head, want) in [
        ("Host: evil.example:9095\r\nContent-Type: application/json", "403"),
        ("Host: 127.0.0.1\r\nOrigin: https://evil.example\r\nContent-Type: application/json", "403"),
        ("Host: 127.0.0.1\r\nContent-Type: text/plain", "415"),
        ("Host: 127.0.0.1\r\nContent-Type: application/json", "200"),
    ] {
        assert_eq!(raw(listener.port, &with(head)), want, "{head}");
    }
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (request, want) in [
        (format!("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"), "200"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), "405"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}".into(), "400"),
        // What says that it is too large is refused before it comes.
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n".into(), "413"),
    ] {
        assert_eq!(raw(listener.port, &request), want, "{}", &request[..40]);
    }
    assert!(happens(LIMIT, || paged(&stub).len() == 1));
}

/// Whoever is to be paged is paged, in whatever format the listener tells of it.
#[test]
fn no_format_ends_the_listener() {
    for format in ["name", "csv", "json"] {
        let stub = accepts();
        let env = env(&pagerduty(&stub)).var("LIVEOPS_OUTPUT", format);
        let listener = Listener::start(&env);
        for alert in ["A", "B"] {
            assert_eq!(post_json(listener.port, "/", &delivery(alert)).unwrap().status, 200, "{format}");
            let count = if alert == "A" { 1 } else { 2 };
            assert!(happens(LIMIT, || paged(&stub).len() == count), "{format}");
        }
    }
}

#[test]
fn what_was_opened_has_a_name_and_rows() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let name = env.run(["incident", "open", "--sev", "p1", "--title", "Down", "-o", "name"]).expect_code(0);
    assert!(name.stdout.trim().ends_with("-p1-down"), "{}", name.stdout);
    let rows = env.run(["incident", "note", "looking", "-o", "csv"]).expect_code(0);
    assert_eq!(rows.stdout, format!("name\n{}", name.stdout));
}

#[test]
fn silent_connections_delay_nobody() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let listener = Listener::start(&env);
    let silent: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", listener.port)).unwrap();
            stream.write_all(b"POST / HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    assert_eq!(post_json(listener.port, "/", &delivery("A")).unwrap().status, 200);
    assert!(happens(LIMIT, || paged(&stub).len() == 1));
    drop(silent);
}

#[test]
fn a_flood_of_groups_is_paged_whole() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let listener = Listener::start(&env);
    let (port, count) = (listener.port, 48);
    thread::scope(|scope| {
        for sender in 0..4 {
            scope.spawn(move || {
                for n in (sender..count).step_by(4) {
                    assert_eq!(post_json(port, "/", &delivery(&format!("Alert{n}"))).unwrap().status, 200);
                }
            });
        }
    });
    assert!(happens(LIMIT, || paged(&stub).len() == count), "{} of {count} were paged", paged(&stub).len());
}

#[test]
fn what_the_pager_did_not_take_is_tried_again_by_itself() {
    let stub = Stub::new().on("POST", "/v2/enqueue", Answer::text("busy").status(429).header("Retry-After", "1"));
    let env = env(&pagerduty(&stub));
    let listener = Listener::start(&env);
    assert_eq!(post_json(listener.port, "/", &delivery("A")).unwrap().status, 200);
    assert!(happens(LIMIT, || !stub.requests().is_empty()));
    stub.set("POST", "/v2/enqueue", Answer::json(json!({ "status": "success" })).status(202));
    let before = stub.requests().len();
    assert!(happens(LIMIT, || stub.requests().len() > before));
}

/// A listener that is killed right behind its answer, or before it: who was told 200 is paged. `bench/listener` does this
/// two hundred times.
#[test]
fn what_was_accepted_is_paged_though_the_listener_is_killed() {
    let stub = accepts();
    let env = env(&pagerduty(&stub));
    let rounds = 6;
    for n in 0..rounds {
        let listener = Listener::start(&env);
        assert_eq!(post_json(listener.port, "/", &delivery(&format!("Alert{n}"))).unwrap().status, 200);
        listener.kill();
    }
    let _listener = Listener::start(&env);
    assert!(happens(LIMIT, || paged(&stub).len() == rounds), "{} of {rounds} were paged", paged(&stub).len());
}
