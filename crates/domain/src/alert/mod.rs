//! Alerts: one type for Prometheus' and Alertmanager's, their severities, and how a screen groups them.

pub mod deliveries;
pub mod filter;
pub mod matcher;
pub mod paging;
pub mod probe;
mod re2;
pub mod rule;
pub mod silence;
pub mod unevaluated;
pub mod union;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::metric::labels::Labels;

/// What an alert is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Paging, as far as its source knows.
    Firing,
    /// Its source has no word for it, or one that nobody here knows: neither firing nor good.
    #[default]
    Unknown,
    /// Its condition holds, but not yet for long enough.
    Pending,
    /// Firing, and kept quiet by a silence.
    Silenced,
    /// Firing, and kept quiet by another alert.
    Inhibited,
    /// Firing, and kept quiet by a time interval of its route.
    Muted,
}

impl AlertState {
    /// The state that a rule's evaluator means by its word, whatever its case: Prometheus and vmalert say `firing`,
    /// Grafana `Alerting`, `Recovering` (its condition is over, and it still pages) and `Normal (NoData)`, Thanos
    /// `INACTIVE`. `None` where it means that nothing is wrong.
    pub fn of_word(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        let (word, why) = word.split_once(' ').unwrap_or((&word, ""));
        match word {
            "firing" | "alerting" | "recovering" => Some(Self::Firing),
            "pending" => Some(Self::Pending),
            "inactive" | "normal" if !["(nodata", "(error"].iter().any(|bad| why.starts_with(bad)) => None,
            _ => Some(Self::Unknown),
        }
    }

    /// Does it call for attention?
    pub fn is_loud(self) -> bool {
        self == Self::Firing
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Silenced => "silenced",
            Self::Inhibited => "inhibited",
            Self::Muted => "muted",
        }
    }
}

/// What Prometheus and Alertmanager say of one alert, where both were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It fires, and Alertmanager has it.
    Delivered,
    /// It fires, and Alertmanager does not have it: it may be on its way, or be dropped on purpose.
    Underway,
    /// It fires, and Alertmanager does not have it, though it should by now: nobody may be paged.
    Undelivered,
    /// Alertmanager has it, and no rule of this Prometheus fires it (any more).
    NotFiring,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Alert {
    pub name: String,
    pub state: AlertState,
    /// Label `severity`, as written.
    pub severity: Option<String>,
    pub labels: Labels,
    pub annotations: Labels,
    /// Since when its condition holds.
    pub since: Option<DateTime<Utc>>,
    /// Link to its runbook, from the annotation.
    pub runbook: Option<String>,
    /// Alertmanager's identity of it.
    pub fingerprint: Option<String>,
    /// Ids of the silences that keep it quiet.
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that keep it quiet.
    pub inhibited_by: Vec<String>,
    /// The time intervals that keep it quiet.
    pub muted_by: Vec<String>,
    /// Who is told.
    pub receivers: Vec<String>,
    /// `None` where one of both sources could not be asked, or it is not time to deliver.
    pub delivery: Option<Delivery>,
}

impl Alert {
    /// Does it fire, and is it overdue at Alertmanager? That nobody may be paged is critical, whatever the alert is.
    pub fn is_undelivered(&self) -> bool {
        self.state == AlertState::Firing && self.delivery == Some(Delivery::Undelivered)
    }
}

/// How bad an alert says it is, from the words that teams use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// critical, page, p1, sev1, emergency, fatal, disaster
    Page,
    /// high, error, warning, medium, p2 … and any word that we do not know: unknown is not harmless.
    Notice,
    /// info, none, debug, low: no cause for alarm.
    Info,
}

/// The urgency of a severity label.
pub fn urgency(severity: Option<&str>) -> Urgency {
    match severity.unwrap_or_default().to_lowercase().as_str() {
        "critical" | "crit" | "page" | "p1" | "p0" | "sev1" | "sev0" | "emergency" | "fatal" | "disaster"
        | "blocker" => Urgency::Page,
        "info" | "information" | "informational" | "none" | "debug" | "notice" => Urgency::Info,
        _ => Urgency::Notice,
    }
}

/// Order of severities for sorting: the worst first.
pub fn rank(severity: Option<&str>) -> u8 {
    let word = severity.unwrap_or_default().to_lowercase();
    match (urgency(severity), word.as_str()) {
        (Urgency::Page, _) => 0,
        (_, "high" | "error" | "major" | "p2" | "sev2") => 1,
        (_, "warning" | "warn" | "medium" | "p3" | "sev3") => 2,
        (_, "low" | "minor" | "p4" | "sev4") => 4,
        (Urgency::Info, _) => 5,
        (Urgency::Notice, _) => 3,
    }
}

/// Alerts of one name and severity, as the screen shows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<'a> {
    pub name: &'a str,
    pub severity: Option<&'a str>,
    pub state: AlertState,
    /// The earliest start: for how long this has gone on.
    pub since: Option<DateTime<Utc>>,
    pub runbook: Option<&'a str>,
    pub alerts: Vec<&'a Alert>,
}

impl Group<'_> {
    /// What the alerts have in common besides name and severity, and where they differ: `job=game, 3 instances`.
    pub fn labels(&self) -> Vec<(String, Vec<String>)> {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in self.alerts.iter().flat_map(|alert| &alert.labels) {
            if matches!(name.as_str(), "alertname" | "severity") {
                continue;
            }
            match found.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) if values.contains(value) => {}
                Some((_, values)) => values.push(value.clone()),
                None => found.push((name.clone(), vec![value.clone()])),
            }
        }
        found
    }
}

/// Groups by name, severity and state. Loud ones first; among them the worst severity, then the first to fire,
/// since the first is nearer to the cause than what it dragged along.
pub fn group<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut places = HashMap::new();
    for alert in alerts {
        let severity = alert.severity.as_deref();
        let place = *places.entry((&alert.name, severity, alert.state)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => {
                group.since = match (group.since, alert.since) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                group.runbook = group.runbook.or(alert.runbook.as_deref());
                group.alerts.push(alert);
            }
            None => groups.push(Group {
                name: &alert.name,
                severity,
                state: alert.state,
                since: alert.since,
                runbook: alert.runbook.as_deref(),
                alerts: vec![alert],
            }),
        }
    }
    for group in &mut groups {
        group.alerts.sort_by(|a, b| (a.since, &a.labels).cmp(&(b.since, &b.labels)));
    }
    groups.sort_by(|a, b| {
        (!a.state.is_loud(), a.state, rank(a.severity), a.since, a.name).cmp(&(
            !b.state.is_loud(),
            b.state,
            rank(b.severity),
            b.since,
            b.name,
        ))
    });
    groups
}

/// Labels that all groups have with one value tell nothing about any of them.
pub fn common_labels(groups: &[&Group<'_>]) -> Vec<(String, Vec<String>)> {
    let Some((first, others)) = groups.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let shared = |label: &(String, Vec<String>)| others.iter().all(|group| group.labels().contains(label));
    first.labels().into_iter().filter(|label| label.1.len() == 1 && shared(label)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, severity: &str, since: i64, instance: &str) -> Alert {
        Alert {
            name: name.into(),
            state: AlertState::Firing,
            severity: Some(severity.into()),
            labels: Labels::from([
                ("alertname".into(), name.into()),
                ("instance".into(), instance.into()),
                ("job".into(), "game".into()),
            ]),
            since: DateTime::from_timestamp(since, 0),
            ..Alert::default()
        }
    }

    #[test]
    fn groups_have_the_worst_and_the_first_on_top() {
        let mut silenced = alert("Zed", "critical", 1, "a");
        silenced.state = AlertState::Silenced;
        let alerts = [
            alert("Slow", "warning", 10, "a"),
            alert("Down", "critical", 30, "b"),
            alert("Down", "critical", 20, "a"),
            alert("Ticks", "critical", 25, "a"),
            silenced,
        ];
        let groups = group(&alerts);
        let names: Vec<(&str, usize)> = groups.iter().map(|group| (group.name, group.alerts.len())).collect();
        assert_eq!(names, [("Down", 2), ("Ticks", 1), ("Slow", 1), ("Zed", 1)]);
        assert_eq!(groups[0].since, DateTime::from_timestamp(20, 0));
        assert_eq!(
            groups[0].labels(),
            [
                ("instance".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
                ("job".to_owned(), vec!["game".to_owned()])
            ]
        );
    }

    #[test]
    fn a_severity_nobody_knows_is_not_harmless() {
        assert_eq!(urgency(Some("Critical")), Urgency::Page);
        assert_eq!(urgency(Some("purple")), Urgency::Notice);
        assert_eq!(urgency(None), Urgency::Notice);
        assert_eq!(urgency(Some("info")), Urgency::Info);
    }
}
