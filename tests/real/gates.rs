//! Gates against what they must agree with: Alertmanager's own routing, and promtool's own reading of files.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use liveops_domain::check::alerts::file::RuleFile;
use liveops_domain::check::alerts::routes::RoutingTree;
use liveops_domain::metric::labels::Labels;

#[allow(clippy::disallowed_methods, reason = "the environment says how much is asked for")]
fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

const NAMES: [&str; 5] = ["severity", "team", "env", "job", "service"];
const VALUES: [&str; 7] = ["critical", "warning", "a", "b", "prod", "a-b", ""];

fn matcher(random: &mut fastrand::Rng) -> String {
    let name = NAMES[random.usize(..NAMES.len())];
    let value = VALUES[random.usize(..VALUES.len())];
    let pattern = ["a|b", "crit.*", ".+", ".*", "[ab]", "prod|", "a-?b?", "w\\\\w+"][random.usize(..8)];
    match random.u8(..6) {
        0 => format!("{name}=\"{value}\""),
        1 => format!("{name}!=\"{value}\""),
        2 => format!("{name}=~\"{pattern}\""),
        3 => format!("{name}!~\"{pattern}\""),
        4 => format!(" {name} = {} ", if value.is_empty() { "x" } else { value }),
        _ => format!("{name}=\"{value}\",team=~\"{pattern}\""),
    }
}

/// A route and those below it, in all three ways to write matchers.
fn route(random: &mut fastrand::Rng, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = writeln!(text, "{indent}- receiver: r{}", random.u8(..6));
    match random.u8(..4) {
        0 => {
            let _ =
                writeln!(text, "{indent}  match: {{ {}: '{}' }}", NAMES[random.usize(..5)], VALUES[random.usize(..6)]);
        }
        1 => {
            let _ = writeln!(
                text,
                "{indent}  match_re: {{ {}: '{}' }}",
                NAMES[random.usize(..5)],
                ["a|b", "crit.*", "prod"][random.usize(..3)]
            );
        }
        _ => {
            let all: Vec<String> = (0..=random.usize(..2)).map(|_| format!("'{}'", matcher(random))).collect();
            let _ = writeln!(text, "{indent}  matchers: [ {} ]", all.join(", "));
        }
    }
    if random.u8(..3) == 0 {
        let _ = writeln!(text, "{indent}  continue: true");
    }
    if depth < 4 && random.u8(..2) == 0 {
        let _ = writeln!(text, "{indent}  routes:");
        (0..=random.usize(..3)).for_each(|_| route(random, depth + 1, text));
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test starts the programs it needs")]
fn routes_are_those_of_alertmanager() {
    let seed = asked("LIVEOPS_TEST_SEED", 20_261_130);
    let each = asked("LIVEOPS_TEST_ROUTES", 12);
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("am.yml");
    for config in 0..20 {
        let mut text = String::from("route:\n  receiver: r0\n  routes:\n");
        (0..=random.usize(2..6)).for_each(|_| route(&mut random, 1, &mut text));
        text.push_str("receivers: [ {name: r0}, {name: r1}, {name: r2}, {name: r3}, {name: r4}, {name: r5} ]\n");
        fs::write(&path, &text).unwrap();
        let tree = RoutingTree::read(&text).unwrap();
        assert!(tree.faults.is_empty(), "seed {seed}, config {config}: {:?}\n{text}", tree.faults);
        for _ in 0..each {
            let mut labels = Labels::new();
            for name in NAMES {
                if random.u8(..3) > 0 {
                    labels.insert(name.into(), VALUES[random.usize(..6)].into());
                }
            }
            let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let ran = Command::new("amtool")
                .args(["config", "routes", "test", "--config.file"])
                .arg(&path)
                .args(&pairs)
                .output()
                .expect("amtool is installed (Debian package prometheus-alertmanager)");
            let said = String::from_utf8_lossy(&ran.stdout);
            let told = tree.receivers_of(&labels).join(",");
            assert_eq!(
                told,
                said.trim(),
                "seed {seed}, config {config}, {pairs:?}: {}\n{text}",
                String::from_utf8_lossy(&ran.stderr)
            );
        }
    }
}

/// What promtool refuses is A01, and what it takes is not.
#[test]
#[allow(clippy::disallowed_methods, reason = "a test starts the programs it needs")]
fn files_are_refused_where_promtool_refuses_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    let rules = [
        "- {alert: A, expr: up == 0}",
        "- {alert: A, expr: up == 0, for: 5m, keep_firing_for: 1h}",
        "- {alert: A, expr: 1}",
        "- {alert: A, expr: up == (}",
        "- {alert: A, expr: }",
        "- {alert: A}",
        "- {alert: '', expr: up}",
        "- {alert: A, record: b, expr: up}",
        "- {record: b, expr: up}",
        "- {record: 'b-c', expr: up}",
        "- {record: b, expr: up, for: 5m}",
        "- {record: b, expr: up, annotations: {a: b}}",
        "- {record: b, expr: up, labels: {a: 1, b: true}}",
        "- {alert: A, expr: up, for: 5}",
        "- {alert: A, expr: up, for: 5x}",
        "- {alert: A, expr: up, fore: 5m}",
        "- {alert: A, expr: up, labels: {'a-b': c}}",
        "- {alert: A, expr: up, labels: {__name__: c}}",
        "- {alert: A, expr: up, annotations: {'a b': c}}",
        "- {alert: A, expr: up, annotations: {a: '{{ $labels.x }} {{ $value | humanize }}'}}",
        "- {alert: A, expr: up, annotations: {a: '{{ $labels.x'}}",
        "- {alert: A, expr: up, annotations: {a: '{{ $label.x }}'}}",
        "- {alert: A, expr: up, annotations: {a: '{{ nothing .x }}'}}",
        "- {alert: A, expr: up, annotations: {a: '{{ if $value }}x'}}",
        "- {alert: A, expr: up, annotations: {a: '{{ range query \"up\" }}{{ .Value }}{{ end }}'}}",
        "- {alert: A, expr: up, labels: {a: '{{ end }}'}}",
        "- {alert: A, expr: up, annotations: {a: '{{/* x */}}{{- with $x := 1 -}}{{ $x }}{{- end -}}'}}",
        "- {alert: A, expr: up, alert: B}",
        "- {alert: A, expr: 'x{a=~\"b\"}', labels: {a: null}}",
        "- {alert: A, expr: 'rate(x) > 1'}",
    ];
    for rule in rules {
        let text = format!("groups:\n- name: g\n  rules:\n  {rule}\n");
        compare(&path, &text);
    }
    for text in [
        "groups:\n- name: g\n- name: g\n",
        "groups:\n- name: g\n  interval: 1m\n  limit: 3\n",
        "groups:\n- name: ''\n",
        "groups:\n- name: g\n  intervall: 1m\n",
        "groups: 3\n",
        "groups: []\nnamespace: x\n",
        "groups: [\n",
    ] {
        compare(&path, text);
    }
}

#[allow(clippy::disallowed_methods, reason = "a test starts the programs it needs")]
fn compare(path: &std::path::Path, text: &str) {
    fs::write(path, text).unwrap();
    let ran = Command::new("promtool").args(["check", "rules"]).arg(path).output();
    let ran = ran.expect("promtool is installed (Debian package prometheus)");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let refuses = said.contains("FAILED");
    let ours = RuleFile::read(text, "rules.yml").findings;
    assert_eq!(!ours.is_empty(), refuses, "{text}\npromtool: {said}\nliveops: {ours:?}");
}
