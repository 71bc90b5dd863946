//! `liveops health`: what services say of themselves.

use std::time::Duration;

use serde_json::json;

use crate::support::backends::NOW;
use crate::support::{Answer, Backends, TestEnv};

fn service() -> (Backends, TestEnv) {
    let (backends, env) = (Backends::start(), TestEnv::new().now(NOW));
    env.write("liveops.yaml", backends.scrape_config(""));
    (backends, env)
}

#[test]
fn basic_is_the_default_and_shows_the_state() {
    let (backends, env) = service();
    backends.health(Answer::json(json!({"status": "healthy", "timestamp": NOW, "region": "eu"})));
    let run = env.run(["health"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 0
        --- stdout
        ● game-backend  healthy [MS]
          timestamp  2026-01-15T10:30:00Z
          region     eu

        next: liveops health detailed
        --- stderr
        "#);
    assert_eq!(env.run(["health", "basic"]).snapshot(), run.snapshot());
}

#[test]
fn detailed_lists_every_member_that_the_answer_has() {
    let (backends, env) = service();
    backends.service.set(
        "GET",
        "/api/health/detailed",
        Answer::json(
            json!({"status": "degraded", "uptime": 86_400, "cpu": {"usage_percent": 41.5}, "tags": ["a", "b"],
            "components": {"database": {"status": "healthy"}, "redis": {"status": "down"}}}),
        ),
    );
    insta::assert_snapshot!(env.run(["health", "detailed"]).snapshot(), @r#"
        code: 0
        --- stdout
        ▲ game-backend  degraded [MS]  degraded: redis down
          status                      degraded
          uptime                      86400
          cpu.usage_percent           41.5
          tags                        a, b
          components.database.status  healthy
          components.redis.status     down

        next: liveops health metrics
        --- stderr
        "#);
}

#[test]
fn json_has_the_document_as_it_came() {
    let (backends, env) = service();
    backends.health(Answer::json(json!({"status": "healthy", "extra": {"b": 1, "a": 2}})));
    insta::assert_snapshot!(env.run(["health", "-o", "json"]).snapshot(), @r#"
        code: 0
        --- stdout
        {
          "schema": "liveops.health/1",
          "environment": "staging",
          "time": "2026-01-15T10:30:00Z",
          "status": "success",
          "verdict": "pass",
          "data": {
            "services": [
              {
                "name": "game-backend",
                "state": "healthy",
                "latency_ms": 0,
                "detail": "healthy",
                "url": "http://127.0.0.1:[PORT]/api/health",
                "document": {
                  "status": "healthy",
                  "extra": {
                    "b": 1,
                    "a": 2
                  }
                }
              }
            ]
          },
          "metrics": {},
          "incidents": [],
          "recommendations": [
            {
              "text": "more of it",
              "command": "liveops health detailed"
            }
          ],
          "sources": [],
          "warnings": []
        }
        --- stderr
        "#);
}

#[test]
fn rows_are_csv_and_names() {
    let (_backends, env) = service();
    let csv = env.run(["health", "-o", "csv"]).expect_code(0);
    let mut lines = csv.stdout.lines();
    assert_eq!(lines.next(), Some("service,state,latency_ms,detail"));
    assert!(lines.next().unwrap().starts_with("game-backend,healthy,"));
    assert_eq!(env.run(["health", "-o", "name"]).stdout, "game-backend\n");
}

#[test]
fn the_exit_code_is_what_the_worst_service_says() {
    let (backends, env) = service();
    let cases = [
        (Answer::json(json!({"status": "ok"})), 0, "healthy"),
        (Answer::json(json!({"status": "degraded"})), 0, "degraded"),
        (Answer::json(json!({"status": "unhealthy"})), 1, "down"),
        (Answer::json(json!({"status": "ok"})).status(503), 1, "down"),
        (Answer::json(json!({"uptime": 3})), 3, "unknown"),
        (Answer::new(200, "text/html", "<html>"), 3, "unknown"),
        (Answer::text("not here").status(404), 3, "unknown"),
    ];
    for (answer, code, state) in cases {
        let what = String::from_utf8_lossy(&answer.body).into_owned();
        backends.health(answer);
        let run = env.run(["health", "-o", "json"]);
        assert_eq!(run.code, code, "{what}");
        assert_eq!(run.json()["data"]["services"][0]["state"], state, "{what}");
    }
}

#[test]
fn a_service_that_is_not_there_is_named_with_what_to_try() {
    let env = TestEnv::new().now(NOW);
    let run = env.run(["health", "--health", "lobby=http://127.0.0.1:1"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 1
        --- stdout
        ✖ lobby  down  connection refused; nothing listens there
          at http://127.0.0.1:[PORT]/api/health

        next: curl -v http://127.0.0.1:[PORT]/api/health
        --- stderr
        "#);
}

#[test]
fn metrics_are_listed_filtered_and_counted() {
    let (backends, env) = service();
    backends.expose(
        "# TYPE game_active_players gauge\ngame_active_players{region=\"eu\"} 702\ngame_active_players{region=\"us\"} NaN\n\
         game_tick_duration_seconds_bucket{le=\"+Inf\"} 9\ngame_tick_duration_seconds_count 9\nprocess_cpu_seconds_total 1.5\n",
    );
    insta::assert_snapshot!(env.run(["health", "metrics", "--match", "game_"]).snapshot(), @r#"
        code: 0
        --- stdout
        game-backend
          game_active_players{region="eu"}  702
          game_active_players{region="us"}  NaN
          game_tick_duration_seconds_count    9
        1 histogram bucket not shown · --buckets shows them

        next: liveops status
        --- stderr
        "#);
    let csv = env.run(["health", "metrics", "-o", "csv", "--buckets"]).expect_code(0);
    insta::assert_snapshot!(csv.stdout, @r#"
        series,value,service
        "game_active_players{region=""eu""}",702,game-backend
        "game_active_players{region=""us""}",NaN,game-backend
        "game_tick_duration_seconds_bucket{le=""+Inf""}",9,game-backend
        game_tick_duration_seconds_count,9,game-backend
        process_cpu_seconds_total,1.5,game-backend
        "#);
    let json = env.run(["health", "metrics", "-o", "json", "--match", "players"]).expect_code(0).json();
    assert_eq!(json["schema"], "liveops.health.metrics/1");
    assert_eq!(json["data"]["services"][0]["metrics"][1]["value"], "NaN");
}

#[test]
fn metrics_that_cannot_be_had_are_unknown_with_the_reason() {
    let (backends, env) = service();
    backends.expose("game_active_players{region=\"eu\"} many\n");
    let run = env.run(["health", "metrics"]).expect_code(3);
    assert!(run.stdout.contains("game-backend metrics: "), "{}", run.stdout);
    assert!(run.stdout.contains("line 1"), "{}", run.stdout);
}

#[test]
fn without_services_it_says_what_to_set() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run(["health"]).snapshot(), @r#"
        code: 2
        --- stdout
        --- stderr
        error: no service is configured for environment `default`

        hint: pass `--health URL`, or list `services` in liveops.yaml; `liveops init` writes one
        "#);
    let (_backends, env) = service();
    let wrong = env.run(["health", "detailed", "--service", "game-backen"]).expect_code(2);
    assert!(wrong.stderr.contains("did you mean `game-backend`?"), "{}", wrong.stderr);
}

#[test]
fn an_answer_that_is_late_is_not_healthy() {
    let (backends, env) = service();
    let url = backends.service.url();
    let config = |latency: &str| {
        format!("version: 1\nservices:\n  - name: game\n    health: {{ url: \"{url}\" }}\n    latency: {latency}\n")
    };
    backends.health(Answer::json(json!({"status": "healthy"})).after(Duration::from_millis(80)));
    for (latency, code, state) in [
        ("{ warn: 60s, critical: \"> 90s\" }", 0, "healthy"),
        ("{ warn: 40ms, critical: 60s }", 0, "degraded"),
        ("{ critical: \"> 50ms\" }", 1, "degraded"),
    ] {
        env.write("liveops.yaml", config(latency));
        let run = env.run(["status", "-o", "json"]).expect_code(code).json();
        assert_eq!(run["data"]["services"][0]["state"], state, "{latency}: {run}");
    }
    let screen = env.run(["status"]).stdout;
    assert!(screen.contains("(critical > 50ms)"), "{screen}");
    env.write("liveops.yaml", config("{ warn: fast }"));
    let wrong = env.run(["status"]).expect_code(2);
    assert!(wrong.stderr.contains("latency.warn"), "{}", wrong.stderr);
}

#[test]
fn an_exposition_with_carriage_returns_is_told_what_is_wrong() {
    let (backends, env) = service();
    backends.expose("# TYPE c counter\r\nc 1\r\n");
    let run = env.run(["health", "metrics"]).expect_code(3);
    assert!(run.stdout.contains("ends with CR LF"), "{}", run.stdout);
}
