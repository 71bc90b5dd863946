//! What is known of an alert that must not fire. Only an alert whose rule is evaluated, and that fires nowhere, passes.

use chrono::{DateTime, Utc};

use crate::alert::matcher::Matcher;
use crate::alert::rule::Rule;
use crate::alert::unevaluated::Unevaluated;
use crate::alert::{Alert, AlertState};
use crate::guard::expression::AlertCondition;
use crate::guard::verdict::Outcome;

/// What was answered about alerts at one look.
#[derive(Debug)]
pub struct AlertLook<'a> {
    pub alerts: &'a [Alert],
    /// `None` where they are not known.
    pub rules: Option<&'a [Rule]>,
    pub unevaluated: &'a [Unevaluated],
    /// What the sources cannot say of any alert.
    pub gaps: &'a [String],
    /// May somebody else than the rules make an alert?
    pub others_may_send: bool,
}

/// Judges an alert of a rollout of this service that began then, and says why.
pub fn judge_alert(
    condition: &AlertCondition,
    service: Option<&str>,
    began: DateTime<Utc>,
    look: &AlertLook<'_>,
) -> (Outcome, String) {
    // A silence keeps people asleep; it does not make a build good.
    let meant = || {
        look.alerts.iter().filter(|alert| {
            alert.name == condition.name
                && condition.matchers.iter().all(|one| one.matches(&alert.labels))
                && match (service, alert.labels.get("service")) {
                    (Some(ours), Some(theirs)) => ours == theirs,
                    _ => true,
                }
        })
    };
    let fires = |alert: &&Alert| !matches!(alert.state, AlertState::Pending | AlertState::Unknown);
    // What fired before is not the new version's. Of what was unknown before, nobody knows what it is now.
    if let Some(alert) = meant().filter(fires).find(|alert| alert.since.is_none_or(|since| since >= began)) {
        let since = alert.since.map_or_else(|| "some time".to_owned(), |since| since.format("%FT%TZ").to_string());
        let lost = if alert.is_undelivered() { ", and Alertmanager does not have it" } else { "" };
        return (Outcome::Fail, format!("{} since {since}{lost}", alert.state.word()));
    }
    if meant().any(|alert| alert.state == AlertState::Unknown) {
        return (Outcome::Error, "its state is not known".into());
    }
    if let Some(gap) = look.gaps.first() {
        return (Outcome::Error, gap.clone());
    }
    let named: Vec<Unevaluated> = look.unevaluated.iter().filter(|rule| rule.name == condition.name).cloned().collect();
    if let Some(why) = Unevaluated::sentences(&named).into_iter().next() {
        return (Outcome::Error, why);
    }
    if let Some(why) = look.rules.filter(|_| !look.others_may_send).and_then(|rules| unmade(condition, rules)) {
        return (Outcome::Error, why);
    }
    (Outcome::Pass, "it does not fire".into())
}

/// Why none of these rules makes the alert; `None` where one does. A label that its rule sets is no other one, unless it
/// is a template.
pub fn unmade(condition: &AlertCondition, rules: &[Rule]) -> Option<String> {
    let mut why = None;
    for alerting in rules.iter().filter(|rule| rule.name == condition.name).filter_map(|rule| rule.alerting.as_ref()) {
        let set = |matcher: &Matcher| alerting.labels.get_key_value(&matcher.name);
        let other = condition
            .matchers
            .iter()
            .find_map(|matcher| set(matcher).filter(|(_, value)| !value.contains("{{") && !matcher.accepts(value)));
        let (name, value) = other?;
        why = Some(format!("no rule makes it: the rule has {name}={value}"));
    }
    Some(why.unwrap_or_else(|| "no rule makes it".into()))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::alert::rule::{Alerting, Trouble};
    use crate::guard::expression::Condition;
    use crate::metric::labels::Labels;

    fn began() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
    }

    fn condition(text: &str) -> AlertCondition {
        match Condition::parse(text).expect("valid") {
            Condition::Alert(alert) => alert,
            Condition::Metric(_) => panic!("it is a metric"),
        }
    }

    fn alert(name: &str, state: AlertState, minutes: i64) -> Alert {
        let labels = Labels::from([("alertname".to_owned(), name.to_owned())]);
        Alert {
            name: name.into(),
            state,
            labels,
            since: Some(began() + TimeDelta::minutes(minutes)),
            ..Alert::default()
        }
    }

    fn rule(name: &str) -> Rule {
        let alerting = Alerting {
            state: "inactive".into(),
            hold: 0.0,
            labels: Labels::new(),
            annotations: Labels::new(),
            alerts: Vec::new(),
        };
        Rule {
            group: "g".into(),
            name: name.into(),
            expression: "x".into(),
            alerting: Some(alerting),
            health: "ok".into(),
            last_error: String::new(),
            evaluation: 0.0,
            last_evaluation: Some(began()),
            interval: 15.0,
        }
    }

    #[test]
    fn what_was_unknown_before_the_rollout_is_unknown_still() {
        use AlertState::{Firing, Inhibited, Pending, Silenced, Unknown};
        let rules = [rule("A")];
        for (state, minutes, want) in [
            (Firing, 5, Outcome::Fail),
            (Silenced, 5, Outcome::Fail),
            (Inhibited, 5, Outcome::Fail),
            (Firing, -5, Outcome::Pass),
            (Pending, 5, Outcome::Pass),
            (Unknown, 5, Outcome::Error),
            (Unknown, -5, Outcome::Error),
        ] {
            let alerts = [alert("A", state, minutes), alert("B", Firing, 5)];
            let look =
                AlertLook { alerts: &alerts, rules: Some(&rules), unevaluated: &[], gaps: &[], others_may_send: true };
            let (outcome, why) = judge_alert(&condition("alert A"), None, began(), &look);
            assert_eq!(outcome, want, "{state:?} {minutes}: {why}");
        }
    }

    #[test]
    fn what_no_rule_makes_or_evaluates_does_not_pass() {
        let rules = [rule("A")];
        let broken = |name: &str| {
            [Unevaluated {
                name: name.into(),
                severity: None,
                trouble: Trouble::Fails("many-to-many".into()),
                reads: None,
            }]
        };
        let judge = |text: &str, unevaluated: &[Unevaluated], others_may_send| {
            let look = AlertLook { alerts: &[], rules: Some(&rules), unevaluated, gaps: &[], others_may_send };
            judge_alert(&condition(text), None, began(), &look)
        };
        assert_eq!(judge("alert A", &[], false).0, Outcome::Pass);
        assert_eq!(judge("alert A", &broken("B"), false).0, Outcome::Pass, "another rule's trouble holds nobody up");
        let (outcome, why) = judge("alert A", &broken("A"), true);
        assert!(outcome == Outcome::Error && why.contains("many-to-many"), "{why}");
        assert_eq!(judge("alert B", &[], false), (Outcome::Error, "no rule makes it".into()));
        assert_eq!(judge("alert B", &[], true).0, Outcome::Pass, "others may send it to Alertmanager");
        // A label that the rule sets is what it is; one of the series, or a template, may be any.
        let labelled = |value: &str| {
            let mut rule = rule("A");
            rule.alerting.as_mut().expect("alerting").labels.insert("severity".into(), value.into());
            rule
        };
        for (labels, condition_text, want) in [
            (vec!["page"], "alert A severity=critical", Some("no rule makes it: the rule has severity=page")),
            (vec!["page", "critical"], "alert A severity=critical", None),
            (vec!["page"], "alert A severity=page", None),
            (vec!["{{ $labels.level }}"], "alert A severity=critical", None),
            (vec!["page"], "alert A region=eu", None),
        ] {
            let rules: Vec<Rule> = labels.into_iter().map(labelled).collect();
            assert_eq!(unmade(&condition(condition_text), &rules).as_deref(), want, "{condition_text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// In whatever world: a pass says that all was known and that nothing of the name fired since it began.
        #[test]
        fn unknown_never_passes(
            states in prop::collection::vec((prop::sample::select(vec!["A", "B"]), 0..6usize, -2..3i64), 0..5),
            gap in any::<bool>(), broken in any::<bool>(), has_rule in any::<bool>(), others_may_send in any::<bool>(),
        ) {
            use AlertState::{Firing, Inhibited, Muted, Pending, Silenced, Unknown};
            let all = [Firing, Unknown, Pending, Silenced, Inhibited, Muted];
            let alerts: Vec<Alert> = states.iter().map(|(name, state, at)| alert(name, all[*state], *at)).collect();
            let rules = if has_rule { vec![rule("A")] } else { Vec::new() };
            let unevaluated: Vec<Unevaluated> =
                broken.then(|| Unevaluated { name: "A".into(), severity: None, trouble: Trouble::NotYet, reads: None }).into_iter().collect();
            let gaps = if gap { vec!["down".to_owned()] } else { Vec::new() };
            let look = AlertLook { alerts: &alerts, rules: Some(&rules), unevaluated: &unevaluated, gaps: &gaps, others_may_send };
            let (outcome, why) = judge_alert(&condition("alert A"), None, began(), &look);
            let of_a = || alerts.iter().filter(|one| one.name == "A");
            let fires = of_a().any(|one| !matches!(one.state, Pending | Unknown) && one.since.is_some_and(|at| at >= began()));
            let known = !gap && !broken && (has_rule || others_may_send) && of_a().all(|one| one.state != Unknown);
            let want = match (fires, known) {
                (true, _) => Outcome::Fail,
                (false, true) => Outcome::Pass,
                (false, false) => Outcome::Error,
            };
            prop_assert_eq!(outcome, want, "{}", why);
        }
    }
}
