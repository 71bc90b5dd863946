//! A value has an age: what stops to be measured is not well any more, and a part that is gone is said to be.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Exporter, Prometheus, TestEnv, until};

const LIMIT: Duration = Duration::from_secs(30);

/// A region's players, requests and ticks, of which the slowest are beyond the last finite bucket.
fn region(name: &str) -> Exporter {
    Exporter::new(&format!(
        "game_active_players{{region=\"{name}\"}} 3000\n\
         http_requests_total{{region=\"{name}\",status=\"200\"}} 5000\n\
         tick_seconds_bucket{{region=\"{name}\",le=\"0.1\"}} 50\n\
         tick_seconds_bucket{{region=\"{name}\",le=\"0.5\"}} 90\n\
         tick_seconds_bucket{{region=\"{name}\",le=\"+Inf\"}} 100\n"
    ))
}

fn look(env: &TestEnv) -> Value {
    env.run(["status", "-o", "json"]).json()
}

/// Looks until `accepts` likes what it sees.
fn until_seen(env: &TestEnv, what: &str, accepts: impl Fn(&Value) -> bool) -> Value {
    until(what, LIMIT, || Some(look(env)).filter(&accepts))
}

#[test]
fn a_region_that_dies_is_gone_and_with_the_last_one_the_figures_are_stale() {
    let (eu, us) = (region("eu"), region("us"));
    let prometheus = Prometheus::start(&[eu.target("game"), us.target("game")], "", None, "1s");
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nenvironments:\n  default: {{ prometheus: \"{}\" }}\nkpis:\n\
             \x20 - {{ name: players, gauge: game_active_players, by: region }}\n\
             \x20 - {{ name: requests, rate: {{ of: http_requests_total, window: 1m }}, by: region }}\n\
             \x20 - {{ name: own, promql: \"sum(rate(http_requests_total[1m])) or vector(0)\" }}\n",
            prometheus.url()
        ),
    );
    // Both have lived through a step of the subqueries that find what is gone (5 s).
    prometheus.wait_until("min(count_over_time(http_requests_total[1m]))", |count| count >= 7.0);
    let both = look(&env);
    for kpi in ["players", "requests", "own"] {
        assert_eq!(both["metrics"][kpi]["level"], "ok", "{}", both["metrics"]);
        assert_eq!(both["metrics"][kpi]["targets"], 2, "{}", both["metrics"]);
        assert!(both["metrics"][kpi]["newest_sample"].is_string(), "{}", both["metrics"]);
    }
    assert_eq!(both["metrics"]["players"]["gone"], json!([]));

    us.fail(503);
    let one = until_seen(&env, "us to be gone", |seen| {
        ["players", "requests"].iter().all(|kpi| seen["metrics"][kpi]["gone"] != json!([]))
    });
    for kpi in ["players", "requests"] {
        let seen = &one["metrics"][kpi];
        assert_eq!((&seen["level"], &seen["gone"][0]["name"]), (&json!("unknown"), &json!("us")), "{seen}");
        assert_eq!(seen["by"].as_object().unwrap().keys().collect::<Vec<_>>(), ["eu"]);
    }
    assert_eq!(one["metrics"]["players"]["gone"][0]["was"], 3000.0);
    assert_eq!(one["metrics"]["own"]["level"], "ok", "a sum has no parts");
    let screen = env.run(["status"]).stdout;
    assert!(screen.contains("us: gone (was 3,000, "), "{screen}");

    eu.fail(503);
    let none = until_seen(&env, "all to be stale", |seen| {
        ["requests", "own"].iter().all(|kpi| seen["metrics"][kpi]["level"] == "unknown")
    });
    // The rate still has a value, for its whole window.
    assert!(none["metrics"]["requests"]["value"].is_number(), "{}", none["metrics"]);
    assert!(none["metrics"]["requests"]["as_of"].is_string(), "{}", none["metrics"]);
    let reason = none["metrics"]["requests"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("stale: the newest sample is "), "{reason}");
    let query = env.run(["query", "--kpi", "requests"]).expect_code(3);
    assert!(query.stdout.contains("stale: the newest sample is "), "{}", query.stdout);
}

#[test]
fn a_quantile_beyond_the_last_bucket_is_a_lower_bound() {
    let exporter = region("eu");
    let prometheus = Prometheus::start(&[exporter.target("game")], "", None, "1s");
    prometheus.wait_until("count_over_time(up[1m])", |count| count >= 2.0);
    let body = |slow: u32| {
        let all = 100 + slow;
        format!(
            "tick_seconds_bucket{{region=\"eu\",le=\"0.1\"}} 50\ntick_seconds_bucket{{region=\"eu\",le=\"0.5\"}} 90\n\
             tick_seconds_bucket{{region=\"eu\",le=\"+Inf\"}} {all}\n"
        )
    };
    exporter.set(&body(40));
    let promql = "histogram_quantile(0.99, sum by (region, le) (rate(tick_seconds_bucket[1m])))";
    prometheus.wait_until(promql, |value| value == 0.5);
    let env = TestEnv::new();
    let quantile = "quantile: { q: 0.99, histogram: tick_seconds, window: 1m }, by: region";
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nenvironments:\n  default: {{ prometheus: \"{}\" }}\nkpis:\n\
             \x20 - {{ name: lax, {quantile}, critical: \"> 1s\" }}\n\
             \x20 - {{ name: strict, {quantile}, critical: \"> 500ms\" }}\n",
            prometheus.url()
        ),
    );
    let seen = look(&env)["metrics"].clone();
    for (kpi, level) in [("lax", "unknown"), ("strict", "critical")] {
        assert_eq!((&seen[kpi]["level"], &seen[kpi]["value"]), (&json!(level), &json!(0.5)), "{seen}");
        assert_eq!((&seen[kpi]["lower_bound"], &seen[kpi]["by_lower_bound"]), (&json!(true), &json!(["eu"])));
    }
    let screen = env.run(["status"]).stdout;
    assert!(screen.contains("> 500 ms") && screen.contains("beyond the histogram's last bucket"), "{screen}");
    let query = env.run(["query", "--kpi", "strict"]).expect_code(1).stdout;
    assert!(query.contains("> 500 ms"), "{query}");
    let query = env.run(["query", promql]).stdout;
    assert!(query.contains("> 0.5"), "{query}");
    let json = env.run(["query", promql, "-o", "json"]).json();
    assert_eq!(json["data"]["lower_bounds"], json!([{"region": "eu"}]));
}
