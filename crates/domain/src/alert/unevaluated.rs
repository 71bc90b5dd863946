//! Alerting rules that are loaded, and of which nobody knows whether they would fire: unknown, never "does not fire".

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::rule::{Rule, Trouble};
use crate::metric::promql::inspect;
use crate::text::count::count;
use crate::text::duration::human;

/// Rules that are named in one sentence.
const NAMED: usize = 3;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unevaluated {
    pub name: String,
    pub severity: Option<String>,
    pub trouble: Trouble,
    /// The recording rule that has the trouble, where it is not the rule's own.
    pub reads: Option<String>,
}

/// Names of what is not recorded, each with the trouble and the recording rule that has it.
type Records<'a> = BTreeMap<&'a str, (Trouble, &'a str)>;

/// The first of them that the rule reads.
fn read<'a>(rule: &Rule, records: &Records<'a>) -> Option<(Trouble, &'a str)> {
    let metrics = if records.is_empty() { None } else { inspect(&rule.expression) }?.metrics;
    metrics.iter().find_map(|metric| records.get(metric.as_str()).cloned())
}

/// Those among the rules, with those that read what such a recording rule should give.
pub fn unevaluated(rules: &[Rule], now: DateTime<Utc>) -> Vec<Unevaluated> {
    let recording = || rules.iter().filter(|rule| rule.alerting.is_none());
    let mut records: Records<'_> =
        recording().filter_map(|rule| Some((rule.name.as_str(), (rule.trouble(now)?, rule.name.as_str())))).collect();
    // What is recorded from what is not recorded is not, either.
    loop {
        let more: Vec<_> = recording()
            .filter(|rule| !records.contains_key(rule.name.as_str()))
            .filter_map(|rule| Some((rule.name.as_str(), read(rule, &records)?)))
            .collect();
        if more.is_empty() {
            break;
        }
        records.extend(more);
    }
    let one = |rule: &Rule| {
        let severity = rule.alerting.as_ref()?.labels.get("severity").cloned();
        let (trouble, reads) = match rule.trouble(now) {
            Some(trouble) => (trouble, None),
            None => read(rule, &records).map(|(trouble, name)| (trouble, Some(name.to_owned())))?,
        };
        Some(Unevaluated { name: rule.name.clone(), severity, trouble, reads })
    };
    rules.iter().filter_map(one).collect()
}

impl Unevaluated {
    /// Why nobody knows whether it fires.
    fn show(&self) -> String {
        let why = match &self.trouble {
            Trouble::Fails(why) if why.is_empty() => "cannot be evaluated: Prometheus gives no reason".to_owned(),
            Trouble::Fails(why) => format!("cannot be evaluated: {why}"),
            Trouble::NotYet => "has not been evaluated yet".to_owned(),
            Trouble::Overdue(age) => format!("was last evaluated {} ago", human(age.to_std().unwrap_or_default())),
        };
        let whose = self.reads.as_ref().map_or_else(|| "its rule".into(), |name| format!("`{name}`, which it reads,"));
        format!("whether `{}` fires is not known: {whose} {why}", self.name)
    }

    /// What is said of all of them: a sentence for each of the first that fail, one for the others of each kind.
    pub fn sentences(all: &[Self]) -> Vec<String> {
        let names = |some: &[&Self]| {
            let mut names: Vec<String> = some.iter().take(NAMED).map(|one| format!("`{}`", one.name)).collect();
            if let Some(more) = some.len().checked_sub(NAMED).filter(|more| *more > 0) {
                names.push(format!("{more} more"));
            }
            names.join(", ")
        };
        let fails = |one: &&Self| one.reads.is_some() || matches!(one.trouble, Trouble::Fails(_));
        let (failing, idle): (Vec<&Self>, Vec<&Self>) = all.iter().partition(fails);
        let (overdue, new): (Vec<&Self>, Vec<&Self>) =
            idle.into_iter().partition(|one| matches!(one.trouble, Trouble::Overdue(_)));
        let (first, others) = failing.split_at(failing.len().min(NAMED));
        let mut said: Vec<String> = first.iter().map(|one| one.show()).collect();
        if !others.is_empty() {
            said.push(format!("{} cannot be evaluated, too: {}", count(others.len(), "more rule"), names(others)));
        }
        let age = |one: &&Self| match one.trouble {
            Trouble::Overdue(age) => age,
            _ => TimeDelta::zero(),
        };
        match overdue.as_slice() {
            [] => {}
            [one] => said.push(one.show()),
            all => {
                let last = all.iter().map(age).min().unwrap_or_default().to_std().unwrap_or_default();
                let rules = count(all.len(), "rule");
                said.push(format!("{rules} are not evaluated any more, the last {} ago: {}", human(last), names(all)));
            }
        }
        if !new.is_empty() {
            let verb = if new.len() == 1 { "has" } else { "have" };
            said.push(format!("{} {verb} not been evaluated yet: {}", count(new.len(), "rule"), names(&new)));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rule::Alerting;
    use crate::metric::labels::Labels;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
    }

    fn recording(name: &str, expression: &str, health: &str, error: &str) -> Rule {
        Rule {
            group: "g".into(),
            name: name.into(),
            expression: expression.into(),
            alerting: None,
            health: health.into(),
            last_error: error.into(),
            evaluation: 0.0,
            last_evaluation: None,
            interval: 15.0,
        }
    }

    fn rule(name: &str, health: &str, error: &str) -> Rule {
        let (labels, annotations) = (Labels::new(), Labels::new());
        let alerting = Alerting { state: "inactive".into(), hold: 0.0, labels, annotations, alerts: Vec::new() };
        Rule { alerting: Some(alerting), ..recording(name, "x > 1", health, error) }
    }

    fn said(rules: &[Rule]) -> Vec<String> {
        Unevaluated::sentences(&unevaluated(rules, now()))
    }

    #[test]
    fn a_rule_that_is_not_evaluated_may_fire() {
        let seen = Rule { last_evaluation: Some(now()), ..rule("Seen", "unknown", "") };
        let rules = [
            rule("Good", "ok", ""),
            rule("Bad", "err", "many-to-many"),
            rule("New", "unknown", ""),
            seen,
            recording("a:b", "c", "err", "boom"),
        ];
        assert_eq!(
            said(&rules),
            [
                "whether `Bad` fires is not known: its rule cannot be evaluated: many-to-many",
                "1 rule has not been evaluated yet: `New`"
            ]
        );
        let many: Vec<Rule> = (0..6).map(|n| rule(&format!("R{n}"), "err", "x")).collect();
        let said = said(&many);
        assert_eq!(said.len(), 4);
        assert_eq!(said[3], "3 more rules cannot be evaluated, too: `R3`, `R4`, `R5`");
    }

    #[test]
    fn what_is_evaluated_no_more_is_not_known() {
        let at = |name: &str, seconds: i64, interval: f64| Rule {
            last_evaluation: Some(now() - TimeDelta::seconds(seconds)),
            interval,
            ..rule(name, "ok", "")
        };
        // Two intervals and a minute are the limit; a clock that is behind, or a server that does not say how often, is none.
        assert!(
            said(&[at("A", 90, 15.0), at("B", 3650, 1800.0), at("C", -600, 15.0), at("D", 90_000, 0.0)]).is_empty()
        );
        assert_eq!(
            said(&[at("A", 91, 15.0)]),
            ["whether `A` fires is not known: its rule was last evaluated 1m 31s ago"]
        );
        let all: Vec<Rule> = (0..5).map(|n| at(&format!("R{n}"), 7200 + n * 600, 15.0)).collect();
        assert_eq!(said(&all), ["5 rules are not evaluated any more, the last 2h ago: `R0`, `R1`, `R2`, 2 more"]);
    }

    #[test]
    fn an_alert_is_known_as_far_as_what_it_reads() {
        let reads = |name: &str, expression: &str| Rule { expression: expression.into(), ..rule(name, "ok", "") };
        let rules = [
            recording("a:rate", "rate(a[5m])", "err", "boom"),
            recording("b:ratio", "a:rate / b", "ok", ""),
            recording("c:rate", "rate(c[5m])", "ok", ""),
            reads("Direct", "a:rate > 1"),
            reads("ByAnother", "sum(b:ratio) > 1 and on() up"),
            reads("Free", "c:rate > 1"),
        ];
        let why = "is not known: `a:rate`, which it reads, cannot be evaluated: boom";
        assert_eq!(said(&rules), [format!("whether `Direct` fires {why}"), format!("whether `ByAnother` fires {why}")]);
        let stalled = Rule { last_evaluation: Some(now() - TimeDelta::hours(2)), ..rules[2].clone() };
        assert_eq!(
            said(&[stalled, rules[5].clone()]),
            ["whether `Free` fires is not known: `c:rate`, which it reads, was last evaluated 2h ago"]
        );
    }
}
