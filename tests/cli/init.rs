//! `liveops init`: what it writes, what it finds, what it never overwrites.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::{Answer, Stub, TestEnv};

const NOW: &str = "2026-01-15T10:30:00Z";

/// A Prometheus in which of all series only these have data.
fn prometheus(known: &'static [&'static str]) -> Stub {
    Stub::new()
        .on(
            "GET",
            "/api/v1/status/buildinfo",
            Answer::json(json!({"status": "success", "data": {"version": "2.42.0"}})),
        )
        .on("GET", "/api/v1/label/__name__/values", Answer::json(json!({"status": "success", "data": known})))
        .on_fn("POST", "/api/v1/query", move |request| {
            let query = request.param("query").unwrap_or_default();
            let found = known.iter().any(|name| query == format!("count({name})"));
            let result = if found { json!([{"metric": {}, "value": [1.0, "3"]}]) } else { json!([]) };
            Answer::json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
        })
}

#[test]
fn the_file_is_valid_without_any_answer() {
    for preset in ["game-server", "http-api"] {
        let env = TestEnv::new().now(NOW);
        let run = env.run(["init", "--preset", preset, "--name", "starfall"]).expect_code(0);
        assert!(run.stdout.contains("wrote liveops.yaml: project `starfall`, environment `main`"), "{}", run.stdout);
        assert!(run.stdout.ends_with("next: liveops config validate\n"), "{}", run.stdout);
        env.run(["config", "validate"]).expect_code(0);
        let mode = fs::metadata(env.path().join("liveops.yaml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "a project's file is for the team");
        let left: Vec<_> = fs::read_dir(env.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["liveops.yaml"], "no temporary file stays");
    }
}

/// Whatever stands in the file as an example can be used by taking the marks away.
#[test]
fn the_examples_of_regions_and_of_a_rollout_are_valid() {
    let env = TestEnv::new().now(NOW);
    env.run(["init", "--preset", "http-api", "--name", "starfall"]).expect_code(0);
    let text = fs::read_to_string(env.path().join("liveops.yaml")).unwrap();
    // The lines from this one to the next empty one, without `mark`.
    let example = |from: &str, mark: &str| -> String {
        let at = text.find(from).unwrap_or_else(|| panic!("{from}"));
        let block = text[at..].split("\n\n").next().unwrap();
        let lines = block.lines().map(|line| line.replacen(mark, "", 1));
        lines.collect::<Vec<_>>().join("\n")
    };
    let regions = example("    # regions:", "# ");
    let services = example("#   services:\n", "#   ");
    let with = text
        .replace("    # regions:", &format!("{regions}\n    # regions:"))
        .replace("# The policies of", &format!("{services}\n# The policies of"));
    env.write("liveops.yaml", with);
    env.run(["config", "validate"]).expect_code(0);
    // They are in use then: a region that there is not is refused with those that there are.
    let run = env.run(["rollout", "status", "--region", "mars"]);
    assert!(run.stderr.contains("eu"), "{}", run.stderr);
}

#[test]
fn what_was_found_is_said_and_kpis_without_data_are_commented_out() {
    let env = TestEnv::new();
    let prometheus = prometheus(&["http_request_total", "http_request_duration_ms_bucket", "cpu_usage_ratio"]);
    let health = Stub::new().on("GET", "/api/health", Answer::json(json!({"status": "healthy"}))).on(
        "GET",
        "/metrics",
        Answer::text("a 1\n"),
    );
    let run = env
        .run([
            "-e",
            "prod",
            "init",
            "--preset",
            "http-api",
            "--name",
            "api",
            "--prometheus",
            &prometheus.url(),
            "--alertmanager",
            "http://127.0.0.1:1",
            "--health",
            &format!("api={}", health.url()),
        ])
        .expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r###"
    code: 0
    --- stdout
    ● prometheus found  http://127.0.0.1:[PORT]
        2.42.0; 2 of the preset's KPIs have data
    ✖ alertmanager unreachable  http://127.0.0.1:[PORT]
        connection refused; nothing listens there
    ● health of api found  http://127.0.0.1:[PORT]
        healthy, in [MS]
    ● metrics of api found  http://127.0.0.1:[PORT]/metrics
        1 sample

    wrote liveops.yaml: project `api`, environment `prod`, preset http-api
    commented out, since they have no data yet: client_errors, connections, error_rate, memory, requests, websocket_p95

    next: liveops doctor
    --- stderr
    "###);
    let text = env.read("liveops.yaml");
    assert!(text.contains("  # (not in Prometheus yet: no metric `http_requests_total`; did you mean `http_request_total`?)\n  # - name: requests\n"), "{text}");
    assert!(text.contains("\n  - name: request_p95\n"), "{text}");
    let shown = env.run(["config", "show", "-o", "json"]).expect_code(0).json();
    let kpis: Vec<&str> =
        shown["data"]["config"]["kpis"].as_array().unwrap().iter().map(|kpi| kpi["name"].as_str().unwrap()).collect();
    assert_eq!(kpis, ["request_p95", "cpu"]);
    assert_eq!(shown["environment"], "prod");
    assert_eq!(shown["data"]["config"]["services"][0]["metrics"][0], format!("{}/metrics", health.url()));
}

#[test]
fn without_prometheus_the_services_metrics_decide() {
    let env = TestEnv::new();
    let health = Stub::new().on("GET", "/api/health", Answer::json(json!({"status": "ok"}))).on(
        "GET",
        "/api/health/metrics",
        Answer::text("game_active_players{region=\"eu\"} 3\n"),
    );
    let run = env.run(["init", "--health", &health.url(), "-o", "json"]).expect_code(0).json();
    assert_eq!(run["data"]["kpis_with_data"], json!(["active_players"]));
    assert_eq!(run["schema"], "liveops.init/1");
    env.run(["config", "validate"]).expect_code(0);
}

#[test]
fn nothing_that_is_found_stops_the_writing() {
    let html = Stub::new().on("*", "/*", Answer::new(200, "text/html", "<html>sign in</html>"));
    let locked = Stub::new().on("*", "/*", Answer::text("no").status(401));
    for (url, word, detail) in [
        (html.url(), "absent", "a web page instead of JSON"),
        (locked.url(), "absent", "it wants credentials"),
        ("http://127.0.0.1:1".to_owned(), "unreachable", "connection refused"),
    ] {
        let env = TestEnv::new();
        let run = env.run(["init", "--prometheus", &url]).expect_code(0);
        assert!(run.stdout.contains(&format!("prometheus {word}")) && run.stdout.contains(detail), "{}", run.stdout);
        assert!(run.stdout.ends_with("next: liveops doctor\n"));
        // Nothing is known of the KPIs, so they are all there.
        assert!(env.read("liveops.yaml").contains("\n  - name: tick_p99\n"));
        env.run(["config", "validate"]).expect_code(0);
    }
}

#[test]
fn an_existing_file_is_never_overwritten_unasked() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "mine: [\n");
    let run = env.run(["init"]).expect_code(4);
    assert!(run.stderr.contains("exists already") && run.stderr.contains("--force"), "{}", run.stderr);
    assert_eq!(env.read("liveops.yaml"), "mine: [\n");
    env.run(["init", "--dry-run"]).expect_code(0);
    assert_eq!(env.read("liveops.yaml"), "mine: [\n");
    let mut terminal = env.pty(["init"]);
    terminal.expect("overwrite it?").send_line("");
    assert_eq!(terminal.wait().0, 4);
    assert_eq!(env.read("liveops.yaml"), "mine: [\n");
    env.run(["init", "--out", "deploy/other.yaml"]).expect_code(0);
    env.run(["--config", "deploy/other.yaml", "config", "validate"]).expect_code(0);
    // A broken file is a reason to write a new one, not an obstacle.
    env.run(["init", "--force"]).expect_code(0);
    env.run(["config", "validate"]).expect_code(0);
    env.run(["--read-only", "init", "--force"]).expect_code(4);
}

#[test]
fn a_password_becomes_a_reference() {
    let env = TestEnv::new();
    let run = env
        .run(["init", "--redis", "redis://:canary-1@127.0.0.1:1/0", "--prometheus", "http://u:canary-1@127.0.0.1:1"])
        .expect_code(0);
    let text = env.read("liveops.yaml");
    assert!(!format!("{}{}{text}", run.stdout, run.stderr).contains("canary-1"));
    assert!(text.contains("redis://:${REDIS_PASSWORD}@127.0.0.1:1/0"), "{text}");
    assert!(run.stdout.contains("set PROMETHEUS_PASSWORD, REDIS_PASSWORD"), "{}", run.stdout);
    env.run(["config", "validate"]).expect_code(0);
}

#[test]
fn wrong_flags_say_what_is_right() {
    for (args, words) in [
        (&["init", "--prometheus", "ftp://h"][..], "is not a URL of prometheus"),
        (&["init", "--health", "a b=http://h"], "cannot be the name of a service"),
        (&["init", "--out", "."], "is a folder"),
        (&["init", "--preset", "game"], "game-server"),
    ] {
        let env = TestEnv::new();
        let run = env.run(args).expect_code(2);
        assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
        assert_eq!(fs::read_dir(env.path()).unwrap().count(), 0);
    }
}

#[test]
fn on_a_terminal_it_asks_for_what_the_flags_do_not_say() {
    let env = TestEnv::new();
    let prometheus = prometheus(&["game_active_players"]);
    let mut terminal = env.pty(["init"]);
    terminal.expect("Name of the project").send_line("starfall");
    terminal.expect("What do you run?").send("\r");
    terminal.expect("URL of Prometheus").send_line("not a url");
    terminal.expect("is not a URL of prometheus");
    terminal.expect("URL of Prometheus").send_line(&prometheus.url());
    terminal.expect("URL of Alertmanager").send_line("none");
    terminal.expect("Health API").send_line("game=127.0.0.1:1");
    terminal.expect("Another one").send_line("");
    terminal.expect("wrote").expect("next:");
    let (code, transcript) = terminal.wait();
    assert_eq!(code, 0, "{transcript}");
    let shown = env.run(["config", "show", "-o", "json"]).expect_code(0).json();
    let config = &shown["data"]["config"];
    assert_eq!(config["project"], "starfall");
    assert_eq!(config["environments"]["main"]["prometheus"]["url"], prometheus.url());
    assert_eq!(config["services"][0]["name"], "game");
    assert_eq!(config["kpis"].as_array().unwrap().len(), 1);
}

#[test]
fn leaving_with_ctrl_c_writes_nothing() {
    let env = TestEnv::new();
    let mut terminal = env.pty(["init"]);
    terminal.expect("Name of the project").interrupt();
    assert_eq!(terminal.wait().0, 130);
    assert_eq!(fs::read_dir(env.path()).unwrap().count(), 0);
}
