//! Histograms that grow with time: streams of observations, each with its own rate and spread.
//! A moving mix of fixed spreads moves the quantiles, and keeps every bucket a closed-form integral.

use std::f64::consts::PI;

use crate::flow::Flow;
use crate::release::Part;

/// How the observations of one stream spread over the buckets.
#[derive(Clone, Debug)]
pub struct Spread {
    /// The share of observations at or below each bound.
    shares: Vec<f64>,
    mean: f64,
}

impl Spread {
    /// The log-logistic distribution, `F(x) = 1 / (1 + (median / x)^steepness)`: one hump and a long
    /// tail, as latencies have. `steepness` must exceed 1 for the mean to exist.
    pub fn log_logistic(bounds: &[f64], median: f64, steepness: f64) -> Self {
        let share = |bound: &f64| 1.0 / (1.0 + (median / bound).powf(steepness));
        let angle = PI / steepness;
        Self { shares: bounds.iter().map(share).collect(), mean: median * angle / angle.sin() }
    }

    /// The given shares, one a bound and rising, and the given mean.
    pub fn table(shares: &[f64], mean: f64) -> Self {
        Self { shares: shares.to_vec(), mean }
    }
}

/// A histogram as a function of time.
#[derive(Clone, Debug)]
pub struct Mixture {
    pub bounds: &'static [f64],
    pub streams: Vec<(Flow, Spread)>,
}

impl Mixture {
    /// What was observed from `from` to `to` (Unix seconds).
    pub fn observed(&self, from: f64, to: f64) -> Histogram {
        let streams = self.streams.iter();
        self.sum(streams.map(|(rate, spread)| (rate.total(from, to), spread)))
    }

    /// What one track observed in its parts; what is slow there spreads as `slow` does.
    pub fn observed_in(&self, parts: &[Part], slow: &Spread) -> Histogram {
        let streams = self.streams.iter().flat_map(|(rate, spread)| {
            parts.iter().flat_map(move |part| {
                let count = rate.total(part.from, part.to) * part.share;
                [(count * (1.0 - part.slow), spread), (count * part.slow, slow)]
            })
        });
        self.sum(streams)
    }

    fn sum<'a>(&self, streams: impl Iterator<Item = (f64, &'a Spread)>) -> Histogram {
        let mut buckets = vec![0.0; self.bounds.len() + 1];
        let mut sum = 0.0;
        for (count, spread) in streams {
            let shares = spread.shares.iter().chain(&[1.0]);
            for (bucket, share) in buckets.iter_mut().zip(shares) {
                *bucket += count * share;
            }
            sum += count * spread.mean;
        }
        Histogram { bounds: self.bounds, cumulative: buckets.into_iter().map(whole).collect(), sum }
    }
}

/// The whole events in a fractional count.
pub fn whole(count: f64) -> u64 {
    count.max(0.0).floor() as u64
}

/// A histogram at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// The upper bounds, without `+Inf`.
    pub bounds: &'static [f64],
    /// Observations at or below each bound, and at the end all of them.
    pub cumulative: Vec<u64>,
    pub sum: f64,
}

impl Histogram {
    /// All observations.
    pub fn count(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// The same with exactly `count` observations, to agree with a counter of the same events.
    pub fn with_count(mut self, count: u64) -> Self {
        if let Some(last) = self.cumulative.last_mut() {
            *last = count;
        }
        for bucket in &mut self.cumulative {
            *bucket = count.min(*bucket);
        }
        self
    }

    /// What was observed after `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.cumulative.iter().zip(&earlier.cumulative);
        Self {
            bounds: self.bounds,
            cumulative: pairs.map(|(now, then)| now.saturating_sub(*then)).collect(),
            sum: self.sum - earlier.sum,
        }
    }

    /// Both together; the bounds must be the same.
    pub fn plus(&self, other: &Self) -> Self {
        let pairs = self.cumulative.iter().zip(&other.cumulative);
        Self { bounds: self.bounds, cumulative: pairs.map(|(one, two)| one + two).collect(), sum: self.sum + other.sum }
    }

    /// Prometheus' `histogram_quantile`: linear inside the bucket, the highest finite bound above
    /// it, `None` without observations.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = q * count as f64;
        let (mut below, mut lower) = (0.0, 0.0);
        for (&upper, &cumulative) in self.bounds.iter().zip(&self.cumulative) {
            let here = cumulative as f64;
            if here >= rank && here > below {
                return Some(lower + (upper - lower) * (rank - below) / (here - below));
            }
            (below, lower) = (here.max(below), upper);
        }
        self.bounds.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[f64] = &[1.0, 2.0, 4.0];

    fn histogram(cumulative: &[u64]) -> Histogram {
        Histogram { bounds: BOUNDS, cumulative: cumulative.to_vec(), sum: 0.0 }
    }

    #[test]
    fn quantiles_interpolate_as_prometheus_does() {
        let cases: [(&[u64], f64, Option<f64>); 6] = [
            (&[0, 0, 0, 0], 0.5, None),
            (&[10, 20, 40, 40], 0.25, Some(1.0)),
            (&[10, 20, 40, 40], 0.75, Some(3.0)),
            (&[10, 20, 40, 40], 1.0, Some(4.0)),
            (&[0, 10, 10, 10], 0.5, Some(1.5)),
            (&[0, 0, 0, 5], 0.5, Some(4.0)),
        ];
        for (cumulative, q, expected) in cases {
            assert_eq!(histogram(cumulative).quantile(q), expected, "{cumulative:?} {q}");
        }
    }

    #[test]
    fn a_mixture_counts_whole_observations_and_their_sum() {
        let mixture = Mixture {
            bounds: BOUNDS,
            streams: vec![
                (Flow::constant(2.0), Spread::table(&[0.5, 1.0, 1.0], 1.25)),
                (Flow::constant(1.0), Spread::table(&[0.0, 0.0, 0.5], 6.0)),
            ],
        };
        let seen = mixture.observed(100.0, 105.0);
        assert_eq!(seen.cumulative, [5, 10, 12, 15]);
        assert_eq!(seen.sum, 42.5);
    }

    #[test]
    fn a_given_count_caps_the_buckets() {
        let capped = histogram(&[3, 6, 9, 10]).with_count(8);
        assert_eq!(capped.cumulative, [3, 6, 8, 8]);
    }

    #[test]
    fn the_log_logistic_has_half_below_its_median() {
        let spread = Spread::log_logistic(BOUNDS, 2.0, 2.0);
        assert_eq!(spread.shares[1], 0.5);
        assert!((spread.mean - PI).abs() < 1e-9);
    }
}
