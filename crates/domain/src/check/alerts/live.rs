//! What only a running Prometheus tells of its rules: their series (A18), their health (A19), their past (A20), and
//! whether the files are what is loaded (A21). Pure: the answers come in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::rule::Rule;
use crate::check::alerts::file::{RuleFile, RuleGroup, WrittenRule};
use crate::check::alerts::fires::is_heartbeat;
use crate::check::alerts::set::RuleSet;
use crate::check::finding::{Finding, Level};
use crate::metric::promql::{self, Expr, MatchOp, VectorSelector};
use crate::text::count::count;
use crate::text::duration::human;

/// How far back the past is looked at.
pub const PAST: Duration = Duration::from_secs(7 * 86_400);

/// A share of the time, times a day, and minutes: beyond these, people learn to look away.
const ALWAYS: f64 = 0.5;
const FLAPS: f64 = 6.0;
const SHORT: f64 = 5.0;

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
        if rule.health == "err" {
            let why = format!("Prometheus cannot evaluate it: {}", rule.last_error);
            findings.push(
                Finding::new("A19", Level::High, rule.name.clone(), why)
                    .fix("correct its expression; until then it is silent"),
            );
            continue;
        }
        let late = rule.last_evaluation.map(|at| (now - at).num_milliseconds() as f64 / 1000.0);
        if let Some(late) = late.filter(|late| rule.interval > 0.0 && *late > rule.interval * 2.0 + 60.0) {
            let why = format!("it was evaluated {} ago, and should be every {}", seconds(late), seconds(rule.interval));
            findings.push(
                Finding::new("A19", Level::High, rule.name.clone(), why)
                    .fix("see why Prometheus is late: `liveops doctor`"),
            );
        } else if rule.interval > 0.0 && rule.evaluation > rule.interval / 2.0 {
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
    /// It names more than the metric.
    pub is_narrow: bool,
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
            let is_narrow = selector
                .matchers
                .iter()
                .flatten()
                .any(|matcher| matcher.name != "__name__" && matcher.op != MatchOp::NotEqual);
            let entry = all.entry(text.clone());
            let entry = entry.or_insert_with(|| Needed {
                selector: text,
                metric: metric.to_owned(),
                is_narrow,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    Here,
    /// Within the past that was looked at.
    Gone,
    /// The metric has series, and none with these labels.
    OtherLabels,
    Never,
}

/// A18.
pub fn missing(needed: &Needed<'_>, series: Series) -> Vec<Finding> {
    let past = human(PAST);
    let (level, why, fix) = match series {
        Series::Here => return Vec::new(),
        Series::Gone => (
            Level::High,
            format!("`{}` has no series now, and had some within {past}: the alert is silent", needed.selector),
            "see what stopped to send it: `liveops doctor`",
        ),
        Series::OtherLabels => (
            Level::Medium,
            format!(
                "`{}` has series, and none that `{}` selects, now or within {past}",
                needed.metric, needed.selector
            ),
            "correct the labels; a failure that never happened has no series yet",
        ),
        Series::Never => (
            Level::High,
            format!("`{}` has no series, and had none within {past}: the alert is silent", needed.metric),
            "correct the name of the metric, or scrape what has it",
        ),
    };
    let mut seen = BTreeSet::new();
    let rules = needed.rules.iter().filter(|rule| seen.insert((&rule.name, &rule.file, rule.line)));
    rules.map(|rule| rule.of_expr("A18", level, why.clone()).fix(fix)).collect()
}

/// What an alert did within the past that was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct History {
    /// Minutes that Prometheus was there.
    pub covered: f64,
    /// Minutes that the worst of its series fired, and was pending.
    pub firing: f64,
    pub pending: f64,
    /// How often one of its series became active.
    pub begun: f64,
}

/// A20.
pub fn history(rule: &WrittenRule, past: History) -> Vec<Finding> {
    if is_heartbeat(&rule.name, rule.labels.get("severity").map(String::as_str)) || past.covered < 60.0 {
        return Vec::new();
    }
    let days = past.covered / 1440.0;
    let shown = seconds(past.covered * 60.0);
    let mut findings = Vec::new();
    let mut add = |level, why: String, fix: &str| findings.push(rule.finding("A20", level, why).fix(fix));
    let share = past.firing / past.covered;
    if share > ALWAYS {
        add(
            Level::Medium,
            format!("it fired for {:.0} % of the last {shown}: people learn to look away", share * 100.0),
            "repair the cause, raise the threshold, or remove it",
        );
    } else if past.begun / days.max(1.0) > FLAPS {
        add(
            Level::Medium,
            format!("it became active {:.0} times in the last {shown}", past.begun),
            "wait longer (`for`), or keep it firing for longer (`keep_firing_for`)",
        );
    } else if past.firing > 0.0 && past.begun > 1.0 && past.firing / past.begun < SHORT {
        add(
            Level::Low,
            format!(
                "it fired for {:.1} minutes on average, {:.0} times in the last {shown}: it is over before anybody looks",
                past.firing / past.begun,
                past.begun
            ),
            "wait longer (`for`)",
        );
    } else if past.firing == 0.0 && past.pending > 0.0 {
        add(
            Level::Low,
            format!(
                "its condition held for {:.0} minutes of the last {shown}, and it never fired: `for` is {}",
                past.pending,
                human(rule.held())
            ),
            "shorten `for`, if it was to fire",
        );
    }
    findings
}

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

        let of = |past: History| history(files[0].rules().next().unwrap(), past).first().map(|one| one.level);
        let week = History { covered: 10_080.0, ..History::default() };
        assert_eq!(of(week), None);
        assert_eq!(of(History { firing: 6000.0, begun: 1.0, ..week }), Some(Level::Medium));
        assert_eq!(of(History { firing: 600.0, begun: 100.0, ..week }), Some(Level::Medium));
        assert_eq!(of(History { firing: 600.0, begun: 3.0, ..week }), None);
        assert_eq!(of(History { firing: 6.0, begun: 3.0, ..week }), Some(Level::Low));
        assert_eq!(of(History { pending: 6.0, begun: 3.0, ..week }), Some(Level::Low));
        assert_eq!(of(History { covered: 10.0, firing: 10.0, ..History::default() }), None);
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
        assert!(missing(one, Series::Here).is_empty());
        for (series, level) in
            [(Series::Gone, Level::High), (Series::Never, Level::High), (Series::OtherLabels, Level::Medium)]
        {
            assert_eq!(missing(one, series)[0].level, level);
        }
    }
}
