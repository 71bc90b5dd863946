//! `liveops slo`: screens, JSON, exit codes and refusals, against a Prometheus whose numbers a test sets.

use serde_json::{Value, json};

use crate::support::backends::{NOW, joined};
use crate::support::http::Request;
use crate::support::{Answer, Run, Stub, TestEnv};

const CONFIG: &str = "version: 1
services: [{ name: api }]
slos:
  - { name: api-availability, service: api, objective: 99.9%, ratio: { bad: 'r{status=~\"5..\"}', total: r } }
";

/// Bad events in each window, and in the period, of a million.
#[derive(Clone, Copy)]
pub(crate) struct World {
    pub(crate) short: f64,
    pub(crate) long: f64,
    pub(crate) period: f64,
    /// Answers are of this moment, and not of the tests' own.
    pub(crate) real: bool,
}

pub(crate) const HEALTHY: World = World { short: 100.0, long: 300.0, period: 400.0, real: false };

/// A Prometheus that answers each of the joined expressions by what it asks for.
pub(crate) fn prometheus(world: World) -> Stub {
    answering(world.real, move |expression| {
        let window = if expression.contains("[30d]") {
            world.period
        } else if ["[5m]", "[30m]", "[1h]", "[2h]"].iter().any(|window| expression.contains(window)) {
            world.short
        } else {
            world.long
        };
        match expression {
            _ if expression.contains("slo:") => None,
            _ if expression.contains("count_over_time") => Some(if expression.contains("6h:") { 73.0 } else { 721.0 }),
            _ if expression.contains("status") => Some(window),
            _ => Some(1_000_000.0),
        }
    })
}

pub(crate) fn prometheus_of(value: impl Fn(&str) -> Option<f64> + Send + Sync + 'static) -> Stub {
    answering(false, value)
}

#[allow(clippy::disallowed_methods, reason = "a real look is at the real time")]
fn answering(real: bool, value: impl Fn(&str) -> Option<f64> + Send + Sync + 'static) -> Stub {
    let answer = move |request: &Request| {
        let query = request.param("query").unwrap_or_default();
        let mut series = Vec::new();
        for (expression, id) in joined(&query) {
            if let Some(value) = value(expression) {
                let at = if real { chrono::Utc::now().timestamp() } else { at(NOW) };
                series.push(json!({ "metric": { "liveops_id": id }, "value": [at, value.to_string()] }));
            }
        }
        Answer::json(json!({ "status": "success", "data": { "resultType": "vector", "result": series } }))
    };
    let empty = json!({ "status": "success", "data": { "resultType": "matrix", "result": [] } });
    Stub::new().on_fn("POST", "/api/v1/query", answer).on("POST", "/api/v1/query_range", Answer::json(empty))
}

fn at(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp()
}

fn env() -> TestEnv {
    let env = TestEnv::new().now(NOW);
    env.write("liveops.yaml", CONFIG);
    env
}

fn ask(env: &TestEnv, stub: &Stub, args: &[&str]) -> Run {
    env.run([args, &["--prometheus", &stub.url()]].concat())
}

fn first(run: &Run) -> Value {
    run.json()["data"]["slos"][0].clone()
}

#[test]
fn status_says_what_is_left_and_how_fast_it_burns() {
    let (env, stub) = (env(), prometheus(HEALTHY));
    let run = ask(&env, &stub, &["slo"]).expect_code(0);
    assert!(run.stdout.contains("OK  1 SLO within budget"), "{}", run.stdout);
    assert!(run.stdout.contains("60.0 %"), "{}", run.stdout);
    let found = first(&ask(&env, &stub, &["slo", "status", "-o", "json"]).expect_code(0));
    assert_eq!(found["budget_remaining"].as_f64().map(|left| (left * 1e6).round()), Some(600_000.0));
    assert_eq!(found["bad"], 400.0);
    assert_eq!(found["good"], 999_600.0);
    assert_eq!(found["level"], "ok");
    assert_eq!(found["exhausts_at"], Value::Null);
    assert!(stub.requests_to("/api/v1/query").len() <= 16, "two runs of at most eight queries");
}

#[test]
fn a_budget_that_burns_pages_and_says_when_it_is_gone() {
    let (env, stub) = (env(), prometheus(World { short: 20_000.0, long: 7_000.0, ..HEALTHY }));
    let run = ask(&env, &stub, &["slo", "status"]).expect_code(1);
    assert!(run.stdout.contains("CRITICAL  api-availability burns 20.0× over 1h"), "{}", run.stdout);
    assert!(run.stdout.contains("next: liveops slo budget api-availability --explain"), "{}", run.stdout);
    let found = first(&ask(&env, &stub, &["slo", "status", "-o", "json"]).expect_code(1));
    // 60 % of 30 days at seven times the speed.
    assert_eq!(found["exhausts_at"], "2026-01-18T00:12:51Z");
    assert_eq!(found["exhausts_by"], "3d");
    assert_eq!(found["alerting"][0]["severity"], "page");
}

#[test]
fn what_is_not_known_is_never_ok() {
    let nothing = prometheus_of(|_| None);
    let nan = prometheus_of(|_| Some(f64::NAN));
    let impossible = prometheus_of(|expression| match expression {
        _ if expression.contains("slo:") => None,
        _ => Some(if expression.contains("status") { 90.0 } else { 10.0 }),
    });
    let partial = Stub::new().on_fn("POST", "/api/v1/query", |_| {
        Answer::json(json!({ "status": "success", "warnings": ["a store is down"],
            "data": { "resultType": "vector", "result": [] } }))
    });
    let refused = Stub::new().on("POST", "/api/v1/query", {
        Answer::json(json!({ "status": "error", "errorType": "execution", "error": "query processing would load too many samples" })).status(422)
    });
    let idle = prometheus_of(|expression| {
        (!expression.contains("slo:")).then(|| if expression.contains("count_over") { 721.0 } else { 0.0 })
    });
    for (name, stub, why) in [
        ("no series", nothing, "no data of r"),
        ("NaN", nan, "not numbers"),
        ("more bad than all", impossible, "more bad than all"),
        ("partial", partial, "a store is down"),
        ("422", refused, "too many samples"),
        ("no traffic", idle, "no traffic"),
    ] {
        let env = env();
        let run = ask(&env, &stub, &["slo", "status", "-o", "json"]).expect_code(3);
        let found = first(&run);
        assert_eq!(found["level"], "unknown", "{name}: {found}");
        assert!(found["reason"].as_str().is_some_and(|text| text.contains(why)), "{name}: {found}");
        assert_eq!(found["attained"].is_null(), found["reasons"]["attained"].is_string(), "{name}: {found}");
        ask(&env, &stub, &["slo", "check"]).expect_code(3);
        ask(&env, &stub, &["slo", "budget", "api-availability"]).expect_code(3);
        ask(&env, &stub, &["slo", "simulate"]).expect_code(3);
    }
    let env = env();
    env.run(["slo", "status", "--prometheus", "http://127.0.0.1:1"]).expect_code(3);
    env.run(["slo", "check", "--prometheus", "http://127.0.0.1:1"]).expect_code(3);
    env.run(["slo", "status"]).expect_code(3);
}

#[test]
fn an_objective_of_a_metric_that_nobody_has_ever_seen_is_unknown() {
    let (env, stub) = (env(), prometheus(HEALTHY));
    stub.set("GET", "/api/v1/label/__name__/values", Answer::json(json!({"status": "success", "data": ["up"]})));
    let found = first(&ask(&env, &stub, &["slo", "status", "-o", "json"]).expect_code(3));
    assert_eq!(found["level"], "unknown", "{found}");
    assert!(found["reason"].as_str().is_some_and(|why| why.contains("there is no metric")), "{found}");
    ask(&env, &stub, &["slo", "check"]).expect_code(3);
}

#[test]
fn the_gate_refuses_what_is_spent_and_a_waiver_is_kept_until_it_ends() {
    let (env, clean) = (env(), prometheus(HEALTHY));
    ask(&env, &clean, &["slo", "check"]).expect_code(0);
    ask(&env, &clean, &["slo", "check", "--min-budget", "60%"]).expect_code(0);
    let run = ask(&env, &clean, &["slo", "check", "--min-budget", "61%"]).expect_code(1);
    assert!(run.stdout.contains("60.0 % of the budget is left, below 61 %"), "{}", run.stdout);
    let spent = prometheus(World { period: 1_500.0, ..HEALTHY });
    let run = ask(&env, &spent, &["slo", "check"]).expect_code(1);
    assert!(
        run.stdout.contains("REFUSED") && run.stdout.contains("the error budget is spent: -50.0 % left"),
        "{}",
        run.stdout
    );
    let burning = prometheus(World { short: 20_000.0, long: 7_000.0, ..HEALTHY });
    ask(&env, &burning, &["slo", "check"]).expect_code(1);

    // Unasked it is refused, confirmed it holds, and shows.
    ask(&env, &spent, &["slo", "check", "--waive", "hotfix for INC-7", "--for", "2h"]).expect_code(4);
    let run =
        ask(&env, &spent, &["slo", "check", "--waive", "hotfix for INC-7", "--for", "2h", "--yes"]).expect_code(0);
    assert!(run.stdout.contains("waived") && run.stdout.contains("hotfix for INC-7"), "{}", run.stdout);
    let json = ask(&env, &spent, &["slo", "check", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["data"]["slos"][0]["waived"]["until"], "2026-01-15T12:30:00Z");
    assert_eq!(json["verdict"], "warn");
    let later =
        env.command(["slo", "check", "--prometheus", &spent.url()]).env("LIVEOPS_NOW", "2026-01-15T12:31:00Z").run();
    assert_ne!(later.code, 0, "{}", later.stdout);
    for args in [["--min-budget", "10"], ["--waive", ""], ["--for", "2h"]] {
        ask(&env, &clean, &[&["slo", "check"], args.as_slice()].concat()).expect_code(2);
    }
}

/// Minutes of data of 30 days: so many looks every five minutes.
fn young(looks: f64) -> Stub {
    prometheus_of(move |expression| match expression {
        _ if expression.contains("slo:") => None,
        _ if expression.contains("count_over_time") => Some(if expression.contains("6h:") { looks } else { 1.0 }),
        _ => Some(if expression.contains("status") { 1.0 } else { 1_000_000.0 }),
    })
}

#[test]
fn how_much_of_the_window_has_data_is_said_and_hardly_any_passes_no_gate() {
    let env = env();
    let run = ask(&env, &young(1.0), &["slo", "check"]).expect_code(3);
    assert!(run.stdout.contains("UNKNOWN, does not pass"), "{}", run.stdout);
    assert!(run.stdout.contains("data for 5m of 30d is too little to tell"), "{}", run.stdout);
    let found = first(&ask(&env, &young(1.0), &["slo", "status", "-o", "json"]).expect_code(3));
    assert_eq!(found["level"], "unknown", "{found}");
    let run = ask(&env, &young(12.0), &["slo", "check"]).expect_code(0);
    assert!(run.stdout.contains("99.9 % of the budget is left; data for 1h of 30d"), "{}", run.stdout);
    let whole = ask(&env, &prometheus(HEALTHY), &["slo", "check"]).expect_code(0);
    assert!(!whole.stdout.contains("data for"), "{}", whole.stdout);
}

#[test]
fn rules_are_written_once_and_nothing_foreign_is_overwritten() {
    let env = env();
    let dry = env.run(["slo", "generate", "--out", "rules/slo.yml", "--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains("alert: ErrorBudgetBurn"), "{}", dry.stdout);
    assert!(!env.path().join("rules/slo.yml").exists());
    let args = ["slo", "generate", "--out", "rules/slo.yml", "--inhibit", "am.yml", "--openslo", "all.yaml"];
    let run = env.run(args).expect_code(0);
    assert!(run.stdout.contains("next: promtool test rules rules/slo_test.yml"), "{}", run.stdout);
    assert!(env.read("rules/slo.yml").contains("# 14.4 × (1 − 0.999) = 0.0144"));
    assert!(env.read("am.yml").contains("equal: [slo]"));
    env.run(args).expect_code(0);
    // What liveops writes passes what liveops checks, with a runbook for each alert.
    for name in ["ErrorBudgetBurn", "SLOMetricMissing"] {
        assert!(env.path().join(format!("docs/runbooks/alerts/{name}.md")).exists(), "{}", run.stdout);
    }
    let checked = env.run(["check", "alerts", "rules/slo.yml", "-o", "json"]).expect_code(0);
    assert!(!checked.stdout.contains("\"A13\""), "{}", checked.stdout);
    // What was written as OpenSLO reads back as the same.
    env.run(["slo", "generate", "all.yaml", "--out", "again.yml"]).expect_code(0);
    assert_eq!(env.read("rules/slo.yml"), env.read("again.yml"));
    env.write("mine.yml", "groups: []\n");
    env.run(["slo", "generate", "--out", "mine.yml"]).expect_code(4);
    assert_eq!(env.read("mine.yml"), "groups: []\n");
    env.run(["slo", "generate", "--out", "x.yml", "--read-only"]).expect_code(4);
    let operator = env.run(["slo", "generate", "--out", "o.yml", "--format", "operator"]).expect_code(0);
    assert!(operator.stderr.contains("promtool reads plain rule files alone"), "{}", operator.stderr);
    assert!(env.read("o.yml").contains("kind: PrometheusRule"));
}

#[test]
fn what_is_wrong_has_its_line_and_its_code() {
    let env = env();
    for (config, args, code, want) in [
        ("version: 1\n", vec!["slo"], 2, "no SLO is configured"),
        (CONFIG, vec!["slo", "status", "api-availabilty"], 2, "did you mean `api-availability`"),
        (CONFIG, vec!["slo", "status", "none.yaml"], 2, "none.yaml"),
        (CONFIG, vec!["slo", "generate"], 2, "--out"),
        ("version: 1\nslos: { files: ['slo/*.yaml'] }\n", vec!["slo"], 2, "names no file"),
        ("version: 1\nslos:\n  - { name: a, objective: 200%, up: up }\n", vec!["slo"], 2, "liveops.yaml:3"),
    ] {
        env.write("liveops.yaml", config);
        let run = env.run(args.clone()).expect_code(code);
        assert!(run.stderr.contains(want), "{args:?}: {}", run.stderr);
    }
    env.write("liveops.yaml", "version: 1\nslos: { files: ['slo/*.yaml'] }\n");
    env.write(
        "slo/a.yaml",
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: { name: a }\nspec:\n  service: s\n  budgetingMethod: Often\n",
    );
    let run = env.run(["slo"]).expect_code(2);
    assert!(run.stderr.contains("slo/a.yaml:6") && run.stderr.contains("must be Occurrences"), "{}", run.stderr);
    let run = env.run(["config", "validate"]).expect_code(2);
    assert!(run.stderr.contains("slo/a.yaml:6"), "{}", run.stderr);
}

#[test]
fn status_shows_the_worst_burn_and_the_whole_screen_agrees() {
    let (env, stub) = (env(), prometheus(World { short: 20_000.0, long: 7_000.0, ..HEALTHY }));
    let run = ask(&env, &stub, &["status"]);
    assert!(run.stdout.contains("Error budgets"), "{}", run.stdout);
    assert!(run.stdout.contains("burns its error budget fast"), "{}", run.stdout);
    let json = ask(&env, &stub, &["status", "-o", "json"]).json();
    assert_eq!(json["data"]["slos"][0]["level"], "critical");
    let spent = prometheus(World { period: 1_500.0, ..HEALTHY });
    let run = ask(&env, &spent, &["status"]);
    let words = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("the error budget is spent, and burns too slowly to page"), "{}", run.stdout);
    let healthy = prometheus(HEALTHY);
    let run = ask(&env, &healthy, &["status"]);
    assert!(run.stdout.contains("60.0 % left"), "{}", run.stdout);
}
