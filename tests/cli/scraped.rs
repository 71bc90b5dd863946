//! `liveops status` without Prometheus: every kind of KPI from the service's own metrics.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Backends, TestEnv};

const KPIS: &str = r#"- { name: players, gauge: game_active_players, by: region }
- { name: load, gauge: cpu_usage_ratio, agg: max, warn: "> 60%", critical: "> 80%" }
- { name: purchases, rate: { of: game_purchases_total, window: 5m } }
- { name: errors, ratio: { of: 'http_requests_total{status=~"5.."}', to: http_requests_total, window: 5m }, critical: "> 1%" }
- { name: tick_p99, quantile: { q: 0.99, histogram: game_tick_duration_seconds, window: 5m }, warn: "> 16ms" }
- { name: lag, promql: "max(kafka_lag)" }"#;

/// The service after so many steps: what grows has grown by 120 purchases, 600 requests with 3 failures, 100 ticks.
fn exposition(step: u32) -> String {
    let at = |growth: u32| growth * step + 7;
    format!(
        "# TYPE game_active_players gauge\ngame_active_players{{region=\"eu\"}} 700\ngame_active_players{{region=\"us\"}} 504\n\
         cpu_usage_ratio{{core=\"0\"}} 0.25\ncpu_usage_ratio{{core=\"1\"}} 0.625\n\
         game_purchases_total{{currency=\"gems\"}} {}\n\
         http_requests_total{{status=\"200\"}} {}\nhttp_requests_total{{status=\"500\"}} {}\n\
         game_tick_duration_seconds_bucket{{le=\"0.016\"}} {}\ngame_tick_duration_seconds_bucket{{le=\"0.033\"}} {}\n\
         game_tick_duration_seconds_bucket{{le=\"+Inf\"}} {}\n",
        at(120),
        at(597),
        at(3),
        at(50),
        at(100),
        at(100),
    )
}

fn value(run: &Value, kpi: &str) -> f64 {
    run["metrics"][kpi]["value"].as_f64().unwrap_or_else(|| panic!("{kpi}: {}", run["metrics"][kpi]))
}

fn close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= wanted.abs() * 1e-9
}

#[test]
fn every_kind_is_computed_between_two_looks_a_minute_apart() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write("liveops.yaml", backends.scrape_config(KPIS));
    backends.expose(&exposition(0));
    let first = env.command(["status", "-o", "json"]).env("LIVEOPS_NOW", "2026-01-15T10:30:00Z").run();
    // A clock that stands still sees nothing grow, and says so.
    let reason = first.json()["metrics"]["purchases"]["reason"].clone();
    assert!(reason.as_str().unwrap().contains("second scrape"), "{reason}");
    backends.expose(&exposition(1));
    let run = env.command(["status", "-o", "json"]).env("LIVEOPS_NOW", "2026-01-15T10:31:00Z").run();
    let json = run.json();
    for (kpi, wanted) in [
        ("players", 1204.0),
        ("load", 0.625),
        ("purchases", 2.0),
        ("errors", 0.005),
        // Half of the ticks are above 16 ms; the 99th of 100 is 49/50 of the way to 33 ms.
        ("tick_p99", 0.016 + 0.017 * 0.98),
    ] {
        assert!(close(value(&json, kpi), wanted), "{kpi}: {}", json["metrics"][kpi]);
        assert_eq!(json["metrics"][kpi]["source"], "scrape");
    }
    let level = |kpi: &str| json["metrics"][kpi]["level"].clone();
    assert_eq!((level("load"), level("errors"), level("tick_p99")), (json!("warn"), json!("ok"), json!("warn")));
    assert_eq!(json["metrics"]["players"]["by"], json!({"eu": 700.0, "us": 504.0}));
    assert_eq!(level("lag"), "unknown");
    assert!(json["metrics"]["lag"]["reason"].as_str().unwrap().contains("needs Prometheus"));
    assert_eq!(run.code, 3, "one KPI is unknown");
}

#[test]
fn a_counter_that_was_reset_has_grown_by_its_new_value() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write("liveops.yaml", backends.scrape_config("- { name: purchases, rate: game_purchases_total }"));
    for (now, total) in [("2026-01-15T10:30:00Z", 5000), ("2026-01-15T10:30:30Z", 60)] {
        backends.expose(&format!("game_purchases_total {total}\n"));
        env.command(["status"]).env("LIVEOPS_NOW", now).run();
    }
    let run = env.command(["status", "-o", "json"]).env("LIVEOPS_NOW", "2026-01-15T10:30:30Z").run();
    assert!(close(value(&run.json(), "purchases"), 2.0), "{}", run.stdout);
}

#[test]
fn the_first_look_waits_a_second_and_the_next_is_instant() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write("liveops.yaml", backends.scrape_config("- { name: purchases, rate: game_purchases_total }"));
    backends.expose_each(|scrape| format!("game_purchases_total {}\n", scrape * 100));
    let first = env.run(["status", "-o", "json"]).expect_code(0);
    let rate = value(&first.json(), "purchases");
    assert!((60.0..=100.5).contains(&rate), "100 in a good second, not {rate} a second");
    assert!(first.took >= Duration::from_secs(1), "{:?}", first.took);
    let again = env.run(["status", "-o", "json"]).expect_code(0);
    assert!(again.took < Duration::from_millis(900), "{:?}", again.took);
    assert_eq!(backends.service.requests_to("/api/health/metrics").len(), 3);
}

#[test]
fn a_status_without_counters_does_not_wait() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write("liveops.yaml", backends.scrape_config("- { name: players, gauge: game_active_players }"));
    let run = env.run(["status"]).expect_code(0);
    assert!(run.took < Duration::from_millis(900), "{:?}", run.took);
    assert_eq!(backends.service.requests_to("/api/health/metrics").len(), 1);
}

#[test]
fn some_endpoints_of_several_make_the_sum_unknown_not_small() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    let url = backends.service.url();
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nservices:\n  - name: game\n    metrics: [ \"{url}/a\", \"{url}/b\" ]\nkpis:\n  - {{ name: players, gauge: game_active_players }}\n"
        ),
    );
    backends.service.set("GET", "/a", Answer::text("game_active_players 10\n"));
    backends.service.set("GET", "/b", Answer::text("game_active_players 7\n"));
    let both = env.run(["status", "-o", "json"]).expect_code(0).json();
    assert!(close(value(&both, "players"), 17.0));
    backends.service.set("GET", "/b", Answer::text("").status(500));
    let one = env.run(["status", "-o", "json"]).expect_code(3).json();
    assert_eq!(one["metrics"]["players"]["value"], Value::Null);
    insta::assert_snapshot!(one["metrics"]["players"]["reason"].as_str().unwrap(), @r#"
        1 of 2 endpoints did not answer; game metrics: answered 500
        "#);
    assert_eq!(one["sources"][0]["state"], "degraded");
}

#[test]
fn a_guessed_metrics_path_that_is_not_there_is_nobodys_fault() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    backends.service.set("GET", "/api/health/metrics", Answer::text("no such page").status(404));
    let run = env.run(["status", "--health", &backends.service.url(), "-o", "json"]).expect_code(0);
    assert_eq!(run.json()["sources"], json!([]));
    env.write("liveops.yaml", backends.scrape_config(""));
    let run = env.run(["status", "-o", "json"]).expect_code(3).json();
    assert_eq!(run["sources"][0]["state"], "down", "a path that was configured is a fault");
}

#[test]
fn presets_stand_in_for_kpis_and_show_only_what_has_data() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    backends.expose(&exposition(1));
    let run = env.run(["status", "--health", &backends.service.url(), "-o", "json"]);
    let json = run.json();
    assert_eq!(json["metrics"]["active_players"]["value"], 1204.0, "{}", run.stdout);
    let kpis = json["metrics"].as_object().unwrap();
    assert!(kpis.values().all(|kpi| !kpi["value"].is_null()), "{}", run.stdout);
    let table = env.run(["status", "--health", &backends.service.url()]);
    assert!(table.stdout.contains("KPIs  the usual ones that have data here"), "{}", table.stdout);
}

#[test]
fn prometheus_that_is_down_is_replaced_by_scrapes_and_still_named() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    let config = backends.config("- { name: players, gauge: game_active_players }");
    env.write("liveops.yaml", config.replace(&backends.prometheus.url(), "http://127.0.0.1:1"));
    let run = env.run(["status"]).expect_code(3);
    assert!(run.stdout.contains("prometheus down: connection refused"), "{}", run.stdout);
    assert!(run.stdout.contains("17"), "{}", run.stdout);
    let json = env.run(["status", "-o", "json"]).json();
    assert_eq!(json["metrics"]["players"]["source"], "scrape");
    assert_eq!(json["metrics"]["players"]["level"], "ok");
    assert_eq!((json["verdict"].as_str(), json["status"].as_str()), (Some("unknown"), Some("partial")));
}

#[test]
fn samples_that_carry_an_old_time_are_not_shown_as_now() {
    let (backends, env) = (Backends::start(), TestEnv::new().now("2026-01-15T10:30:00Z"));
    env.write("liveops.yaml", backends.scrape_config("- { name: players, gauge: game_active_players }"));
    let at = |time: &str| time.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis();
    backends.expose(&format!("game_active_players 17 {}\n", at("2026-01-15T10:29:00Z")));
    env.run(["status"]).expect_code(0);
    backends.expose(&format!("game_active_players 17 {}\n", at("2026-01-15T09:29:00Z")));
    let json = env.run(["status", "-o", "json"]).expect_code(3).json();
    assert_eq!(json["metrics"]["players"]["value"], Value::Null);
    let reason = json["metrics"]["players"]["reason"].as_str().unwrap();
    assert!(reason.contains("old"), "{reason}");
}

fn at(env: &TestEnv, second: u32) -> Value {
    let now = format!("2026-01-15T10:30:{second:02}Z");
    env.command(["status", "-o", "json"]).env("LIVEOPS_NOW", &now).run().json()
}

#[test]
fn the_first_errors_of_an_outage_are_critical_before_prometheus_has_a_rate_of_them() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    let ratio = "ratio: { of: 'http_requests_total{status=~\"5..\"}', to: http_requests_total, window: 5m }";
    env.write("liveops.yaml", backends.scrape_config(&format!("- {{ name: errors, {ratio}, critical: \"> 1%\" }}")));
    for (second, good, bad) in [(0, 1000, None), (15, 1100, None), (30, 1200, Some(50))] {
        let bad = bad.map_or_else(String::new, |bad| format!("http_requests_total{{status=\"503\"}} {bad}\n"));
        backends.expose(&format!("http_requests_total{{status=\"200\"}} {good}\n{bad}"));
        let seen = at(&env, second)["metrics"]["errors"].clone();
        let level = ["unknown", "ok", "critical"][second as usize / 15];
        assert_eq!(seen["level"], level, "{second}: {seen}");
    }
}

/// Looks that are a second apart are thinned out, but not the one at which a series was born.
#[test]
fn quick_looks_do_not_lose_when_the_errors_began() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    let kpi = "- { name: errors, ratio: { of: 'http_requests_total{status=~\"5..\"}', to: http_requests_total, window: 5m } }";
    env.write("liveops.yaml", backends.scrape_config(kpi));
    let mut seen = Value::Null;
    for (second, errors) in [None, None, Some(50), Some(100), Some(150)].into_iter().enumerate() {
        let failed = errors.map_or_else(String::new, |n| format!("http_requests_total{{status=\"503\"}} {n}\n"));
        backends.expose(&format!("http_requests_total{{status=\"200\"}} {}\n{failed}", 1000 + 100 * second));
        seen = at(&env, u32::try_from(second).unwrap());
    }
    // As of all five: 100 between the last three looks, and half a step before the first of them (75 of two looks).
    let ratio = value(&seen, "errors");
    assert!((0.23..0.31).contains(&ratio), "{ratio}");
}

#[test]
fn a_part_that_is_gone_is_said_whether_its_endpoint_answers_or_not() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    env.write("liveops.yaml", backends.scrape_config("- { name: players, gauge: game_active_players, by: region }"));
    let both = "game_active_players{region=\"eu\"} 700\ngame_active_players{region=\"us\"} 3000\n";
    backends.expose(both);
    assert_eq!(at(&env, 0)["metrics"]["players"]["level"], "ok");
    backends.expose("game_active_players{region=\"eu\"} 700\n");
    let seen = at(&env, 12)["metrics"]["players"].clone();
    assert_eq!(seen["level"], "unknown", "{seen}");
    assert_eq!(seen["gone"], json!([{"name": "us", "was": 3000.0, "last_seen": "2026-01-15T10:30:00Z"}]));
    let screen = env.command(["status"]).env("LIVEOPS_NOW", "2026-01-15T10:30:12Z").run().stdout;
    assert!(screen.contains("us: gone (was 3,000, 12 s ago)"), "{screen}");
    backends.service.set("GET", "/api/health/metrics", Answer::text("").status(500));
    let names: Vec<Value> =
        at(&env, 20)["metrics"]["players"]["gone"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["eu", "us"]);
}

#[test]
fn beyond_the_last_bucket_a_quantile_is_a_lower_bound() {
    let (backends, env) = (Backends::start(), TestEnv::new());
    let quantile = "quantile: { q: 0.99, histogram: t_seconds, window: 5m }";
    env.write(
        "liveops.yaml",
        backends.scrape_config(&format!(
            "- {{ name: lax, {quantile}, critical: \"> 1s\" }}\n- {{ name: strict, {quantile}, critical: \"> 500ms\" }}"
        )),
    );
    for (second, slow) in [(0, 0), (15, 40)] {
        let all = 100 + slow;
        backends.expose(&format!("t_seconds_bucket{{le=\"0.1\"}} 50\nt_seconds_bucket{{le=\"0.5\"}} 90\nt_seconds_bucket{{le=\"+Inf\"}} {all}\n"));
        let seen = at(&env, second)["metrics"].clone();
        if slow > 0 {
            assert_eq!(
                (&seen["lax"]["level"], &seen["lax"]["lower_bound"]),
                (&json!("unknown"), &json!(true)),
                "{seen}"
            );
            assert_eq!(seen["strict"]["level"], "critical", "{seen}");
        }
    }
}
