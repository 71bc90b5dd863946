//! The break in a series: where its level shifted most, and whether that is more than noise.
//!
//! PELT proposes places; each is moved to the sharpest split nearby, and the largest shift wins if it is far out of the
//! noise.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::change::timeline::changepoint::changepoints;

/// Points on each side of a split that its levels are taken from.
const SIDE: usize = 20;

/// Fewer points on a side say nothing about a level.
const LEAST: usize = 4;

/// How far the proposed place may be off, in points.
const OFF: usize = 6;

/// Shifts below so many deviations of the noise are noise.
const SIGMAS: f64 = 4.0;

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
}

/// The largest break of a series in the order of time; `None` when it has none. NaN and infinities are passed over.
pub fn find(points: &[(DateTime<Utc>, f64)]) -> Option<Break> {
    let points: Vec<(DateTime<Utc>, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    if points.len() < 2 * LEAST {
        return None;
    }
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    let scaled = standard(&values)?;
    let mut places: Vec<usize> = changepoints(&scaled)
        .into_iter()
        .flat_map(|at| at.saturating_sub(OFF)..=at + OFF)
        .filter(|at| *at >= LEAST && *at + LEAST <= values.len())
        .collect();
    places.sort_unstable();
    places.dedup();
    let (place, _, sigmas) = places
        .into_iter()
        .map(|at| {
            let (evidence, sigmas) = split(&values, at);
            (at, evidence, sigmas)
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    if sigmas < SIGMAS {
        return None;
    }
    let (before, after) = sides(&values, place);
    Some(Break { at: points[place].0, after: points[place - 1].0, from: median(before), to: median(after), sigmas })
}

fn sides(values: &[f64], at: usize) -> (&[f64], &[f64]) {
    (&values[at.saturating_sub(SIDE)..at], &values[at..(at + SIDE).min(values.len())])
}

/// The evidence of a split (the shift of the means against their own error, as Welch's t), and the shift of the
/// medians in deviations of the noise.
fn split(values: &[f64], at: usize) -> (f64, f64) {
    let (before, after) = sides(values, at);
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
        let found = find(&step).expect("a break");
        assert_eq!(found.at, step[77].0);
        assert_eq!(found.after, step[76].0);
        assert!(found.from < 11.0 && found.to > 19.0, "{found:?}");
    }

    #[test]
    fn what_does_not_break_has_no_break() {
        assert_eq!(find(&series([1.0; 100])), None);
        assert_eq!(find(&series([])), None);
        assert_eq!(find(&series([f64::NAN; 50])), None);
        let noise = (0..200_u32).map(|n| f64::from(n.wrapping_mul(2_654_435_761) >> 16) / 65_536.0);
        assert_eq!(find(&series(noise)), None);
    }
}
