//! An incident writes itself down: changes made meanwhile, times of the events, evidence as `status` has it, floods in
//! groups, and the step that comes next.

use serde_json::{Value, json};

use crate::incident::{ID, OPEN, at, fixed};
use crate::support::backends::{NOW, alert};
use crate::support::{Answer, Backends, Stub, TestEnv};

fn timeline(env: &TestEnv) -> String {
    env.run(["incident", "timeline", ID]).expect_code(0).stdout
}

#[test]
fn changes_of_the_incident_are_in_its_timeline_and_its_postmortem() {
    let alertmanager = Stub::new()
        .on("GET", "/api/v2/alerts", Answer::json(json!([])))
        .on("GET", "/api/v2/alerts/groups", Answer::json(json!([])))
        .on("GET", "/api/v2/silences", Answer::json(json!([])))
        .on("GET", "/api/v2/status", Answer::json(json!({"versionInfo": {"version": "0.27.0"}, "cluster": {"status": "disabled"},
            "uptime": "2026-01-15T00:00:00Z", "config": {"original": "route: {receiver: a}\nreceivers: [{name: a}]\n"}})))
        .on("POST", "/api/v2/silences", Answer::json(json!({"silenceID": "5f1c0000-0000-4000-8000-000000000001"})));
    let env = TestEnv::new().var("LIVEOPS_ACTOR", "ada").now(NOW).var("LIVEOPS_ALERTMANAGER", &alertmanager.url());
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: { flags: { url: 'file:flags.json' } } }\n");
    env.write("flags.json", r#"{"shop": {"enabled": true, "percentage": 100}}"#);
    env.run(OPEN).expect_code(0);
    env.run(["flag", "kill", "shop", "--yes", "--reason", "players lose items"]).expect_code(0);
    let silence = ["silence", "add", "alertname=QueueStuck", "--for", "1h", "--reason", "known", "--yes"];
    env.run(silence).expect_code(0);
    let told = timeline(&env);
    for change in ["kill flag `shop`", "QueueStuck"] {
        assert!(told.contains(change), "{change}: {told}");
    }
    at(&env, "2026-01-15T10:40:00Z", &["incident", "resolve", "over"]).expect_code(0);
    at(&env, "2026-01-15T10:50:00Z", &["flag", "enable", "shop", "--yes"]).expect_code(0);
    at(&env, "2026-01-15T11:00:00Z", &["postmortem", "new", ID]).expect_code(0);
    let written = env.read(format!("incidents/{ID}/postmortem.md"));
    for change in ["kill flag", "QueueStuck"] {
        assert!(written.contains(change), "{change}: {written}");
    }
    assert!(!timeline(&env).contains("enable flag"), "after its end a change is none of its events");
}

#[test]
fn a_time_on_the_screen_is_that_of_its_event() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    at(&env, "2026-01-15T10:33:00Z", &["incident", "ack"]).expect_code(0);
    for command in [&["status"][..], &["incident", "show"]] {
        let seen = at(&env, "2026-01-15T10:38:30Z", command).stdout;
        assert!(seen.contains("acknowledged since 10:33Z (5m 30s)"), "{command:?}: {seen}");
        assert!(seen.contains("began 10:30Z"), "{command:?}: {seen}");
    }
    at(&env, "2026-01-15T10:45:00Z", &["incident", "mitigate", "rolled back"]).expect_code(0);
    let seen = at(&env, "2026-01-15T10:46:00Z", &["status"]).stdout;
    assert!(seen.contains("mitigated since 10:45Z (1m"), "{seen}");
}

#[test]
fn evidence_without_prometheus_is_what_status_shows() {
    let backends = Backends::start();
    let env = TestEnv::new().now(NOW).var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", backends.scrape_config("- { name: players, gauge: game_active_players }"));
    backends.expose("game_active_players 1204\n");
    let shown = env.run(["status", "-o", "json"]).json()["metrics"]["players"]["value"].clone();
    assert_eq!(shown, 1204.0);
    let opened = env.run(["incident", "open", "--sev", "p1", "--title", "slow"]).expect_code(0).stdout;
    assert!(opened.contains("kpis: 1 of 1 KPI now"), "{opened}");
    let kept: Value = serde_json::from_str(&env.read("incidents/2026-01-15-p1-slow/evidence/kpis.json")).unwrap();
    assert_eq!(kept["now"]["players"], shown, "{kept}");
}

#[test]
fn a_flood_is_grouped_and_its_numbers_add_up() {
    let backends = Backends::start();
    let env = TestEnv::new().now(NOW).var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", backends.config(""));
    let many = |name: &str, count: usize, severity: &str| -> Vec<Value> {
        let one =
            |n| alert(json!({"alertname": name, "severity": severity, "instance": format!("node-{n}")}), 5, "active");
        (0..count).map(one).collect()
    };
    let kinds = [
        ("NodeNotReady", 131, "critical"),
        ("QueueBacklog", 100, "high"),
        ("DiskFull", 20, "high"),
        ("A", 6, "info"),
        ("B", 5, "info"),
    ];
    let all: Vec<Value> = kinds.iter().flat_map(|(name, count, severity)| many(name, *count, severity)).collect();
    backends.alerts(json!(all));
    let opened = env.run(["incident", "open", "--sev", "p1", "--title", "flood"]).expect_code(0).stdout;
    let line = opened.lines().find(|line| line.contains("alerts: ")).unwrap_or_else(|| panic!("{opened}"));
    assert!(line.contains("262 fire: NodeNotReady ×131, "), "{line}");
    let numbers: Vec<usize> =
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    // The total, three groups, and the rest with how many names it has.
    assert_eq!(numbers[1..numbers.len() - 1].iter().sum::<usize>(), numbers[0], "{line}");
}

#[test]
fn without_an_alert_that_fires_none_opens_an_incident() {
    let backends = Backends::start();
    let env = TestEnv::new().now(NOW).var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", backends.config(""));
    let run = env.run(["incident", "open", "--from-alert", "--sev", "p1"]).expect_code(2);
    assert!(run.stderr.contains("no alert"), "{}", run.stderr);
    env.run(["incident", "open", "--from-alert", "Nothing", "--sev", "p1"]).expect_code(2);
    let list = env.run(["incident", "list", "--all", "-o", "json"]).json();
    assert_eq!(list["data"]["incidents"], json!([]));
}

#[test]
fn what_is_written_is_checked_next_and_each_gap_has_its_section() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    at(&env, "2026-01-15T10:40:00Z", &["incident", "resolve", "over"]).expect_code(0);
    let later = "2026-01-15T11:00:00Z";
    assert!(at(&env, later, &["status"]).stdout.contains("liveops postmortem new"));
    let written = at(&env, later, &["postmortem", "new", ID]).expect_code(0).stdout;
    assert!(written.contains(&format!("next: liveops postmortem check {ID}")), "{written}");
    let status = at(&env, later, &["status"]).stdout;
    assert!(!status.contains("postmortem new"), "{status}");
    assert!(status.contains(&format!("postmortem check {ID}")), "{status}");
    let check = at(&env, later, &["postmortem", "check", ID]).expect_code(1).stdout;
    let gaps: Vec<&str> = check.lines().filter(|line| line.contains("left to fill in")).collect();
    assert!(gaps.len() > 3 && gaps.iter().all(|gap| gap.contains(" in `")), "{check}");
    let sections: std::collections::BTreeSet<&str> = gaps.iter().filter_map(|gap| gap.split(" in `").nth(1)).collect();
    assert_eq!(sections.len(), gaps.len(), "each names another section: {check}");
}
