//! `liveops query --kpi`: judged, broken down, plotted, explained.

use serde_json::{Value, json};

use super::{AT, env, prometheus, success, vector};
use crate::support::{Stub, TestEnv};

const CONFIG: &str = r#"
version: 1
environments:
  lab: { prometheus: { url: "URL" } }
kpis:
  - { name: tick_p99, quantile: { q: 0.99, histogram: game_tick_duration_seconds }, by: region, warn: "> 16ms", critical: "> 20ms" }
  - { name: players, gauge: game_active_players }
"#;

fn with_config(stub: &Stub) -> TestEnv {
    let env = env();
    env.write("liveops.yaml", CONFIG.replace("URL", &stub.url()));
    env
}

#[test]
fn a_kpi_is_judged() {
    for (value, code, verdict, level) in [
        ("0.0172", 0, "warn", "warn"),
        ("0.0312", 1, "fail", "critical"),
        ("0.004", 0, "pass", "ok"),
        ("NaN", 3, "unknown", "unknown"),
    ] {
        let stub = prometheus(vector(&[(json!({}), value)]));
        let run = with_config(&stub).run(["query", "--kpi", "tick_p99", "-o", "json"]).expect_code(code);
        let report = run.json();
        assert_eq!(report["verdict"], verdict);
        let metric = &report["metrics"]["tick_p99"];
        assert_eq!((&metric["level"], &metric["unit"]), (&json!(level), &json!("s")));
        assert_eq!(metric["source"], "prometheus");
    }
}

#[test]
fn a_kpi_shows_its_breakdown_with_its_unit() {
    let stub = Stub::new().on_fn("POST", "/api/v1/query", |request| {
        if request.param("query").unwrap_or_default().contains("by (le, region)") {
            vector(&[(json!({"region": "eu"}), "0.0312"), (json!({"region": "us"}), "0.004")])
        } else {
            vector(&[(json!({}), "0.0172")])
        }
    });
    let run = with_config(&stub).run(["query", "--kpi", "tick_p99"]);
    insta::assert_snapshot!(run.snapshot_exact(), @r#"
    code: 0
    --- stdout
    ▲ tick p99  17.2 ms  warn  (warn > 16ms, critical > 20ms)

      REGION    VALUE
      eu      31.2 ms
      us         4 ms

    next: liveops query --kpi tick_p99 --plot
    --- stderr
    "#);
}

#[test]
fn a_kpi_is_plotted_with_its_thresholds() {
    let values: Vec<Value> = (0..=240)
        .map(|n| json!([AT - 3_600.0 + f64::from(n) * 15.0, format!("{}", 0.012 + f64::from(n % 60) / 10_000.0)]))
        .collect();
    let stub = prometheus(success(json!({"resultType": "matrix", "result": [{"metric": {}, "values": values}]})));
    let run = with_config(&stub).run(["query", "--kpi", "tick_p99", "--plot"]);
    insta::assert_snapshot!(run.snapshot_exact(), @r#"
    code: 0
    --- stdout
    ● tick p99  12 ms  ok  (warn > 16ms, critical > 20ms)
    tick p99                                                                2026-01-15 09:30 – 10:30 UTC
    20 ms ┤╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ critical above 20 ms
          │
          │
    18 ms ┤                      ⢀                       ⡀                      ⡀                      ⡀
          │                     ⡤⢺                     ⡠⠊⡇                    ⡠⠎⡇                    ⡠⠜⡇
          │                   ⡰⠊ ⢸                   ⡠⠊  ⡇                  ⡠⠚  ⡇                  ⢠⠒⠁ ⡇
          │                ⢀⡰⠉   ⢸                ⢀⡠⠋    ⡇                ⡠⠊⠁   ⡇                ⣠⠊⠁   ⡇
    16 ms ┤╌╌╌╌╌╌╌╌╌╌╌╌╌╌⢀⠤⠃╌╌╌╌╌⢸╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌⡤⠊╌╌╌╌╌╌⡇╌╌╌╌╌╌╌╌╌╌╌╌╌╌⡠⠊╌╌╌╌╌╌⡇╌╌╌╌╌╌ warn above 16 ms
          │            ⢀⠔⠉       ⢸            ⢀⡔⠉        ⡇           ⢀⡰⠉        ⡇           ⢀⡠⠊        ⡇
          │          ⢀⠔⠁         ⠈⡆         ⢀⠴⠁          ⢱         ⢀⠤⠃          ⢱          ⡤⠊          ⢱
          │        ⢀⠔⠁            ⡇       ⢀⠔⠃            ⢸       ⢀⠔⠊            ⢸        ⡔⠊            ⢸
    14 ms ┤      ⡠⠜⠁              ⡇     ⢠⠔⠁              ⢸     ⢀⠔⠉              ⢸     ⢀⠴⠉              ⢸
          │    ⡠⠒⠁                ⡇   ⢀⠖⠁                ⢸   ⢀⠔⠁                ⢸   ⢀⠔⠃                ⢸
          │  ⣠⠊⠁                  ⡇ ⣀⠎⠁                  ⢸ ⣀⠜⠁                  ⢸ ⢀⠔⠁                  ⢸
    12 ms ┤⡠⠎                     ⡧⠜                     ⢸⠔⠁                    ⢸⠔⠁                    ⢸
          └┬──────────────┬───────────────┬──────────────┬──────────────┬───────────────┬──────────────┬
      UTC 09:30         09:40           09:50          10:00          10:10           10:20        10:30
                 last    min      max
    ⠒ tick_p99  12 ms  12 ms  17.9 ms

    next: liveops status
    --- stderr
    "#);
}

#[test]
fn a_kpi_is_explained_without_asking() {
    let stub = Stub::new();
    let run = with_config(&stub).run(["query", "--kpi", "tick_p99", "--explain"]);
    insta::assert_snapshot!(run.snapshot_exact(), @r#"
    code: 0
    --- stdout
    tick p99  in s
    promql     histogram_quantile(0.99, sum by (le) (rate(game_tick_duration_seconds_bucket[5m])))
    by region  histogram_quantile(0.99, sum by (le, region) (rate(game_tick_duration_seconds_bucket[5m])))
    warn       > 16ms
    critical   > 20ms
    gives      instant vector
    metrics    game_tick_duration_seconds_bucket

    next: liveops query --kpi tick_p99
    --- stderr
    "#);
    assert_eq!(stub.requests().len(), 0);
    let run = env().run(["query", "sum by(a)(x)/y", "--explain", "-o", "json"]).expect_code(0);
    assert_eq!(run.json()["schema"], "liveops.query.explain/1");
    assert_eq!(run.json()["data"]["gives"], "instant vector");
    assert_eq!(run.json()["data"]["metrics"], json!(["x", "y"]));
}

#[test]
fn a_kpi_that_does_not_exist_or_cannot_be_asked() {
    let stub = Stub::new();
    let run = with_config(&stub).run(["query", "--kpi", "tickp99"]).expect_code(2);
    assert!(run.stderr.contains("did you mean `tick_p99`?"), "{}", run.stderr);
    let env = env();
    env.write("liveops.yaml", CONFIG.replace("lab: { prometheus: { url: \"URL\" } }", "lab: {}"));
    let run = env.run(["query", "--kpi", "players"]).expect_code(2);
    assert!(run.stderr.contains("`liveops status` computes KPIs from direct scrapes"), "{}", run.stderr);
}
