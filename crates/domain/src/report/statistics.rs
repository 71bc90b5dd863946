//! What is said of a handful of durations: median, 90th percentile, and whether they rise or fall. Never a mean alone:
//! durations are skewed (VOID Report 2021).

use serde::Serialize;

/// Fewer values than this prove no trend.
pub const FEW: usize = 8;

/// The normal quantile of a two-sided test at 5 %.
const SIGNIFICANT: f64 = 1.96;

/// Median and 90th percentile, with the number that they rest on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub n: usize,
    pub median_s: Option<i64>,
    pub p90_s: Option<i64>,
}

impl Spread {
    pub fn of(mut seconds: Vec<i64>) -> Self {
        seconds.sort_unstable();
        Self { n: seconds.len(), median_s: median(&seconds), p90_s: nearest_rank(&seconds, 90) }
    }
}

/// The middle of sorted values.
pub fn median(sorted: &[i64]) -> Option<i64> {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        return sorted.get(middle).copied();
    }
    let below = sorted.get(middle.checked_sub(1)?)?;
    Some(below + (sorted.get(middle)? - below) / 2)
}

/// The nearest-rank percentile of sorted values: one that did occur.
pub fn nearest_rank(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// Where values go over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    Rising,
    Falling,
    /// Nothing that chance could not have made.
    None,
}

impl Trend {
    pub fn word(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::None => "no trend",
        }
    }
}

/// The trend of values in the order of time, by Mann and Kendall with the correction for ties; `None` of too few.
pub fn trend(values: &[i64]) -> Option<Trend> {
    if values.len() < FEW {
        return None;
    }
    let mut score = 0_i64;
    for (place, earlier) in values.iter().enumerate() {
        score += values[place + 1..].iter().map(|later| (later - earlier).signum()).sum::<i64>();
    }
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|same| term(same.len() as f64)).sum();
    let variance = (term(values.len() as f64) - ties) / 18.0;
    if variance <= 0.0 {
        return Some(Trend::None);
    }
    let z = (score - score.signum()) as f64 / variance.sqrt();
    Some(match z {
        z if z > SIGNIFICANT => Trend::Rising,
        z if z < -SIGNIFICANT => Trend::Falling,
        _ => Trend::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred_and_nothing_has_none() {
        assert_eq!((median(&[]), nearest_rank(&[], 90)), (None, None));
        assert_eq!((median(&[7]), nearest_rank(&[7], 90)), (Some(7), Some(7)));
        assert_eq!(median(&[1, 3]), Some(2));
        assert_eq!(median(&[1, 2, 9]), Some(2));
        let ten: Vec<i64> = (1..=10).collect();
        assert_eq!(nearest_rank(&ten, 90), Some(9));
        assert_eq!(Spread::of(vec![3, 1, 2]), Spread { n: 3, median_s: Some(2), p90_s: Some(3) });
    }

    #[test]
    fn a_trend_needs_eight_values_and_more_than_chance() {
        let rising: Vec<i64> = (0..8).collect();
        let falling: Vec<i64> = rising.iter().rev().copied().collect();
        assert_eq!(trend(&rising[..7]), None);
        assert_eq!(trend(&rising), Some(Trend::Rising));
        assert_eq!(trend(&falling), Some(Trend::Falling));
        assert_eq!(trend(&[5; 20]), Some(Trend::None));
        assert_eq!(trend(&[1, 9, 2, 8, 3, 7, 4, 6]), Some(Trend::None));
    }
}
