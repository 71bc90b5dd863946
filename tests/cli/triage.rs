//! `liveops triage`: checks by itself, keys, answers in the journal, resume, dead dependencies.

use serde_json::{Value, json};

use crate::support::process::signal;
use crate::support::{Answer, Stub, TestEnv};

const NOW: &str = "2026-01-15T10:30:00Z";

const CONFIG: &str = "version: 1\nenvironments: { staging: {} }\nservices: [{ name: game }]\nkpis:\n  - { name: tick, gauge: tick_seconds, by: region, agg: max, critical: '> 20ms' }\n";

fn env() -> TestEnv {
    let env = TestEnv::new().now(NOW).var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", CONFIG);
    env
}

fn vector(result: &Value) -> Answer {
    Answer::json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

/// One region is slow, one target is down, one alert fires.
fn prometheus() -> Stub {
    Stub::new()
        .on_fn("POST", "/api/v1/query", |request| {
            let text = String::from_utf8_lossy(&request.body).into_owned();
            if text.contains("tick_seconds") && !text.contains("region") {
                vector(&json!([{"metric": {}, "value": [1_768_473_000, "0.05"]}]))
            } else if text.contains("tick_seconds") {
                vector(&json!([
                    {"metric": {"region": "eu"}, "value": [1_768_473_000, "0.05"]},
                    {"metric": {"region": "us"}, "value": [1_768_473_000, "0.01"]},
                ]))
            } else if text.contains("pg_stat") {
                vector(&json!([{"metric": {}, "value": [1_768_473_000, "0.4"]}]))
            } else {
                vector(&json!([]))
            }
        })
        .on("POST", "/api/v1/query_range", Answer::json(json!({"status": "success", "data": {"resultType": "matrix", "result": []}})))
        .on("GET", "/api/v1/alerts", Answer::json(json!({"status": "success", "data": {"alerts": [
            {"labels": {"alertname": "TickSlow", "severity": "high"}, "annotations": {}, "state": "firing", "activeAt": "2026-01-15T10:20:00Z", "value": "1e+00"}]}})))
        .on("GET", "/api/v1/targets", Answer::json(json!({"status": "success", "data": {"activeTargets": [
            {"labels": {"job": "game", "instance": "eu-1"}, "scrapeUrl": "http://h", "health": "down", "lastError": "refused", "lastScrape": NOW, "lastScrapeDuration": 0.1, "scrapeInterval": "15s", "scrapeTimeout": "10s"}]}})))
}

fn outcomes(json: &Value) -> Vec<(String, String)> {
    let items = json["data"]["items"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items.iter().map(|item| (text(&item["id"]), text(&item["outcome"]))).collect()
}

#[test]
fn of_a_flood_the_first_are_named_and_the_others_counted() {
    let alert = |n: u32| {
        json!({"labels": {"alertname": format!("Slow{n:02}"), "severity": "critical"}, "annotations": {},
            "state": "firing", "activeAt": "2026-01-15T10:20:00Z", "value": "1e+00"})
    };
    let alerts: Vec<Value> = (0..30).map(alert).collect();
    let stub =
        Stub::new().on("GET", "/api/v1/alerts", Answer::json(json!({"status": "success", "data": {"alerts": alerts}})));
    let env = env().var("LIVEOPS_PROMETHEUS", &stub.url());
    let status = env.run(["status", "-o", "json"]).expect_code(1).json();
    let headline = status["data"]["headline"].as_str().unwrap();
    assert!(
        headline.contains("Slow00 critical, Slow01 critical, Slow02 critical, 27 more critical alerts"),
        "{headline}"
    );
    let triage = env.run(["triage", "--non-interactive", "-o", "json"]).expect_code(1).json();
    let items = triage["data"]["items"].as_array().unwrap();
    let evidence = &items.iter().find(|item| item["id"] == "alerts").unwrap()["evidence"];
    assert!(evidence.to_string().contains("and 25 more"), "{evidence:#}");
    assert!(!evidence.to_string().contains("Slow05"), "{evidence:#}");
}

#[test]
fn it_looks_by_itself_and_ends_with_what_may_help() {
    let stub = prometheus();
    let env = env().var("LIVEOPS_PROMETHEUS", &stub.url());
    env.run(["changes", "record", "--kind", "deploy", "--service", "game", "--version", "1.42", "--at", "9m ago"])
        .expect_code(0);
    let json = env.run(["triage", "--non-interactive", "-o", "json"]).expect_code(1).json();
    assert_eq!(json["schema"], "liveops.triage/1");
    let found = outcomes(&json);
    let of = |id: &str| found.iter().find(|(known, _)| known == id).map(|(_, outcome)| outcome.as_str());
    for (id, want) in [
        ("impact", "suspicious"),
        ("alerts", "suspicious"),
        ("deployments", "suspicious"),
        ("flags", "not_looked_at"),
        ("dependencies", "not_looked_at"),
        ("targets", "suspicious"),
        ("logs", "not_looked_at"),
        ("database", "clear"),
        ("stakeholders", "manual"),
    ] {
        assert_eq!(of(id), Some(want), "{id}: {json:#}");
    }
    let impact = json["data"]["items"][0]["evidence"][0].as_str().unwrap();
    assert_eq!(impact, "CRITICAL tick: 50 ms (eu 50 ms, us 10 ms), only in eu");
    let ways = json["data"]["mitigations"].to_string();
    assert!(!ways.contains("liveops scale"), "nothing is to be filled in: {ways}");
    let screen = env.run(["triage", "--non-interactive"]).expect_code(1);
    assert!(screen.stdout.contains("what may help"), "{}", screen.stdout);
    assert!(screen.stdout.contains("liveops incident open --sev p2"), "{}", screen.stdout);
}

#[test]
fn dead_dependencies_are_unknown_each_by_itself() {
    let page = Stub::new().on(
        "GET",
        "/",
        Answer::json(json!({"status": {"indicator": "major", "description": "Partial outage"}})),
    );
    let env = env().var("LIVEOPS_PROMETHEUS", "http://127.0.0.1:1");
    env.write(
        "liveops.yaml",
        format!(
            "{CONFIG}dependencies:\n  - {{ name: psn, url: '{}' }}\n  - {{ name: dead, url: 'http://127.0.0.1:1' }}\n",
            page.url()
        ),
    );
    let json = env.run(["triage", "--non-interactive", "-o", "json"]).expect_code(1).json();
    let found = outcomes(&json);
    for (id, want) in [("impact", "unknown"), ("dependencies", "suspicious"), ("targets", "unknown")] {
        assert!(found.contains(&(id.into(), want.into())), "{id}: {json:#}");
    }
    assert!(json.to_string().contains("psn: major Partial outage"));
    env.write("liveops.yaml", format!("{CONFIG}templates: tpl\n"));
    env.write("tpl/triage/oncall.yaml", "items: [{ id: a, ask: Is it on?, chek: x }]\n");
    let slip = env.run(["triage", "--non-interactive"]).expect_code(2);
    assert!(
        slip.stderr.contains("tpl/triage/oncall.yaml:1: `items[0].chek`: unknown key; did you mean `check`?"),
        "{}",
        slip.stderr
    );
}

#[test]
fn keys_answer_and_the_next_one_resumes_where_it_was_left() {
    let stub = prometheus();
    let env = env().var("LIVEOPS_PROMETHEUS", &stub.url());
    env.run(["incident", "open", "--sev", "p2", "--title", "slow", "--service", "game", "--yes"]);
    let mut pty = env.pty(["triage"]);
    pty.expect("1/9 Who is hit").expect("suspicious").send("p");
    // A note stays with the item and goes on; back shows the answer.
    pty.expect("2/9 Which alert").send("n");
    pty.expect("note").send_line("tick first");
    pty.expect("3/9 Did a deployment").send("b");
    pty.expect("2/9 Which alert").expect("answered before: problem: tick first").send("\r");
    pty.expect("3/9 Did a deployment").send("s");
    pty.expect("left out").send_line("no access");
    pty.expect("4/9").send("r");
    // Nothing is configured, so that Enter would skip it; left arrow from there is `problem`.
    pty.expect("4/9").expect(">[s]kip<").send("\u{1b}[D\r");
    pty.expect("5/9").interrupt();
    let (code, text) = pty.wait();
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("triage --resume"), "{text}");
    let mut pty = env.pty(["triage", "--resume"]);
    pty.expect("5/9 Is something outside down?").send("q");
    let (_, text) = pty.wait();
    assert!(!text.contains("1/9") && text.contains("skipped (no access)"), "{text}");
    let folder = std::fs::read_dir(env.path().join("incidents")).unwrap();
    let id =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).find(|name| name.contains("p2")).unwrap();
    let journal = env.read(format!("incidents/{id}/journal.jsonl"));
    assert!(journal.matches("triage.answered").count() >= 4, "{journal}");
    assert!(journal.contains("CRITICAL tick: 50 ms (eu 50 ms"), "the evidence is kept: {journal}");
}

#[test]
fn plain_lines_do_for_a_bad_connection() {
    let env = env();
    env.write("liveops.yaml", format!("{CONFIG}templates: tpl\n"));
    env.write("tpl/triage/oncall.yaml", "items: [{ id: a, ask: Is it on? }, { id: b, ask: Sure? }]\n");
    let mut pty = env.pty(["triage", "--plain"]);
    pty.expect("1/2 Is it on?").expect("f=fine").send_line("x");
    pty.expect("f=fine").send_line("problem");
    pty.expect("2/2 Sure?").expect("f=fine").send_line("f");
    let (code, text) = pty.wait();
    assert_eq!(code, 1, "{text}");
    assert!(!text.contains(">[f]"), "{text}");
}

/// A project with a flag that was raised a moment ago, and its history.
fn with_flag() -> TestEnv {
    let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada");
    env.write(
        "liveops.yaml",
        "version: 1\nenvironments: { staging: {} }\nservices: [{ name: game }]\ntemplates: tpl\n",
    );
    env.write(
        "tpl/triage/oncall.yaml",
        "items:\n  - { id: flags, ask: Was it a flag?, check: flags }\n  - { id: told, ask: Do they know?, check: told }\n",
    );
    env.run(["flag", "set", "new_ui", "--pct", "30", "--reason", "calm", "--yes"]).expect_code(0);
    env
}

#[test]
fn the_best_way_out_is_run_from_there_through_its_own_question() {
    let env = with_flag();
    env.run(["incident", "open", "--sev", "p2", "--title", "slow", "--service", "game"]);
    let mut pty = env.pty(["triage"]);
    pty.expect("1/2 Was it a flag?").expect("flag new_ui").send("p");
    pty.expect("2/2 Do they know?").send("s");
    pty.expect("why is it left out?").send_line("alone");
    pty.expect("what may help").expect("liveops flag kill new_ui");
    pty.expect("run one of them?").send("\u{1b}[B\r");
    // The plan and the question are those of the command itself.
    pty.expect("kill flag `new_ui`").expect("go on in").send_line("y");
    let (code, text) = pty.wait();
    assert_eq!(code, 1, "{text}");
    let flag = env.run(["flag", "get", "new_ui", "-o", "json"]).json();
    assert_eq!(flag["data"]["state"], "off", "{flag:#}");
    let timeline = env.run(["incident", "timeline"]).expect_code(0);
    assert!(
        timeline.stdout.contains("`liveops flag kill new_ui`: ended with exit code 0")
            && timeline.stdout.contains("triage: Was it a flag? problem"),
        "{}",
        timeline.stdout
    );
    let audit = env.run(["audit", "list", "-o", "json"]).json().to_string();
    assert!(audit.contains("liveops flag kill new_ui"), "{audit}");
    env.run(["undo", "--yes"]).expect_code(0);
}

#[test]
fn on_a_bad_line_the_way_out_is_chosen_by_its_number() {
    let env = with_flag();
    let mut pty = env.pty(["triage", "--plain", "--yes"]);
    pty.expect("1/2").expect("f=fine").send_line("f");
    pty.expect("2/2").expect("f=fine").send_line("q");
    let (_, text) = pty.wait();
    assert!(text.contains("triage --resume"), "{text}");
    let mut pty = env.pty(["triage", "--plain", "--resume", "--yes"]);
    pty.expect("2/2").expect("f=fine").send_line("f");
    pty.expect("0 none of them now").expect("its number").send_line("99");
    pty.expect("its number").send_line("1");
    pty.expect("kill flag `new_ui`");
    let (_, text) = pty.wait();
    assert!(!text.contains("1/2 "), "what was answered is not asked again: {text}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "signals need a program or unsafe code")]
fn killed_on_the_way_it_goes_on_where_it_was() {
    let env = with_flag();
    let mut pty = env.pty(["triage"]);
    pty.expect("1/2 Was it a flag?").expect("[f]ine").send("f");
    pty.expect("2/2 Do they know?").expect("[f]ine");
    signal(pty.pid(), "KILL");
    assert_eq!(pty.wait().0, 137);
    let mut pty = env.pty(["triage", "--resume"]);
    pty.expect("2/2 Do they know?").expect("[f]ine").terminate();
    let (code, text) = pty.wait();
    assert_eq!(code, 143, "{text}");
    assert!(!text.contains("1/2 ") && text.contains("triage --resume"), "{text}");
}

#[test]
fn several_open_incidents_are_never_guessed_at() {
    let env = env();
    for title in ["one", "two"] {
        env.run(["incident", "open", "--sev", "p3", "--title", title]);
    }
    let which = env.run(["triage", "--non-interactive"]).expect_code(2);
    assert!(
        which.stderr.contains("2 incidents are open") && which.stderr.contains("triage --non-interactive --incident"),
        "{}",
        which.stderr
    );
    env.run(["triage", "--non-interactive", "--incident", "nope"]).expect_code(2);
    let one = env.run(["triage", "--non-interactive", "--incident", "one", "-o", "json"]);
    assert!(one.json()["data"]["incident"].as_str().unwrap().ends_with("p3-one"));
    env.run(["triage", "--resume"]).expect_code(2);
}

/// A `kubectl` that answers what triage asks.
const KUBECTL: &str = r#"#!/bin/sh
case "$*" in
  *"logs "*) printf '[pod/game-1/server] {"level":"error","event":"db timeout after 5000 ms"}\n[pod/game-1/server] {"level":"error","event":"db timeout after 5001 ms"}\n[pod/game-1/server] {"level":"info","event":"tick"}\n' ;;
  *deployment*) echo '{"kind":"Deployment","metadata":{"name":"game"},"spec":{"replicas":4,"selector":{"matchLabels":{"app":"game"}}},"status":{"availableReplicas":4}}' ;;
  *) echo '{"items":[]}' ;;
esac
"#;

#[test]
fn logs_are_read_and_sizes_known_where_there_is_kubernetes() {
    let env = TestEnv::new();
    let program = env.write("bin/kubectl", KUBECTL);
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let env = env.var("PATH", &format!("{}:/usr/bin:/bin", program.parent().unwrap().display()));
    env.write("liveops.yaml", "version: 1\nenvironments: { staging: { kubernetes: { context: eu, namespace: game } } }\nservices: [{ name: game }]\n");
    let json = env.run(["triage", "--non-interactive", "-o", "json"]).expect_code(1).json();
    let logs = json["data"]["items"].as_array().unwrap().iter().find(|item| item["id"] == "logs").unwrap();
    assert_eq!(logs["outcome"], "suspicious", "{json:#}");
    assert_eq!(logs["evidence"][0], "game: 2 errors in 3 lines: 2x db timeout after # ms");
    let ways = json["data"]["mitigations"].to_string();
    assert!(ways.contains("liveops scale game --replicas 6"), "{ways}");
    assert!(ways.contains("kubectl --context=eu --namespace=game rollout restart deployment/game"), "{ways}");
}
