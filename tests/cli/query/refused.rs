//! What `liveops query` refuses, what Prometheus refuses, and what is said beside the result.

use serde_json::json;

use super::{AT, ask, matrix, players, prometheus, success, vector};
use crate::support::{Answer, Stub, TestEnv};

#[test]
fn warnings_and_infos_are_said_aside() {
    let stub = prometheus(Answer::json(json!({
        "status": "success",
        "warnings": ["PromQL warning: bucket label \"le\" is missing"],
        "infos": ["PromQL info: metric might not be a counter"],
        "data": {"resultType": "scalar", "result": [AT, "1"]},
    })));
    // What may not be whole is not known, at one moment or over a range.
    let run = ask(&stub, &["1"]).expect_code(3);
    assert_eq!(
        run.stderr,
        "warning: PromQL warning: bucket label \"le\" is missing\n\
         note: PromQL info: metric might not be a counter\n"
    );
    let run = ask(&stub, &["1", "-o", "json"]).expect_code(3);
    assert_eq!(run.stderr, "");
    assert_eq!(run.json()["warnings"].as_array().map(Vec::len), Some(2));
    assert_eq!(run.json()["verdict"], "unknown");
    let quiet = ask(&stub, &["1", "-q", "-o", "csv"]).expect_code(3);
    assert!(quiet.stderr.starts_with("warning: ") && !quiet.stderr.contains("note"), "{}", quiet.stderr);
}

#[test]
fn a_range_that_is_not_whole_is_not_known() {
    for (aside, code) in [("warnings", 3), ("infos", 0)] {
        let series = json!([{ "metric": {}, "values": [[AT - 60.0, "1"], [AT, "1"]] }]);
        let data = json!({ "resultType": "matrix", "result": series });
        let mut answer = json!({ "status": "success", "data": data });
        answer[aside] = json!(["a store is down"]);
        let stub = prometheus(Answer::json(answer));
        let run = ask(&stub, &["up", "--range", "1h", "-o", "json"]).expect_code(code);
        assert_eq!(run.json()["verdict"], if code == 3 { "unknown" } else { "pass" }, "{aside}");
    }
}

#[test]
fn what_does_not_parse_is_not_sent() {
    let stub = prometheus(players());
    for (promql, want) in [
        (
            "sum(rte(x[5m]))",
            "error: PromQL, column 5: unknown function `rte`\n\n    sum(rte(x[5m]))\n        ^^^\n\nhint: did you mean `rate`?\n",
        ),
        (
            "sum(\n  x{region=\"日本\"} y\n)",
            "error: PromQL, line 2, column 18: unexpected `y`\n\n    sum(\n      x{region=\"日本\"} y\n                       ^\n\nhint: `--no-check` sends it as it is, for what is not Prometheus' own PromQL\n",
        ),
    ] {
        let run = ask(&stub, &[promql]).expect_code(2);
        assert_eq!(run.stderr, want);
    }
    let error = ask(&stub, &["up +", "-o", "json"]).expect_code(2).json_error();
    assert_eq!(error["kind"], "usage");
    assert_eq!(stub.requests().len(), 0);
    ask(&stub, &["median_over_time(x[5m])", "--no-check"]).expect_code(0);
    assert_eq!(stub.requests().len(), 1, "--no-check sends it");
}

#[test]
fn what_does_not_fit_together_is_refused_with_what_to_do() {
    let stub = prometheus(players());
    for (args, error, hint) in [
        (vec!["up", "--step", "5s"], "`--step` needs a range", "--range 1h --step 5s"),
        (vec!["up[5m]", "--range", "1h"], "a range vector cannot be evaluated over a range", "rate(…)"),
        (vec!["\"a\"", "--plot"], "a string cannot be", "without `--range`"),
        (vec!["up", "--at", "tomorrow"], "`--at tomorrow` is not a time", "10m ago"),
        (vec![], "nothing to ask", "--kpi NAME"),
    ] {
        let run = ask(&stub, &args).expect_code(2);
        let (first, second) = run.stderr.split_once("\nhint: ").unwrap();
        assert!(first.contains(error) && second.contains(hint), "{args:?}: {}", run.stderr);
    }
    assert_eq!(stub.requests().len(), 0);
}

#[test]
fn what_prometheus_refuses_is_shown_in_its_words_with_its_place() {
    let refuse = |status: u16, kind: &str, error: &str| {
        let body = json!({"status": "error", "errorType": kind, "error": error});
        prometheus(Answer::json(body).status(status))
    };
    let stub =
        refuse(400, "bad_data", "invalid parameter \"query\": 1:7: parse error: unknown function with name \"rte\"");
    let run = ask(&stub, &["up +  rte(x)", "--no-check"]).expect_code(2);
    assert!(run.stderr.contains("    up +  rte(x)\n          ^^^\n"), "{}", run.stderr);
    let stub =
        refuse(422, "execution", "many-to-many matching not allowed: matching labels must be unique on one side");
    let run = ask(&stub, &["a / b"]).expect_code(2);
    assert!(run.stderr.contains("matching labels must be unique on one side"), "{}", run.stderr);
    assert!(run.stderr.contains("group_left"), "{}", run.stderr);
    let stub = refuse(503, "timeout", "query timed out in expression evaluation");
    ask(&stub, &["a", "--timeout", "1s"]).expect_code(3);
}

#[test]
fn a_proxy_that_takes_only_get_is_asked_by_get() {
    let stub =
        Stub::new().on("POST", "/api/v1/query", Answer::text("no").status(405)).on("GET", "/api/v1/query", players());
    ask(&stub, &["game_active_players{a=\"é&b\"}"]).expect_code(0);
    let requests = stub.requests_to("/api/v1/query");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].param("query").as_deref(), Some("game_active_players{a=\"é&b\"}"));
}

#[test]
fn nothing_found_is_unknown_and_says_what_is_near() {
    let names = success(json!(["game_active_players", "up"]));
    let stub = prometheus(vector(&[])).on("GET", "/api/v1/label/__name__/values", names);
    let run = ask(&stub, &["sum(game_active_player)"]);
    insta::assert_snapshot!(run.snapshot(), @r#"
    code: 3
    --- stdout
    no data now
      there is no metric `game_active_player`; did you mean `game_active_players`?

    next: liveops query 'sum(game_active_players)' --prometheus http://127.0.0.1:[PORT]
    --- stderr
    "#);
    let run = ask(&stub, &["up == 5", "-o", "json"]).expect_code(3);
    assert_eq!(run.json()["verdict"], "unknown");
    assert_eq!(run.json()["data"]["result"], json!([]));
}

#[test]
fn a_step_that_gives_too_many_points_is_adapted_and_said() {
    let stub = prometheus(matrix());
    let run = ask(&stub, &["x", "--range", "7d", "--step", "1s"]).expect_code(0);
    assert_eq!(
        run.stderr,
        "note: `--step 1s` over 7d would be 604801 points a series, and Prometheus gives at most 11,000; the step is 1m instead\n"
    );
    assert_eq!(stub.requests()[0].param("step").as_deref(), Some("60"));
}

#[test]
fn names_with_dots_are_quoted_as_prometheus_3_takes_them() {
    let metric = json!({"__name__": "http.server.requests", "k8s.pod": "a"});
    let stub = prometheus(vector(&[(metric, "1")]));
    let refused = ask(&stub, &["http.server.requests"]).expect_code(2);
    assert!(refused.stderr.contains("in quotes: `{\"http.server.requests\"}`"), "{}", refused.stderr);
    let name = ask(&stub, &["{\"http.server.requests\"}", "-o", "name"]).expect_code(0).stdout;
    assert_eq!(name.trim(), "{\"http.server.requests\",\"k8s.pod\"=\"a\"}");
    ask(&stub, &[name.trim()]).expect_code(0);
    ask(&stub, &["info(x, {data=~\".*\"})"]).expect_code(0);
}

#[test]
fn one_odd_series_spoils_none_of_the_others_and_is_warned_of() {
    let stub = prometheus(Answer::json(json!({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"a": "1"}, "value": [AT, "1"]}, {"metric": {"a": "2"}, "value": [AT, {"odd": true}]},
    ]}})));
    // What was left out may be what mattered.
    let run = ask(&stub, &["x"]).expect_code(3);
    assert!(run.stdout.contains("1 series"), "{}", run.stdout);
    assert_eq!(run.stderr, "warning: 1 series of the answer left out: not of the shape that Prometheus gives\n");
}

#[test]
fn more_series_than_anybody_reads_are_refused() {
    let series: Vec<_> = (0..50_001).map(|n| json!({"metric": {"n": n.to_string()}, "value": [AT, "1"]})).collect();
    let answer = json!({"status": "success", "data": {"resultType": "vector", "result": series}});
    let run = ask(&prometheus(Answer::json(answer)), &["x"]).expect_code(3);
    assert!(run.stderr.contains("50001 series, and no more than 50000 are read: add them up"), "{}", run.stderr);
}

/// Of all the questions that `status` asks at once.
#[test]
fn large_answers_to_everything_take_the_memory_of_one() {
    let body = format!(r#"{{"status":"error","error":"{}"}}"#, "A".repeat(6 << 20));
    let stub = Stub::new().on("*", "/*", Answer::new(200, "application/json", body));
    let env = TestEnv::new();
    let args = ["status", "--prometheus", &stub.url()];
    let (code, stderr) = env.under("ulimit -d 131072", &args);
    assert_eq!(code, 3, "{stderr}");
    assert!(stub.requests().len() > 20, "{} questions", stub.requests().len());
}
