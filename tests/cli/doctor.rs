//! `liveops doctor` against stub servers: each finding, its level, its fix, the exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Fault, Run, Stub, TestEnv, fault};

/// What is not ok, worst first, as `system check level: why`.
fn bad(run: &Run) -> Vec<String> {
    let json = run.json();
    assert_eq!(json["schema"], "liveops.check/1");
    let line = |one: &Value, level: &str| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {level}: {}", text("subject"), text("id"), text("why"))
    };
    let of = |level: &str, word: &str| -> Vec<String> {
        let all = json["data"]["findings"].as_array().unwrap();
        all.iter().filter(|one| one["level"] == level).map(|one| line(one, word)).collect()
    };
    let unknown = json["data"]["unknown"].as_array().unwrap().iter().map(|one| line(one, "unknown"));
    [of("HIGH", "fail"), unknown.collect(), of("MEDIUM", "warn")].concat()
}

fn http_date(ahead: TimeDelta) -> String {
    let now: DateTime<Utc> = SystemTime::now().into();
    (now + ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn health(answer: Answer) -> Stub {
    Stub::new().on("GET", "/api/health", answer)
}

#[test]
fn nothing_configured_is_a_warning_with_the_way_out() {
    let env = TestEnv::new();
    let run = env.run(["doctor"]).expect_code(0);
    for part in
        ["1 system: 1 MEDIUM", "MEDIUM  configuration liveops\n    no system is configured", "next: liveops init"]
    {
        assert!(run.stdout.contains(part), "{part}\n{}", run.stdout);
    }
    assert!(run.stdout.contains("see `liveops init`"), "{}", run.stdout);
}

#[test]
fn a_good_system_is_one_line() {
    let env = TestEnv::new();
    let stub = health(Answer::json(json!({"status": "healthy"})).header("Date", &http_date(TimeDelta::zero())));
    let run = env.run(["doctor", "--health", &format!("game={}", stub.url())]).expect_code(0);
    for part in
        ["PASS  7 checks, 2 systems: no findings", "  reachable, latency, clock, health\n", "next: liveops status"]
    {
        assert!(run.stdout.contains(part), "{part}\n{}", run.stdout);
    }
    let all = env.run(["doctor", "--all", "--health", &stub.url()]).expect_code(0);
    assert!(all.stdout.contains("clock: agrees with ours"), "{}", all.stdout);
}

#[test]
fn health_answers_are_judged() {
    for (answer, code, words) in [
        (Answer::json(json!({"status": "degraded"})), 0, "health warn: health: degraded"),
        (Answer::json(json!({"status": "down"})).status(503), 1, "health fail: health: down"),
        (Answer::json(json!({"hello": 1})), 1, "health fail: health: answers JSON without a status"),
        (Answer::new(200, "text/html", "<html>"), 1, "a web page; is this the health API?"),
        (Answer::text("no").status(401), 1, "credentials fail: does not accept the credentials (status 401)"),
        (Answer::text("no").status(404), 1, "no health API at this URL"),
    ] {
        let stub = health(answer);
        let run =
            TestEnv::new().run(["doctor", "-o", "json", "--health", &format!("game={}", stub.url())]).expect_code(code);
        let bad = bad(&run);
        assert!(bad.iter().any(|line| line.contains(words)), "{words}: {bad:?}");
    }
}

#[test]
fn a_wrong_clock_is_found() {
    for (ahead, code, words) in [
        (TimeDelta::seconds(3), 0, None),
        (TimeDelta::seconds(30), 0, Some("clock warn: its clock is")),
        (TimeDelta::minutes(10), 1, Some("ahead of ours")),
        (TimeDelta::minutes(-10), 1, Some("behind ours")),
    ] {
        let stub = health(Answer::json(json!({"status": "ok"})).header("Date", &http_date(ahead)));
        let run = TestEnv::new().run(["doctor", "-o", "json", "--health", &stub.url()]).expect_code(code);
        let bad = bad(&run);
        assert_eq!(bad.len(), usize::from(words.is_some()), "{bad:?}");
        assert!(words.is_none_or(|words| bad[0].contains(words)), "{bad:?}");
    }
}

#[test]
fn metrics_that_do_not_parse_name_the_line() {
    let env = TestEnv::new();
    for (text, code, words) in [
        ("a 1\nb{ 2\n", 1, Some("line 2")),
        ("a 1\na 2\n", 0, Some("1 series given twice")),
        ("", 0, Some("empty")),
        ("a 1\n", 0, None),
    ] {
        let stub = Stub::new().on("GET", "/m", Answer::text(text));
        env.write("liveops.yaml", format!("services: [ {{ name: game, metrics: [ '{}/m' ] }} ]\n", stub.url()));
        let run = env.run(["doctor", "-o", "json"]).expect_code(code);
        let bad = bad(&run);
        assert_eq!(bad.len(), usize::from(words.is_some()), "{bad:?}");
        assert!(words.is_none_or(|words| bad[0].contains(words)), "{bad:?}");
    }
}

#[test]
fn kpis_that_no_service_exposes_have_the_nearest_metric() {
    let env = TestEnv::new();
    let stub = Stub::new().on("GET", "/m", Answer::text("game_active_players{region=\"eu\"} 1\n"));
    env.write(
        "liveops.yaml",
        format!("services: [ {{ name: game, metrics: [ '{}/m' ] }} ]\nkpis: [ {{ name: players, gauge: game_active_player }}, {{ name: own, promql: up }} ]\n", stub.url()),
    );
    let found = bad(&env.run(["doctor", "-o", "json"]).expect_code(0));
    assert_eq!(
        found,
        [
            "kpis kpis warn: KPI `own` is PromQL, and there is no Prometheus to compute it",
            "kpis kpis warn: KPI `players` has no data: no metric `game_active_player`; did you mean `game_active_players`?",
        ]
    );
}

#[test]
fn every_fault_of_every_backend_is_a_finding_in_time() {
    for kind in [Backend::Prometheus, Backend::Alertmanager, Backend::Health] {
        for fault in [
            Fault::Refused,
            Fault::NeverAnswers,
            Fault::ClosesMidway,
            Fault::Status(401),
            Fault::Status(403),
            Fault::Status(429),
            Fault::Status(500),
            Fault::Status(503),
            Fault::HtmlInstead,
            Fault::Truncated,
            Fault::WrongTypes,
            Fault::RedirectLoop,
            Fault::ClockAhead,
        ] {
            let server = fault::serve(fault, kind);
            let flag = match kind {
                Backend::Prometheus => "--prometheus",
                Backend::Alertmanager => "--alertmanager",
                _ => "--health",
            };
            let run = TestEnv::new().run(["doctor", "-o", "json", "--timeout", "2s", flag, &server.url]);
            assert!(run.took.as_secs() < 10, "{kind:?} {fault}: {:?}", run.took);
            assert!(run.stderr.is_empty(), "{kind:?} {fault}: {}", run.stderr);
            if fault == Fault::ClockAhead {
                // The stub's answers have no `Date`; the shifted time is in their content.
                continue;
            }
            let json = run.json();
            assert!(matches!(run.code, 1 | 3), "{kind:?} {fault}: {}\n{}", run.code, run.stdout);
            assert!(!bad(&run).is_empty(), "{kind:?} {fault}");
            for one in json["data"]["findings"].as_array().unwrap() {
                assert!(one["fix"].is_string() || one["level"] == "MEDIUM", "{kind:?} {fault}: {one}");
            }
        }
    }
}

#[test]
fn what_cannot_be_told_is_exit_three_and_what_is_broken_wins_over_it() {
    let good = |data: Value| Answer::json(json!({"status": "success", "data": data}));
    let stub = Stub::new()
        .on("GET", "/api/v1/status/buildinfo", good(json!({"version": "2.42.0"})))
        .on("GET", "/api/v1/targets", Answer::text("oops").status(500))
        .on("GET", "/api/v1/rules", good(json!({"groups": []})))
        .on("GET", "/api/v1/alerts", good(json!({"alerts": []})))
        .on("GET", "/api/v1/alertmanagers", good(json!({"activeAlertmanagers": []})));
    let env = TestEnv::new();
    let run = env.run(["doctor", "-o", "json", "--prometheus", &stub.url()]).expect_code(3);
    assert!(bad(&run)[0].starts_with("prometheus targets unknown: answers 500"), "{:?}", bad(&run));
    let run = env.run(["doctor", "-o", "json", "--prometheus", &stub.url(), "--health", "127.0.0.1:1"]).expect_code(1);
    assert_eq!(run.json()["verdict"], "fail");
    assert_eq!(run.json()["status"], "partial");
    // Query front ends have no targets, rules or Alertmanagers, and that is no fault.
    let front = Stub::new().on(
        "POST",
        "/api/v1/query",
        good(json!({"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]})),
    );
    env.run(["doctor", "--prometheus", &front.url()]).expect_code(1);
}

#[test]
fn secrets_that_are_missing_are_named() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "environments: { a: { prometheus: { url: 'http://h', headers: { Authorization: 'Bearer ${PROM_TOKEN}' } }, flags: 'redis://:${PW}@h' } }\n");
    env.trust();
    let run = env.run(["doctor"]).expect_code(1);
    assert!(
        run.stdout.contains("the variable `PROM_TOKEN` is not set") && run.stdout.contains("export PW="),
        "{}",
        run.stdout
    );
}

#[test]
fn files_and_house_are_looked_after() {
    let env = TestEnv::new();
    let config = env.write("liveops.yaml", "environments: { a: { flags: 'file:flags.json' } }\n");
    let run = env.run(["doctor", "-o", "json"]).expect_code(1);
    assert!(bad(&run)[0].contains("flags.json does not exist"), "{:?}", bad(&run));
    env.write("flags.json", "{\"a\": {}}");
    env.run(["doctor"]).expect_code(0);

    fs::set_permissions(&config, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(bad(&env.run(["doctor", "-o", "json"]).expect_code(1))[0].contains("everybody can change"));
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();

    fs::create_dir_all(env.state()).unwrap();
    fs::set_permissions(env.state(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(bad(&env.run(["doctor", "-o", "json"]).expect_code(0))[0].contains("is open to others"));
    fs::set_permissions(env.state(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(env.state().join("audit.jsonl"), "{\"seq\":1}\n").unwrap();
    let run = env.run(["doctor", "-o", "json"]).expect_code(1);
    assert!(bad(&run)[0].contains("the audit log was changed: line 1"), "{:?}", bad(&run));
    assert_eq!(run.json()["recommendations"][0]["command"], "liveops audit verify");
}

#[test]
fn kubectl_is_asked_through_the_path() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "environments: { a: { kubernetes: { context: prodd, namespace: game } } }\n");
    let with = |script: &str| {
        let path = env.write("bin/kubectl", script);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let bin = format!("{}:/usr/bin:/bin", env.path().join("bin").display());
        env.command(["doctor", "-o", "json"]).env("PATH", &bin).run()
    };
    let kubectl = |version: &str, server: &str| {
        format!(
            "#!/bin/sh\ncase \"$*\" in\n*--client*) echo '{{\"clientVersion\":{{\"gitVersion\":\"{version}\"}}}}';;\n*view*) echo '{{\"contexts\":[{{\"name\":\"prod\"}},{{\"name\":\"prodd\"}}]}}';;\n*) {server};;\nesac\n"
        )
    };
    let good = "echo '{\"serverVersion\":{\"gitVersion\":\"v1.31.0\"}}'";
    assert_eq!(bad(&with(&kubectl("v1.30.1", good)).expect_code(0)), Vec::<String>::new());
    assert!(bad(&with(&kubectl("v1.20.2", good)).expect_code(1))[0].contains("is older than 1.24"));
    let refused = "echo 'The connection to the server was refused' >&2; exit 1";
    assert!(bad(&with(&kubectl("v1.30.1", refused)).expect_code(1))[0].contains("was refused"));
    let none = env.command(["doctor", "-o", "json"]).env("PATH", "/nowhere").run().expect_code(1);
    assert!(bad(&none)[0].contains("kubectl: it is not installed"));
    env.write("liveops.yaml", "environments: { a: { kubernetes: { context: pord } } }\n");
    let run = with(&kubectl("v1.30.1", good)).expect_code(1);
    assert!(bad(&run)[0].contains("context `pord` does not exist; did you mean `prod`?"), "{:?}", bad(&run));
}

#[test]
fn clickhouse_gets_its_credentials_as_headers() {
    let stub = Stub::new().on("GET", "/", Answer::text("24.8.1\n"));
    let env = TestEnv::new().var("PW", "canary-2");
    env.write("liveops.yaml", format!("environments: {{ a: {{ clickhouse: {{ url: '{}', user: game, password: '${{PW}}', database: events }} }} }}\n", stub.url()));
    env.trust();
    let run = env.run(["doctor", "-vv"]).expect_code(0);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("canary-2"));
    let sent = &stub.requests()[0];
    for (header, value) in
        [("x-clickhouse-user", "game"), ("x-clickhouse-key", "canary-2"), ("x-clickhouse-database", "events")]
    {
        assert_eq!(sent.header(header), Some(value));
    }
}
