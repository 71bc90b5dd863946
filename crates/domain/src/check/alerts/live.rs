//! What only a running Prometheus tells of its rules: their series (A18), their health (A19), and whether the files are
//! what is loaded (A21). Pure: the answers come in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::rule::{Rule, Trouble};
use crate::check::alerts::file::{RuleFile, RuleGroup, WrittenRule};
use crate::check::alerts::history::PAST;
use crate::check::alerts::set::RuleSet;
use crate::check::finding::{Finding, Level};
use crate::metric::promql::{self, Expr, MatchOp, Matcher, VectorSelector};
use crate::text::count::count;
use crate::text::duration::human;
use crate::text::shell::word;

/// The rules that a server has loaded, as if they were written in a file without a name.
pub fn loaded(rules: &[Rule]) -> RuleFile {
    let mut file = RuleFile::default();
    for rule in rules {
        let written = WrittenRule {
            file: String::new(),
            line: 0,
            expr_line: 0,
            is_alert: rule.alerting.is_some(),
            name: rule.name.clone(),
            tree: promql::tree(&rule.expression).ok(),
            expr: rule.expression.clone(),
            hold: rule.alerting.as_ref().map(|alerting| Duration::try_from_secs_f64(alerting.hold).unwrap_or_default()),
            labels: rule.alerting.as_ref().map(|alerting| alerting.labels.clone()).unwrap_or_default(),
            annotations: rule.alerting.as_ref().map(|alerting| alerting.annotations.clone()).unwrap_or_default(),
        };
        match file.groups.last_mut().filter(|group| group.name == rule.group) {
            Some(group) => group.rules.push(written),
            None => file.groups.push(RuleGroup {
                name: rule.group.clone(),
                interval: Duration::try_from_secs_f64(rule.interval).ok().filter(|interval| !interval.is_zero()),
                line: 0,
                rules: vec![written],
            }),
        }
    }
    file
}

/// A19.
pub fn health(rules: &[Rule], now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules {
        let found = |why: String, fix: &str| Finding::new("A19", Level::High, rule.name.clone(), why).fix(fix);
        match rule.trouble(now) {
            Some(Trouble::Fails(why)) => {
                let why = format!("Prometheus cannot evaluate it: {why}");
                findings.push(found(why, "correct its expression; until then it is silent"));
                continue;
            }
            Some(Trouble::Overdue(age)) => {
                let (age, interval) = (seconds(age.as_seconds_f64()), seconds(rule.interval));
                let why = format!("it was evaluated {age} ago, and should be every {interval}");
                findings.push(found(why, "see why Prometheus is late: `liveops doctor`"));
                continue;
            }
            Some(Trouble::NotYet) | None => {}
        }
        if rule.interval > 0.0 && rule.evaluation > rule.interval / 2.0 {
            let why = format!(
                "one evaluation takes {}, more than half of its interval of {}",
                seconds(rule.evaluation),
                seconds(rule.interval)
            );
            findings.push(
                Finding::new("A19", Level::High, rule.name.clone(), why)
                    .fix("record what is costly in a rule of its own"),
            );
        }
    }
    findings
}

fn seconds(value: f64) -> String {
    Duration::try_from_secs_f64(value).map_or_else(|_| format!("{value} s"), human)
}

/// A21, both ways.
pub fn drift(set: &RuleSet<'_>, loaded: &[Rule]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text =
        |expression: &str| promql::tree(expression).map_or_else(|_| expression.to_owned(), |tree| tree.to_string());
    let mut known = BTreeSet::new();
    for placed in &set.rules {
        let rule = placed.rule;
        known.insert(rule.name.as_str());
        let same_name: Vec<&Rule> =
            loaded.iter().filter(|one| one.name == rule.name && one.alerting.is_some() == rule.is_alert).collect();
        if same_name.is_empty() {
            let why = "it is in the file, and not loaded by Prometheus";
            findings.push(rule.finding("A21", Level::Medium, why).fix("deploy it, and reload Prometheus"));
            continue;
        }
        let own = text(&rule.expr);
        let is_same = |one: &&&Rule| {
            let held = one.alerting.as_ref().map_or(0.0, |alerting| alerting.hold);
            text(&one.expression) == own && (held - rule.held().as_secs_f64()).abs() < 0.001
        };
        if !same_name.iter().any(|one| is_same(&one)) {
            let why = "Prometheus has loaded another version of it: its expression or `for` differs";
            let finding = rule.finding("A21", Level::Medium, why).fix("deploy the file, and reload Prometheus");
            findings.push(finding.evidence(format!("loaded: {}", same_name[0].expression)));
        }
    }
    let more: BTreeSet<&str> = loaded
        .iter()
        .filter(|rule| rule.alerting.is_some() && !known.contains(rule.name.as_str()))
        .map(|rule| rule.name.as_str())
        .collect();
    if let Some(first) = more.first() {
        let why = format!("Prometheus has loaded {} that no file has, such as `{first}`", count(more.len(), "alert"));
        let finding = Finding::new("A21", Level::Medium, "loaded rules", why)
            .fix("keep them where they are reviewed, or check them with `liveops check alerts --live`");
        let names: Vec<&str> = more.iter().copied().take(20).collect();
        findings.push(finding.evidence(names.join(", ")));
    }
    findings
}

/// A selector that an alert needs, and the alerts that need it.
#[derive(Debug)]
pub struct Needed<'a> {
    pub selector: String,
    pub metric: String,
    /// What it asks of labels beside the metric.
    pub matchers: Vec<Matcher>,
    pub rules: Vec<&'a WrittenRule>,
}

/// What must have series, or the alert is silent. What is asked for because it is absent, or stands at the right of `or`
/// and `unless`, may be missing, and so may what counts failures that have not happened yet.
pub fn needed<'a>(set: &RuleSet<'a>) -> Vec<Needed<'a>> {
    let mut all: BTreeMap<String, Needed<'a>> = BTreeMap::new();
    for placed in set.alerts() {
        let Some(tree) = &placed.rule.tree else { continue };
        let mut selectors = Vec::new();
        required(tree, &mut selectors);
        for selector in selectors {
            let Some(metric) = selector.metric() else { continue };
            if metric.starts_with("ALERTS") {
                continue;
            }
            let plain = VectorSelector { range: None, ..selector.clone() };
            let text = VectorSelector { shift: VectorSelector::default().shift, ..plain }.to_string();
            let asks = |matcher: &&Matcher| matcher.name != "__name__" && matcher.op != MatchOp::NotEqual;
            let matchers = selector.matchers.iter().flatten().filter(asks).cloned().collect();
            let entry = all.entry(text.clone());
            let entry = entry.or_insert_with(|| Needed {
                selector: text,
                metric: metric.to_owned(),
                matchers,
                rules: Vec::new(),
            });
            entry.rules.push(placed.rule);
        }
    }
    all.into_values().collect()
}

fn required<'e>(expr: &'e Expr, found: &mut Vec<&'e VectorSelector>) {
    match expr {
        Expr::Selector(selector) => found.push(selector),
        Expr::Call { function, .. } if function.name.starts_with("absent") => {}
        Expr::Call { args, .. } | Expr::Aggregate { args, .. } => args.iter().for_each(|arg| required(arg, found)),
        Expr::Subquery { expr, .. } | Expr::Negative(expr) | Expr::Paren(expr) => required(expr, found),
        Expr::Binary(both) if both.op == "or" => {}
        Expr::Binary(both) => {
            required(&both.lhs, found);
            if both.op != "unless" {
                required(&both.rhs, found);
            }
        }
        Expr::Number(_) | Expr::Text(_) => {}
    }
}

/// Where the series of a selector are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Series {
    Here,
    /// Within the past that was looked at.
    Gone,
    /// The metric has series, and none with these labels: what each of them is on the metric.
    OtherLabels(Vec<LabelValues>),
    Never,
}

/// A label that a selector asks for, and the values that it has on the metric; none: it is on no series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelValues {
    pub label: String,
    /// As it is written: `=~"eu|us"`.
    pub asked: String,
    pub values: Vec<String>,
    pub is_met: bool,
    /// It may be of failures that have not happened yet.
    pub is_of_failures: bool,
}

impl LabelValues {
    /// Of a matcher and the values that are there.
    pub fn of(matcher: &Matcher, values: Vec<String>) -> Self {
        // Whether a pattern that is not understood is met, is not known.
        let is_met =
            values.iter().any(|value| matcher.accepts(value) != Some(false)) || matcher.accepts("") == Some(true);
        let value = matcher.value.to_lowercase();
        let is_of_failures =
            value.starts_with('5') || value.starts_with('4') || FAILURES.iter().any(|one| value.contains(one));
        let asked = format!("{}\"{}\"", matcher.op, matcher.value);
        Self { label: matcher.name.clone(), asked, values, is_met, is_of_failures }
    }
}

/// Words in values that are there only once something failed.
const FAILURES: [&str; 14] = [
    "err", "fail", "timeout", "reject", "drop", "panic", "abort", "crash", "denied", "invalid", "lost", "unavail",
    "oom", "evict",
];

/// A18.
pub fn missing(needed: &Needed<'_>, series: &Series) -> Vec<Finding> {
    let past = human(PAST);
    let Needed { selector, metric, .. } = needed;
    let (level, why, fix) = match series {
        Series::Here => return Vec::new(),
        Series::Gone => (
            Level::High,
            format!("`{selector}` has no series now, and had some within {past}: the alert is silent"),
            "see what stopped to send it: `liveops doctor`".to_owned(),
        ),
        Series::OtherLabels(labels) => match labels.iter().find(|one| !one.is_met) {
            Some(LabelValues { label, values, .. }) if values.is_empty() => (
                Level::High,
                format!("no series of `{metric}` has the label `{label}`, now or within {past}: the alert is silent"),
                format!("correct the label; `liveops query {}` shows those that are there", word(metric)),
            ),
            Some(LabelValues { label, asked, values, is_of_failures, .. }) => {
                let level = if *is_of_failures { Level::Medium } else { Level::High };
                let shown: Vec<String> = values.iter().take(SHOWN).map(|value| format!("`{value}`")).collect();
                let more = if values.len() > SHOWN { ", …" } else { "" };
                let why = format!(
                    "no series of `{metric}` has {label}{asked}, now or within {past}: it is {}{more}",
                    shown.join(", ")
                );
                let fix = match is_of_failures {
                    true => "correct the value; a failure that never happened has no series yet",
                    false => "correct the value, or remove what waits for it",
                };
                (level, why, fix.to_owned())
            }
            None => (
                Level::Medium,
                format!("`{metric}` has series, and none that `{selector}` selects, now or within {past}"),
                "correct the labels: each of them is there, and not together".to_owned(),
            ),
        },
        Series::Never => (
            Level::High,
            format!("`{metric}` has no series, and had none within {past}: the alert is silent"),
            "correct the name of the metric, or scrape what has it".to_owned(),
        ),
    };
    let mut seen = BTreeSet::new();
    let rules = needed.rules.iter().filter(|rule| seen.insert((&rule.name, &rule.file, rule.line)));
    rules.map(|rule| rule.of_expr("A18", level, why.clone()).fix(fix.clone())).collect()
}

/// So many values of a label are shown.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rule::Alerting;
    use crate::check::alerts::set::Setting;

    fn rule(name: &str, expression: &str) -> Rule {
        Rule {
            group: "g".into(),
            name: name.into(),
            expression: expression.into(),
            alerting: Some(Alerting {
                state: String::new(),
                hold: 60.0,
                labels: [].into(),
                annotations: [].into(),
                alerts: Vec::new(),
            }),
            health: "ok".into(),
            last_error: String::new(),
            evaluation: 0.1,
            last_evaluation: DateTime::from_timestamp(1000, 0),
            interval: 15.0,
        }
    }

    #[test]
    fn each_is_caught_and_its_twin_is_not() {
        let now = DateTime::from_timestamp(1010, 0).unwrap();
        let with = |change: &dyn Fn(&mut Rule)| {
            let mut one = rule("A", "up == 0");
            change(&mut one);
            health(&[one], now).len()
        };
        assert_eq!(with(&|_| {}), 0);
        assert_eq!(with(&|one| one.health = "err".into()), 1);
        assert_eq!(with(&|one| one.last_evaluation = DateTime::from_timestamp(900, 0)), 1);
        assert_eq!(with(&|one| one.evaluation = 8.0), 1);

        let text = "groups: [{name: g, rules: [{alert: A, expr: up==0, for: 1m}]}]";
        let files = [RuleFile::read(text, "r.yml")];
        let setting = Setting::default();
        let set = RuleSet::new(&files, &setting);
        assert!(drift(&set, &[rule("A", "up == 0")]).is_empty());
        assert_eq!(drift(&set, &[rule("A", "up == 1")]).len(), 1);
        assert_eq!(drift(&set, &[]).len(), 1);
        assert_eq!(drift(&set, &[rule("A", "up == 0"), rule("B", "x")]).len(), 1);
        assert_eq!(loaded(&[rule("A", "up == 0")]).rules().count(), 1);
    }

    #[test]
    fn what_an_alert_needs() {
        for (expr, want) in [
            ("rate(a{x=\"1\"}[5m] offset 1h) / b > 1", "a{x=\"1\"} b"),
            ("absent(a)", ""),
            ("a > 1 unless b", "a"),
            ("a > 1 or b > 1", ""),
            ("a > 1 and b", "a b"),
            ("ALERTS > 0", ""),
        ] {
            let files =
                [RuleFile::read(&format!("groups: [{{name: g, rules: [{{alert: A, expr: '{expr}'}}]}}]"), "r.yml")];
            let setting = Setting::default();
            let set = RuleSet::new(&files, &setting);
            let found: Vec<String> = needed(&set).into_iter().map(|one| one.selector).collect();
            assert_eq!(found.join(" "), want, "{expr}");
        }
        let files = [RuleFile::read("groups: [{name: g, rules: [{alert: A, expr: a > 1}]}]", "r.yml")];
        let setting = Setting::default();
        let set = RuleSet::new(&files, &setting);
        let one = &needed(&set)[0];
        assert!(missing(one, &Series::Here).is_empty());
        let matcher = |text: &str| {
            let tree = promql::tree(&format!("a{{{text}}}")).unwrap();
            let selector = tree.selectors()[0].clone();
            selector.matchers.into_iter().flatten().find(|one| one.name != "__name__").unwrap()
        };
        let of = |text: &str, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            Series::OtherLabels(vec![LabelValues::of(&matcher(text), values)])
        };
        for (series, level, words) in [
            (Series::Gone, Level::High, "had some within"),
            (Series::Never, Level::High, "had none within"),
            (of("region=\"us\"", &[]), Level::High, "no series of `a` has the label `region`"),
            (of("region=\"us\"", &["eu", "ap"]), Level::High, "has region=\"us\", now or within 7d: it is `eu`, `ap`"),
            (of("code=~\"5..\"", &["200"]), Level::Medium, "has code=~\"5..\""),
            (of("region=~\"eu|us\"", &["eu"]), Level::Medium, "none that `a` selects"),
        ] {
            let found = &missing(one, &series)[0];
            assert!(found.level == level && found.why.contains(words), "{words}: {found:?}");
        }
    }
}
