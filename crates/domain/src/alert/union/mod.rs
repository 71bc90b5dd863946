//! What fires: the union of Prometheus' rules and Alertmanager's alerts, joined by label set, with what each says of
//! each alert. Pure: the caller brings the answers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_yaml::Value;

use crate::alert::rule::Rule;
use crate::alert::unevaluated::{Unevaluated, unevaluated};
use crate::alert::{Alert, AlertState, Delivery};
use crate::error::{Error, Result};
use crate::metric::labels::Labels;

/// Prometheus sends a firing alert again after this (`--rules.alert.resend-delay`), so an Alertmanager that has lost
/// it has it again by then.
const RESEND: TimeDelta = TimeDelta::minutes(1);

/// Between two evaluations, where the rule's group does not say (`evaluation_interval`).
const INTERVAL: f64 = 60.0;

/// What a source answered; `None` when it is not configured.
pub type Answered<T> = Option<Result<T>>;

/// The answers.
#[derive(Debug, Default)]
pub struct Answers<'a> {
    /// Prometheus' alerts.
    pub fired: Answered<Vec<Alert>>,
    /// Its rules; `None` also where this kind of server has no such list.
    pub rules: Option<Result<&'a [Rule], &'a Error>>,
    /// Alertmanager's alerts.
    pub held: Answered<Vec<Alert>>,
    /// What Prometheus does to an alert that it sends, where its configuration is shown.
    pub sending: Option<Sending>,
    /// Since when Alertmanager runs.
    pub alertmanager_since: Option<DateTime<Utc>>,
    /// Prometheus says that it sends alerts to no Alertmanager.
    pub tells_nobody: bool,
}

/// The fault of a Prometheus whose alerts reach no Alertmanager.
pub const TELLS_NOBODY: &str = "Prometheus has alerting rules, and no Alertmanager to send alerts to: nobody is paged";

/// What Prometheus does to the labels of an alert that it sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sending {
    /// Labels that every alert gets, where it has none of the name.
    pub external: Labels,
    /// Its labels are changed by `alert_relabel_configs`.
    pub relabels: bool,
    /// They may drop an alert.
    pub drops: bool,
}

/// Who said what fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Alertmanager, with what only Prometheus has.
    Alertmanager,
    /// Prometheus alone: nothing is known of silences and inhibitions.
    Prometheus,
}

/// Everything that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Union {
    pub origin: Origin,
    pub alerts: Vec<Alert>,
    /// What a source cannot say, and why. While there is any, that nothing fires is not known.
    pub gaps: Vec<String>,
    /// Rules of which nobody knows whether they would fire.
    pub unevaluated: Vec<Unevaluated>,
    /// What is lost on the way from the rule to the receiver.
    pub faults: Vec<String>,
    /// What may yet arrive.
    pub notes: Vec<String>,
}

impl Sending {
    /// Reads Prometheus' configuration as it shows it: only its sections `global` and `alerting`, since the others may
    /// be large.
    pub fn of_config(text: &str) -> Option<Self> {
        let section = |name: &str| -> Option<Value> {
            let begins = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
            let mut lines = text.lines().skip_while(|line| !begins(line));
            let head = lines.next()?;
            let body = lines.take_while(|line| line.is_empty() || line.starts_with([' ', '-', '#']));
            let text: Vec<&str> = std::iter::once(head).chain(body).collect();
            serde_yaml::from_str::<Value>(&text.join("\n")).ok()?.get(name).cloned()
        };
        let global = section("global")?;
        let text = |value: &Value| serde_yaml::to_string(value).ok().map(|text| text.trim().to_owned());
        let pair = |(name, value): (&Value, &Value)| {
            Some((name.as_str()?.to_owned(), value.as_str().map(str::to_owned).or_else(|| text(value))?))
        };
        let external = global.get("external_labels").and_then(Value::as_mapping);
        let alerting = section("alerting").and_then(|alerting| text(&alerting)).unwrap_or_default();
        // `relabel_configs` of the Alertmanagers themselves change where alerts go, not their labels.
        let relabels = alerting.contains("alert_relabel_configs");
        let drops = relabels
            && ["action: drop\n", "action: keep\n", "action: dropequal", "action: keepequal"]
                .iter()
                .any(|action| format!("{alerting}\n").contains(action));
        let external = external.into_iter().flatten().filter_map(pair).collect();
        Some(Self { external, relabels, drops })
    }
}

/// The union of the answers.
///
/// # Errors
/// When no source answered: what the first of them failed with.
pub fn union(answers: Answers<'_>, now: DateTime<Utc>) -> Result<Union> {
    let Answers { fired, rules, held, sending, alertmanager_since, tells_nobody } = answers;
    let mut gaps = Vec::new();
    let known_rules = match rules {
        Some(Ok(rules)) => Some(rules),
        Some(Err(error)) => {
            if matches!(fired, Some(Ok(_))) {
                gaps.push(format!("whether a rule is loaded is not known: {error}"));
            }
            None
        }
        None => None,
    };
    let rules = known_rules.unwrap_or_default();
    let (origin, alerts) = match (held, fired) {
        (Some(Ok(held)), None) => (Origin::Alertmanager, held),
        (Some(Ok(held)), Some(Err(error))) => {
            gaps.push(format!(
                "nobody evaluates the rules, as far as is known; what is pending is not known, and alerts may be missing: {error}"
            ));
            (Origin::Alertmanager, held)
        }
        (Some(Ok(held)), Some(Ok(fired))) => {
            let clock = Allowance { now, rules, alertmanager_since };
            (Origin::Alertmanager, join(with_rules(fired, rules), held, sending.as_ref(), &clock))
        }
        (Some(Err(error)), Some(Ok(fired))) => {
            gaps.push(format!(
                "silences are not known, nor whether anybody is paged; these are Prometheus' own alerts: {error}"
            ));
            (Origin::Prometheus, with_rules(fired, rules))
        }
        (None, Some(Ok(fired))) => (Origin::Prometheus, with_rules(fired, rules)),
        (Some(Err(error)), _) | (None, Some(Err(error))) => return Err(error),
        (None, None) => return Err(Error::internal("no backend was asked")),
    };
    if alerts.is_empty() && known_rules.is_some_and(|rules| rules.iter().all(|rule| rule.alerting.is_none())) {
        gaps.push("Prometheus has no alerting rule: nothing can fire".into());
    }
    let (mut faults, notes) = lost(&alerts);
    if tells_nobody && rules.iter().any(|rule| rule.alerting.is_some()) {
        faults.insert(0, TELLS_NOBODY.into());
    }
    Ok(Union { origin, alerts, gaps, unevaluated: unevaluated(rules, now), faults, notes })
}

/// The list of alerts, and those that the rules have beside.
fn with_rules(mut fired: Vec<Alert>, rules: &[Rule]) -> Vec<Alert> {
    let made: Vec<&Alert> =
        rules.iter().filter_map(|rule| rule.alerting.as_ref()).flat_map(|made| &made.alerts).collect();
    let listed: BTreeSet<&Labels> = fired.iter().map(|alert| &alert.labels).collect();
    let more: Vec<Alert> = made.into_iter().filter(|alert| !listed.contains(&alert.labels)).cloned().collect();
    fired.extend(more);
    fired
}

/// How long an alert may take to Alertmanager.
struct Allowance<'a> {
    now: DateTime<Utc>,
    rules: &'a [Rule],
    alertmanager_since: Option<DateTime<Utc>>,
}

impl Allowance<'_> {
    /// Should Alertmanager have it by now? After the first evaluation at which it fired, one more, and a resend; an
    /// Alertmanager that has just begun has as long.
    fn is_over(&self, alert: &Alert) -> bool {
        let seconds = |value: f64| {
            let duration = std::time::Duration::try_from_secs_f64(value).unwrap_or_default();
            TimeDelta::from_std(duration).unwrap_or_default()
        };
        let rules = || self.rules.iter().filter(|rule| rule.name == alert.name);
        let hold = rules().filter_map(|rule| Some(rule.alerting.as_ref()?.hold)).fold(0.0, f64::max);
        let interval = rules().map(|rule| rule.interval).fold(0.0, f64::max);
        let interval = if interval > 0.0 { interval } else { INTERVAL };
        let Some(since) = alert.since else {
            return true;
        };
        let from = self.alertmanager_since.map_or(since + seconds(hold), |at| at.max(since + seconds(hold)));
        self.now - from > RESEND + seconds(interval)
    }
}

/// One alert of each label set. What Alertmanager has is shown as Alertmanager has it: with the labels that people and
/// silences see.
fn join(fired: Vec<Alert>, mut held: Vec<Alert>, sending: Option<&Sending>, allowance: &Allowance<'_>) -> Vec<Alert> {
    let claims = claims(&fired, &held, sending);
    let mut arrived = vec![false; fired.len()];
    for (alert, claimed) in held.iter_mut().zip(claims) {
        let fires = claimed.iter().any(|index| fired[*index].state == AlertState::Firing);
        alert.delivery = Some(if fires { Delivery::Delivered } else { Delivery::NotFiring });
        for index in claimed {
            arrived[index] = true;
        }
    }
    let lost = fired.into_iter().zip(arrived).filter(|(_, arrived)| !arrived).map(|(mut alert, _)| {
        if alert.state == AlertState::Firing {
            let overdue = allowance.is_over(&alert) && !sending.is_some_and(|sending| sending.drops);
            alert.delivery = Some(if overdue { Delivery::Undelivered } else { Delivery::Underway });
        }
        alert
    });
    held.extend(lost);
    held
}

/// Which of the fired alerts each held one is. Prometheus adds its external labels when it sends, so a fired alert has
/// a part of the labels of the held one: exactly the rest where the external labels are known; else the held alert is
/// the fired one that it has most labels in common with.
fn claims(fired: &[Alert], held: &[Alert], sending: Option<&Sending>) -> Vec<Vec<usize>> {
    // By their label names, so that each look-up is exact: a quadratic join of thousands is too slow.
    let mut shapes: BTreeMap<Vec<&str>, BTreeMap<Vec<&str>, Vec<usize>>> = BTreeMap::new();
    for (index, alert) in fired.iter().enumerate() {
        let given = || alert.labels.iter().filter(|(_, value)| !value.is_empty());
        let names = given().map(|(name, _)| name.as_str()).collect();
        let values = given().map(|(_, value)| value.as_str()).collect();
        shapes.entry(names).or_default().entry(values).or_default().push(index);
    }
    let mut shapes: Vec<_> = shapes.into_iter().collect();
    shapes.sort_by_key(|(names, _)| std::cmp::Reverse(names.len()));
    let exact = sending.filter(|sending| !sending.relabels);
    held.iter()
        .map(|alert| {
            let label = |name: &str| alert.labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
            let mut claimed = Vec::new();
            for (names, by_values) in &shapes {
                let values: Option<Vec<&str>> = names.iter().map(|name| label(name)).collect();
                let Some(found) = values.and_then(|values| by_values.get(&values)) else {
                    continue;
                };
                let Some(sending) = exact else {
                    claimed.extend(found);
                    break;
                };
                let own = |name: &str| names.binary_search(&name).is_ok();
                let added = alert.labels.iter().filter(|(name, value)| !value.is_empty() && !own(name));
                let external = sending.external.iter().filter(|(name, value)| !value.is_empty() && !own(name));
                if added.eq(external) {
                    claimed.extend(found);
                }
            }
            if let (Some(sending), true) = (sending.filter(|sending| sending.relabels), claimed.is_empty()) {
                claimed.extend(relabelled(alert, fired, sending));
            }
            claimed
        })
        .collect()
}

/// Where labels are rewritten on the way, nothing better can be told than that nothing contradicts.
fn relabelled(held: &Alert, fired: &[Alert], sending: &Sending) -> Option<usize> {
    let agrees = |alert: &Alert| {
        let own =
            alert.labels.iter().chain(sending.external.iter().filter(|(name, _)| !alert.labels.contains_key(*name)));
        own.into_iter().all(|(name, value)| held.labels.get(name).is_none_or(|other| other == value))
    };
    fired.iter().position(|alert| alert.name == held.name && agrees(alert))
}

/// As many lost alerts are named.
const NAMED: usize = 3;

/// A sentence on those that fire, should have arrived and did not; and one on those that may be on their way.
fn lost(alerts: &[Alert]) -> (Vec<String>, Vec<String>) {
    let mut names: BTreeMap<&str, bool> = BTreeMap::new();
    let not_there = |alert: &&Alert| matches!(alert.delivery, Some(Delivery::Underway | Delivery::Undelivered));
    for alert in alerts.iter().filter(not_there) {
        *names.entry(&alert.name).or_default() |= alert.is_undelivered();
    }
    let (overdue, young): (Vec<_>, Vec<_>) = names.into_iter().partition(|(_, overdue)| *overdue);
    let text = |yet: &str, names: Vec<(&str, bool)>| {
        let shown: Vec<String> = names.iter().take(NAMED).map(|(name, _)| format!("`{name}`")).collect();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let shown = shown.join(", ");
        let said =
            format!("Alertmanager does not have {shown}{more}{yet}, which Prometheus fires: nobody may be paged");
        if names.is_empty() { Vec::new() } else { vec![said] }
    };
    (text("", overdue), text(" (yet)", young))
}

#[cfg(test)]
mod tests;
