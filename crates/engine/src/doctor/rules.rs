//! Rules that cannot be evaluated, take long, or page somebody without saying what to do.

use liveops_domain::text::count::count;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::clients::prometheus::wire::Delivery;
use crate::doctor::finding::{Finding, first};
use liveops_domain::alert::rule::{Rule, Trouble};
use liveops_domain::runbook::link_of;
use liveops_domain::text::duration::human;

/// Seconds of one rule, and of one group, that endanger the next evaluation.
const SLOW_RULE: f64 = 2.0;

const SLOW_GROUP: f64 = 7.5;

/// Broken rules that get a line of their own.
const LINES: usize = 5;

/// Names in one line.
const NAMES: usize = 4;

/// Judges all rules.
pub fn judge(rules: &[Rule], now: DateTime<Utc>) -> Vec<Finding> {
    if rules.is_empty() {
        return vec![
            Finding::warn("rules", "it has no rules, so nothing can alert")
                .fix("add `rule_files` to its configuration"),
        ];
    }
    let mut findings = broken(rules, now);
    findings.extend(slow(rules));
    if findings.is_empty() {
        let all = count(rules.len(), "rule");
        findings.push(Finding::ok("rules", format!("{all} evaluated in time")));
    }
    findings.push(runbooks(rules));
    findings
}

fn broken(rules: &[Rule], now: DateTime<Utc>) -> Vec<Finding> {
    let (mut broken, mut overdue, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for rule in rules {
        match rule.trouble(now) {
            Some(Trouble::Fails(_)) => broken.push(rule),
            Some(Trouble::Overdue(age)) => overdue.push((age, rule.name.as_str())),
            Some(Trouble::NotYet) => new.push(rule.name.as_str()),
            None => {}
        }
    }
    let mut findings: Vec<Finding> = broken
        .iter()
        .take(LINES)
        .map(|rule| {
            Finding::fail("rules", format!("rule `{}` of group `{}` fails: {}", rule.name, rule.group, rule.last_error))
                .fix("correct its expression; until then it neither records nor alerts")
                .command(format!("liveops query '{}'", rule.expression.replace('\'', "'\\''")))
        })
        .collect();
    if broken.len() > LINES {
        let names: Vec<&str> = broken.iter().skip(LINES).map(|rule| rule.name.as_str()).collect();
        findings.push(Finding::fail(
            "rules",
            format!("{} fail, too: {}", count(names.len(), "more rule"), first(&names, NAMES)),
        ));
    }
    if let Some((age, _)) = overdue.iter().min() {
        let names: Vec<&str> = overdue.iter().map(|(_, name)| *name).collect();
        let (verb, all) = (if names.len() == 1 { "is" } else { "are" }, count(names.len(), "rule"));
        let last = human(age.to_std().unwrap_or_default());
        let message = format!("{all} {verb} not evaluated any more, the last {last} ago: {}", first(&names, NAMES));
        let fix = "see Prometheus' own log and load; until then they neither record nor alert";
        findings.push(Finding::fail("rules", message).fix(fix));
    }
    if !new.is_empty() {
        let (verb, all) = (if new.len() == 1 { "has" } else { "have" }, count(new.len(), "rule"));
        findings.push(Finding::gap("rules", format!("{all} {verb} not been evaluated yet: {}", first(&new, NAMES))));
    }
    findings
}

fn slow(rules: &[Rule]) -> Vec<Finding> {
    let mut groups: BTreeMap<&str, f64> = BTreeMap::new();
    for rule in rules {
        *groups.entry(&rule.group).or_default() += rule.evaluation;
    }
    let rule =
        rules.iter().filter(|rule| rule.evaluation > SLOW_RULE).max_by(|a, b| a.evaluation.total_cmp(&b.evaluation));
    let group = groups.into_iter().filter(|(_, seconds)| *seconds > SLOW_GROUP);
    let message = match (rule, group.max_by(|a, b| a.1.total_cmp(&b.1))) {
        (Some(rule), _) => format!("rule `{}` takes {:.1} s to evaluate", rule.name, rule.evaluation),
        (None, Some((group, seconds))) => {
            format!("group `{group}` takes {seconds:.1} s to evaluate")
        }
        (None, None) => return Vec::new(),
    };
    vec![
        Finding::warn("rules", message)
            .fix("record what is costly in a rule of its own, or narrow the selectors and ranges"),
    ]
}

fn runbooks(rules: &[Rule]) -> Finding {
    let alerting = || rules.iter().filter_map(|rule| Some((rule, rule.alerting.as_ref()?)));
    let mut names: Vec<&str> = alerting()
        .filter(|(_, alerting)| link_of(&alerting.annotations, &alerting.labels).is_none())
        .map(|(rule, _)| rule.name.as_str())
        .collect();
    names.dedup();
    if names.is_empty() {
        return Finding::ok("runbooks", "every alert has one");
    }
    let verb = if names.len() == 1 { "has" } else { "have" };
    Finding::warn("runbooks", format!("{} {verb} no runbook: {}", count(names.len(), "alert"), first(&names, NAMES)))
        .fix("write one an alert, and link it by the annotation `runbook_url`")
}

/// Does anybody hear the alerts? `configured` says whether liveops knows an Alertmanager.
pub fn delivery(rules: &[Rule], delivery: &Delivery, configured: bool) -> Option<Finding> {
    if !rules.iter().any(|rule| rule.alerting.is_some()) {
        return None;
    }
    if !delivery.dropped.is_empty() {
        return Some(
            Finding::warn("delivery", format!("Alertmanagers were dropped: {}", first(&delivery.dropped, 2)))
                .fix("look at `alerting.alertmanagers` and its relabelling in Prometheus' configuration"),
        );
    }
    if !delivery.active.is_empty() {
        let all = count(delivery.active.len(), "Alertmanager");
        return Some(Finding::ok("delivery", format!("alerts go to {all}")));
    }
    let fix = "add `alerting.alertmanagers` to Prometheus' configuration";
    let message = "it has alerting rules, and no Alertmanager to send alerts to: nobody is paged";
    Some(if configured {
        Finding::fail("delivery", message).fix(fix)
    } else {
        Finding::warn("delivery", message).fix(fix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    use crate::doctor::finding::Level;
    use liveops_domain::alert::rule::Alerting;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
    }

    fn rule(name: &str, health: &str, evaluation: f64, runbook: Option<&str>) -> Rule {
        let annotation = |key: &str| (key.to_owned(), "docs/x.md".to_owned());
        Rule {
            interval: 15.0,
            last_evaluation: None,
            group: "g".into(),
            name: name.into(),
            expression: "up == 'x'".into(),
            alerting: Some(Alerting {
                state: "inactive".into(),
                hold: 0.0,
                labels: [].into(),
                annotations: runbook.map(annotation).into_iter().collect(),
                alerts: Vec::new(),
            }),
            health: health.into(),
            last_error: "many-to-many matching not allowed".into(),
            evaluation,
        }
    }

    fn levels(findings: &[Finding]) -> Vec<(&str, Level)> {
        findings.iter().map(|found| (found.check, found.level)).collect()
    }

    #[test]
    fn each_trouble_is_its_own_finding() {
        let good = || rule("a", "ok", 0.1, Some("runbook_url"));
        for (rules, want) in [
            (vec![], vec![("rules", Level::Warn)]),
            (vec![good()], vec![("rules", Level::Ok), ("runbooks", Level::Ok)]),
            (vec![rule("a", "ok", 0.1, None)], vec![("rules", Level::Ok), ("runbooks", Level::Warn)]),
            (vec![rule("a", "err", 0.1, Some("runbook"))], vec![("rules", Level::Fail), ("runbooks", Level::Ok)]),
            (vec![rule("a", "ok", 2.1, Some("runbook"))], vec![("rules", Level::Warn), ("runbooks", Level::Ok)]),
        ] {
            assert_eq!(levels(&judge(&rules, now())), want);
        }
        let at = |seconds| Some(now() - TimeDelta::seconds(seconds));
        for (health, last, level, want) in [
            ("ok", at(14), Level::Ok, "1 rule evaluated in time"),
            ("ok", at(600), Level::Fail, "1 rule is not evaluated any more, the last 10m ago: a"),
            ("unknown", None, Level::Unknown, "1 rule has not been evaluated yet: a"),
            ("error", at(1), Level::Fail, "rule `a` of group `g` fails: many-to-many matching not allowed"),
        ] {
            let found = judge(&[Rule { last_evaluation: last, ..rule("a", health, 0.1, Some("runbook")) }], now());
            assert_eq!((found[0].level, found[0].message.as_str()), (level, want));
        }
        let many: Vec<Rule> = (0..7).map(|n| rule(&format!("r{n}"), "err", 0.0, None)).collect();
        let found = judge(&many, now());
        assert_eq!(found[5].message, "2 more rules fail, too: r5, r6");
        assert_eq!(found[6].message, "7 alerts have no runbook: r0, r1, r2, r3 and 3 more");
        assert_eq!(found[0].command.as_deref(), Some("liveops query 'up == '\\''x'\\'''"));
    }

    #[test]
    fn rules_that_page_nobody_are_worse_when_somebody_is_meant_to_be_paged() {
        let rules = [rule("a", "ok", 0.0, None)];
        let to = |active: &[&str], dropped: &[&str]| Delivery {
            active: active.iter().map(ToString::to_string).collect(),
            dropped: dropped.iter().map(ToString::to_string).collect(),
        };
        let level = |found: Option<Finding>| found.map(|found| found.level);
        assert_eq!(level(delivery(&rules, &to(&[], &[]), true)), Some(Level::Fail));
        assert_eq!(level(delivery(&rules, &to(&[], &[]), false)), Some(Level::Warn));
        assert_eq!(level(delivery(&rules, &to(&["a"], &["b"]), true)), Some(Level::Warn));
        assert_eq!(level(delivery(&rules, &to(&["a"], &[]), true)), Some(Level::Ok));
        assert_eq!(level(delivery(&[], &to(&[], &[]), true)), None);
    }
}
