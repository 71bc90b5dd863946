//! The stub server and the small HTTP client.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::stub::{Answer, Stub};
use crate::support::{TestEnv, http};

#[test]
fn routes_match_by_method_and_path_and_the_last_one_wins() {
    let stub = Stub::new()
        .on("GET", "/api/health", Answer::json(json!({"status": "healthy"})))
        .on("GET", "/api/rooms/*", Answer::text("a room"))
        .on("*", "/any", Answer::text("any").status(503));
    let cases = [
        ("/api/health", 200, "{\"status\":\"healthy\"}"),
        ("/api/rooms/7/state", 200, "a room"),
        ("/any", 503, "any"),
        ("/other", 404, "404 page not found\n"),
    ];
    for (path, status, body) in cases {
        let answer = http::get(stub.port(), path).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{path}");
    }
    stub.set("GET", "/api/health", Answer::text("gone").status(500));
    assert_eq!(http::get(stub.port(), "/api/health").unwrap().status, 500);
    assert_eq!(http::post_json(stub.port(), "/api/health", &json!({})).unwrap().status, 404);
}

#[test]
fn requests_are_recorded_with_query_headers_and_body() {
    let stub = Stub::new().on("*", "/api/v1/query", Answer::text("ok"));
    http::get(stub.port(), "/api/v1/query?query=a%20%2B+b&time=1").unwrap();
    http::post_form(stub.port(), "/api/v1/query", &[("query", "up{a=\"é&\"}")]).unwrap();
    let requests = stub.requests_to("/api/v1/query");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].param("query").as_deref(), Some("a + b"));
    assert_eq!(requests[0].param("time").as_deref(), Some("1"));
    assert_eq!(requests[1].method, "POST");
    assert_eq!(requests[1].param("query").as_deref(), Some("up{a=\"é&\"}"));
    assert_eq!(requests[1].header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[test]
fn a_delayed_answer_takes_its_time_and_a_stopping_server_does_not_wait_for_it() {
    let stub = Stub::new().on("GET", "/slow", Answer::text("late").after(Duration::from_millis(120))).on(
        "GET",
        "/never",
        Answer::text("late").after(Duration::from_secs(600)),
    );
    let port = stub.port();
    let started = Instant::now();
    assert_eq!(http::get(port, "/slow").unwrap().text(), "late");
    assert!(started.elapsed() >= Duration::from_millis(120));

    let waiting = thread::spawn(move || http::get(port, "/never"));
    while stub.requests_to("/never").is_empty() {
        thread::yield_now();
    }
    drop(stub);
    assert!(waiting.join().unwrap().is_err(), "the connection ends with its server");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn the_environment_of_a_run_holds_nothing_of_the_caller() {
    let env = TestEnv::new().now("2026-11-22T03:00:00Z").var("EXTRA", "1");
    let command = env.bare(["status"]);
    let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    for name in ["HOME", "XDG_STATE_HOME", "LIVEOPS_NOW", "EXTRA", "TZ"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    let env = env.with_program(Path::new("/bin/sh"), "sh");
    assert!(env.root().join("bin/sh").is_file());
    let root = env.root().to_owned();
    assert!(env.write("sub/liveops.yaml", "version: 1\n").is_file());
    assert_eq!(env.read("sub/liveops.yaml"), "version: 1\n");
    drop(env);
    assert!(!root.exists(), "the folders go with the environment");
}

#[test]
fn a_run_keeps_code_and_output_and_is_filtered_for_snapshots() {
    let run = TestEnv::new().run(["no-such-command-at-all"]);
    assert_ne!(run.code, 0, "an unknown command is an error: {run:?}");
    assert!(run.snapshot().starts_with(&format!("code: {}\n--- stdout\n", run.code)));
    let filtered = run.filter("http://127.0.0.1:40123/x localhost:1 example:9090");
    assert_eq!(filtered, "http://127.0.0.1:[PORT]/x localhost:[PORT] example:9090");
}
