//! `liveops incident`: the life of an incident, what is refused, and that nothing that is dead hinders it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::backends::NOW;
use crate::support::{Backends, TestEnv};

/// Ports of loopback on which nothing listens.
pub(crate) const DEAD: &str = "version: 1\nproject: starfall\nenvironments:\n  prod:\n    prometheus: http://127.0.0.1:1\n    alertmanager: http://127.0.0.1:1\n";

pub(crate) fn bare() -> TestEnv {
    let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\n");
    env
}

pub(crate) fn fixed() -> TestEnv {
    bare().now(NOW)
}

pub(crate) fn at(env: &TestEnv, time: &str, args: &[&str]) -> crate::support::Run {
    env.command(args).env("LIVEOPS_NOW", time).run()
}

pub(crate) const ID: &str = "2026-01-15-p1-matchmaking-down";
pub(crate) const OPEN: [&str; 6] = ["incident", "open", "--sev", "p1", "--title", "matchmaking down"];

pub(crate) fn journal(env: &TestEnv, id: &str) -> PathBuf {
    env.path().join("incidents").join(id).join("journal.jsonl")
}

pub(crate) fn show(env: &TestEnv, id: &str) -> Value {
    env.run(["incident", "show", id, "-o", "json"]).json()["data"].clone()
}

#[test]
fn an_incident_from_its_opening_to_its_end() {
    let env = bare();
    let run = at(&env, "2026-01-15T10:30:00Z", &OPEN).expect_code(0);
    for line in [
        "opened P1 matchmaking down",
        "open since 10:30Z (0s), NOT ACKNOWLEDGED",
        "acknowledge in 5m (by 10:35Z)",
        "mitigate in 30m (by 11:00Z)",
        "nobody was paged: no channel is configured",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
    at(&env, "2026-01-15T10:33:00Z", &["incident", "ack"]).expect_code(0);
    at(&env, "2026-01-15T10:34:00Z", &["incident", "note", "all of eu"]).expect_code(0);
    at(&env, "2026-01-15T10:35:00Z", &["incident", "role", "scribe", "bob"]).expect_code(0);
    let mitigate = ["incident", "mitigate", "rolled back 1.42"];
    at(&env, "2026-01-15T10:50:00Z", &mitigate).expect_code(0);
    let resolve = ["incident", "resolve", "queue is normal"];
    at(&env, "2026-01-15T11:10:00Z", &resolve).expect_code(0);
    let run = at(&env, "2026-01-15T12:00:00Z", &["incident", "show", ID]).expect_code(0);
    for line in [
        "resolved after 40m, led by ada",
        "acknowledge: in time",
        "mitigate: in time",
        "postmortem in 1d 23h",
        "scribe bob",
        "ada  mitigated: rolled back 1.42",
        "ada  resolved: queue is normal [recovery unknown",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
    let run = at(&env, "2026-01-15T12:00:00Z", &["incident", "report", "-o", "json"]);
    let all = &run.expect_code(0).json()["data"]["groups"][0];
    let medians: Vec<&Value> = all["measures"].as_array().unwrap().iter().map(|one| &one["median_s"]).collect();
    assert_eq!(medians, [0, 180, 1200, 2400]);
    assert_eq!(all["deadlines_missed"], 0);
}

#[test]
fn only_the_severity_is_needed_and_it_is_needed() {
    let env = fixed();
    let run = env.run(["incident", "open"]).expect_code(2);
    assert!(run.stderr.contains("pass `--sev p1`"), "{}", run.stderr);
    env.run(["incident", "open", "--sev", "sev9"]).expect_code(2);
    assert!(!env.path().join("incidents").exists(), "nothing was written");
    env.run(["incident", "open", "--sev", "critical"]).expect_code(0);
    assert_eq!(show(&env, "2026-01-15-p1-incident")["incident"]["severity"], "p1");
}

#[test]
fn on_a_terminal_the_severity_is_asked_for() {
    let env = fixed();
    let mut pty = env.pty(["incident", "open", "--title", "queue stuck"]);
    pty.expect("how bad is it?").expect("P1").expect("P4");
    pty.send("\u{1b}[B\n").expect("opened P2 queue stuck");
    assert_eq!(pty.wait().0, 0);
    let mut pty = env.pty(["incident", "open"]);
    pty.expect("how bad is it?").interrupt();
    assert_eq!(pty.wait().0, 130);
    let list = env.run(["incident", "list", "-o", "json"]).json();
    assert_eq!(list["data"]["incidents"].as_array().unwrap().len(), 1);
}

#[test]
fn on_a_terminal_the_title_is_asked_for() {
    let env = fixed();
    let mut pty = env.pty(["incident", "open", "--sev", "p2"]);
    pty.expect("what is wrong, in a few words?");
    // Enter alone opens nothing: people would be paged for `incident`.
    pty.send("\n").expect("what is wrong, in a few words?");
    pty.send("queue stuck\n").expect("opened P2 queue stuck");
    assert_eq!(pty.wait().0, 0);
}

#[test]
fn on_a_terminal_it_asks_what_helped_and_why_it_is_over() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    env.run(["incident", "ack"]).expect_code(0);
    for (verb, question) in [("mitigate", "what helped?"), ("resolve", "why is it over?")] {
        let next = show(&env, ID);
        let steps = env.run(["incident", "show", ID]).expect_code(0);
        assert!(steps.stdout.contains(&format!("next: liveops incident {verb} -i {ID}")), "{} {next}", steps.stdout);
        let mut pty = env.pty(["incident", verb, "-i", ID]);
        pty.expect(question);
        pty.send(&format!("text of {verb}\n")).expect(&format!(": text of {verb}"));
        assert_eq!(pty.wait().0, 0);
    }
    // What is refused is not asked about.
    let mut pty = env.pty(["incident", "mitigate", "-i", ID]);
    pty.expect("is not possible");
    assert_eq!(pty.wait().0, 4);
}

#[test]
fn an_incident_keeps_its_environment_whatever_the_default_is() {
    let env = fixed();
    env.write("liveops.yaml", "version: 1\ndefault_env: prod\nenvironments: { prod: {}, staging: {} }\n");
    env.run([&["-e", "staging"][..], &OPEN[..]].concat()).expect_code(0);
    let acked = env.run(["incident", "ack", ID, "-o", "json"]).expect_code(0).json();
    assert_eq!(acked["environment"], "staging");
    for next in acked["recommendations"].as_array().unwrap() {
        assert!(next["command"].as_str().unwrap().ends_with("-e staging"), "{next}");
    }
    let other = env.run(["-e", "prod", "incident", "note", "x", "-i", ID]).expect_code(2);
    assert!(other.stderr.contains("is an incident of `staging`, not of `prod`"), "{}", other.stderr);
    let none = env.run(["incident", "resolve"]).expect_code(2);
    assert!(none.stderr.contains(&format!("{ID} is open in `staging`")), "{}", none.stderr);
    assert!(none.stderr.contains(&format!("`liveops incident resolve -i {ID}`")), "{}", none.stderr);
    // What looks at it looks where it is.
    let triage = env.run(["triage", "--incident", ID, "--non-interactive", "-o", "json"]).json();
    assert_eq!(triage["environment"], "staging");
    let written = env.run(["postmortem", "new", ID, "-o", "json"]).json();
    assert_eq!(written["environment"], "staging");
    for args in [&["triage", "--non-interactive", "--incident", ID][..], &["postmortem", "check", ID]] {
        let other = env.run([&["-e", "prod"][..], args].concat()).expect_code(2);
        assert!(other.stderr.contains("is an incident of `staging`, not of `prod`"), "{}", other.stderr);
    }
}

#[test]
fn an_incidents_id_is_no_text_of_a_step() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    for verb in ["note", "resolve", "mitigate", "reopen", "handoff"] {
        let run = env.run(["incident", verb, "2026-01-15-p2-another"]).expect_code(2);
        assert!(run.stderr.contains("`-i 2026-01-15-p2-another` names the incident"), "{verb}: {}", run.stderr);
    }
    env.run(["incident", "note", "2026-01-15-p2-another has the same cause"]).expect_code(0);
}

#[test]
fn what_is_not_possible_is_refused_with_what_is() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    env.run(["incident", "ack"]).expect_code(0);
    let run = env.run(["incident", "ack"]).expect_code(4);
    assert!(run.stderr.contains("is acknowledged by ada"), "{}", run.stderr);
    assert!(run.stderr.contains("allowed now: mitigate, resolve, escalate"), "{}", run.stderr);
    let json = env.run(["incident", "reopen", "-i", ID, "-o", "json"]).expect_code(4);
    assert_eq!(json.json_error()["kind"], "conflict");
    env.run(["incident", "severity", "p1"]).expect_code(4);
    for (args, said) in [
        (["incident", "amend", "mitigated-at", "10:00"], "has no mitigated_at yet"),
        (["incident", "amend", "acknowledged-at", "2026-01-15T09:00:00Z"], "before started_at"),
        (["incident", "amend", "started-at", "2026-01-15T11:00:00Z"], "in the future"),
        (["incident", "amend", "started-at", "soonish"], "is not a time"),
    ] {
        let run = env.run(args).expect_code(2);
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
    let run = env.run(["incident", "show", "2026-01-15-p1-matchmaking-dwon"]).expect_code(2);
    assert!(run.stderr.contains(&format!("did you mean `{ID}`?")), "{}", run.stderr);
}

#[test]
fn which_incident_is_meant_is_never_guessed() {
    let env = fixed();
    let run = env.run(["incident", "ack"]).expect_code(2);
    assert!(run.stderr.contains("no incident is open in `prod`"), "{}", run.stderr);
    env.run(OPEN).expect_code(0);
    env.run(["incident", "open", "--sev", "p3", "--title", "chat slow"]).expect_code(0);
    let run = env.run(["incident", "ack"]).expect_code(2);
    assert!(run.stderr.contains("2 incidents are open"), "{}", run.stderr);
    assert!(run.stderr.contains("chat slow") && run.stderr.contains("matchmaking down"));
    env.run(["incident", "ack", "chat"]).expect_code(0);
    env.run(["incident", "ack", "2026"]).expect_code(2);
    assert_eq!(show(&env, ID)["incident"]["phase"], "open");
}

#[test]
fn a_dry_run_writes_nothing_and_read_only_refuses() {
    let env = fixed();
    let open = |flag| OPEN.into_iter().chain([flag]);
    let run = env.run(open("--dry-run")).expect_code(0);
    assert!(run.stdout.contains("dry run"), "{}", run.stdout);
    let run = env.run(open("--read-only")).expect_code(4);
    assert!(run.stderr.contains("read-only"), "{}", run.stderr);
    assert!(!env.path().join("incidents").exists());
    env.run(OPEN).expect_code(0);
    let before = fs::read(journal(&env, ID)).unwrap();
    env.run(["incident", "note", "x", "--dry-run"]).expect_code(0);
    env.run(["incident", "note", "x", "--read-only"]).expect_code(4);
    env.run(["page", "flush", "--read-only"]).expect_code(4);
    assert_eq!(fs::read(journal(&env, ID)).unwrap(), before);
}

#[test]
fn status_begins_with_the_open_incident_and_what_is_due() {
    let env = bare();
    env.write("flags.json", r#"{"shop":{"enabled":true,"percentage":10,"defaultValue":true}}"#);
    at(&env, NOW, &OPEN).expect_code(0);
    let nagios = |time: &str| at(&env, time, &["status", "--nagios"]);
    let quiet = nagios("2026-01-15T10:31:00Z").expect_code(0);
    assert!(quiet.stdout.starts_with("LIVEOPS OK - nothing measured is wrong, 1 incident open"), "{}", quiet.stdout);
    let run = at(&env, "2026-01-15T10:37:00Z", &["status"]).expect_code(0);
    assert!(run.stdout.starts_with("▲ WARNING"), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("  incident {ID} not acknowledged in time\n")), "{}", run.stdout);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[3].contains("P1 matchmaking down"), "{}", run.stdout);
    assert!(lines[4].contains("NOT ACKNOWLEDGED"), "{}", run.stdout);
    assert!(lines[5].contains("ACKNOWLEDGE OVERDUE by 2m"), "{}", run.stdout);
    assert!(run.stdout.contains("liveops incident ack"), "{}", run.stdout);
    let json = at(&env, "2026-01-15T10:37:00Z", &["status", "-o", "json"]).json();
    assert_eq!(
        (&json["incidents"][0]["next_deadline"]["standing"], &json["verdict"]),
        (&json!("breached"), &json!("warn"))
    );
    // Monitoring, and a script that fails on warnings, hear of it.
    nagios("2026-01-15T10:37:00Z").expect_code(1);
    at(&env, "2026-01-15T10:37:00Z", &["status", "--fail-on", "warn"]).expect_code(1);
    at(&env, "2026-01-15T10:38:00Z", &["incident", "ack"]).expect_code(0);
    nagios("2026-01-15T10:39:00Z").expect_code(0);
    let late = nagios("2026-01-15T12:39:00Z").expect_code(1);
    assert!(late.stdout.contains(&format!("incident {ID} not mitigated in time")), "{}", late.stdout);
    at(&env, "2026-01-15T12:40:00Z", &["incident", "mitigate", "rolled back"]).expect_code(0);
    nagios("2026-01-15T12:41:00Z").expect_code(0);
}

#[test]
fn a_miss_is_seen_whatever_is_said_later() {
    let env = bare();
    at(&env, "2026-01-15T10:30:00Z", &OPEN).expect_code(0);
    at(&env, "2026-01-15T10:36:00Z", &["incident", "show"]).expect_code(1);
    at(&env, "2026-01-15T10:38:00Z", &["incident", "ack"]).expect_code(0);
    let amend = ["incident", "amend", "acknowledged-at", "10:32", "--because", "on the phone"];
    at(&env, "2026-01-15T10:40:00Z", &amend).expect_code(0);
    let run = at(&env, "2026-01-15T10:41:00Z", &["incident", "show"]);
    assert!(run.stdout.contains("missed as recorded"), "{}", run.stdout);
    let timeline = at(&env, "2026-01-15T10:41:00Z", &["incident", "timeline"]);
    assert!(timeline.stdout.contains("was 2026-01-15T10:38:00Z"), "{}", timeline.stdout);
}

#[test]
fn resolving_says_what_the_metrics_say() {
    let backends = Backends::start();
    let env = fixed();
    env.write("liveops.yaml", backends.config("- { name: tick, promql: tick_ms, critical: \"> 20\" }"));
    backends.prometheus_answers(|_| vec![(serde_json::json!({}), 35.0)]);
    env.run(OPEN).expect_code(0);
    let run = env.run(["incident", "resolve", "over"]).expect_code(0);
    assert!(run.stdout.contains("NOT RECOVERED: tick is 35"), "{}", run.stdout);
    backends.prometheus_answers(|_| vec![(serde_json::json!({}), 5.0)]);
    env.run(["incident", "reopen", "not yet"]).expect_code(0);
    let run = env.run(["incident", "resolve"]).expect_code(0);
    assert!(run.stdout.contains("recovered: the one KPI is normal"), "{}", run.stdout);
}

#[test]
fn the_evidence_is_kept_with_its_values() {
    let backends = Backends::start();
    let env = fixed();
    env.write("liveops.yaml", backends.config("- { name: tick, promql: tick_ms }"));
    backends.prometheus_answers(|_| vec![(serde_json::json!({}), 8.0)]);
    env.run(OPEN).expect_code(0);
    let folder = env.path().join("incidents").join(ID).join("evidence");
    let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap() };
    assert_eq!(read("status.json")["metrics"]["tick"]["value"], 8.0);
    assert_eq!(read("kpis.json")["kpis"]["tick"].as_array().unwrap().len(), 61);
    assert!(read("changes.json")["changes"].is_array());
}

/// Opening, acknowledging and resolving, while one thing after the other is dead.
#[test]
fn nothing_that_is_dead_hinders_an_incident() {
    let dead = "127.0.0.1:1";
    for config in [
        DEAD.to_owned(),
        format!("{DEAD}incidents: {{ redis: {{ url: 'redis://{dead}/0' }} }}\n"),
        format!("{DEAD}notify: {{ channels: [{{ name: team, type: webhook, url: 'http://{dead}' }}] }}\n"),
        format!(
            "{DEAD}notify: {{ channels: [{{ name: mail, type: email, url: 'smtp://{dead}', from: a@h, to: b@h }}] }}\n"
        ),
        format!(
            "{DEAD}services: [{{ name: game, health: 'http://{dead}' }}]\nnotify: {{ channels: [{{ name: pager, type: pagerduty, url: 'http://{dead}', routing_key: '${{UNSET}}' }}] }}\n"
        ),
    ] {
        let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada").now(NOW);
        env.write("liveops.yaml", &config);
        let run = env.run(OPEN);
        let pages = config.contains("notify");
        assert_eq!(run.code, if pages { 5 } else { 0 }, "{config}\n{}{}", run.stdout, run.stderr);
        assert_eq!(run.stderr.contains("NOBODY WAS PAGED"), pages, "{}", run.stderr);
        assert!(run.stdout.contains("unknown"), "{}", run.stdout);
        env.run(["incident", "ack"]).expect_code(0);
        env.run(["incident", "note", "looking"]).expect_code(0);
        env.run(["incident", "mitigate", "restarted"]).expect_code(0);
        let run = env.run(["incident", "resolve", "over"]).expect_code(0);
        let said = if config.contains("health") { "NOT RECOVERED: game is down" } else { "recovery unknown" };
        assert!(run.stdout.contains(said), "{}", run.stdout);
        assert_eq!(show(&env, ID)["incident"]["phase"], "resolved");
    }
    let env = fixed();
    fs::remove_dir_all(env.root().join("state")).unwrap();
    fs::write(env.root().join("state"), "no folder").unwrap();
    env.run(OPEN).expect_code(0);
    env.run(["incident", "ack"]).expect_code(0);
}

#[test]
fn without_a_project_incidents_are_kept_with_the_users_state() {
    let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada").now(NOW);
    env.run(OPEN).expect_code(0);
    assert!(Path::new(&env.state()).join("incidents").join(ID).is_dir());
}

#[test]
fn each_step_names_the_next_useful_command() {
    let env = TestEnv::new().now("2026-01-15T10:30:00Z");
    env.write("liveops.yaml", "version: 1\nenvironments: { staging: {} }\n");
    let next = |env: &TestEnv, args: &[&str]| -> Vec<String> {
        let json = env.command(args.iter().chain(&["-o", "json"])).run().json();
        let steps = json["recommendations"].as_array().unwrap();
        let show = |step: &serde_json::Value| {
            let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("text"), text("command"))
        };
        steps.iter().map(show).collect()
    };
    let id = "2026-01-15-p1-slow";
    let opened = next(&env, &["incident", "open", "--sev", "p1", "--title", "slow"]);
    let triage = format!(": liveops triage --incident {id}");
    assert!(opened.iter().any(|step| step.ends_with(&triage)), "{opened:?}");
    assert!(next(&env, &["status"]).iter().any(|step| step.ends_with(&triage)));
    let acked = next(&env, &["incident", "ack"]);
    assert!(acked.iter().any(|step| step.ends_with(&triage)), "{acked:?}");
    let resolved = next(&env, &["incident", "resolve", "over"]);
    let postmortem = format!(": liveops postmortem new {id}");
    assert!(resolved.iter().any(|step| step.ends_with(&postmortem)), "{resolved:?}");
    assert!(next(&env, &["status"]).iter().any(|step| step.ends_with(&postmortem)));
    let late = env.now("2026-01-18T00:00:00Z");
    let late = next(&late, &["status"]).join("\n");
    assert!(late.contains("write the postmortem, OVERDUE since 2026-01-17 10:30Z"), "{late}");
}

#[test]
fn what_says_nothing_is_refused() {
    let env = TestEnv::new().now("2026-01-15T10:30:00Z");
    env.run(["incident", "open", "--sev", "p1", "--title", " \t"]).expect_code(2);
    env.run(OPEN).expect_code(0);
    for blank in ["", "  ", "\n"] {
        for args in [
            &["note", blank][..],
            &["mitigate", blank],
            &["resolve", blank],
            &["severity", "p2", "--reason", blank],
            &["amend", "title", blank],
            &["handoff", blank],
            &["role", blank, "bob"],
            &["escalate", "--reason", blank],
        ] {
            let run = env.run(["incident"].iter().chain(args));
            assert_eq!(run.code, 2, "{args:?}: {}{}", run.stdout, run.stderr);
        }
    }
    env.run(["flag", "kill", "a", "--yes", "--reason", " "]).expect_code(2);
}
