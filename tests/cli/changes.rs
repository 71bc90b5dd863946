//! `liveops changes`: one timeline from every source, suspects of a break, and dead sources that blank nothing.

use serde_json::{Value, json};

use crate::alertmanager_stub::AlertmanagerStub;
use crate::support::{Answer, Stub, TestEnv};

const NOW: &str = "2026-01-15T10:30:00Z";
/// Unix seconds of [`NOW`].
const NOW_UNIX: i64 = 1_768_473_000;

const CONFIG: &str = "version: 1\nenvironments: { staging: {} }\nservices:\n  - { name: game, health: 'http://127.0.0.1:1' }\n  - { name: lobby, health: 'http://127.0.0.1:1' }\nkpis:\n  - { name: error_rate, ratio: { of: bad_total, to: all_total }, service: game }\n";

fn env() -> TestEnv {
    let env = TestEnv::new().now(NOW).var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", CONFIG);
    env
}

fn record(env: &TestEnv, args: &[&str]) {
    let all = [&["changes", "record"], args].concat();
    env.run(all).expect_code(0);
}

/// A Prometheus whose KPI breaks 20 minutes ago, and that saw a restart.
fn prometheus(broken: bool) -> Stub {
    let matrix = move || {
        let values: Vec<Value> = (0..=240)
            .map(|n: i64| {
                let at = NOW_UNIX - 7_200 + n * 30;
                let wobble = f64::from(u8::try_from(n * 7 % 5).unwrap()) * 0.0001;
                let level = if broken && at >= NOW_UNIX - 1_200 { 0.05 } else { 0.001 };
                json!([at, (level + wobble).to_string()])
            })
            .collect();
        json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}})
    };
    Stub::new()
        .on_fn("POST", "/api/v1/query_range", move |_| Answer::json(matrix()))
        .on_fn("POST", "/api/v1/query", |request| {
            let text = String::from_utf8_lossy(&request.body).into_owned();
            let result = if text.contains("process_start_time") {
                json!([{"metric": {"job": "game", "instance": "eu-1"}, "value": [NOW_UNIX, (NOW_UNIX - 3_000).to_string()]}])
            } else {
                json!([])
            };
            Answer::json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
        })
}

/// It is written down, since the person may know more than the configuration; and it is said.
#[test]
fn a_service_that_nobody_knows_is_said() {
    let env = env();
    for args in [
        &["changes", "record", "--kind", "deploy", "--service", "lobbby"][..],
        &["incident", "open", "--sev", "p3", "--title", "slow", "--service", "lobbby"],
    ] {
        let run = env.run(args);
        assert!(run.stderr.contains("`lobbby`") && run.stderr.contains("lobby"), "{}", run.stderr);
    }
}

#[test]
fn one_timeline_of_everything() {
    let (prometheus, alertmanager) = (prometheus(false), AlertmanagerStub::start(json!([])));
    alertmanager.add("5117ce00", "TickSlow", "active", "2026-01-15T12:00:00.000Z");
    let env = env().var("LIVEOPS_PROMETHEUS", &prometheus.url()).var("LIVEOPS_ALERTMANAGER", &alertmanager.url());
    record(&env, &["--kind", "deploy", "--service", "game", "--version", "1.42", "--at", "40m ago"]);
    record(&env, &["--kind", "migration", "--note", "players.region", "--at", "5m ago", "--by", "ci"]);
    let run = env.run(["changes"]).expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 0
        --- stdout
        4 changes since 2026-01-15T08:30:00Z
          2026-01-15T09:40:00Z  restart    game eu-1 started
          2026-01-15T09:50:00Z  deploy     deploy of game 1.42                    ada
          2026-01-15T10:00:00Z  silence    silence {alertname="TickSlow"}: known  bob
          2026-01-15T10:25:00Z  migration  migration: players.region              ci

        next: liveops changes --around error_rate
        --- stderr
        "#);
    let json = env.run(["changes", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["schema"], "liveops.changes/1");
    let kinds: Vec<&str> =
        json["data"]["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["restart", "deploy", "silence", "migration"]);
    assert_eq!(json["status"], "success");
    // Those of another service are left out, those of none stay.
    let lobby = env.run(["changes", "--service", "lobby", "-o", "csv"]).expect_code(0);
    assert!(!lobby.stdout.contains("1.42") && lobby.stdout.contains("players.region"));
    env.run(["changes", "--service", "loby"]).expect_code(2);
    let short = env.run(["changes", "--since", "10m", "-o", "json"]).expect_code(0).json();
    assert_eq!(short["data"]["changes"].as_array().unwrap().len(), 1);
}

#[test]
fn what_was_done_through_liveops_is_told_once_and_can_be_undone() {
    let alertmanager = AlertmanagerStub::start(json!([]));
    let env = alertmanager.env();
    env.write("liveops.yaml", CONFIG);
    env.run(["silence", "add", "X", "--for", "1h", "--comment", "c", "--yes"]).expect_code(0);
    let json = env.run(["changes", "-o", "json"]).expect_code(0).json();
    let changes = json["data"]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{json:#}");
    assert_eq!(changes[0]["source"], "alertmanager");
    assert!(changes[0]["revert"].as_str().unwrap().starts_with("liveops silence expire"));
}

#[test]
fn a_break_has_its_suspects_with_reasons() {
    let stub = prometheus(true);
    let env = env().var("LIVEOPS_PROMETHEUS", &stub.url());
    record(&env, &["--kind", "deploy", "--service", "game", "--version", "1.42", "--at", "2026-01-15T10:09:48Z"]);
    record(&env, &["--kind", "deploy", "--service", "lobby", "--version", "7", "--at", "2026-01-15T10:09:55Z"]);
    record(&env, &["--kind", "config", "--service", "game", "--note", "later", "--at", "5m ago"]);
    let run = env.run(["changes", "--around", "error_rate"]).expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 0
        --- stdout
        ✖ error_rate went from 0.12 % to 5.02 % 2026-01-15T10:10:00Z
          1. deploy of game 1.42
             12s before the break; same service; by ada
          2. deploy of lobby 7
             5s before the break; another service: lobby; by ada

        4 changes since 2026-01-15T08:30:00Z
          2026-01-15T09:40:00Z  restart  game eu-1 started
          2026-01-15T10:09:48Z  deploy   deploy of game 1.42    ada
          2026-01-15T10:09:55Z  deploy   deploy of lobby 7      ada
          2026-01-15T10:25:00Z  config   config of game: later  ada

        next: liveops status
        --- stderr
        "#);
    let json = env.run(["changes", "--around", "error_rate", "-o", "json"]).expect_code(0).json();
    let around = &json["data"]["around"];
    assert_eq!(around["break"]["at"], "2026-01-15T10:10:00Z");
    assert_eq!(around["suspects"][0]["change"]["reference"], "1.42");
    assert_eq!(around["suspects"][0]["reasons"], json!(["12s before the break", "same service"]));
    assert!(!around["suspects"].to_string().contains("later"));
    env.run(["changes", "--around", "eror_rate"]).expect_code(2);
}

#[test]
fn a_figure_that_did_not_break_says_so_and_one_that_is_unknown_too() {
    let stub = prometheus(false);
    let env = env();
    let calm = env.run(["changes", "--around", "error_rate", "--prometheus", &stub.url()]).expect_code(0);
    assert!(calm.stdout.contains("error_rate has no break"), "{}", calm.stdout);
    record(&env, &["--kind", "deploy", "--service", "game", "--version", "1.42", "--at", "1m ago"]);
    let dead = env.run(["changes", "--around", "error_rate", "--prometheus", "http://127.0.0.1:1"]).expect_code(3);
    assert!(dead.stdout.contains("is unknown") && dead.stdout.contains("1.42"), "{}", dead.stdout);
}

/// A Prometheus with these values of the KPI, one each 30 s up to now.
fn measured(value: impl Fn(i64) -> Option<f64> + Send + Sync + 'static) -> Stub {
    let values = move || -> Vec<Value> {
        let point = |n: i64| {
            let wobble = f64::from(u8::try_from(n * 7 % 5).unwrap()) * 0.0001;
            Some(json!([NOW_UNIX - 7_200 + n * 30, (value(n)? + wobble).to_string()]))
        };
        (0..=240).filter_map(point).collect()
    };
    Stub::new().on_fn("POST", "/api/v1/query_range", move |_| {
        let result = json!([{"metric": {}, "values": values()}]);
        Answer::json(json!({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    })
}

fn around(stub: &Stub) -> (i32, String) {
    let env = env();
    record(&env, &["--kind", "deploy", "--service", "game", "--version", "1.42", "--at", "2026-01-15T09:52:00Z"]);
    let run = env.run(["changes", "--around", "error_rate", "--prometheus", &stub.url()]);
    (run.code, run.stdout)
}

#[test]
fn what_was_not_measured_is_unknown_and_the_break_in_a_gap_has_both_ends() {
    // Its last value is 30 minutes old.
    let (code, text) = around(&measured(|n| (n <= 180).then_some(0.001)));
    assert!(code == 3 && text.contains("has no value after 2026-01-15T10:00:00Z"), "{code} {text}");
    // Nothing was measured from 09:50 to 10:10: whoever changed something then is suspected.
    let gap = measured(|n| (!(161..200).contains(&n)).then_some(if n < 180 { 0.001 } else { 0.05 }));
    let (code, text) = around(&gap);
    assert!(code == 0 && text.contains("between 2026-01-15T09:50:00Z and 2026-01-15T10:10:00Z"), "{code} {text}");
    assert!(text.contains("while nothing was measured"), "{text}");
}

#[test]
fn what_got_better_is_not_looked_at_before_what_got_worse() {
    let level = |from: f64, to: f64| move |n| Some(if (80..180).contains(&n) { to } else { from });
    let bounded = CONFIG.replace("service: game }\n", "service: game, warn: '> 1%' }\n");
    for (from, to, broke) in [(0.001, 0.05, "09:10:00Z"), (0.05, 0.001, "10:00:00Z")] {
        let stub = measured(level(from, to));
        let env = env();
        env.write("liveops.yaml", &bounded);
        let run = env.run(["changes", "--around", "error_rate", "--prometheus", &stub.url()]).expect_code(0);
        assert!(run.stdout.contains(&format!("0.12 % to 5.02 % 2026-01-15T{broke}")), "{}", run.stdout);
    }
}

#[test]
fn dead_sources_are_named_and_blank_nothing() {
    let env = env()
        .var("LIVEOPS_PROMETHEUS", "http://127.0.0.1:1")
        .var("LIVEOPS_ALERTMANAGER", "http://127.0.0.1:1")
        .var("LIVEOPS_REDIS", "redis://127.0.0.1:1");
    env.write(
        "liveops.yaml",
        CONFIG.replace("staging: {}", "staging: { kubernetes: { context: nowhere, namespace: game } }"),
    );
    record(&env, &["--kind", "deploy", "--service", "game", "--version", "1.42", "--at", "1m ago"]);
    let json = env.run(["changes", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["status"], "partial");
    assert_eq!(json["data"]["changes"].as_array().unwrap().len(), 1);
    let down: Vec<&str> = json["sources"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|source| source["state"] == "down")
        .map(|source| source["name"].as_str().unwrap())
        .collect();
    assert_eq!(down, ["kubernetes", "flags", "prometheus", "alertmanager"]);
    let screen = env.run(["changes"]).expect_code(0);
    assert!(screen.stdout.contains("flags: ") && screen.stdout.contains("1.42"), "{}", screen.stdout);
}

#[test]
fn recording_says_what_it_wrote_and_refuses_what_says_nothing() {
    let env = env();
    env.run(["changes", "record", "--kind", "deploy"]).expect_code(2);
    env.run(["changes", "record", "--kind", "deploi", "--version", "1"]).expect_code(2);
    env.run(["changes", "record", "--kind", "deploy", "--version", "1", "--at", "noon"]).expect_code(2);
    env.run(["changes", "record", "--kind", "deploy", "--version", "1", "--read-only"]).expect_code(4);
    env.run(["changes", "record", "--kind", "deploy", "--version", "1", "--dry-run"]).expect_code(0);
    assert!(!env.path().join("changes").exists());
    let json = env
        .run(["changes", "record", "--kind", "rollback", "--service", "game", "--version", "1.41", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(json["schema"], "liveops.changes.record/1");
    assert_eq!(json["data"]["seq"], 1);
    assert!(env.read("changes/deployments.jsonl").contains("\"version\":\"1.41\""));
}

#[test]
fn git_tags_are_on_the_timeline() {
    let env = env();
    let git = |args: &[&str]| {
        #[allow(clippy::disallowed_methods, reason = "a test makes its own repository")]
        let status = std::process::Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"])
            .args(args)
            .current_dir(env.path())
            .env("GIT_COMMITTER_DATE", "2026-01-15T10:00:00Z")
            .env("GIT_AUTHOR_DATE", "2026-01-15T10:00:00Z")
            .output();
        assert!(status.is_ok_and(|output| output.status.success()), "git {args:?}");
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "x"]);
    git(&["tag", "-a", "v1.42", "-m", "release"]);
    let run = env.run(["changes", "-o", "csv"]).expect_code(0);
    assert!(run.stdout.contains("2026-01-15T10:00:00Z,tag,git,,tag v1.42,Ada"), "{}", run.stdout);
}

#[test]
fn incidents_are_found_in_their_configured_folder() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\nenvironments: { staging: {} }\nincidents: { folder: ops/incidents }\n");
    env.run(["incident", "open", "--sev", "p3", "--title", "lag"]);
    assert!(env.path().join("ops/incidents").is_dir());
    let run = env.run(["changes"]).expect_code(0);
    assert!(run.stdout.contains("p3-lag opened: lag"), "{}", run.stdout);
}

/// A Prometheus that scrapes every `interval`, whose KPI is bad since `young` seconds; it keeps the steps it is asked for.
fn young(seconds: i64, interval: &str, steps: &std::sync::Arc<std::sync::Mutex<Vec<String>>>) -> Stub {
    let steps = std::sync::Arc::clone(steps);
    let targets = json!({"status": "success", "data": {"activeTargets": [
        {"labels": {"job": "game"}, "scrapeUrl": "http://h", "health": "up", "lastScrapeDuration": 0.1, "scrapeInterval": interval}]}});
    prometheus(false).on("GET", "/api/v1/targets", Answer::json(targets)).on_fn("POST", "/api/v1/query_range", move |request| {
        let step = request.param("step").unwrap();
        let every: i64 = step.trim_end_matches('s').split('.').next().unwrap().parse().unwrap();
        steps.lock().unwrap().push(step);
        let values: Vec<Value> = (0..=7_200 / every)
            .map(|n| {
                let at = NOW_UNIX - 7_200 + n * every;
                let wobble = f64::from(u8::try_from(n * 7 % 5).unwrap()) * 0.0001;
                json!([at, (if at > NOW_UNIX - seconds { 0.05 } else { 0.001 } + wobble).to_string()])
            })
            .collect();
        Answer::json(json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}))
    })
}

#[test]
fn a_break_that_is_too_young_to_tell_is_said_to_be() {
    for (interval, seconds, code, want) in [
        ("15s", 0, 0, "no break; the last 60 s are too young to tell"),
        ("15s", 20, 3, "may have broken"),
        ("15s", 80, 0, "error_rate went from"),
        ("5s", 80, 0, "error_rate went from"),
        ("1m", 80, 3, "the last 240 s are too young to tell; look again then"),
    ] {
        let steps = std::sync::Arc::default();
        let stub = young(seconds, interval, &steps);
        let env = env().var("LIVEOPS_PROMETHEUS", &stub.url());
        let run = env.run(["changes", "--around", "error_rate"]).expect_code(code);
        assert!(run.stdout.contains(want), "{interval} {seconds}\n{}", run.stdout);
        let json = env.run(["changes", "--around", "error_rate", "-o", "json"]).json();
        assert_eq!(json["verdict"] == "unknown", code == 3, "{json}");
        let asked = steps.lock().unwrap()[0].trim_end_matches('s').parse::<f64>().unwrap();
        assert_eq!(asked, [("15s", 15.0), ("5s", 10.0), ("1m", 60.0)].iter().find(|one| one.0 == interval).unwrap().1);
    }
}

#[test]
fn status_triage_and_changes_suspect_the_same() {
    let stub = prometheus(true).on_fn("POST", "/api/v1/query", |request| {
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let result = match text.contains("process_start_time") || text.contains("last_reload") {
            true => json!([]),
            false => json!([{"metric": {}, "value": [NOW_UNIX, "0.05"]}]),
        };
        Answer::json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
    });
    let env = env().var("LIVEOPS_PROMETHEUS", &stub.url());
    env.write("liveops.yaml", CONFIG.replace("service: game }", "service: game, warn: '> 0.1%', critical: '> 1%' }"));
    record(&env, &["--kind", "deploy", "--service", "game", "--version", "1.42", "--at", "21m ago"]);
    record(&env, &["--kind", "config", "--service", "lobby", "--note", "other", "--at", "25m ago"]);
    let whats = |suspects: &Value| -> Vec<String> {
        let all = suspects.as_array().unwrap().iter();
        all.map(|one| one["change"]["what"].as_str().unwrap().to_owned()).collect()
    };
    let changes = env.run(["changes", "--around", "error_rate", "-o", "json"]).json();
    let suspected = whats(&changes["data"]["around"]["suspects"]);
    assert_eq!(suspected[0], "deploy of game 1.42", "{changes}");
    let status = env.run(["status", "-o", "json"]).expect_code(1).json();
    assert_eq!(whats(&status["data"]["suspects"]), suspected, "{status}");
    let screen = env.run(["status"]).stdout;
    assert!(screen.contains("Suspect deploy of game 1.42"), "{screen}");
    let triage = env.run(["triage", "--non-interactive", "-o", "json"]).json();
    let item = triage["data"]["items"].as_array().unwrap().iter().find(|item| item["id"] == "deployments").unwrap();
    assert!(item["evidence"][0].as_str().unwrap().starts_with("suspect: deploy of game 1.42"), "{item}");
    // The KPI, too, is one and the same.
    let scope =
        triage["data"]["items"].as_array().unwrap().iter().find(|item| item["evidence"].to_string().contains("error"));
    assert_eq!(scope.unwrap()["outcome"], "suspicious", "{triage}");
    assert_eq!(status["metrics"]["error_rate"]["level"], "critical");
}
