//! What an alert tells people (A11, A12, A14): labels that are not there, values as labels, no summary, units that do not
//! fit what is compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::alerts::file::WrittenRule;
use crate::check::alerts::fires::is_heartbeat;
use crate::check::alerts::infer::shapes as shapes_of;
use crate::check::alerts::set::{Placed, RuleSet};
use crate::check::alerts::shape::{Known, Shape};
use crate::check::alerts::template;
use crate::check::finding::{Finding, Level};
use crate::metric::promql::{BinaryExpr, Expr};
use crate::text::count::count;
use crate::text::suggest::nearest;

const DAY: f64 = 86_400.0;

/// Annotations that say what is wrong, and labels that say whose it is.
const DESCRIPTIONS: [&str; 6] = ["description", "message", "details", "summary", "title", "info"];
const OWNERS: [&str; 17] = [
    "owner",
    "owners",
    "ownership",
    "owned",
    "team",
    "teams",
    "squad",
    "tribe",
    "contact",
    "contacts",
    "responsible",
    "department",
    "maintainer",
    "maintainers",
    "oncall",
    "assignee",
    "channel",
];

/// Does a label or an annotation of this name say whose an alert is: `service_owner`, `opsgenieTeam`, `support_group`?
fn is_owner(key: &str) -> bool {
    let mut words = String::new();
    for c in key.chars() {
        words.extend(c.is_uppercase().then_some('_'));
        words.extend(c.to_lowercase());
    }
    words.split(['_', '-', '.']).any(|word| OWNERS.contains(&word)) || words.ends_with("support_group")
}

/// A11.
pub fn labels(set: &RuleSet<'_>, placed: Placed<'_>) -> Vec<Finding> {
    let rule = placed.rule;
    // A side that never passes its comparison, as that of `… or vector(0)` in front of `> 5`, is never shown.
    let shapes: Vec<Shape> = set.shapes(rule).into_iter().filter(|shape| !shape.is_never()).collect();
    let mut findings = Vec::new();
    for (key, text) in rule.annotations.iter().chain(&rule.labels) {
        let Ok(asked) = template::read(text) else { continue };
        for name in asked.labels {
            let missing: Vec<&Shape> = shapes.iter().filter(|shape| shape.label(&name) == Known::Missing).collect();
            if missing.is_empty() || shapes.is_empty() {
                continue;
            }
            // The zeros that recording rules put in for what is missing are no side of this query.
            let by_itself = rule.tree.as_ref().map_or_else(Vec::new, |tree| shapes_of(tree, &|_| None));
            let has_it = |shape: &Shape| shape.is_never() || shape.label(&name) != Known::Missing;
            if missing.len() < shapes.len() && by_itself.iter().all(has_it) {
                continue;
            }
            let why = match (missing.len() == shapes.len(), rule.labels.contains_key(&name)) {
                (true, true) => {
                    format!("`{key}` shows label `{name}` of the rule: templates know those of the query alone")
                }
                (true, false) => format!("`{key}` shows label `{name}`, which the query does not have"),
                (false, _) => format!("`{key}` shows label `{name}`, which one side of the query does not have"),
            };
            let level = if missing.len() == shapes.len() { Level::High } else { Level::Medium };
            let fix = format!("keep it in the query, such as `by ({name})`, or do not show it");
            findings.push(rule.finding("A11", level, why).fix(fix));
        }
    }
    for (key, text) in &rule.labels {
        if template::read(text).is_ok_and(|asked| asked.value) {
            let why =
                format!("label `{key}` has the value in it: each new value is a new alert, and `for` starts anew");
            findings.push(rule.finding("A11", Level::High, why).fix("show the value in an annotation"));
        }
    }
    findings
}

/// A12.
pub fn annotations(set: &RuleSet<'_>, placed: Placed<'_>) -> Vec<Finding> {
    let rule = placed.rule;
    let mut findings = Vec::new();
    if !rule.labels.contains_key("severity") && !brings(rule).contains("severity") {
        let why = "it has no label `severity`: nobody can tell whether to wake somebody";
        findings.push(
            rule.finding("A12", Level::High, why).fix("add `severity` to its labels, such as `severity: warning`"),
        );
    }
    let has = |names: &[&str]| {
        names.iter().any(|name| rule.annotations.contains_key(*name) || rule.labels.contains_key(*name))
    };
    let mut missing = Vec::new();
    if !has(&["summary", "title"]) {
        missing.push("summary");
    }
    if !has(&DESCRIPTIONS) {
        missing.push("description");
    }
    // Where no alert has one, that is said once.
    if set.has_owners()
        && !has_owner(rule)
        && !brings(rule).into_iter().any(is_owner)
        && !is_heartbeat(&rule.name, rule.labels.get("severity").map(String::as_str))
    {
        missing.push("owner");
    }
    if !missing.is_empty() {
        let why = format!("it has no {}", missing.join(", no "));
        let texts: Vec<String> = missing.iter().filter(|one| **one != "owner").map(|one| format!("`{one}`")).collect();
        let texts = (!texts.is_empty()).then(|| format!("add {} to its annotations", texts.join(" and ")));
        let owner = missing.contains(&"owner").then(|| "add `team` or `owner` to its labels".to_owned());
        let fix = texts.into_iter().chain(owner).collect::<Vec<_>>().join(", and ");
        findings.push(rule.finding("A12", Level::Low, why).fix(fix));
    }
    findings
}

/// The labels that a query gives its series by name, such as `* on (instance) group_left (team) owners`: those that it
/// groups by, asks for, brings from its other side, or makes.
fn brings(rule: &WrittenRule) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let Some(tree) = &rule.tree else { return found };
    tree.walk(&mut |expr| match expr {
        Expr::Aggregate { grouping: Some(grouping), .. } if grouping.include => {
            found.extend(grouping.labels.iter().map(String::as_str));
        }
        Expr::Binary(both) => {
            found.extend(both.matching.group.iter().flat_map(|(_, labels)| labels).map(String::as_str));
        }
        Expr::Call { function, args } if ["label_replace", "label_join"].contains(&function.name) => {
            found.extend(args.get(1).and_then(|arg| match arg {
                Expr::Text(label) => Some(label.as_str()),
                _ => None,
            }));
        }
        Expr::Selector(selector) => {
            let sure = selector.matchers.iter().flatten().filter(|one| one.accepts("") == Some(false));
            found.extend(sure.map(|one| one.name.as_str()));
        }
        _ => {}
    });
    found
}

/// Is it said whose it is?
pub fn has_owner(rule: &WrittenRule) -> bool {
    rule.labels.keys().chain(rule.annotations.keys()).any(|key| is_owner(key))
}

/// A12 of all alerts together: words for a severity that nobody else uses, and that none of them has an owner.
pub fn vocabulary(set: &RuleSet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let known = &set.setting.severities;
    let mut words: BTreeMap<&str, (usize, Placed<'_>)> = BTreeMap::new();
    for placed in set.alerts() {
        if let Some(word) = placed.rule.labels.get("severity").filter(|word| !word.contains("{{")) {
            words.entry(word).or_insert((0, placed)).0 += 1;
        }
    }
    for (word, (uses, first)) in words {
        if known.iter().any(|one| one.eq_ignore_ascii_case(word)) {
            continue;
        }
        let near = nearest(word, known.iter().map(String::as_str)).filter(|_| word.chars().count() > 5);
        let (level, why, fix) = match near {
            Some(near) => (
                Level::High,
                format!("`{word}` is no usual word for a severity, and looks like a slip"),
                format!("did you mean `{near}`? If not, pass `--severities {word},…`"),
            ),
            None => (
                Level::Low,
                format!("`{word}` is no usual word for a severity: {}", count(uses, "alert")),
                format!("name your own words: `--severities {word},…`; the usual ones: {}", known.join(", ")),
            ),
        };
        findings.push(first.rule.finding("A12", level, why).fix(fix));
    }
    let owned = |placed: &Placed<'_>| {
        is_heartbeat(&placed.rule.name, placed.rule.labels.get("severity").map(String::as_str))
            || brings(placed.rule).into_iter().any(is_owner)
    };
    let mut alerts = set.alerts().filter(|placed| !owned(placed));
    if let (false, Some(first)) = (set.has_owners(), alerts.next()) {
        let why = match alerts.count() {
            0 => "it has no owner".to_owned(),
            more => format!("it has no owner, and neither has any of the {}", count(more, "other alert")),
        };
        findings.push(first.rule.finding("A12", Level::Low, why).fix("add `team` or `owner` to the labels"));
    }
    findings
}

/// A14.
pub fn units(placed: Placed<'_>) -> Vec<Finding> {
    let rule = placed.rule;
    let mut findings = Vec::new();
    let Some(tree) = &rule.tree else { return findings };
    tree.walk(&mut |expr| {
        let Expr::Binary(both) = expr else { return };
        if let Some(why) = unit(both) {
            let fix = "Prometheus' base units are seconds, bytes and shares of 1: correct the number, or the name of the metric";
            findings.push(rule.of_expr("A14", Level::Medium, why).fix(fix));
        }
    });
    findings
}

/// Why a number does not fit the unit that the name of the metric tells.
fn unit(both: &BinaryExpr) -> Option<String> {
    if !both.is_comparison() {
        return None;
    }
    let number = |expr: &Expr| match expr.bare() {
        Expr::Number(value) => Some(*value),
        _ => None,
    };
    let (value, side) = match (number(&both.lhs), number(&both.rhs)) {
        (None, Some(value)) => (value, &both.lhs),
        (Some(value), None) => (value, &both.rhs),
        _ => return None,
    };
    let name = measured(side)?;
    let base = name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_total");
    // Of what is compared with 0 or 1 no unit is meant.
    if base.ends_with("_seconds") && value > DAY {
        let is_long = [
            "uptime",
            "age",
            "expir",
            "time_",
            "timestamp",
            "created",
            "start",
            "since",
            "last",
            "lag",
            "retention",
            "ttl",
            "remaining",
        ];
        return (!is_long.iter().any(|word| base.contains(word))).then(|| {
            format!("`{name}` is in seconds, and {value} of them are {:.0} days: are milliseconds meant?", value / DAY)
        });
    }
    if (base.ends_with("_ratio") || base.ends_with(":ratio"))
        && value > 1.0
        && !["compress", "over", "amplif"].iter().any(|word| base.contains(word))
    {
        return Some(format!("`{name}` is a share of 1, and compared with {value}: are percent meant?"));
    }
    if base.ends_with("_bytes") && value > 1.0 && value < 1000.0 {
        return Some(format!("`{name}` is in bytes, and compared with {value}: are kilobytes or megabytes meant?"));
    }
    None
}

/// The metric whose own unit an expression has.
fn measured(expr: &Expr) -> Option<&str> {
    match expr.bare() {
        Expr::Selector(selector) => selector.metric(),
        Expr::Aggregate { op, args, .. } if ["sum", "avg", "min", "max", "quantile"].contains(&op.as_str()) => {
            measured(args.last()?)
        }
        Expr::Call { function, args } => match function.name {
            "avg_over_time" | "max_over_time" | "min_over_time" | "last_over_time" | "abs" => measured(args.first()?),
            "histogram_quantile" => match args.get(1)?.selectors().as_slice() {
                [only] => only.metric(),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::alerts::file::RuleFile;
    use crate::check::alerts::set::Setting;

    fn ids(rule: &str) -> Vec<(&'static str, Level)> {
        let files = [RuleFile::read(&format!("groups: [{{name: g, rules: [{{alert: A, {rule}}}]}}]"), "r.yml")];
        assert!(files[0].findings.is_empty(), "{rule}: {:?}", files[0].findings);
        let setting = Setting::default();
        let set = RuleSet::new(&files, &setting);
        let placed = set.alerts().next().unwrap();
        let mut found = labels(&set, placed);
        found.extend(vocabulary(&set));
        found.extend(annotations(&set, placed));
        found.extend(units(placed));
        found.iter().map(|found| (found.id, found.level)).collect()
    }

    const FINE: &str = "labels: {severity: warning, team: x}, annotations: {summary: s}";

    #[test]
    fn each_is_caught_and_its_twin_is_not() {
        let with = |text: &str| format!("labels: {{severity: warning, team: x}}, annotations: {{summary: '{text}'}}");
        for (rule, want) in [
            (format!("expr: sum(x) > 1, {}", with("{{ $labels.pod }}")), vec![("A11", Level::High)]),
            (format!("expr: sum by (pod) (x) > 1, {}", with("{{ $labels.pod }}")), vec![]),
            (format!("expr: x > 1, {}", with("{{ $labels.pod }}")), vec![]),
            (format!("expr: sum(x) > 1, {}", with("{{ $labels.team }}")), vec![("A11", Level::High)]),
            (format!("expr: 'sum(x) > 1 or y > 1', {}", with("{{ $labels.pod }}")), vec![("A11", Level::Medium)]),
            (format!("expr: '(sum by (pod) (x) or vector(0)) > 1', {}", with("{{ $labels.pod }}")), vec![]),
            (
                format!("expr: '(sum by (pod) (x) or vector(0)) < 1', {}", with("{{ $labels.pod }}")),
                vec![("A11", Level::Medium)],
            ),
            (
                "expr: x > 1, labels: {severity: warning, team: x, v: '{{ $value }}'}, annotations: {summary: s}"
                    .into(),
                vec![("A11", Level::High)],
            ),
            (format!("expr: x > 1, {}", with("{{ $value }}")), vec![]),
            ("expr: x > 1, annotations: {summary: s}, labels: {team: x}".into(), vec![("A12", Level::High)]),
            (
                "expr: x > 1, annotations: {summary: s}, labels: {team: x, severity: criticial}".into(),
                vec![("A12", Level::High)],
            ),
            (
                "expr: x > 1, annotations: {summary: s}, labels: {team: x, severity: pageteam}".into(),
                vec![("A12", Level::Low)],
            ),
            (
                "expr: x > 1, annotations: {summary: s}, labels: {team: x, severity: home}".into(),
                vec![("A12", Level::Low)],
            ),
            ("expr: x > 1, annotations: {summary: s}, labels: {support_group: x, severity: s3}".into(), vec![]),
            ("expr: x > 1, annotations: {summary: s}, labels: {opsgenieTeam: x, severity: major}".into(), vec![]),
            ("expr: x > 1, annotations: {summary: s}, labels: {team: x, severity: Critical}".into(), vec![]),
            (
                "expr: '(x > 1) * on (instance) group_left (team) owners', annotations: {summary: s}, labels: {severity: info}"
                    .into(),
                vec![],
            ),
            ("expr: 'sum by (severity) (x) > 1', annotations: {summary: s}, labels: {team: x}".into(), vec![]),
            ("expr: x > 1, labels: {severity: info, team: x}".into(), vec![("A12", Level::Low)]),
            ("expr: x > 1, labels: {severity: info}, annotations: {summary: s}".into(), vec![("A12", Level::Low)]),
            (format!("expr: x_seconds > 300000, {FINE}"), vec![("A14", Level::Medium)]),
            (format!("expr: x_seconds > 300, {FINE}"), vec![]),
            (format!("expr: x_uptime_seconds > 300000, {FINE}"), vec![]),
            (
                format!("expr: 'histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[5m]))) > 500000', {FINE}"),
                vec![("A14", Level::Medium)],
            ),
            (format!("expr: x_ratio > 90, {FINE}"), vec![("A14", Level::Medium)]),
            (format!("expr: x_ratio > 0.9, {FINE}"), vec![]),
            (format!("expr: 'x_ratio * 100 > 90', {FINE}"), vec![]),
            (format!("expr: x_bytes > 500, {FINE}"), vec![("A14", Level::Medium)]),
            (format!("expr: x_bytes > 500000, {FINE}"), vec![]),
            (format!("expr: x_bytes > 0, {FINE}"), vec![]),
            (format!("expr: 'x_bytes / y_bytes * 100 > 90', {FINE}"), vec![]),
        ] {
            assert_eq!(ids(&rule), want, "{rule}");
        }
    }
}
