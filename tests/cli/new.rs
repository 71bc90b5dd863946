//! `liveops new`: what is written, what stays, what is refused, and that all of it says the same numbers.

use crate::support::TestEnv;
use liveops_domain::check::alerts::file::RuleFile;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::threshold::Threshold;
use liveops_domain::runbook::rule::AlertRule;
use liveops_domain::text::duration;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) const KINDS: [&str; 16] = [
    "monitoring-plan",
    "incident-response",
    "hotfix",
    "deployment-plan",
    "backup-strategy",
    "infrastructure",
    "capacity-plan",
    "operations-review",
    "slo-document",
    "maintenance-plan",
    "prometheus",
    "alert-rules",
    "alertmanager",
    "grafana",
    "ci-github",
    "ci-gitlab",
];

pub(super) const CONFIG: &str = r#"version: 1
project: starfall
environments:
  staging:
    prometheus: { url: "http://prometheus:9090" }
    alertmanager: { url: "http://alertmanager:9093" }
services:
  - name: game
    owner: platform
    health: { url: "http://game:5050" }
    workload: { deployment: game-deploy }
    rollout:
      policy: careful
      traffic: { kind: http, url: "http://lb:7000/weight" }
      metrics:
        errors: { ratio: { of: 'http_requests_total{status=~"5.."}', to: http_requests_total } }
policies:
  careful: { canary: { steps: [7, 33, 100], interval: 4m }, success: [ "errors < 1%" ], rollback: [ "errors > 6%" ], min_samples: 123, max_blind: 3m, rollback_window: 2h }
kpis:
  - { name: players, gauge: game_active_players, by: region }
  - { name: tick_p99, quantile: { q: 0.99, histogram: game_tick_duration_seconds, window: 5m }, warn: "> 16ms", critical: "> 21ms" }
  - { name: queue_p95, quantile: { q: 0.95, histogram: game_matchmaking_queue_seconds }, warn: "> 60s", critical: "> 119s" }
  - { name: error_rate, ratio: { of: 'http_requests_total{status=~"5.."}', to: http_requests_total }, warn: "> 0.2%", critical: "> 1.5%" }
  - { name: request_p95, quantile: { q: 0.95, histogram: http_request_duration_ms }, warn: "> 210ms", critical: "> 510ms" }
  - { name: cpu, gauge: cpu_usage_ratio, agg: avg, warn: "> 61%", critical: "> 81%" }
  - { name: purchases, rate: game_purchases_total, by: currency }
slos:
  - { name: api, service: game, objective: 99.9%, window: 30d, ratio: { bad: 'http_requests_total{status=~"5.."}', total: http_requests_total } }
notify:
  channels:
    - { name: room, type: slack, url: "${SLACK}" }
    - { name: pager, type: pagerduty, routing_key: "${PD}" }
  rules:
    - { severity: [p1, p2], page: [pager], tell: [room] }
    - { severity: [p3, p4], tell: [room] }
dependencies: [ { name: login, url: "https://status.example.com" } ]
incidents: { severities: { p1: { acknowledge: 4m, mitigate: 25m } } }
"#;

pub(crate) fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("liveops.yaml", CONFIG);
    env.write("migrations/001.sql", "select 1;\n");
    env
}

pub(super) fn path(kind: &str) -> String {
    match kind {
        "prometheus" => "monitoring/prometheus.yml".into(),
        "alert-rules" => "monitoring/rules/liveops.yml".into(),
        "alertmanager" => "monitoring/alertmanager.yml".into(),
        "grafana" => "monitoring/dashboards/game.json".into(),
        "ci-github" => ".github/workflows/liveops.yml".into(),
        "ci-gitlab" => ".gitlab/liveops.gitlab-ci.yml".into(),
        document => format!("docs/operations/{document}.md"),
    }
}

/// A project with everything in it.
pub(super) fn written() -> TestEnv {
    let env = env();
    for kind in KINDS {
        env.run(["new", kind]).expect_code(0);
    }
    for dashboard in ["backend", "business", "performance", "resources"] {
        env.run(["new", "grafana", "--dashboard", dashboard]).expect_code(0);
    }
    env
}

#[test]
fn every_kind_is_written_once_stays_and_is_up_to_date() {
    let env = written();
    for kind in KINDS {
        let first = env.read(path(kind));
        let again = env.run(["new", kind, "-o", "json"]).expect_code(0).json();
        assert_eq!(again["data"]["state"], "unchanged", "{kind}");
        assert_eq!(env.read(path(kind)), first, "{kind}");
        assert!(!first.contains("not set") || kind != "slo-document", "{first}");
        assert!(!first.contains("\n\n\n"), "{kind}: {first}");
    }
    let check = env.run(["new", "--check", "-o", "json"]).expect_code(0).json();
    assert_eq!(check["verdict"], "pass");
    assert_eq!(check["data"]["documents"].as_array().unwrap().len(), KINDS.len() + 4);
    let list = env.run(["new", "--list", "-o", "json"]).expect_code(0).json();
    for one in list["data"]["documents"].as_array().unwrap() {
        assert_eq!(one["state"], "up_to_date", "{one}");
    }
    assert!(check["data"]["questions"].as_u64().unwrap() > 10);
}

#[test]
fn what_is_known_is_filled_in_and_says_where_from() {
    let env = written();
    let plan = env.read(path("monitoring-plan"));
    for said in ["`kpis.tick_p99.critical`", "> 21ms", "platform", "`game`", "http://game:5050", "4m", "25m", "pager"] {
        assert!(plan.contains(said) || said == "`game`", "{said}: {plan}");
    }
    assert!(env.read(path("deployment-plan")).contains("7%, 33%, 100%"));
    assert!(env.read(path("infrastructure")).contains("https://status.example.com"));
    let alertmanager = env.read(path("alertmanager"));
    assert!(alertmanager.contains("routing_key_file: '/etc/alertmanager/secrets/pager'"), "{alertmanager}");
    // What is known is not asked for.
    assert!(!plan.contains("Who owns each service") && !plan.contains("By which channels"), "{plan}");
    assert!(!alertmanager.contains("TODO("), "{alertmanager}");
    for kind in ["ci-github", "ci-gitlab"] {
        let ci = env.read(path(kind));
        for gate in [
            "check alerts monitoring/rules",
            "check runbooks",
            "check migration migrations",
            "check readiness",
            "check security",
            "check backups",
            "check deploy game",
            "slo check",
            "new --check",
        ] {
            assert!(ci.contains(&format!("liveops {gate}")), "{gate}: {ci}");
        }
    }
    let pinned = Regex::new(r"uses: \S+@[0-9a-f]{40} # v").unwrap();
    for line in env.read(path("ci-github")).lines().filter(|line| line.contains("uses:")) {
        assert!(pinned.is_match(line), "{line}");
    }
    // Without a configuration everything is a question, and nothing is an error.
    let bare = TestEnv::new();
    for kind in KINDS {
        bare.run(["new", kind]).expect_code(0);
    }
    bare.run(["new", "--check"]).expect_code(0);
    let plan = bare.read(path("monitoring-plan"));
    assert!(plan.contains("TODO(owner?):** Which services are there?"), "{plan}");
}

/// The numbers of an alert: limit in the unit of its figure, and how long it must hold.
type Numbers = (f64, f64);

fn unit(kpi: Option<&str>) -> Unit {
    match kpi {
        Some("tick_p99" | "queue_p95") => Unit::Seconds,
        Some("request_p95") => Unit::Milliseconds,
        Some("error_rate" | "cpu") => Unit::Ratio,
        _ => Unit::None,
    }
}

#[test]
fn every_document_has_the_numbers_of_the_rules() {
    let env = written();
    let rules = alerts(&env.read(path("alert-rules")));
    let mut known: BTreeMap<String, (Numbers, String, Option<String>)> = BTreeMap::new();
    for rule in &rules {
        let limit = rule.expression.split(" or absent").next().unwrap().rsplit(' ').next().unwrap();
        let numbers = (limit.parse().expect("a number"), rule.hold);
        let severity = rule.severity().unwrap().to_owned();
        known.insert(rule.name.clone(), (numbers, severity, rule.labels.get("kpi").cloned()));
    }
    assert!(known.len() >= 10, "{known:?}");
    let hold = |text: &str| duration::parse(text).expect(text).as_secs_f64();
    let same = |name: &str, limit: &str, held: &str, place: &str| {
        let ((value, rule_hold), _, kpi) = &known[name];
        let said = Threshold::parse(limit, &unit(kpi.as_deref())).expect(limit).value;
        assert!((said - value).abs() <= value.abs() * 1e-9, "{place}: {name} {limit}, and {value} in the rules");
        assert!((hold(held) - rule_hold).abs() < 1e-9, "{place}: {name} for {held}, and {rule_hold} in the rules");
    };
    let row = Regex::new(r"(?m)^\| ([A-Z]\w+) \| [^|]* \| ([^|]*?) ([<>=]+ \S+) \| (\S+) \| (\S+) \(").unwrap();
    let phrase = Regex::new(r"([A-Z][A-Za-z0-9]+):? ([<>=]+ [0-9.]+[a-z%]*) for ([0-9a-z]+)").unwrap();
    let mut compared = 0;
    let mut files: Vec<String> = KINDS.iter().map(|kind| path(kind)).collect();
    files.extend(["backend", "performance", "resources"].map(|name| format!("monitoring/dashboards/{name}.json")));
    for file in &files {
        let text = env.read(file);
        for found in row.captures_iter(&text) {
            same(&found[1], &found[3], &found[4], file);
            assert_eq!(&found[5], known[&found[1]].1, "{file}: {}", &found[0]);
            compared += 1;
        }
        for found in phrase.captures_iter(&text) {
            same(&found[1], &found[2], &found[3], file);
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared} compared");
    // The plan has each of them.
    let plan = env.read(path("monitoring-plan"));
    for name in known.keys() {
        assert!(plan.contains(&format!("| {name} |")), "{name}");
    }
}

fn alerts(text: &str) -> Vec<AlertRule> {
    RuleFile::read(text, "rules.yml").alerts().map(AlertRule::written).collect()
}

#[test]
fn objectives_routes_scrapes_and_dashboards_have_the_numbers_of_the_plan() {
    let env = written();
    env.run(["slo", "generate", "--out", "monitoring/rules/slo.yml"]).expect_code(0);
    let burn = Regex::new(r"(?m)^\| api \| (\w+) \| (\w+) \| (\w+) \| ([0-9.]+) \|").unwrap();
    let of_rules: Vec<Vec<String>> = alerts(&env.read("monitoring/rules/slo.yml"))
        .iter()
        .filter(|rule| rule.name == "ErrorBudgetBurn")
        .map(|rule| ["severity", "long", "short"].map(|label| rule.labels[label].clone()).to_vec())
        .collect();
    for kind in ["slo-document", "monitoring-plan"] {
        let text = env.read(path(kind));
        let rows: Vec<Vec<String>> =
            burn.captures_iter(&text).map(|row| (1..4).map(|n| row[n].to_owned()).collect()).collect();
        assert_eq!(rows, of_rules, "{kind}");
        assert!(text.contains("| 99.9 % |"), "{text}");
    }
    let rules = env.read("monitoring/rules/slo.yml");
    for row in burn.captures_iter(&env.read(path("slo-document"))) {
        assert!(rules.contains(&row[4]), "{} in {rules}", &row[4]);
    }
    let yaml = |kind: &str| -> serde_yaml::Value { serde_yaml::from_str(&env.read(path(kind))).expect(kind) };
    let scrape = yaml("prometheus")["global"]["scrape_interval"].as_str().unwrap().to_owned();
    assert!(env.read(path("monitoring-plan")).contains(&format!("scrapes each {scrape}")));
    let routes = yaml("alertmanager")["route"]["routes"].as_sequence().unwrap().clone();
    for (severity, route) in ["P1", "P2", "P3", "P4"].iter().zip(routes) {
        let repeat = route["repeat_interval"].as_str().unwrap();
        let plan = env.read(path("incident-response"));
        let row = plan.lines().find(|line| line.starts_with(&format!("| {severity} ("))).expect("a row");
        assert!(row.contains(&format!("| {repeat} |")), "{row} {repeat}");
    }
    let board: Value = serde_json::from_str(&env.read("monitoring/dashboards/performance.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let tick = panels.iter().find(|one| one["title"] == "tick p99").expect("the panel");
    let steps = tick["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().unwrap();
    let values: Vec<f64> = steps.iter().map(|step| step["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [0.0, 0.016, 0.021]);
}

#[test]
fn each_single_change_of_the_configuration_is_detected() {
    let env = env();
    for kind in KINDS.into_iter().filter(|kind| !kind.starts_with("ci-") && !kind.contains('-')) {
        env.run(["new", kind]).expect_code(0);
    }
    for kind in ["deployment-plan", "incident-response", "monitoring-plan", "alert-rules"] {
        env.run(["new", kind]).expect_code(0);
    }
    env.run(["new", "grafana", "--dashboard", "business"]).expect_code(0);
    let changes = [
        ("project: starfall", "project: starfell"),
        ("http://prometheus:9090", "http://prometheus:9091"),
        ("http://alertmanager:9093", "http://alertmanager:9094"),
        ("name: game\n    owner", "name: gama\n    owner"),
        ("owner: platform", "owner: platfurm"),
        ("http://game:5050", "http://game:5051"),
        ("game-deploy", "game-deploi"),
        ("http://lb:7000", "http://lb:7001"),
        ("steps: [7, 33, 100]", "steps: [8, 33, 100]"),
        ("steps: [7, 33, 100]", "steps: [7, 34, 100]"),
        ("interval: 4m", "interval: 5m"),
        ("errors < 1%", "errors < 2%"),
        ("errors > 6%", "errors > 7%"),
        ("min_samples: 123", "min_samples: 124"),
        ("max_blind: 3m", "max_blind: 2m"),
        ("rollback_window: 2h", "rollback_window: 3h"),
        ("gauge: game_active_players", "gauge: game_active_playerz"),
        ("by: region", "by: zone"),
        ("q: 0.99", "q: 0.98"),
        ("game_tick_duration_seconds", "game_tack_duration_seconds"),
        ("window: 5m }", "window: 6m }"),
        ("> 16ms", "> 17ms"),
        ("> 21ms", "> 22ms"),
        ("> 60s", "> 61s"),
        ("> 119s", "> 120s"),
        ("> 0.2%", "> 0.3%"),
        ("> 1.5%", "> 1.6%"),
        ("> 210ms", "> 220ms"),
        ("> 510ms", "> 520ms"),
        ("> 61%", "> 62%"),
        ("> 81%", "> 82%"),
        ("agg: avg", "agg: max"),
        ("game_purchases_total", "game_purchase_total"),
        ("by: currency", "by: item_type"),
        ("objective: 99.9%", "objective: 99.8%"),
        ("window: 30d", "window: 28d"),
        ("name: api,", "name: apy,"),
        ("page: [pager]", "page: [room]"),
        ("name: login", "name: logon"),
        ("status.example.com", "status.example.org"),
        ("acknowledge: 4m", "acknowledge: 3m"),
        ("mitigate: 25m", "mitigate: 26m"),
    ];
    for (from, to) in changes {
        let changed = match from {
            // Whoever names the service names it as it is called then.
            _ if from.starts_with("name: game\n") => {
                CONFIG.replace(from, to).replace("service: game,", "service: gama,")
            }
            _ => CONFIG.replace(from, to),
        };
        assert_ne!(changed, CONFIG, "{from}");
        env.write("liveops.yaml", &changed);
        let run = env.run(["new", "--check", "-o", "json"]);
        assert_eq!(run.code, 1, "{from} → {to}: {}{}", run.stdout, run.stderr);
    }
    env.write("liveops.yaml", CONFIG);
    env.run(["new", "--check"]).expect_code(0);
}

#[test]
fn each_single_change_within_the_marks_is_detected_and_what_is_outside_is_free() {
    let env = written();
    let mut random = fastrand::Rng::with_seed(7);
    let mut tried = 0;
    for kind in KINDS {
        let file = path(kind);
        let text = env.read(&file);
        // Every digit of a managed part; a dashboard is managed as a whole.
        let mut inside = kind == "grafana";
        let mut places = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if line.contains("liveops:begin") {
                inside = true;
            } else if line.contains("liveops:end") {
                inside = kind == "grafana";
            } else if inside {
                places.extend(line.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()).map(|(n, _)| at + n));
            }
            at += line.len();
        }
        for _ in 0..6 {
            let Some(place) = random.choice(&places) else { continue };
            let mut bytes = text.clone().into_bytes();
            bytes[*place] = if bytes[*place] == b'9' { b'0' } else { bytes[*place] + 1 };
            env.write(&file, &bytes);
            let run = env.run(["new", "--check", &file, "-o", "json"]).expect_code(1).json();
            assert_eq!(run["data"]["documents"][0]["state"], "edited", "{kind}");
            assert!(run["data"]["documents"][0]["diff"].is_string(), "{kind}");
            tried += 1;
        }
        env.write(&file, &text);
        if kind != "grafana" {
            env.write(&file, format!("{text}# my own words\n"));
            env.run(["new", "--check", &file]).expect_code(0);
        }
    }
    assert!(tried >= 50, "{tried}");
}

#[test]
fn a_refresh_keeps_what_people_wrote_and_shows_the_difference() {
    let env = env();
    env.run(["new", "hotfix"]).expect_code(0);
    let file = path("hotfix");
    let own = env.read(&file).replace("<!-- liveops:end deploy -->\n", "<!-- liveops:end deploy -->\nAsk Ada first.\n");
    env.write(&file, &own);
    env.write("liveops.yaml", CONFIG.replace("min_samples: 123", "min_samples: 456"));
    let run = env.run(["new", "--check"]).expect_code(1);
    for said in ["STALE", "@@", "| 456 |", "refresh it: liveops new hotfix"] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    let run = env.run(["new", "hotfix", "-o", "json"]).expect_code(0).json();
    assert_eq!(run["data"]["state"], "refreshed");
    let text = env.read(&file);
    assert!(text.contains("Ask Ada first.") && text.contains("| 456 |") && !text.contains("| 123 |"));
    assert_eq!(text.replace("456", "123").lines().count(), own.lines().count());
    env.run(["new", "--check"]).expect_code(0);
}

#[test]
fn an_edited_block_is_a_conflict_and_force_keeps_a_copy() {
    let env = env();
    env.run(["new", "monitoring-plan"]).expect_code(0);
    let file = path("monitoring-plan");
    let edited = env.read(&file).replace("> 21ms", "> 99ms");
    env.write(&file, &edited);
    let run = env.run(["new", "monitoring-plan"]).expect_code(4);
    assert!(run.stderr.contains("edited by hand (signals, alerts)"), "{}", run.stderr);
    assert_eq!(env.read(&file), edited);
    let run = env.run(["new", "monitoring-plan", "--force"]).expect_code(0);
    assert!(run.stdout.contains("docs/operations/monitoring-plan.md.bak"), "{}", run.stdout);
    assert_eq!(env.read("docs/operations/monitoring-plan.md.bak"), edited);
    assert!(env.read(&file).contains("> 21ms"));
    // Another's file is not overwritten either.
    env.write("plan.md", "mine\n");
    let run = env.run(["new", "monitoring-plan", "--out", "plan.md"]).expect_code(4);
    assert!(run.stderr.contains("was not written by `liveops new`"), "{}", run.stderr);
    assert_eq!(env.read("plan.md"), "mine\n");
}

#[test]
fn slips_are_named_and_nothing_is_written_where_it_should_not() {
    let env = env();
    for (args, code, said) in [
        (vec!["new", "monitoring-plam"], 2, "monitoring-plan"),
        (vec!["new", "hotfix", "--service", "gam"], 2, "game"),
        (vec!["new", "grafana", "--grafana", "9.5"], 2, "10.4 or later"),
        (vec!["new", "--check"], 2, "nothing to check"),
        (vec!["new", "--check", "liveops.yaml"], 2, "was not written by `liveops new`"),
        (vec!["new", "--check", "nowhere.md"], 2, "nowhere.md"),
        (vec!["new", "hotfix", "--read-only"], 4, "read-only"),
    ] {
        let run = env.run(&args);
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{args:?}: {}", run.stderr);
    }
    // A bare noun lists.
    assert_eq!(env.run(["new"]).stdout, env.run(["new", "--list"]).stdout);
    let run = env.run(["new", "hotfix", "--dry-run"]).expect_code(0);
    assert!(run.stdout.contains("# Hotfix procedure: starfall") && run.stdout.contains("nothing is written"));
    assert!(!env.path().join("docs").exists());
}

#[test]
fn options_are_remembered_and_templates_of_ones_own_are_used() {
    let env = env();
    env.run(["new", "grafana", "--dashboard", "backend", "--grafana", "11.0", "--out", "b.json"]).expect_code(0);
    env.run(["new", "deployment-plan", "--service", "game", "--out", "plan.md"]).expect_code(0);
    env.run(["new", "prometheus", "--discovery", "kubernetes", "--out", "p.yml"]).expect_code(0);
    assert!(!env.read("b.json").contains("percentChangeColorMode"));
    assert!(env.read("p.yml").contains("kubernetes_sd_configs"));
    let check = env.run(["new", "--check", "-o", "json"]).expect_code(0).json();
    assert_eq!(check["data"]["documents"].as_array().unwrap().len(), 3);
    env.write(
        "templates/document/hotfix.md.j2",
        "{{ header }}\n<!-- liveops:begin a -->\nOurs: {{ f.project }}\n<!-- liveops:end a -->\n",
    );
    env.write("liveops.yaml", format!("templates: templates\n{CONFIG}"));
    let run = env.run(["new", "hotfix", "-o", "json"]).expect_code(0).json();
    assert!(run["data"]["template"].as_str().unwrap().ends_with("templates/document/hotfix.md.j2"));
    assert!(env.read(path("hotfix")).contains("Ours: starfall"));
    env.write("templates/document/hotfix.md.j2", "{{ nothing }}");
    let run = env.run(["new", "hotfix"]).expect_code(2);
    assert!(run.stderr.contains("hotfix.md.j2:1"), "{}", run.stderr);
}

#[test]
fn runbooks_come_with_the_rules_and_pass_their_check() {
    let env = env();
    env.write("docs/runbooks/alerts/CpuSaturated.md", "mine\n");
    let run = env.run(["new", "alert-rules", "-o", "json"]).expect_code(0).json();
    let made = run["data"]["runbooks"].as_array().unwrap();
    assert!(made.len() >= 8 && !made.iter().any(|one| one == "docs/runbooks/alerts/CpuSaturated.md"), "{made:?}");
    assert_eq!(env.read("docs/runbooks/alerts/CpuSaturated.md"), "mine\n");
    std::fs::remove_file(env.path().join("docs/runbooks/alerts/CpuSaturated.md")).unwrap();
    env.run(["new", "alert-rules"]).expect_code(0);
    let check = env.run(["runbook", "check", "--rules", "monitoring/rules/liveops.yml", "-o", "json"]).expect_code(0);
    assert!(check.json()["data"]["checked"]["runbooks"].as_u64() >= Some(8), "{}", check.stdout);
}
