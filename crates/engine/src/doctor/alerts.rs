//! Alert fatigue: more alerts than a person can act on, and alerts that nobody has acted on for a day.

use liveops_domain::text::count::count;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::doctor::finding::{Finding, first};
use crate::observe::alerts::Alerts;
use liveops_domain::alert::silence::{Silence, SilenceState};
use liveops_domain::alert::{Alert, Urgency, urgency};
use liveops_domain::text::time::compact;

/// More alerts of different names than this at once are read by nobody.
const MANY: usize = 10;

/// An alert that fires longer asks for a fix or for another threshold.
const LONG: TimeDelta = TimeDelta::hours(24);

/// A silence that ends sooner, with alerts under it, will page.
const SOON: TimeDelta = TimeDelta::minutes(30);

/// A silence that lasts longer is forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::days(7);

/// Judges what fires, and whether people are told of it.
pub fn known(found: &Alerts, now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = judge(&found.alerts, now);
    let faults = found.faults.iter().map(|text| {
        Finding::fail("delivery", text.clone())
            .fix("look at the log of the sender; until it is mended, nobody may be paged")
            .command("liveops alerts")
    });
    findings.extend(faults);
    findings.extend(found.notes.iter().map(|text| Finding::warn("delivery", text.clone()).command("liveops alerts")));
    findings
}

/// Judges alerts. Alerts that always fire on purpose do not count.
pub fn judge(alerts: &[Alert], now: DateTime<Utc>) -> Vec<Finding> {
    let mut since: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
    for alert in alerts {
        if !alert.state.is_loud() || is_heartbeat(alert) {
            continue;
        }
        let start = alert.since.unwrap_or(now);
        let known = since.entry(&alert.name).or_insert(start);
        *known = (*known).min(start);
    }
    let mut findings = Vec::new();
    if since.len() > MANY {
        findings.push(
            Finding::warn("fatigue", format!("{} of different names fire at once", count(since.len(), "alert")))
                .fix("group them by cause, inhibit what follows from another, raise thresholds that nobody acts on")
                .command("liveops alerts list"),
        );
    }
    let long: Vec<String> = since
        .iter()
        .filter(|(_, start)| now - **start > LONG)
        .map(|(name, start)| {
            let seconds = u64::try_from((now - *start).num_seconds()).unwrap_or(0);
            format!("{name} ({})", compact(seconds))
        })
        .collect();
    if !long.is_empty() {
        findings.push(
            Finding::warn("fatigue", format!("fires for more than a day: {}", first(&long, 3)))
                .fix("fix the cause, change the threshold, or silence it with an end and a reason")
                .command("liveops alerts list"),
        );
    }
    if findings.is_empty() {
        let text = match since.len() {
            0 => "nothing fires".into(),
            1 => "one alert fires".into(),
            n => format!("{} of different names fire", count(n, "alert")),
        };
        findings.push(Finding::ok("fatigue", text));
    }
    findings
}

/// An alert that proves by firing that alerts arrive.
fn is_heartbeat(alert: &Alert) -> bool {
    let name = alert.name.to_lowercase();
    urgency(alert.severity.as_deref()) == Urgency::Info || name.contains("watchdog") || name.contains("deadman")
}

/// Judges silences: one that ends soon over alerts that then page, and ones that are meant to last for ever.
pub fn silences(silences: &[Silence], alerts: &[Alert], now: DateTime<Utc>) -> Vec<Finding> {
    let hidden: BTreeSet<&str> = alerts.iter().flat_map(|alert| alert.silenced_by.iter().map(String::as_str)).collect();
    let active = || silences.iter().filter(|silence| silence.state == SilenceState::Active);
    let short = |silence: &Silence| silence.id.chars().take(8).collect::<String>();
    let mut findings = Vec::new();
    for silence in active() {
        let left = silence.draft.ends_at - now;
        if left < SOON && hidden.contains(silence.id.as_str()) {
            let under = alerts.iter().filter(|alert| alert.silenced_by.contains(&silence.id)).count();
            let message = format!(
                "silence {} ends in {}, and {} under it will page",
                short(silence),
                compact(u64::try_from(left.num_seconds()).unwrap_or(0)),
                count(under, "alert")
            );
            findings.push(
                Finding::warn("silences", message)
                    .fix("fix the cause, or extend it")
                    .command(format!("liveops silence extend {} --for 1h", short(silence))),
            );
        }
    }
    let long: Vec<String> = active()
        .filter(|silence| silence.draft.ends_at - now > FORGOTTEN)
        .map(|silence| format!("{} by {}", short(silence), silence.draft.created_by))
        .collect();
    if !long.is_empty() {
        findings.push(
            Finding::warn(
                "silences",
                format!("{} for more than a week to come: {}", count(long.len(), "silence"), first(&long, 3)),
            )
            .fix("a silence that lasts hides the next incident, too; change the alert instead")
            .command("liveops silence list"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;
    use liveops_domain::alert::AlertState;
    use liveops_domain::alert::silence::Draft;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
    }

    fn alert(name: &str, severity: &str, hours: i64) -> Alert {
        Alert {
            name: name.into(),
            state: AlertState::Firing,
            severity: Some(severity.into()),
            since: Some(now() - TimeDelta::hours(hours)),
            ..Alert::default()
        }
    }

    #[test]
    fn many_and_long_are_fatigue_and_heartbeats_are_not() {
        let many: Vec<Alert> = (0..11).map(|n| alert(&format!("a{n}"), "high", 1)).collect();
        for (alerts, want) in [
            (vec![], vec![(Level::Ok, "nothing fires")]),
            (
                vec![alert("Watchdog", "none", 900), alert("DeadMansSwitch", "page", 900)],
                vec![(Level::Ok, "nothing fires")],
            ),
            (many[..10].to_vec(), vec![(Level::Ok, "10 alerts of different names fire")]),
            (many, vec![(Level::Warn, "11 alerts of different names fire at once")]),
            (
                vec![alert("a", "high", 1), alert("a", "high", 50)],
                vec![(Level::Warn, "fires for more than a day: a (2d 2h)")],
            ),
        ] {
            let found = judge(&alerts, now());
            let found: Vec<(Level, &str)> = found.iter().map(|found| (found.level, found.message.as_str())).collect();
            assert_eq!(found, want);
        }
    }

    #[test]
    fn a_silence_that_ends_over_alerts_and_one_that_never_ends() {
        let silence = |id: &str, minutes: i64| Silence {
            id: id.into(),
            state: SilenceState::Active,
            draft: Draft {
                matchers: Vec::new(),
                starts_at: now(),
                ends_at: now() + TimeDelta::minutes(minutes),
                created_by: "ada".into(),
                comment: String::new(),
                other: serde_json::Map::new(),
            },
        };
        let mut quiet = alert("a", "high", 1);
        quiet.silenced_by = vec!["soon".into()];
        let all = [silence("soon", 10), silence("empty", 10), silence("for-ever-and-ever", 20_000)];
        let found: Vec<String> = silences(&all, &[quiet], now()).into_iter().map(|found| found.message).collect();
        assert_eq!(
            found,
            [
                "silence soon ends in 10m, and 1 alert under it will page",
                "1 silence for more than a week to come: for-ever by ada"
            ]
        );
    }
}
