//! What an incident cost, against the same time a week before. What the series do not say is unknown, never zero.

use chrono::{DateTime, TimeDelta, Utc};

/// Values at times, in order.
pub type Points = [(DateTime<Utc>, f64)];

/// The week before, which is what is expected at an hour of a day of a week.
pub const WEEK: TimeDelta = TimeDelta::days(7);

/// What was missing of a figure while it lasted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// The largest difference at one time.
    pub worst: f64,
    /// The difference over time: of a gauge its unit × seconds, of a rate its events. Never below zero.
    pub total: f64,
    /// The share of the time for which both weeks have values, 0 to 1.
    pub covered: f64,
}

/// How far a figure was below the week before, between two times; `None` when the two weeks have nothing in common.
///
/// Each point is held against the nearest one of the week before; the area between them is summed up by the rectangle
/// that each point stands for. Points above last week's count as no loss: other players do not make up for lost ones.
pub fn loss(points: &Points, before: &Points, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Loss> {
    let inside: Vec<(DateTime<Utc>, f64)> =
        points.iter().copied().filter(|(at, value)| *at >= from && *at <= to && value.is_finite()).collect();
    let step = step(points)?;
    let mut loss = Loss { worst: 0.0, total: 0.0, covered: 0.0 };
    let mut pairs = 0_usize;
    for (at, value) in &inside {
        let Some(expected) = nearest(before, *at - WEEK, step) else {
            continue;
        };
        let missing = (expected - value).max(0.0);
        loss.worst = loss.worst.max(missing);
        loss.total += missing * seconds(step);
        pairs += 1;
    }
    if pairs == 0 {
        return None;
    }
    let wanted = (seconds(to - from) / seconds(step)).max(1.0);
    loss.covered = (pairs as f64 / wanted).min(1.0);
    Some(loss)
}

/// The value furthest in one direction between two times, and when.
pub fn extreme(points: &Points, from: DateTime<Utc>, to: DateTime<Utc>, highest: bool) -> Option<(DateTime<Utc>, f64)> {
    let inside = points.iter().copied().filter(|(at, value)| *at >= from && *at <= to && value.is_finite());
    let order = |a: &(DateTime<Utc>, f64), b: &(DateTime<Utc>, f64)| a.1.total_cmp(&b.1);
    if highest { inside.max_by(order) } else { inside.min_by(order) }
}

/// The usual distance of two points.
fn step(points: &Points) -> Option<TimeDelta> {
    points.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|step| *step > TimeDelta::zero()).min()
}

fn nearest(points: &Points, at: DateTime<Utc>, within: TimeDelta) -> Option<f64> {
    points
        .iter()
        .filter(|(_, value)| value.is_finite())
        .map(|(time, value)| ((*time - at).abs(), *value))
        .filter(|(away, _)| *away <= within)
        .min_by_key(|(away, _)| *away)
        .map(|(_, value)| value)
}

fn seconds(length: TimeDelta) -> f64 {
    length.num_milliseconds() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_768_473_000 + minute * 60, 0).expect("in range")
    }

    #[test]
    fn the_loss_is_the_area_below_last_week() {
        let now: Vec<_> = (0..60).map(|n| (at(n), if (20..30).contains(&n) { 400.0 } else { 1000.0 })).collect();
        let before: Vec<_> = (0..60).map(|n| (at(n) - WEEK, 900.0)).collect();
        let lost = loss(&now, &before, at(15), at(34)).expect("both weeks");
        assert!((lost.worst - 500.0).abs() < 1e-9);
        assert!((lost.total - 500.0 * 600.0).abs() < 1e-6, "{lost:?}");
        assert!(lost.covered > 0.95);
        assert_eq!(loss(&now, &[], at(15), at(34)), None, "no last week");
        assert_eq!(loss(&now, &before, at(100), at(120)), None, "no points");
        assert_eq!(extreme(&now, at(15), at(34), false).map(|(_, value)| value), Some(400.0));
    }
}
