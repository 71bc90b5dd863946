//! The course of a figure: how long it was beyond its limits, how far it went, and when it meets its limit at this pace.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::metric::kpi::Kpi;
use crate::metric::level::Level;
use crate::metric::threshold::{Comparison, Threshold};
use crate::report::Period;
use crate::report::statistics::{Trend, trend};

/// The past that a trend is read from: two of each day of the week.
pub const PAST: TimeDelta = TimeDelta::days(14);

/// Beyond this, a pace is no forecast.
const FAR: f64 = 180.0;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Course {
    /// Moments of the period at which it was measured.
    pub n: usize,
    /// Of these: at its warning or worse, and critical.
    pub warn: usize,
    pub critical: usize,
    /// The value that was furthest on the bad side.
    pub worst: Option<f64>,
    pub worst_at: Option<DateTime<Utc>>,
    /// Of the medians of the last fourteen days; none of fewer than eight.
    pub trend: Option<Trend>,
    /// Days until it is critical at the pace of these days, where it goes there.
    pub critical_in_days: Option<f64>,
}

impl Course {
    /// Of points in the order of time.
    pub fn of(kpi: &Kpi, points: &[(DateTime<Utc>, f64)], period: &Period) -> Self {
        let within: Vec<&(DateTime<Utc>, f64)> =
            points.iter().filter(|(at, value)| *at >= period.since && value.is_finite()).collect();
        let at_least = |level: Level| within.iter().filter(|(_, value)| is(kpi.level(*value), level)).count();
        let limit = kpi.critical.as_ref().or(kpi.warn.as_ref());
        let sign = limit.map_or(1.0, direction);
        let worst = within.iter().max_by(|a, b| (a.1 * sign).total_cmp(&(b.1 * sign)));
        let days = medians(points, period.until);
        let ranks = ranks(&days);
        let trend = trend(&ranks);
        let critical_in_days = limit.filter(|_| trend.is_some_and(|trend| trend != Trend::None)).and_then(|limit| {
            let (last, pace) = (*days.last()?, pace(&days));
            let left = (limit.value - last) / pace;
            (!limit.is_breached(last) && pace * sign > 0.0 && left <= FAR).then_some(left)
        });
        Self {
            n: within.len(),
            warn: at_least(Level::Warn),
            critical: at_least(Level::Critical),
            worst: worst.map(|(_, value)| *value),
            worst_at: worst.map(|(at, _)| *at),
            trend,
            critical_in_days,
        }
    }

    /// Is it news: a limit was crossed, or will be?
    pub fn is_news(&self) -> bool {
        self.warn > 0 || self.critical_in_days.is_some()
    }
}

fn is(found: Level, least: Level) -> bool {
    found == Level::Critical || found == least
}

/// 1 where high values are bad, -1 where low ones are.
fn direction(limit: &Threshold) -> f64 {
    if matches!(limit.op, Comparison::Below | Comparison::AtMost) { -1.0 } else { 1.0 }
}

/// The median of each day that ends with the last moment, so that every day has all its hours.
fn medians(points: &[(DateTime<Utc>, f64)], until: DateTime<Utc>) -> Vec<f64> {
    let mut days: std::collections::BTreeMap<i64, Vec<f64>> = std::collections::BTreeMap::new();
    for (at, value) in points.iter().filter(|(at, value)| *at <= until && *at > until - PAST && value.is_finite()) {
        days.entry(-(until - *at).num_days()).or_default().push(*value);
    }
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    days.into_values().map(middle).collect()
}

/// Each value's place among all: what a trend needs of them.
fn ranks(values: &[f64]) -> Vec<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    values.iter().map(|value| sorted.partition_point(|one| one < value) as i64).collect()
}

/// The median of the slopes between every two days (Theil and Sen): one odd day does not turn it.
fn pace(days: &[f64]) -> f64 {
    let pairs = days.iter().enumerate().flat_map(|(n, early)| {
        days[n + 1..].iter().enumerate().map(move |(gap, late)| (late - early) / (gap + 1) as f64)
    });
    let mut slopes: Vec<f64> = pairs.collect();
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::kpi::{Aggregation, KpiKind};
    use crate::metric::quantity::Unit;
    use crate::metric::selector::Selector;

    fn kpi(warn: &str, critical: &str) -> Kpi {
        let limit = |text: &str| Threshold::parse(text, &Unit::None).ok();
        Kpi {
            name: "cpu".into(),
            title: None,
            kind: KpiKind::Gauge { selector: Selector::parse("cpu").unwrap(), agg: Aggregation::Max },
            by: None,
            warn: limit(warn),
            critical: limit(critical),
            unit: Unit::None,
            service: None,
        }
    }

    fn course(kpi: &Kpi, value: impl Fn(i64) -> f64) -> Course {
        let until: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        let points: Vec<(DateTime<Utc>, f64)> =
            (0..14 * 24).rev().map(|hour| (until - TimeDelta::hours(hour), value(14 * 24 - hour))).collect();
        Course::of(kpi, &points, &Period { since: until - TimeDelta::days(7), until })
    }

    #[test]
    fn what_grows_meets_its_limit_and_what_swings_each_day_does_not() {
        let night = |hour: i64| if hour % 24 < 12 { 0.0 } else { 20.0 };
        let grows = course(&kpi("> 70", "> 80"), |hour| 40.0 + hour as f64 / 24.0 * 2.0 + night(hour) / 10.0);
        assert_eq!((grows.warn, grows.trend), (0, Some(Trend::Rising)));
        let days = grows.critical_in_days.expect("it goes there");
        assert!((4.0..8.0).contains(&days), "{days}");
        let swings = course(&kpi("> 70", "> 80"), |hour| 55.0 + night(hour));
        assert_eq!((swings.trend, swings.critical_in_days), (Some(Trend::None), None));
        assert_eq!((swings.n, swings.warn, swings.critical, swings.worst), (169, 84, 0, Some(75.0)));
        assert!(swings.is_news());
        // It falls to a floor that is low.
        let falls = course(&kpi("< 20", "< 10"), |hour| 60.0 - hour as f64 / 24.0 * 3.0);
        assert_eq!(falls.trend, Some(Trend::Falling));
        assert!(falls.critical_in_days.is_some_and(|days| days < 4.0), "{falls:?}");
        let away = course(&kpi("> 70", "> 80"), |hour| 60.0 - hour as f64 / 24.0);
        assert_eq!(away.critical_in_days, None);
        // Three days prove nothing.
        let short = course(&kpi("> 70", "> 80"), |hour| if hour < 11 * 24 { f64::NAN } else { hour as f64 / 10.0 });
        assert_eq!(short.trend, None);
    }
}
