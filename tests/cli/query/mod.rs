//! `liveops query` against a stub that answers as Prometheus does: results in every form.

mod kpi;
mod refused;

use serde_json::{Value, json};

use crate::support::{Answer, Stub, TestEnv};

const NOW: &str = "2026-01-15T10:30:00Z";
/// [`NOW`] in unix seconds.
const AT: f64 = 1_768_473_000.0;

#[allow(clippy::needless_pass_by_value, reason = "reads well with json!({…}) in place")]
fn success(data: Value) -> Answer {
    Answer::json(json!({"status": "success", "data": data}))
}

fn vector(series: &[(Value, &str)]) -> Answer {
    let result: Vec<Value> =
        series.iter().map(|(labels, value)| json!({"metric": labels, "value": [AT, value]})).collect();
    success(json!({"resultType": "vector", "result": result}))
}

fn prometheus(answer: Answer) -> Stub {
    Stub::new().on("POST", "/api/v1/query", answer.clone()).on("POST", "/api/v1/query_range", answer)
}

fn env() -> TestEnv {
    TestEnv::new().now(NOW)
}

fn ask(stub: &Stub, args: &[&str]) -> crate::support::Run {
    let url = stub.url();
    env().run([&["query", "--prometheus", &url], args].concat())
}

fn players() -> Answer {
    vector(&[
        (json!({"__name__": "game_active_players", "job": "game", "region": "us"}), "17"),
        (json!({"__name__": "game_active_players", "job": "game", "region": "eu"}), "1204.5"),
        (json!({"__name__": "game_active_players", "job": "game", "region": "ap\u{1b}[2J"}), "NaN"),
    ])
}

#[test]
fn a_vector_shows_what_differs_greatest_first() {
    let stub = prometheus(players());
    let run = ask(&stub, &["game_active_players"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
    code: 0
    --- stdout
    3 series  2026-01-15T10:30:00Z
    in all: game_active_players{job="game"}
    REGION      VALUE
    eu         1204.5
    us             17
    ap\x1b[2J     NaN

    next: liveops query game_active_players --plot --prometheus http://127.0.0.1:[PORT]
    --- stderr
    "#);
    let request = &stub.requests_to("/api/v1/query")[0];
    assert_eq!(request.param("query").as_deref(), Some("game_active_players"));
    assert_eq!(request.param("time"), None, "now is Prometheus' own");
}

#[test]
fn a_sorted_expression_keeps_its_order() {
    let stub = prometheus(players());
    let run = ask(&stub, &["sort(game_active_players)"]).expect_code(0);
    let place = |text: &str| run.stdout.find(text).unwrap();
    assert!(place("us") < place("eu"), "{}", run.stdout);
}

#[test]
fn json_holds_everything_sorted_by_labels() {
    let stub = prometheus(players());
    let run = ask(&stub, &["game_active_players", "-o", "json"]).expect_code(0);
    let report = run.json();
    assert_eq!(report["schema"], "liveops.query/1");
    assert_eq!(report["verdict"], "pass");
    assert_eq!(
        report["data"],
        json!({
            "query": "game_active_players",
            "type": "vector",
            "result": [
                {"labels": {"__name__": "game_active_players", "job": "game", "region": "ap\u{1b}[2J"}, "at": NOW, "value": "NaN"},
                {"labels": {"__name__": "game_active_players", "job": "game", "region": "eu"}, "at": NOW, "value": 1204.5},
                {"labels": {"__name__": "game_active_players", "job": "game", "region": "us"}, "at": NOW, "value": 17.0},
            ],
        })
    );
}

#[test]
fn csv_has_a_column_a_label_and_name_a_line_a_series() {
    let stub = prometheus(vector(&[
        (json!({"__name__": "x", "a": "1,\"2\""}), "0.016666666666666666"),
        (json!({"__name__": "x", "b": "=cmd()"}), "+Inf"),
    ]));
    let run = ask(&stub, &["x", "-o", "csv"]).expect_code(0);
    assert_eq!(
        run.stdout,
        "timestamp,value,__name__,a,b\n\
         2026-01-15T10:30:00Z,0.016666666666666666,x,\"1,\"\"2\"\"\",\n\
         2026-01-15T10:30:00Z,+Inf,x,,'=cmd()\n"
    );
    let run = ask(&stub, &["x", "-o", "name"]).expect_code(0);
    assert_eq!(run.stdout, "x{a=\"1,\\\"2\\\"\"}\nx{b=\"=cmd()\"}\n");
}

#[test]
fn a_scalar_and_a_string_stand_alone() {
    let stub = prometheus(success(json!({"resultType": "scalar", "result": [AT, "42.5"]})));
    let run = ask(&stub, &["41.5 + 1"]).expect_code(0);
    assert!(run.stdout.starts_with("42.5\n"), "{}", run.stdout);
    let stub = prometheus(success(json!({"resultType": "string", "result": [AT, "hi"]})));
    assert_eq!(ask(&stub, &["\"hi\""]).expect_code(0).stdout, "hi\n");
}

fn matrix() -> Answer {
    let point = |minute: f64, value: &str| json!([AT - 600.0 + minute * 60.0, value]);
    success(json!({"resultType": "matrix", "result": [
        {"metric": {"region": "eu"}, "values": [point(0.0, "1"), point(5.0, "3"), point(10.0, "2")]},
        {"metric": {"region": "us"}, "values": [point(0.0, "8"), point(5.0, "8")]},
    ]}))
}

#[test]
fn a_range_is_summed_up_and_says_which_series_ended() {
    let stub = prometheus(matrix());
    let run = ask(&stub, &["sum by (region) (x)", "--range", "10m", "--step", "5m"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
    code: 0
    --- stdout
    2 series  10m up to 2026-01-15T10:30:00Z, every 5m
    REGION             LAST  MIN  MAX  AVG  TREND
    eu                    2    1    3    2  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁█████████████▅▅▅▅▅▅▅▅▅▅▅▅▅
    us      ended 5m before    8    8    8  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄

    next: liveops query 'sum by (region) (x)' --range 10m --plot --prometheus http://127.0.0.1:[PORT]
    --- stderr
    "#);
    let request = &stub.requests_to("/api/v1/query_range")[0];
    let params = ["start", "end", "step"].map(|name| request.param(name).unwrap());
    assert_eq!(params, ["1768472400.000", "1768473000.000", "300"]);
}

#[test]
fn a_range_in_json_and_csv() {
    let stub = prometheus(matrix());
    let args = ["x", "--range", "10m", "--step", "5m", "--at", "2026-01-15 10:30", "-o"];
    let report = ask(&stub, &[&args[..], &["json"]].concat()).expect_code(0).json();
    let data = &report["data"];
    assert_eq!(data["start"], "2026-01-15T10:20:00Z");
    assert_eq!(data["end"], NOW);
    assert_eq!(data["step_seconds"], 300.0);
    assert_eq!(data["type"], "matrix");
    assert_eq!(
        data["result"][1]["points"],
        json!([
            {"at": "2026-01-15T10:20:00Z", "value": 8.0},
            {"at": "2026-01-15T10:25:00Z", "value": 8.0},
        ])
    );
    let csv = ask(&stub, &[&args[..], &["csv"]].concat()).expect_code(0).stdout;
    assert_eq!(csv.lines().count(), 6);
    assert_eq!(csv.lines().nth(4), Some("2026-01-15T10:20:00Z,8,us"));
}

#[test]
fn a_plot_is_drawn_with_axes_and_legend() {
    let stub = prometheus(matrix());
    let run = ask(&stub, &["sum by (region) (x)", "--plot", "--range", "10m"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
    code: 0
    --- stdout
    sum by (region) (x)                                                     2026-01-15 10:20 – 10:30 UTC
      8 ┤⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉b⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉b
        │
        │
      6 ┤
        │
        │
        │
      4 ┤
        │                                          ⢀⣀⣀⣀⠤⠤⠤⠤⠤⣀⣀⣀⣀⣀⣀⣀
        │                             ⣀⣀⣀a⠤⠤⠤⠒⠒⠒⠊⠉⠉⠁               a⠉⠉⠉⠉⠉⠑⠒⠒⠒⠒⠒⠒⠤⠤⠤⠤⠤⠤⠤⣀⣀⣀⣀⣀⣀a
      2 ┤               ⢀⣀⣀⣀⠤⠤⠤⠔⠒⠒⠊⠉⠉⠉                                                       ⠈⠉⠉⠉⠉⠉⠉⠑⠒⠒a
        │  ⣀⣀⣀⡠a⠤⠔⠒⠒⠒⠉⠉⠉⠁
        │⠉⠉
      0 ┤
        └┬────────┬─────────┬────────┬─────────┬────────┬────────┬─────────┬────────┬─────────┬────────┬
    UTC 10:20   10:21     10:22    10:23     10:24    10:25    10:26     10:27    10:28     10:29  10:30
          last  min  max
    a eu     2    1    3
    b us     8    8    8

    next: liveops query 'sum by (region) (x)' --range 10m -o csv --prometheus http://127.0.0.1:[PORT]
    --- stderr
    "#);
    let ascii =
        env().command(["query", "--prometheus", &stub.url(), "x", "--plot"]).env("LANG", "C").run().expect_code(0);
    assert!(ascii.stdout.is_ascii(), "{}", ascii.stdout);
}

#[test]
fn a_native_histogram_is_compact_for_people_and_whole_in_json() {
    let histogram = json!({
        "count": "59", "sum": "33.2",
        "buckets": [
            [3, "-0.001", "0.001", "2"],
            [0, "0.7071067811865475", "1", "12"],
            [0, "1", "1.414213562373095", "45"],
        ],
    });
    let stub = prometheus(success(json!({"resultType": "vector", "result": [
        {"metric": {"__name__": "rpc_latency", "job": "game"}, "histogram": [AT, histogram]},
    ]})));
    let run = ask(&stub, &["rpc_latency"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
    code: 0
    --- stdout
    1 series  2026-01-15T10:30:00Z
    SERIES                                              VALUE
    rpc_latency{job="game"}  count 59, sum 33.2, avg 0.562712

               BUCKET  COUNT
      [-0.001, 0.001]      2  ██
        (0.707107, 1]     12  ████████
         (1, 1.41421]     45  ██████████████████████████████

    next: liveops query rpc_latency --plot --prometheus http://127.0.0.1:[PORT]
    --- stderr
    "#);
    let report = ask(&stub, &["rpc_latency", "-o", "json"]).expect_code(0).json();
    let value = &report["data"]["result"][0]["value"];
    assert_eq!(value["count"], 59.0);
    assert_eq!(value["buckets"][0], json!({"boundaries": 3, "lower": -0.001, "upper": 0.001, "count": 2.0}));
    let csv = ask(&stub, &["rpc_latency", "-o", "csv"]).expect_code(0).stdout;
    assert!(csv.contains("{count:59, sum:33.2, [-0.001,0.001]:2, "), "{csv}");

    let stub = prometheus(success(json!({"resultType": "matrix", "result": [
        {"metric": {"job": "game"}, "histograms": [[AT, histogram]]},
    ]})));
    let run = ask(&stub, &["rpc_latency", "--range", "5m"]).expect_code(0);
    assert!(run.stdout.contains("count 59, sum 33.2, avg 0.562712"), "{}", run.stdout);
    let run = ask(&stub, &["rpc_latency", "--plot"]).expect_code(0);
    assert!(run.stdout.contains("histogram_quantile(0.99, …)"), "{}", run.stdout);
}

#[test]
fn an_expression_can_come_from_stdin() {
    let stub = prometheus(players());
    let url = stub.url();
    env()
        .command(["query", "--prometheus", &url, "-"])
        .stdin("sum by (region) (\n  game_active_players # now\n)\n")
        .run()
        .expect_code(0);
    let sent = stub.requests()[0].param("query");
    assert_eq!(sent.as_deref(), Some("sum by (region) (\n  game_active_players # now\n)"));
}
