//! `liveops check alerts`: every check catches its fixture and passes the clean twin; proofs, routes, forms of files.

use serde_json::{Value, json};

use crate::support::backends::Backends;
use crate::support::{Answer, Run, TestEnv};

/// What a rule has that nothing is said against.
const FINE: &str =
    "labels: {severity: warning, team: game}, annotations: {summary: s, runbook_url: 'https://wiki.example/x'}";

fn rule(text: &str) -> String {
    format!("groups: [{{name: g, rules: [{text}]}}]\n")
}

fn fine(text: &str) -> String {
    rule(&format!("{{alert: A, for: 5m, {text}, {FINE}}}"))
}

fn check(env: &TestEnv, more: &[&str]) -> Run {
    env.run(["check", "alerts", "rules.yml"].iter().chain(more))
}

/// `id level`, without what is unknown because nothing was asked for.
fn found(run: &Run) -> Vec<String> {
    let json = run.json();
    let of = |one: &Value| format!("{} {}", one["id"].as_str().unwrap(), one["level"].as_str().unwrap());
    json["data"]["findings"].as_array().unwrap().iter().map(of).collect()
}

/// Id and level, what it catches, and its clean twin.
fn fixtures() -> Vec<(&'static str, String, String)> {
    let bare = |text: &str| rule(&format!("{{alert: A, {text}, {FINE}}}"));
    vec![
        ("A01 BLOCKER", fine("expr: 'up == ('"), fine("expr: up == 0")),
        ("A02 HIGH", fine("expr: up"), fine("expr: up < 1")),
        ("A03 HIGH", fine("expr: 'up > 1'"), fine("expr: 'up < 1'")),
        (
            "A04 HIGH",
            fine("expr: 'histogram_quantile(0.9, sum(rate(x_bucket[5m]))) > 1'"),
            fine("expr: 'histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) > 1'"),
        ),
        ("A05 MEDIUM", fine("expr: 'rate(x_celsius[5m]) > 1'"), fine("expr: 'deriv(x_celsius[5m]) > 1'")),
        ("A06 LOW", fine("expr: errors_total > 9"), fine("expr: 'rate(errors_total[5m]) > 9'")),
        ("A07 MEDIUM", fine("expr: 'sum(a / b) > 1'"), fine("expr: 'sum(a) / sum(b) > 1'")),
        (
            "A08 LOW",
            fine("expr: 'increase(a_total[9m]) > 3 or increase(b_total[9m]) > 3'"),
            fine("expr: 'sum by (a) (increase(a_total[9m])) > 3 or sum by (b) (increase(b_total[9m])) > 3'"),
        ),
        ("A09 HIGH", fine("expr: 'rate(x_total[20s]) > 1'"), fine("expr: 'rate(x_total[1m]) > 1'")),
        ("A10 MEDIUM", bare("expr: absent(up)"), bare("expr: absent(up), for: 5m")),
        (
            "A11 HIGH",
            rule(
                "{alert: A, expr: 'sum(x) > 1', for: 5m, labels: {severity: warning, team: x}, annotations: {summary: '{{ $labels.pod }}', runbook_url: 'https://x'}}",
            ),
            rule(
                "{alert: A, expr: 'sum by (pod) (x) > 1', for: 5m, labels: {severity: warning, team: x}, annotations: {summary: '{{ $labels.pod }}', runbook_url: 'https://x'}}",
            ),
        ),
        (
            "A12 HIGH",
            rule(
                "{alert: A, expr: x > 1, for: 5m, labels: {team: x}, annotations: {summary: s, runbook_url: 'https://x'}}",
            ),
            fine("expr: x > 1"),
        ),
        (
            "A13 HIGH",
            rule("{alert: A, expr: x > 1, for: 5m, labels: {severity: warning, team: x}, annotations: {summary: s}}"),
            fine("expr: x > 1"),
        ),
        ("A14 MEDIUM", fine("expr: x_ratio > 90"), fine("expr: x_ratio > 0.9")),
        (
            "A15 MEDIUM",
            rule(&format!("{{alert: A, expr: x > 1, for: 5m, {FINE}}}, {{alert: A, expr: x > 2, for: 5m, {FINE}}}")),
            rule(&format!("{{alert: A, expr: x > 1, for: 5m, {FINE}}}, {{alert: B, expr: x > 2, for: 5m, {FINE}}}")),
        ),
        (
            "A16 MEDIUM",
            rule(&format!("{{alert: A, expr: 'a:b > 1', for: 5m, {FINE}}}, {{record: 'a:b', expr: x}}")),
            rule(&format!("{{record: 'a:b', expr: x}}, {{alert: A, expr: 'a:b > 1', for: 5m, {FINE}}}")),
        ),
    ]
}

#[test]
fn every_check_catches_its_fixture_and_passes_the_clean_twin() {
    let env = TestEnv::new();
    for (want, bad, good) in fixtures() {
        env.write("rules.yml", &bad);
        let run = check(&env, &["-o", "json", "--fail-on", "low"]);
        assert_eq!(run.code, 1, "{want}: {}", run.stderr);
        assert_eq!(found(&run), [want], "{bad}");
        env.write("rules.yml", &good);
        let run = check(&env, &["-o", "json", "--fail-on", "low"]);
        assert_eq!(run.code, 0, "{want}: {}{}", run.stdout, run.stderr);
    }
}

const ROUTES: &str = "route: { receiver: nobody, routes: [ { matchers: [ 'severity=\"warning\"' ], receiver: chat } ] }
receivers: [ { name: nobody }, { name: chat, slack_configs: [ {} ] }, { name: pager, pagerduty_configs: [ {} ] } ]
";

#[test]
fn an_alert_that_reaches_nobody_is_told() {
    let env = TestEnv::new();
    env.write("am.yml", ROUTES);
    env.write("rules.yml", fine("expr: x > 1"));
    let run = check(&env, &["--alertmanager-config", "am.yml", "--strict"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("PASS"), "{}", run.stdout);
    env.write("rules.yml", fine("expr: x > 1").replace("warning", "critical"));
    let run = check(&env, &["--alertmanager-config", "am.yml"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("BLOCKER A17 A  rules.yml:1"), "{}", run.stdout);
    assert!(run.stdout.contains("it reaches nobody: it goes to `nobody`, which tells nobody"), "{}", run.stdout);
    // Without the routes it is not known, and never a pass.
    assert_eq!(check(&env, &["--strict"]).code, 3);
}

#[test]
fn claims_are_proved_and_the_proofs_are_kept() {
    let env = TestEnv::new();
    env.write("rules.yml", fine("expr: up > 1"));
    let run = check(&env, &["--evidence", "proofs", "-o", "json"]);
    let proof = run.json()["data"]["findings"][0]["evidence"][0].as_str().unwrap().to_owned();
    assert_eq!(proof, "proved by `promtool test rules` on made-up series: proofs/A03-A-1.test.yml");
    assert!(env.path().join("proofs/A03-A-1.test.yml").is_file());
    // Where there is no promtool, it says so.
    let run = env.var("PATH", "/nowhere").run(["check", "alerts", "rules.yml"]);
    assert!(run.stdout.contains("not proved: promtool is not installed"), "{}", run.stdout);
}

#[test]
fn rules_are_found_in_folders_and_nothing_to_check_is_no_pass() {
    let env = TestEnv::new();
    env.write("k8s/rules.yaml", format!("kind: PrometheusRule\nspec:\n  {}", fine("expr: up == 0")));
    env.write("k8s/deployment.yaml", "kind: Deployment\nspec: {replicas: 1}\n");
    let run = env.run(["check", "alerts", "k8s", "-o", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let checked = &run.json()["data"]["checked"];
    assert_eq!((&checked["files"], &checked["alerts"]), (&2.into(), &1.into()));
    env.write("empty/a.yml", "kind: Service\n");
    let run = env.run(["check", "alerts", "empty"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("found nothing to check"), "{}", run.stderr);
    // A slip of the fingers in the one file that was named.
    env.write("rules.yml", "group:\n- name: g\n");
    let run = check(&env, &[]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("no `groups`"), "{}", run.stdout);
    let run = TestEnv::new().run(["check", "alerts"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no rule files are named"), "{}", run.stderr);
}

#[test]
fn what_a_part_of_the_storage_did_not_say_is_not_missing() {
    let backends = Backends::start();
    let env = TestEnv::new();
    env.write("liveops.yaml", backends.config(""));
    env.write("rules.yml", fine("expr: x > 1"));
    let series = json!([{ "metric": {}, "value": [1, "1"] }]);
    let data = json!({ "resultType": "vector", "result": series });
    for (warnings, code) in [(json!([]), 1), (json!(["a store did not answer"]), 3)] {
        let answer = json!({ "status": "success", "data": data, "warnings": warnings });
        backends.prometheus.set("POST", "/api/v1/query", Answer::json(answer));
        let run = check(&env, &["--live", "-o", "json", "--fail-on", "high"]);
        assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
        let is_missing = found(&run).contains(&"A18 HIGH".to_owned());
        assert_eq!(is_missing, code == 1, "{}", run.stdout);
    }
}

/// What `liveops new` wrote is what is checked where nothing is named: rules, runbooks, the way to people.
#[test]
fn what_new_wrote_is_checked_without_naming_it() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        "version: 1\nproject: game\nenvironments: { staging: {} }\nservices:\n  - { name: game, owner: platform, metrics: ['http://127.0.0.1:1/metrics'] }\nkpis:\n  - { name: cpu, gauge: cpu_usage_ratio, warn: '> 60%', critical: '> 80%' }\n",
    );
    assert_eq!(env.run(["check", "alerts"]).code, 2);
    assert_eq!(env.run(["new", "alert-rules"]).code, 0);
    let run = env.run(["check", "alerts", "-o", "json"]);
    assert_eq!((run.code, found(&run)), (0, vec![]), "{}{}", run.stdout, run.stderr);
    assert_eq!(env.run(["new", "alertmanager"]).code, 0);
    // Its receivers are still to be filled in: each alert says so, and a screen says it once for all that are alike.
    let run = env.run(["check", "alerts"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stdout.matches("it goes to `critical`, which tells nobody").count(), 1, "{}", run.stdout);
    assert!(run.stdout.contains("    also: "), "{}", run.stdout);
    assert!(
        run.stdout.trim_end().ends_with("next: liveops check alerts --write-baseline alerts.json"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("A13"), "{}", run.stdout);
    // The rules of an SLO lie elsewhere: whose runbook it is, these rules alone do not tell.
    env.write("docs/runbooks/alerts/Elsewhere.md", "# Elsewhere\n");
    let run = env.run(["check", "runbooks", "-o", "json"]);
    assert!(!found(&run).iter().any(|one| one.starts_with("R02") || one.starts_with("R01")), "{}", run.stdout);
    // They are all where they are configured; a rule that links its runbook has one.
    env.write("liveops.yaml", "version: 1\nrunbooks: { rules: [monitoring/rules] }\n");
    let run = env.run(["check", "alerts", "-o", "json"]);
    let orphans: Vec<String> = found(&run).into_iter().filter(|one| one.starts_with("A13")).collect();
    assert_eq!(orphans, ["A13 HIGH"], "{}", run.stdout);
}

/// A template is unknown until it is rendered, also where it happens to be YAML.
#[test]
fn a_template_is_unknown_and_no_rule_of_it_is_wrong() {
    let env = TestEnv::new();
    for text in [
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > <%= p('a') %>\n    for: <%= p('b') %>\n    labels: {severity: warning}\n",
        "groups:\n{{- range .Values.groups }}\n- name: {{ .name }}\n{{- end }}\n",
    ] {
        env.write("rules.yml", text);
        let run = check(&env, &["-o", "json"]);
        assert_eq!((run.code, found(&run)), (3, vec![]), "{}{}", run.stdout, run.stderr);
        let json = run.json();
        assert!(json["data"]["unknown"][0]["why"].as_str().unwrap().contains("render it first"), "{}", run.stdout);
    }
}
