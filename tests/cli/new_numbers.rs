//! The numbers of every kind are those of the configuration and of the commands: each follows when it is changed there.

use std::collections::BTreeSet;

use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::threshold::Threshold;
use regex::Regex;
use serde_json::Value;

use super::new::{CONFIG, KINDS, path};
use crate::support::TestEnv;

/// What the configuration of the other tests leaves out.
const MORE: &str = r#"silences: { max: 5h }
security: { signals: [ { name: failed_logins, promql: "sum(rate(login_failures_total[5m]))", limit: 50 } ] }
freezes: [ { reason: season, from: 2026-12-24, to: 2026-12-26 } ]
backups:
  - { name: players, service: game, rpo: 6h, rto: 1h, restore_test: 20d, keep: 14, reach: 13d, archived: true, encrypted: true, source: { kind: folder, path: b }, copies: [ { place: far, off_site: true } ] }
  - { name: events, rpo: 26h, source: { kind: folder, path: e } }
"#;

/// The kind; what is changed in the configuration, from and to; what the document then says no more, and what it says.
const FOLLOWED: [(&str, &str, &str, &str, &str); 31] = [
    ("monitoring-plan", "> 21ms", "> 22ms", "| tick p99 > 21ms | 5m |", "| tick p99 > 22ms | 5m |"),
    ("monitoring-plan", "> 16ms", "> 17ms", "| > 16ms | > 21ms |", "| > 17ms | > 21ms |"),
    ("monitoring-plan", "errors > 6%", "errors > 7%", "`errors > 6%`", "`errors > 7%`"),
    ("monitoring-plan", "99.9%", "99.8%", "| 99.9 % |", "| 99.8 % |"),
    ("monitoring-plan", "mitigate: 25m", "mitigate: 26m", "Escalate after 25m", "Escalate after 26m"),
    ("incident-response", "acknowledge: 4m", "acknowledge: 3m", "all users | 4m |", "all users | 3m |"),
    ("incident-response", "> 119s", "> 118s", "queue p95 > 119s", "queue p95 > 118s"),
    ("hotfix", "min_samples: 123", "min_samples: 124", "| 123 |", "| 124 |"),
    ("hotfix", "mitigate: 25m", "mitigate: 26m", "| 25m |", "| 26m |"),
    ("deployment-plan", "interval: 4m", "interval: 9m", "100% | 4m |", "100% | 9m |"),
    ("deployment-plan", "[7, 33, 100]", "[8, 33, 100]", "| 7%, 33%, 100% |", "| 8%, 33%, 100% |"),
    ("deployment-plan", "to: 2026-12-26", "to: 2026-12-28", "2026-12-27 00:00", "2026-12-29 00:00"),
    ("deployment-plan", "> 210ms", "> 220ms", "| > 210ms |", "| > 220ms |"),
    ("backup-strategy", "rpo: 6h", "rpo: 7h", "| 6h | 1h |", "| 7h | 1h |"),
    ("backup-strategy", "rto: 1h", "rto: 2h", "| 6h | 1h |", "| 6h | 2h |"),
    ("backup-strategy", "keep: 14", "keep: 15", "| 14 | 13d |", "| 15 | 13d |"),
    ("backup-strategy", "restore_test: 20d", "restore_test: 21d", "| 20d | none", "| 21d | none"),
    ("infrastructure", "max_blind: 3m", "max_blind: 2m", "| 3m | 2h |", "| 2m | 2h |"),
    ("capacity-plan", "> 61%", "> 62%", "| > 61% | > 81% |", "| > 62% | > 81% |"),
    ("operations-review", "rollback_window: 2h", "rollback_window: 3h", "| 3m | 2h |", "| 3m | 3h |"),
    ("operations-review", "> 1.5%", "> 1.6%", "error rate > 1.5%", "error rate > 1.6%"),
    // The month is 43,200 minutes; a thousandth of it, and two.
    ("slo-document", "99.9%", "99.8%", "| 43m 12s |", "| 1h 26m |"),
    ("slo-document", "30d", "20d", "| 14.4 | 2.0 % |", "| 14.4 | 3.0 % |"),
    ("maintenance-plan", "max: 5h", "max: 6h", "for 5h at most", "for 6h at most"),
    ("maintenance-plan", "limit: 50", "limit: 60", "| > 50 |", "| > 60 |"),
    ("maintenance-plan", "> 0.2%", "> 0.3%", "| > 0.2% | > 1.5% |", "| > 0.3% | > 1.5% |"),
    ("prometheus", "game:5050", "game:5051", "'game:5050'", "'game:5051'"),
    ("alert-rules", "> 21ms", "> 22ms", "> 0.021'", "> 0.022'"),
    ("alertmanager", "mitigate: 25m", "mitigate: 26m", "repeat_interval: 25m", "repeat_interval: 26m"),
    ("grafana", "> 21ms", "> 22ms", "\"value\": 0.021", "\"value\": 0.022"),
    ("grafana", "> 119s", "> 118s", "\"value\": 119.0", "\"value\": 118.0"),
];

fn world() -> TestEnv {
    let env = TestEnv::new();
    env.write("liveops.yaml", format!("{CONFIG}{MORE}"));
    env.write("migrations/001.sql", "select 1;\n");
    env
}

#[test]
fn the_numbers_of_every_kind_follow_the_configuration() {
    let env = world();
    let config = env.read("liveops.yaml");
    for (kind, from, to, said, then) in FOLLOWED {
        assert!(config.contains(from), "{from}");
        env.write("liveops.yaml", &config);
        env.run(["new", kind]).expect_code(0);
        let before = env.read(path(kind));
        assert!(before.contains(said) && !before.contains(then), "{kind}: {said}, not {then}: {before}");
        env.write("liveops.yaml", config.replace(from, to));
        env.run(["new", kind]).expect_code(0);
        let after = env.read(path(kind));
        assert!(after.contains(then) && !after.contains(said), "{kind}: {then}, not {said}: {after}");
    }
    // The pipelines have no numbers of their own: both run the same gates.
    let gates = |kind: &str| {
        env.run(["new", kind]).expect_code(0);
        let command = Regex::new(r"'(liveops [^'>]*?)(?: -o gitlab >[^']*)?'").unwrap();
        let text = env.read(path(kind));
        command.captures_iter(&text).map(|found| found[1].trim().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(gates("ci-github"), gates("ci-gitlab"));
    assert!(gates("ci-github").len() >= 9);
    let followed: BTreeSet<&str> = FOLLOWED.iter().map(|one| one.0).chain(["ci-github", "ci-gitlab"]).collect();
    assert_eq!(followed, KINDS.into_iter().collect(), "every kind is in the table");
}

#[test]
fn every_panel_has_the_limits_of_its_figure() {
    let env = world();
    env.run(["new", "monitoring-plan"]).expect_code(0);
    let row =
        Regex::new(r"(?m)^\| [a-z]+ \| ([^|]+) \| `.*?` \| ([^|]+) \| ([^|]+) \| [^|]* \| `kpis\.(\w+)` \|$").unwrap();
    let plan = env.read(path("monitoring-plan"));
    let mut compared = BTreeSet::new();
    for name in ["game", "backend", "business", "performance", "resources"] {
        env.run(["new", "grafana", "--dashboard", name]).expect_code(0);
        let board: Value = serde_json::from_str(&env.read(format!("monitoring/dashboards/{name}.json"))).expect("JSON");
        for panel in board["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().unwrap_or_default();
            let Some(found) = row.captures_iter(&plan).find(|row| row[1] == *title) else { continue };
            let defaults = &panel["fieldConfig"]["defaults"];
            let unit = match defaults["unit"].as_str() {
                Some("s") => Unit::Seconds,
                Some("ms") => Unit::Milliseconds,
                Some("percentunit") => Unit::Ratio,
                _ => continue,
            };
            let limits = [&found[2], &found[3]].into_iter().filter(|limit| *limit != "none");
            let limits: Vec<f64> = limits.map(|limit| Threshold::parse(limit, &unit).expect(limit).value).collect();
            let steps = defaults["thresholds"]["steps"].as_array().expect("steps").iter();
            let steps: Vec<f64> = steps.skip(1).map(|step| step["value"].as_f64().expect("a number")).collect();
            assert_eq!(steps, limits, "{name}: {title}");
            compared.insert(found[4].to_owned());
        }
    }
    let judged = ["cpu", "error_rate", "queue_p95", "request_p95", "tick_p99"].map(str::to_owned);
    assert_eq!(compared, judged.into(), "every figure that has a limit has a panel with it");
}

#[test]
fn commands_go_by_the_numbers_that_documents_show() {
    let env = world();
    for kind in ["capacity-plan", "maintenance-plan", "backup-strategy"] {
        env.run(["new", kind]).expect_code(0);
    }
    let plan = env.read(path("capacity-plan"));
    let scale = env.run(["scale", "status", "-o", "json"]).json();
    let triggers = scale["data"]["triggers"].as_array().expect("triggers");
    assert!(triggers.len() >= 4, "{scale}");
    for one in triggers {
        let unit = one["unit"].as_str().unwrap_or_default();
        let row = format!("| {} above {} {unit}", one["name"].as_str().unwrap(), one["limit"].as_f64().unwrap());
        assert!(plan.contains(row.trim_end()), "{row}: {plan}");
    }
    // A silence may last as long as the plan says, and no longer.
    let longer = env.run(["silence", "add", "service=game", "--for", "6h", "--reason", "move", "--dry-run"]);
    assert!(longer.stderr.contains("longer than the cap of 5h"), "{}", longer.stderr);
    assert!(env.read(path("maintenance-plan")).contains("for 5h at most (`silences.max`)"));
    // A restore that is written down is in the documents that ask for it.
    env.write("b/one.tar", "x".repeat(64));
    env.run(["check", "backups", "record", "players", "--restored", "one.tar", "--duration", "38m", "--rows-ok"])
        .expect_code(0);
    let row = Regex::new(r"\| players \| 20d \| \d{4}-\d\d-\d\d in 38m: right \|").unwrap();
    for kind in ["backup-strategy", "maintenance-plan"] {
        env.run(["new", "--check", &path(kind)]).expect_code(1);
        env.run(["new", kind]).expect_code(0);
        assert!(row.is_match(&env.read(path(kind))), "{kind}: {}", env.read(path(kind)));
    }
    // What is not known of a backup is asked for by its name.
    let strategy = env.read(path("backup-strategy"));
    assert!(strategy.contains("`backups[].rto`. Without one: events."), "{strategy}");
    assert!(strategy.contains("Not known of: events."), "{strategy}");
    assert!(strategy.contains("| the loss of the region | a leaked key | players |"), "{strategy}");
}
