//! What an alert did of late (A20): whether it fires always, too often, too shortly, never, for nobody, or unheard. Pure:
//! the past comes in.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Urgency, urgency};
use crate::check::alerts::file::WrittenRule;
use crate::check::alerts::fires::is_heartbeat;
use crate::check::finding::{Finding, Level};
use crate::text::count::count;
use crate::text::duration::human;

/// How far back the past is looked at, and how closely.
pub const PAST: Duration = Duration::from_secs(7 * 86_400);
pub const STEP: Duration = Duration::from_secs(60);

/// A share of the time, times a day, and minutes: beyond these, people learn to look away.
const ALWAYS: f64 = 0.5;
const FLAPS: f64 = 6.0;
const SHORT: f64 = 5.0;

/// Fewer episodes than these say nothing of what usually happens.
const FEW: usize = 3;

/// A silence that ends later than this was not meant to end.
const FOREVER: TimeDelta = TimeDelta::days(30);

/// An incident belongs to an alert when it was opened so shortly before or after it fired.
const BESIDE: TimeDelta = TimeDelta::minutes(15);

/// From the first to the last minute in which it fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Episode {
    fn minutes(self) -> f64 {
        (self.to - self.from).num_seconds() as f64 / 60.0 + 1.0
    }

    /// Was an incident open meanwhile, or opened beside it?
    fn is_followed(self, incidents: &[Episode]) -> bool {
        incidents.iter().any(|one| one.from <= self.to + BESIDE && one.to >= self.from - BESIDE)
    }
}

/// The minutes in which something fired, in order, as episodes.
pub fn episodes(minutes: &[DateTime<Utc>]) -> Vec<Episode> {
    let mut all: Vec<Episode> = Vec::new();
    for at in minutes {
        match all.last_mut().filter(|last| *at - last.to <= TimeDelta::seconds(90)) {
            Some(last) => last.to = *at,
            None => all.push(Episode { from: *at, to: *at }),
        }
    }
    all
}

/// A silence that hides it while it fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    pub silence: String,
    pub by: String,
    pub until: DateTime<Utc>,
}

/// What an alert did within the past that was looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Minutes that Prometheus was there.
    pub covered: f64,
    /// When one of its series fired.
    pub episodes: Vec<Episode>,
    /// Minutes that the worst of its series was pending.
    pub pending: f64,
    /// How often one of its series became active.
    pub begun: f64,
    /// The incidents of that time; none where none are kept.
    pub incidents: Vec<Episode>,
    /// The silence that hides it now and ends last.
    pub hidden: Option<Hidden>,
}

/// A20.
pub fn history(rule: &WrittenRule, past: &History, now: DateTime<Utc>) -> Vec<Finding> {
    let severity = rule.labels.get("severity").map(String::as_str);
    if is_heartbeat(&rule.name, severity) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if let Some(hidden) = past.hidden.as_ref().filter(|hidden| hidden.until - now > FOREVER) {
        let Hidden { silence, by, until } = hidden;
        let why = format!("it fires now, and silence {silence} by {by} hides it until {}", until.format("%Y-%m-%d"));
        let fix = format!("repair its cause or remove it, then `liveops silence expire {silence}`");
        findings.push(rule.finding("A20", Level::Medium, why).fix(fix));
    }
    if past.covered < 60.0 {
        return findings;
    }
    let (shown, days) = (human(Duration::from_secs_f64(past.covered * 60.0)), past.covered / 1440.0);
    let mut lengths: Vec<f64> = past.episodes.iter().map(|one| one.minutes()).collect();
    lengths.sort_by(f64::total_cmp);
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    let times = count(past.episodes.len(), "time");
    let share = lengths.iter().sum::<f64>() / past.covered;
    let mut add = |level, why: String, fix: &str| findings.push(rule.finding("A20", level, why).fix(fix));
    if share > ALWAYS {
        let why = format!("it fired for {:.0} % of the last {shown}: people learn to look away", share * 100.0);
        add(Level::Medium, why, "repair the cause, raise the threshold, or remove it");
    } else if past.begun / days.max(1.0) > FLAPS {
        let why = format!("it became active {:.0} times in the last {shown}", past.begun);
        add(Level::Medium, why, "wait longer (`for`), or keep it firing for longer (`keep_firing_for`)");
    } else if past.episodes.len() >= FEW && median < SHORT {
        let why = format!(
            "it fired {times} in the last {shown}, half of them for {median:.0} minutes or less: it is over before anybody looks"
        );
        add(Level::Medium, why, "wait longer (`for`)");
    } else if past.episodes.is_empty() && past.pending > 0.0 {
        let held = human(rule.held());
        let why = format!(
            "its condition held for {:.0} minutes of the last {shown}, and it never fired: `for` is {held}",
            past.pending
        );
        add(Level::Low, why, "shorten `for`, if it was to fire");
    }
    let is_unheard = !past.incidents.is_empty() && !past.episodes.iter().any(|one| one.is_followed(&past.incidents));
    if urgency(severity) == Urgency::Page && past.episodes.len() >= FEW && is_unheard {
        let why =
            format!("it fired {times} in the last {shown}, and no incident followed: it wakes people for nothing");
        add(Level::Medium, why, "make it a ticket, or raise its threshold");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::alerts::file::RuleFile;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    /// Episodes of so many minutes, two hours apart.
    fn fired(times: i64, minutes: i64) -> Vec<Episode> {
        let all: Vec<_> = (0..times).flat_map(|n| (0..minutes).map(move |m| at(n * 120 + m))).collect();
        let found = episodes(&all);
        assert_eq!(found.len() as i64, times);
        found
    }

    #[test]
    fn each_is_caught_and_its_twin_is_not() {
        let text = "groups: [{name: g, rules: [{alert: A, expr: up==0, for: 1m, labels: {severity: critical}}, {alert: B, expr: up==0, labels: {severity: warning}}]}]";
        let file = RuleFile::read(text, "r.yml");
        let [page, ticket] = file.rules().collect::<Vec<_>>()[..] else { panic!("two") };
        let now = at(10_080);
        let of = |past: &History| -> Vec<String> {
            history(page, past, now).into_iter().map(|one| format!("{} {}", one.level.name(), one.why)).collect()
        };
        let week = History { covered: 10_080.0, ..History::default() };
        let with = |change: &dyn Fn(&mut History)| {
            let mut past = week.clone();
            change(&mut past);
            of(&past)
        };
        let incident = |from: i64, to: i64| Episode { from: at(from), to: at(to) };
        let hidden = |days: i64| {
            let until = now + TimeDelta::days(days);
            Some(Hidden { silence: "5f1c".into(), by: "ana".into(), until })
        };
        for (caught, twin, words) in [
            (with(&|past| past.episodes = fired(1, 6000)), with(&|past| past.episodes = fired(1, 4000)), "60 %"),
            (with(&|past| past.begun = 43.0), with(&|past| past.begun = 41.0), "became active 43 times"),
            (
                with(&|past| past.episodes = fired(3, 4)),
                with(&|past| past.episodes = fired(3, 5)),
                "half of them for 4",
            ),
            (with(&|past| past.pending = 6.0), of(&week), "never fired: `for` is 1m"),
            (with(&|past| past.hidden = hidden(31)), with(&|past| past.hidden = hidden(29)), "silence 5f1c by ana"),
            (
                with(&|past| (past.episodes, past.incidents) = (fired(3, 60), vec![incident(5000, 5100)])),
                with(&|past| (past.episodes, past.incidents) = (fired(3, 60), vec![incident(130, 150)])),
                "no incident followed",
            ),
        ] {
            assert!(caught.len() == 1 && caught[0].contains(words), "{words}: {caught:?}");
            assert_eq!(twin, Vec::<String>::new(), "{words}");
        }
        // Where nobody keeps incidents, and for what wakes nobody, none is missed.
        assert!(with(&|past| past.episodes = fired(3, 60)).is_empty());
        let past = History { episodes: fired(3, 60), incidents: vec![incident(5000, 5100)], ..week.clone() };
        assert!(history(ticket, &past, now).is_empty());
        let young = History { covered: 10.0, episodes: fired(1, 10), ..History::default() };
        assert!(of(&young).is_empty());
    }
}
