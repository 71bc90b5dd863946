//! Rule files as teams write them, and what Prometheus would refuse in them.

use super::*;

const RULE: &str = "{alert: A, expr: up == 0, for: 5m, labels: {severity: page, tier: 1}}";

#[test]
fn rules_are_read_wherever_teams_keep_them() {
    let own = format!("groups: [{{name: g, rules: [{RULE}, {{record: r, expr: x}}]}}]");
    let object = format!("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n  {own}\n");
    let map = format!("kind: ConfigMap\ndata:\n  a.rules: |\n    {own}\n  other.txt: 'no groups: 3'\n");
    let list = format!("kind: List\nitems:\n- kind: PrometheusRule\n  spec:\n    {own}\n- kind: Service\n");
    for (text, count, line) in [
        (own.clone(), 2, 1),
        (object.clone(), 2, 4),
        (map.clone(), 2, 4),
        (map.replace("a.rules", "alerts"), 2, 4),
        (list, 2, 5),
        (format!("---\n{object}---\nkind: Service\n---\n{own}\n"), 4, 5),
        ("groups:\n".into(), 0, 0),
        (String::new(), 0, 0),
        ("kind: Deployment\nspec: {replicas: 1}".into(), 0, 0),
    ] {
        let file = RuleFile::read(&text, "r.yml");
        assert_eq!(file.rules().count(), count, "{text}");
        assert!(file.findings.is_empty(), "{text}: {:?}", file.findings);
        assert_eq!(file.rules().next().map_or(0, |rule| rule.line), line, "{text}");
    }
}

#[test]
fn rules_have_the_labels_of_their_group_and_their_own_before_them() {
    let text = format!("groups: [{{name: g, labels: {{severity: info, team: x}}, rules: [{RULE}]}}]");
    let file = RuleFile::read(&text, "r.yml");
    let labels: Vec<(&str, &str)> =
        file.rules().flat_map(|rule| &rule.labels).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("severity", "page"), ("team", "x"), ("tier", "1")]);
}

/// Each text with the line and the words of what Prometheus refuses in it.
#[test]
fn what_prometheus_refuses_has_its_place() {
    for (rule, line, why) in [
        ("- alert: A\n  expr: sum(\n", 4, "no PromQL"),
        ("- alert: A\n  expr: |\n    up\n    == (\n", 6, "no PromQL"),
        ("- alert: A\n  expr: up == 0\n  fore: 5m\n", 5, "a rule has no field `fore`; did you mean `for`?"),
        ("- alert: A\n  expr: up == 0\n  for: 5\n", 5, "has no unit"),
        ("- alert: A\n  expr: up == 0\n  for: '5m '\n", 5, "has blanks around it"),
        ("- expr: up\n", 3, "neither `alert` nor `record`"),
        ("- alert: A\n  record: b\n  expr: up\n", 3, "both `alert` and `record`"),
        ("- record: a\n  expr: up\n  for: 1m\n", 5, "a recording rule has no `for`"),
        ("- record: a-b\n  expr: up\n", 3, "no name of a metric"),
        ("- alert: A\n", 3, "no `expr`"),
        ("- alert: A\n  expr: up == 0\n  expr: up\n", 5, "given twice"),
        ("- alert: A\n  expr: up == 0\n  annotations: {s: '{{ $label.x }}'}\n", 5, "undefined variable"),
        ("- alert: A\n  expr: up == 0\n  labels: {a-b: c}\n", 5, "no name of labels"),
    ] {
        let body = rule.replace('\n', "\n  ");
        let text = format!("groups:\n- name: g\n  rules:\n  {}\n", body.trim_end());
        let found = RuleFile::read(&text, "r.yml").findings;
        let [only] = found.as_slice() else { panic!("{text}: {found:#?}") };
        assert!(only.why.contains(why), "{text}: {}", only.why);
        assert_eq!(only.line, Some(line + 1), "{text}: {}", only.why);
        assert_eq!((only.id, only.level), ("A01", Level::Blocker));
    }
    let twice = RuleFile::read("groups:\n- {name: g, rules: []}\n- {name: g, rules: []}\n", "r.yml");
    assert_eq!(twice.findings.len(), 1);
    let second = RuleFile::read("groups: []\n---\ngroups: []\n", "r.yml").findings;
    assert!(second.len() == 1 && second[0].why.contains("only the first document"), "{second:?}");
    assert_eq!((second[0].level, second[0].fix.as_deref()), (Level::High, Some("move it to a file of its own")));
    assert_eq!(RuleFile::read("groups: []\n---\n[[\n", "r.yml").findings[0].level, Level::High);
    assert_eq!(RuleFile::read("groups: 3\n", "r.yml").findings.len(), 1);
    let misplaced = RuleFile::read("groups:\n- alert: A\n  expr: up == 0\n", "r.yml").findings;
    assert!(misplaced[0].why.contains("a rule group has no field `alert`"), "{misplaced:?}");
    let levels = |strategy: &str, head: &str| -> Vec<Level> {
        let text = format!("{head}groups: [{{name: g, partial_response_strategy: {strategy}, rules: []}}]\n");
        RuleFile::read(&text, "r.yml").findings.iter().map(|one| one.level).collect()
    };
    assert_eq!(levels("warn", ""), [Level::Medium]);
    assert_eq!(levels("bob", ""), [Level::Blocker, Level::Medium]);
    assert_eq!(levels("warn", "kind: PrometheusRule\nspec:\n  "), []);
    let victoria = RuleFile::read("groups: [{name: g, concurrency: 2, rules: []}]\n", "r.yml").findings;
    assert!(victoria.len() == 1 && victoria[0].why.ends_with("it is vmalert's"), "{victoria:?}");
    assert_eq!(victoria[0].level, Level::Medium);
    assert_eq!(RuleFile::read("grups: [\n", "r.yml").findings.len(), 1);
    for (text, why) in [
        ("groups: [{name: g, rules: a}]\n", "`rules` is no list"),
        ("groups: [{name: g, limit: a, rules: []}]\n", "`limit` is no number"),
        ("groups: [{name: g, limit: '5', rules: []}]\n", "`limit` is no number"),
        ("%YAML 1.2\n---\ngroups: []\n", "Prometheus reads YAML 1.1"),
    ] {
        let found = RuleFile::read(text, "r.yml").findings;
        assert!(found.len() == 1 && found[0].why == why, "{text}: {found:?}");
    }
    // What Prometheus takes.
    for text in [
        "groups:\n-\n",
        "groups:\n- name: g\n  limit: 5\n  rules:\n  -\n  - {record: a, expr: up, for: 0s, annotations: {}}\n",
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: \"up\n== 0\"\n    labels: {\na: b\n}\n",
        "groups: [{name: x, services: [{name: y, rules: [{query: z}]}]}]\n",
    ] {
        assert_eq!(RuleFile::read(text, "r.yml").findings, [], "{text}");
    }
    for text in [
        "kind: PrometheusRule\nmetadata:\n  namespace: {{ .Release.Namespace }}\nspec: {groups: []}\n",
        "groups: [{name: g, rules: [{alert: A, expr: 'x > {{if .Values.a}}3{{else}}2{{end}}'}]}]\n",
    ] {
        let file = RuleFile::read(text, "r.yml");
        assert_eq!((file.findings.len(), file.unknown.len()), (0, 1), "{text}");
    }
    let helm = RuleFile::read("{{- if .Values.on }}\ngroups: []\n{{- end }}\n", "r.yml");
    assert_eq!((helm.findings.len(), helm.unknown.len()), (0, 1));
}
