//! The break in a series: where its level shifted most, and whether that is more than noise.
//!
//! PELT proposes places; each is moved to the sharpest split nearby, and the largest shift wins if it is far out of the
//! noise.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::change::timeline::changepoint::changepoints;

/// Points on each side of a split that its levels are taken from, where they are not nearer than [`REACH`] has them.
const SIDE: usize = 20;

/// So long a side at least, in seconds: points that are near to each other share most of their rate's window.
const REACH: i64 = 600;

/// Fewer points on a side say nothing about a level.
const LEAST: usize = 4;

/// How far the proposed place may be off, in points.
const OFF: usize = 6;

/// Shifts below so many deviations of the noise are noise.
const SIGMAS: f64 = 4.0;

/// Longer than any usual scrape interval.
const GAP: TimeDelta = TimeDelta::minutes(3);

/// A median absolute deviation is so many standard deviations of a normal distribution.
const MAD: f64 = 1.4826;

/// Where a series broke.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Break {
    /// The first point of the new level.
    pub at: DateTime<Utc>,
    /// The last point of the old one: the break is between them.
    pub after: DateTime<Utc>,
    #[serde(with = "crate::metric::number")]
    pub from: f64,
    #[serde(with = "crate::metric::number")]
    pub to: f64,
    /// The shift in deviations of the noise.
    #[serde(with = "crate::metric::number")]
    pub sigmas: f64,
    /// Is it to the worse? `None` where nobody said which way is worse.
    pub hurts: Option<bool>,
    /// The end of the series is nearer to the old level than to the new one.
    pub over: bool,
}

impl Break {
    /// Nothing was measured between the two levels for so long that the break may be anywhere in between.
    pub fn is_in_a_gap(&self) -> bool {
        self.at - self.after > GAP
    }
}

/// The largest break of a series in the order of time, one to the worse before one to the better; `None` when it has
/// none. NaN and infinities are passed over.
pub fn find(points: &[(DateTime<Utc>, f64)], worse: Option<Ordering>) -> Option<Break> {
    let points: Vec<(DateTime<Utc>, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    if points.len() < 2 * LEAST {
        return None;
    }
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    let side = side(&points);
    let scaled = standard(&values)?;
    let last = median(&values[values.len() - LEAST..]);
    let mut places: Vec<usize> = changepoints(&scaled)
        .into_iter()
        .flat_map(|at| at.saturating_sub(OFF)..=at + OFF)
        .filter(|at| *at >= LEAST && *at + LEAST <= values.len())
        .collect();
    places.sort_unstable();
    places.dedup();
    let splits: Vec<(f64, Break)> = places
        .into_iter()
        .map(|place| {
            let (evidence, sigmas) = split(&values, place, side);
            let (before, after) = sides(&values, place, side);
            let (from, to) = (median(before), median(after));
            let hurts = worse.map(|worse| to.total_cmp(&from) == worse);
            let over = (last - from).abs() < (last - to).abs();
            (evidence, Break { at: points[place].0, after: points[place - 1].0, from, to, sigmas, hurts, over })
        })
        .collect();
    // Near a sharp split are blunt ones of the same step, so the best of a direction is judged, and no other.
    let best = |hurts: Option<bool>| {
        let of = splits.iter().filter(|(_, split)| split.hurts == hurts);
        of.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, split)| split).filter(|split| split.sigmas >= SIGMAS)
    };
    best(Some(true)).or_else(|| best(Some(false))).or_else(|| best(None)).cloned()
}

/// The end of a series, of which nothing can be said yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TooYoung {
    /// A break that began within so many seconds is not seen yet.
    pub seconds: i64,
    /// The last points depart from all before them since then: a break may have begun.
    pub may_have_begun: Option<DateTime<Utc>>,
}

/// What the end of a series allows to say; the series is in the order of time.
pub fn too_young(points: &[(DateTime<Utc>, f64)]) -> TooYoung {
    let points: Vec<(DateTime<Utc>, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let seconds = spacing(&points) * i64::try_from(LEAST).unwrap_or_default();
    let departs = |tail: &usize| {
        let (before, after) = points.split_at(points.len() - tail);
        let before: Vec<f64> = before.iter().rev().take(side(&points)).map(|(_, value)| *value).collect();
        let level = median(&before);
        let least = (SIGMAS * deviation(&before)).max(level.abs() * 0.01).max(f64::MIN_POSITIVE);
        let above = after.iter().all(|(_, value)| value - level > least);
        above || after.iter().all(|(_, value)| level - value > least)
    };
    let tail = (1..LEAST).rev().filter(|tail| points.len() >= tail + 2 * LEAST).find(departs);
    TooYoung { seconds, may_have_begun: tail.map(|tail| points[points.len() - tail].0) }
}

/// What a series does not cover of the time that was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Uncovered {
    /// Its first point, where that is later than a tenth of the time.
    pub begins: Option<DateTime<Utc>>,
    /// Its last point, where more should have followed: what came then is not known.
    pub ended: Option<DateTime<Utc>>,
}

/// What the series, in the order of time, does not cover of a span.
pub fn uncovered(points: &[(DateTime<Utc>, f64)], (from, to): (DateTime<Utc>, DateTime<Utc>)) -> Uncovered {
    let known: Vec<(DateTime<Utc>, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let (Some((first, _)), Some((last, _))) = (known.first(), known.last()) else {
        return Uncovered::default();
    };
    let patience = TimeDelta::seconds(spacing(&known) * i64::try_from(LEAST).unwrap_or_default());
    Uncovered {
        begins: Some(*first).filter(|first| *first - from > ((to - from) / 10).max(patience)),
        ended: Some(*last).filter(|last| to - *last > patience.max(GAP)),
    }
}

/// Seconds between two points, of most pairs.
fn spacing(points: &[(DateTime<Utc>, f64)]) -> i64 {
    let mut gaps: Vec<i64> = points.windows(2).map(|pair| (pair[1].0 - pair[0].0).num_seconds()).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or(1).max(1)
}

fn side(points: &[(DateTime<Utc>, f64)]) -> usize {
    usize::try_from(REACH / spacing(points)).unwrap_or(SIDE).max(SIDE)
}

fn sides(values: &[f64], at: usize, side: usize) -> (&[f64], &[f64]) {
    (&values[at.saturating_sub(side)..at], &values[at..(at + side).min(values.len())])
}

/// The evidence of a split (the shift of the means against their own error, as Welch's t), and the shift of the
/// medians in deviations of the noise.
fn split(values: &[f64], at: usize, side: usize) -> (f64, f64) {
    let (before, after) = sides(values, at, side);
    let floor = 1e-9 * values.iter().fold(0.0_f64, |max, value| max.max(value.abs())) + f64::MIN_POSITIVE;
    let noise = (deviation(before).powi(2) / 2.0 + deviation(after).powi(2) / 2.0).sqrt().max(floor);
    let error = |side: &[f64]| variance(side) / side.len() as f64;
    let evidence = (mean(after) - mean(before)).abs() / (error(before) + error(after)).sqrt().max(floor);
    let sigmas = (median(after) - median(before)).abs() / noise;
    (evidence, sigmas.min(1e6))
}

/// Centred on its median, in units of its own steps' noise; `None` when it does not move at all.
fn standard(values: &[f64]) -> Option<Vec<f64>> {
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let spread = deviation(&steps) / std::f64::consts::SQRT_2;
    let centre = median(values);
    let widest = values.iter().map(|value| (value - centre).abs()).fold(0.0, f64::max);
    if widest <= f64::EPSILON * centre.abs() {
        return None;
    }
    // A series that only ever jumps has no noise of its own.
    let unit = if spread > widest * 1e-3 { spread } else { widest * 0.1 };
    Some(values.iter().map(|value| (value - centre) / unit).collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len().max(2) - 1) as f64
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

fn deviation(values: &[f64]) -> f64 {
    let centre = median(values);
    let away: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    MAD * median(&away)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn series(values: impl IntoIterator<Item = f64>) -> Vec<(DateTime<Utc>, f64)> {
        let start = DateTime::<Utc>::default();
        values
            .into_iter()
            .enumerate()
            .map(|(n, value)| {
                let n = i64::try_from(n).expect("few");
                (start + TimeDelta::seconds(30 * n), value)
            })
            .collect()
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let wobble = |n: usize| f64::from(u8::try_from(n * 7 % 5).expect("small")) * 0.1;
        let step = series((0..120).map(|n| if n < 77 { 10.0 } else { 20.0 } + wobble(n)));
        let found = find(&step, None).expect("a break");
        assert_eq!(found.at, step[77].0);
        assert_eq!(found.after, step[76].0);
        assert!(found.from < 11.0 && found.to > 19.0, "{found:?}");
    }

    #[test]
    fn what_began_just_now_is_too_young_to_tell() {
        let wobble = |n: usize| f64::from(u8::try_from(n * 7 % 5).expect("small")) * 0.1;
        let broken = |young: usize| series((0..120).map(|n| if n < 120 - young { 10.0 } else { 20.0 } + wobble(n)));
        // With three points of the new level, the split before the last old one is clear enough.
        for young in 1..LEAST - 1 {
            let points = broken(young);
            assert_eq!(find(&points, None), None);
            let said = too_young(&points);
            assert_eq!((said.seconds, said.may_have_begun), (120, Some(points[120 - young].0)), "{young}");
        }
        assert!(find(&broken(LEAST), None).is_some());
        assert_eq!(too_young(&broken(0)).may_have_begun, None);
    }

    #[test]
    fn what_does_not_break_has_no_break() {
        assert_eq!(find(&series([1.0; 100]), None), None);
        assert_eq!(find(&series([]), None), None);
        assert_eq!(find(&series([f64::NAN; 50]), None), None);
        let noise = (0..200_u32).map(|n| f64::from(n.wrapping_mul(2_654_435_761) >> 16) / 65_536.0);
        assert_eq!(find(&series(noise), None), None);
    }

    #[test]
    fn what_hurts_comes_before_its_recovery() {
        let wobble = |n: usize| f64::from(u8::try_from(n * 7 % 5).expect("small")) * 0.1;
        let level = |n: usize| if (60..100).contains(&n) { 20.0 } else { 10.0 };
        let points = series((0..240).map(|n| level(n) + wobble(n)));
        let found = |worse| find(&points, worse).expect("a break");
        assert_eq!(
            (found(Some(Ordering::Greater)).at, found(Some(Ordering::Greater)).hurts),
            (points[60].0, Some(true))
        );
        assert_eq!((found(Some(Ordering::Less)).at, found(Some(Ordering::Less)).hurts), (points[100].0, Some(true)));
        assert_eq!(found(None).hurts, None);
        // Up and down again is over; what came down last is not.
        assert!(found(Some(Ordering::Greater)).over && !found(Some(Ordering::Less)).over);
        let better = series((0..120).map(|n| if n < 60 { 20.0 } else { 10.0 } + wobble(n)));
        let found = find(&better, Some(Ordering::Greater)).expect("a break");
        assert_eq!((found.at, found.hurts), (better[60].0, Some(false)));
    }

    #[test]
    fn what_a_series_does_not_cover_is_known() {
        let points = series([1.0; 100]);
        let (first, last) = (points[0].0, points[99].0);
        let of =
            |from: i64, to: i64| uncovered(&points, (first - TimeDelta::seconds(from), last + TimeDelta::seconds(to)));
        assert_eq!(of(0, 0), Uncovered::default());
        assert_eq!(of(300, 180), Uncovered::default());
        assert_eq!(of(3600, 181), Uncovered { begins: Some(first), ended: Some(last) });
        let mut unmeasured = points.clone();
        unmeasured[80..].iter_mut().for_each(|(_, value)| *value = f64::NAN);
        assert_eq!(uncovered(&unmeasured, (first, last)).ended, Some(points[79].0));
    }
}
