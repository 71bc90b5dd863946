//! Commands that look at the same thing say the same of it: what a KPI is and what it comes to, which names there are,
//! and that what is not wholly known is not green.

use serde_json::{Value, json};

use crate::support::backends::NOW;
use crate::support::{Answer, Backends, Stub, TestEnv};

/// Of the presets, Prometheus has data of one.
fn errors(query: &str) -> Vec<(Value, f64)> {
    if query.contains("http_requests_total") && query.contains("5..") && !query.contains("by (") {
        vec![(json!({}), 0.0042)]
    } else {
        Vec::new()
    }
}

fn world(kpis: &str) -> (Backends, TestEnv) {
    let backends = Backends::start();
    backends.prometheus_answers(errors);
    let env = TestEnv::new().now(NOW);
    env.write("liveops.yaml", backends.config(kpis));
    (backends, env)
}

#[test]
fn presets_are_kpis_to_every_command() {
    let (_backends, env) = world("");
    let status = env.run(["status", "-o", "json"]).json();
    let known: Vec<&String> = status["metrics"].as_object().expect("metrics").keys().collect();
    assert_eq!(known, ["error_rate"], "those without data are left out");
    let query = env.run(["query", "--kpi", "error_rate", "-o", "json"]).expect_code(0).json();
    for member in ["value", "level", "unit"] {
        assert_eq!(query["metrics"]["error_rate"][member], status["metrics"]["error_rate"][member], "{member}");
    }
    let around = env.run(["changes", "--around", "error_rate", "-o", "json"]).json();
    assert_eq!(around["data"]["around"]["kpi"], "error_rate", "{around}");
    let doctor = env.run(["doctor", "--all", "-o", "json"]).json();
    let passed = doctor["data"]["systems"][0]["passed"].as_array().expect("passed");
    let of_kpis: Vec<&Value> = passed.iter().filter(|one| one["id"] == "kpis").collect();
    assert!(matches!(of_kpis.as_slice(), [one] if one["why"] == "1 KPI with data"), "{doctor}");
    let guard = env.run(["flag", "ramp", "start", "f", "--steps", "5,100", "--reason", "r", "--yes"]).expect_code(2);
    assert!(guard.stderr.contains("error_rate"), "{}", guard.stderr);
}

#[test]
fn a_name_that_means_nothing_is_the_same_to_every_command() {
    let (_backends, env) = world("- { name: errors, promql: up }");
    for (args, what) in [
        (vec!["query", "--kpi", "erors"], "KPI `erors` does not exist"),
        (vec!["changes", "--around", "erors"], "KPI `erors` does not exist"),
        (vec!["status", "--service", "game-backnd"], "service `game-backnd` does not exist"),
        (vec!["health", "--service", "game-backnd"], "service `game-backnd` does not exist"),
        (vec!["changes", "--service", "game-backnd"], "service `game-backnd` does not exist"),
        (vec!["scale", "game-backnd", "--replicas", "2"], "service `game-backnd` does not exist"),
    ] {
        let run = env.run(&args).expect_code(2);
        let near = if what.starts_with("KPI") { "errors" } else { "game-backend" };
        assert!(run.stderr.contains(what) && run.stderr.contains(near), "{args:?}: {}", run.stderr);
    }
}

fn answers(more: &Value) -> Value {
    let mut body = json!({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {}, "value": [1_768_473_000, "0.0001"]}]}});
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    body
}

/// Prometheus' answers to instant queries carry this; which levels, verdicts and codes come of it.
#[test]
fn what_is_not_whole_is_unknown_and_a_remark_is_nothing() {
    for (more, known) in [
        (json!({"warnings": ["store eu-3 is unavailable"]}), false),
        (json!({"isPartial": true}), false),
        (json!({"warnings": ["PromQL info: metric might not be a counter"]}), true),
        (json!({"infos": ["PromQL info: metric might not be a counter"]}), true),
        (json!({"warnings": null, "infos": null, "error": null, "isPartial": false}), true),
    ] {
        let (backends, env) = world("- { name: e, promql: \"x / y\", unit: ratio, critical: \"> 1%\" }");
        backends.prometheus.set("POST", "/api/v1/query", Answer::json(answers(&more)));
        let (level, verdict, code) = if known { ("ok", "pass", 0) } else { ("unknown", "unknown", 3) };
        for args in [vec!["status", "-o", "json"], vec!["query", "--kpi", "e", "-o", "json"]] {
            let run = env.run(&args).expect_code(code).json();
            assert_eq!(run["metrics"]["e"]["level"], level, "{args:?} {more}");
            assert_eq!(run["verdict"], verdict, "{args:?} {more}");
        }
        let line = env.run(["status", "--nagios"]).expect_code(code).stdout;
        assert_eq!(line.contains("e unknown"), !known, "{line}");
        let doctor = env.run(["doctor", "-o", "json"]).json();
        let found = ["findings", "unknown"].map(|list| doctor["data"][list].as_array().expect("a list").clone());
        let doubts = found.concat().iter().filter(|one| one["id"] == "kpis").count();
        assert_eq!(doubts, usize::from(!known), "{more}: {doctor}");
    }
}

#[test]
fn null_is_empty() {
    for body in [
        json!({"status": "success", "data": {"resultType": "vector", "result": null}}),
        json!({"status": "success", "data": {"resultType": "", "result": null}}),
    ] {
        let stub = Stub::new().on("POST", "/api/v1/query", Answer::json(body)).on(
            "GET",
            "/api/v1/label/__name__/values",
            Answer::json(json!({"status": "success", "data": null})),
        );
        let run = TestEnv::new().run(["query", "up", "--prometheus", &stub.url()]).expect_code(3);
        assert!(run.stdout.contains("no data"), "{}{}", run.stdout, run.stderr);
    }
    let none = Answer::json(json!({"status": "success", "data": {"alerts": null}}));
    let prometheus = Stub::new().on("GET", "/api/v1/alerts", none);
    let alertmanager = Stub::new().on("GET", "/api/v2/alerts", Answer::json(Value::Null));
    let env = TestEnv::new();
    for (flag, stub) in [("--prometheus", &prometheus), ("--alertmanager", &alertmanager)] {
        env.run(["alerts", flag, &stub.url()]).expect_code(0);
    }
}

#[test]
fn a_redirected_question_keeps_its_words() {
    for status in [301, 302, 303, 307, 308] {
        let there = Answer::text("").status(status).header("Location", "/p/api/v1/query");
        let stub =
            Stub::new().on("POST", "/api/v1/query", there).on_fn("*", "/p/*", |request| match request.param("query") {
                Some(query) if query == "up" => Answer::json(answers(&json!({}))),
                _ => Answer::json(json!({"status": "error", "error": "no expression found in input"})).status(400),
            });
        let run = TestEnv::new().run(["query", "up", "--prometheus", &stub.url()]).expect_code(0);
        assert!(run.stdout.contains("0.0001"), "{status}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn metrics_are_known_by_their_body() {
    let gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    for (answer, code, said) in [
        (Answer::new(200, "text/html; charset=utf-8", "# TYPE m gauge\nm 1\n"), 0, "m"),
        (Answer::new(200, "text/html", "<html></html>"), 3, "a web page instead of metrics"),
        (Answer::new(200, "text/plain", gzip), 3, "gzip"),
        (Answer::new(206, "text/plain", "m 1\n"), 3, "206"),
        (Answer::new(204, "text/plain", ""), 3, "204"),
    ] {
        let stub = Stub::new().on("GET", "/m", answer);
        let env = TestEnv::new();
        env.write("liveops.yaml", format!("services: [ {{ name: x, metrics: [ '{}/m' ] }} ]\n", stub.url()));
        let run = env.run(["health", "metrics"]).expect_code(code);
        assert!(run.stdout.contains(said), "{said}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn thresholds_for_nagios_are_ranges() {
    let (backends, env) = world(
        "- { name: a, gauge: p, warn: \"< 100\", critical: \"<= 10\" }\n- { name: b, gauge: p, warn: \"> 1\", critical: \"!= 5\" }\n- { name: c, gauge: p, critical: \"== 7\" }",
    );
    backends.prometheus_answers(|_| vec![(json!({}), 500.0)]);
    let line = env.run(["status", "--nagios"]).stdout;
    assert!(line.contains("'a'=500;100:;10: 'b'=500;1;5:5 'c'=500;;@7:7"), "{line}");
}

/// The counters of a service, looked at in turn: the code of each look, without Prometheus.
#[test]
fn the_first_errors_of_an_outage_are_seen_without_prometheus() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write("liveops.yaml", backends.scrape_config(
        "- { name: errors, ratio: { of: 'http_requests_total{status=~\"5..\"}', to: http_requests_total, window: 5m }, critical: \"> 1%\" }",
    ));
    let mut codes = Vec::new();
    for (second, (good, bad)) in [(0, None), (100, None), (200, Some(50)), (300, Some(100))].into_iter().enumerate() {
        let bad = bad.map_or_else(String::new, |bad| format!("http_requests_total{{status=\"503\"}} {bad}\n"));
        backends.expose(&format!(
            "http_requests_total{{status=\"200\"}} {}\nhttp_requests_total{{status=\"500\"}} 5\n{bad}",
            1000 + good
        ));
        let now = format!("2026-01-15T10:30:{:02}Z", 10 + 10 * second);
        codes.push(env.command(["status", "-q"]).env("LIVEOPS_NOW", &now).run().code);
    }
    assert_eq!(codes, [3, 0, 1, 1]);
}

#[test]
fn several_processes_behind_one_url_have_no_rate() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write("liveops.yaml", backends.scrape_config("- { name: rps, rate: http_requests_total }"));
    backends.expose_each(|scrape| {
        let (count, start) = if scrape % 2 == 0 { (100_000, 1_700_000_000) } else { (40_000, 1_700_000_500) };
        format!("process_start_time_seconds {start}\nhttp_requests_total {count}\n")
    });
    let run = env.run(["status", "-o", "json"]).expect_code(3).json();
    let reason = run["metrics"]["rps"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("different processes"), "{run}");
}
