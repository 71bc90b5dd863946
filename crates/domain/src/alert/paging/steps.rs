//! The steps in the order in which an alert takes them, and those up to Alertmanager. A step that the alert has not
//! come to is left out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::paging::quieted::{inhibited, muted, receivers, silenced};
use crate::alert::paging::step::{ago, listed, step, tags, unknown};
use crate::alert::paging::{Facts, Known, Reply, Step};
use crate::alert::probe::Probed;
use crate::alert::rule::{Rule, Trouble};
use crate::alert::{Alert, AlertState};
use crate::text::duration::human;

/// Things beyond these are counted, not listed.
pub const MOST: usize = 4;

/// All steps that can be said something about.
pub fn all(facts: &Facts) -> Vec<Step> {
    let mut steps = vec![rule(facts)];
    if let Ok(rules) = &facts.rules
        && !rules.is_empty()
    {
        steps.extend([evaluated(rules, facts.now), condition(rules, facts)]);
        steps.extend(held(rules, facts.now));
    }
    steps.push(delivered(&facts.delivery));
    match &facts.alerts {
        Err(why) => steps.push(unknown("received", "does Alertmanager have it?", why.clone())),
        Ok(alerts) if alerts.is_empty() => {
            if is_firing(facts) {
                steps.push(step("received", "does Alertmanager have it?", Reply::No, Some(false), Vec::new()));
            }
        }
        Ok(alerts) => {
            steps.push(step(
                "received",
                "does Alertmanager have it?",
                Reply::Yes,
                Some(true),
                listed(alerts, |alert| {
                    let since = alert.since.map(|at| format!(" for {}", ago(at, facts.now)));
                    format!("{}{}", tags(alert), since.unwrap_or_default())
                }),
            ));
            steps.extend([
                inhibited(alerts, facts),
                silenced(alerts, facts),
                muted(alerts, facts),
                receivers(alerts, facts),
            ]);
        }
    }
    steps
}

/// Does Prometheus fire it?
pub fn is_firing(facts: &Facts) -> bool {
    facts.rules.as_ref().is_ok_and(|rules| rules.iter().flat_map(own).any(|alert| alert.state == AlertState::Firing))
}

/// The alerts of a rule.
pub fn own(rule: &Rule) -> &[Alert] {
    rule.alerting.as_ref().map_or(&[], |alerting| &alerting.alerts)
}

/// How long its condition must hold.
fn hold(rule: &Rule) -> Duration {
    let seconds = rule.alerting.as_ref().map_or(0.0, |alerting| alerting.hold);
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Since when a pending alert waits, and when it fires; the first of them.
pub fn fires_at(rules: &[Rule]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    rules
        .iter()
        .flat_map(|rule| {
            let hold = TimeDelta::from_std(hold(rule)).unwrap_or_default();
            own(rule)
                .iter()
                .filter(|alert| alert.state == AlertState::Pending)
                .filter_map(move |alert| Some((alert.since?, alert.since? + hold)))
        })
        .min_by_key(|(_, fires)| *fires)
}

fn rule(facts: &Facts) -> Step {
    let question = "is there a rule?";
    match &facts.rules {
        Err(why) => unknown("rule", question, why.clone()),
        Ok(rules) if rules.is_empty() => {
            let evidence = "Prometheus has no rule of this name; something else sends the alert";
            // It came to Alertmanager all the same, so the way does not end here.
            step("rule", question, Reply::No, Some(true), vec![evidence.into()])
        }
        Ok(rules) => {
            let show = |rule: &Rule| {
                let given = rule.alerting.as_ref().map(|alerting| &alerting.labels);
                let labels: Vec<String> =
                    given.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
                let hold = match hold(rule) {
                    Duration::ZERO => "fires at once".to_owned(),
                    hold => format!("for {}", human(hold)),
                };
                let mut text = format!("group {}, {hold}", rule.group);
                if !labels.is_empty() {
                    text.push_str(&format!(", {}", labels.join(" ")));
                }
                text
            };
            let mut evidence = Vec::new();
            for rule in rules.iter().take(MOST) {
                evidence.extend([show(rule), rule.expression.clone()]);
            }
            step("rule", question, Reply::Yes, Some(true), evidence)
        }
    }
}

fn evaluated(rules: &[Rule], now: DateTime<Utc>) -> Step {
    let question = "is the rule evaluated?";
    let name = "evaluated";
    let last = rules.iter().filter_map(|rule| rule.last_evaluation).max();
    let last = || last.map(|at| format!("last {} ago", ago(at.min(now), now)));
    let troubled = rules.iter().find_map(|rule| Some((rule, rule.trouble(now)?)));
    match (troubled, last()) {
        (Some((_, Trouble::Fails(why))), _) => {
            step(name, question, Reply::No, Some(false), vec![format!("Prometheus fails at it: {why}")])
        }
        (Some((rule, Trouble::Overdue(_))), Some(last)) => {
            let interval = human(Duration::try_from_secs_f64(rule.interval).unwrap_or_default());
            let evidence = vec![last, format!("though it should be every {interval}")];
            step(name, question, Reply::No, Some(false), evidence)
        }
        (None, Some(last)) => step(name, question, Reply::Yes, Some(true), vec![last]),
        _ => unknown(name, question, "Prometheus has not come to it yet".into()),
    }
}

fn condition(rules: &[Rule], facts: &Facts) -> Step {
    let question = "does its condition hold now?";
    let alerts: Vec<&Alert> = rules.iter().flat_map(own).collect();
    if alerts.is_empty() {
        if let Some(why) = facts.misses().or_else(|| facts.unrecorded.clone()) {
            return unknown("condition", question, why);
        }
        let evidence: Vec<String> = facts.probes.iter().map(Probed::show).collect();
        if facts.probes.iter().any(|probed| probed.series.is_err()) {
            return step("condition", question, Reply::Unknown, None, evidence);
        }
        return step("condition", question, Reply::No, Some(false), evidence);
    }
    let evidence = listed(&alerts, |alert| format!("{} {}", alert.state.word(), tags(alert)));
    step("condition", question, Reply::Yes, Some(true), evidence)
}

fn held(rules: &[Rule], now: DateTime<Utc>) -> Option<Step> {
    let question = "for long enough?";
    let firing: Vec<&Alert> = rules.iter().flat_map(own).filter(|alert| alert.state == AlertState::Firing).collect();
    if let Some(since) = firing.iter().filter_map(|alert| alert.since).min() {
        let evidence = vec![format!("it has held for {}", ago(since, now))];
        return Some(step("held", question, Reply::Yes, Some(true), evidence));
    }
    let (since, fires) = fires_at(rules)?;
    let evidence = vec![format!(
        "pending for {}; fires in {}, at {}, if it still holds then",
        ago(since, now),
        ago(fires.max(now), now),
        fires.format("%FT%TZ")
    )];
    Some(step("held", question, Reply::No, Some(false), evidence))
}

fn delivered(delivery: &Known<(Vec<String>, Vec<String>)>) -> Step {
    let question = "does Prometheus tell Alertmanager?";
    match delivery {
        Err(why) => unknown("delivered", question, why.clone()),
        Ok((active, dropped)) => {
            let mut evidence = active.clone();
            if active.is_empty() {
                evidence.push(
                    "Prometheus knows no Alertmanager: look at its `alerting` section and at its service discovery"
                        .into(),
                );
            }
            evidence.extend(dropped.iter().map(|url| format!("dropped: {url}")));
            let any = !active.is_empty();
            step("delivered", question, Reply::from_bool(any), Some(any), evidence)
        }
    }
}
