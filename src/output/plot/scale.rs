//! The value axis: round ticks and where a value lies between them. Pure arithmetic.

/// Values beyond this are drawn as this, so that no difference of two values overflows.
const LIMIT: f64 = 1e300;

/// A spread below this share of the value cannot be told from rounding.
const FLAT: f64 = 1e-12;

/// How far, in steps, a bound may lie outside of a tick that encloses it.
const ROUNDING: f64 = 1e-9;

/// Returns round values, evenly spaced by 1, 2 or 5 times a power of ten, that enclose `min..=max`.
///
/// At most `n` of them, but never fewer than the two that enclose the range (three when it
/// crosses zero). A range without a spread is widened to reach zero, so that a constant lies in the middle.
/// Empty when a bound is not finite.
#[cfg(test)]
fn nice_ticks(min: f64, max: f64, n: usize) -> Vec<f64> {
    if !min.is_finite() || !max.is_finite() {
        return Vec::new();
    }
    let (min, max) = spread(min.min(max), min.max(max));
    enclosing(min, max, n)
}

/// The ticks of a range that has a spread.
fn enclosing(min: f64, max: f64, n: usize) -> Vec<f64> {
    let most = n.max(3) as f64;
    let mut exponent = ((max - min) / most).log10().floor() as i32;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            let step = scaled(factor, exponent);
            // 0.3 / 0.1 is a little less than 3, which is no reason for a tick at 0.2.
            let first = (min / step + ROUNDING).floor();
            let last = (max / step - ROUNDING).ceil();
            if last - first < most {
                return (0..=(last - first) as u32)
                    // Adding zero turns -0 into 0.
                    .map(|n| scaled((first + f64::from(n)) * factor, exponent) + 0.0)
                    .collect();
            }
        }
        exponent += 1;
    }
}

/// `factor` × 10^`exponent`; a negative power divides, which keeps 3 × 10^-1 at exactly 0.3.
fn scaled(factor: f64, exponent: i32) -> f64 {
    if exponent < 0 { factor / 10f64.powi(-exponent) } else { factor * 10f64.powi(exponent) }
}

/// The range to show for values within `min..=max`: as it is, or widened when there is nothing to see.
fn spread(min: f64, max: f64) -> (f64, f64) {
    let (min, max) = (min.clamp(-LIMIT, LIMIT), max.clamp(-LIMIT, LIMIT));
    let size = min.abs().max(max.abs());
    if size < 1.0 / LIMIT {
        (0.0, 1.0)
    } else if max - min > FLAT * size {
        (min, max)
    } else if max > 0.0 {
        (0.0, 2.0 * max)
    } else {
        (2.0 * min, 0.0)
    }
}

/// The value axis of one plot.
#[derive(Debug)]
pub(super) struct Scale {
    /// The values that get a tick, ascending; the first and the last are the ends of the axis.
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// An axis for `values`, of which the infinite are left out, with room for `rows` text rows.
    ///
    /// Zero is included when it is close, and so is a threshold that at most doubles the range: how far
    /// the line is from it is what the reader wants to see.
    pub(super) fn new(values: impl Iterator<Item = f64>, thresholds: impl Iterator<Item = f64>, rows: usize) -> Self {
        let (min, max) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (min.min(value), max.max(value)));
        // Nothing but infinities: any axis will do.
        let (min, max) = if min > max { (0.0, 1.0) } else { (min, max) };
        let (mut low, mut high) = spread(min, max);
        let span = high - low;
        if low > 0.0 && low <= span / 2.0 {
            low = 0.0;
        }
        let (near_low, near_high) = (low - span, high + span);
        for value in thresholds.filter(|value| (near_low..=near_high).contains(value)) {
            low = low.min(value);
            high = high.max(value);
        }
        Self { ticks: enclosing(low, high, rows / 3 + 2) }
    }

    /// Where `value` lies: 0 at the bottom, 1 at the top; what is beyond lies at the edge.
    pub(super) fn share(&self, value: f64) -> f64 {
        let (low, high) = self.bounds();
        let value = if value.is_finite() { value.clamp(-LIMIT, LIMIT) } else { value };
        (value.clamp(low, high) - low) / (high - low)
    }

    /// The bottom and the top of the axis.
    pub(super) fn bounds(&self) -> (f64, f64) {
        match (self.ticks.first(), self.ticks.last()) {
            (Some(low), Some(high)) if low < high => (*low, *high),
            _ => (0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose() {
        let cases: [(f64, f64, usize, &[f64]); 11] = [
            (0.0, 10.0, 6, &[0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
            (0.0, 100.0, 3, &[0.0, 50.0, 100.0]),
            (0.02, 0.31, 5, &[0.0, 0.1, 0.2, 0.3, 0.4]),
            (-3.0, 7.0, 4, &[-5.0, 0.0, 5.0, 10.0]),
            (0.3, 0.6, 4, &[0.3, 0.4, 0.5, 0.6]),
            (-1.0, 1.0, 0, &[-1.0, 0.0, 1.0]),
            (1200.0, 1290.0, 4, &[1200.0, 1250.0, 1300.0]),
            (5.0, 5.0, 3, &[0.0, 5.0, 10.0]),
            (-5.0, -5.0, 3, &[-10.0, -5.0, 0.0]),
            (0.0, 0.0, 3, &[0.0, 0.5, 1.0]),
            (7.0, 3.0, 3, &[0.0, 5.0, 10.0]),
        ];
        for (min, max, n, expected) in cases {
            assert_eq!(nice_ticks(min, max, n), expected, "{min}..{max} by {n}");
        }
    }

    #[test]
    fn ticks_survive_any_floats() {
        let odd =
            [0.0, -0.0, 5e-324, 1e-310, 1e-9, 1.0, 1.0 + f64::EPSILON, 1e16, 1e16 + 2.0, 1e300, f64::MAX, f64::MIN];
        for min in odd {
            for max in odd {
                let ticks = nice_ticks(min, max, 6);
                assert!((2..=6).contains(&ticks.len()), "{min:e}..{max:e}: {ticks:?}");
                assert!(ticks.is_sorted_by(|a, b| a < b), "{min:e}..{max:e}: {ticks:?}");
            }
        }
        assert!(nice_ticks(f64::NAN, 1.0, 5).is_empty());
        assert!(nice_ticks(0.0, f64::INFINITY, 5).is_empty());
    }

    #[test]
    fn axis_includes_what_is_near() {
        let bounds = |values: &[f64], thresholds: &[f64]| {
            Scale::new(values.iter().copied(), thresholds.iter().copied(), 12).bounds()
        };
        assert_eq!(bounds(&[20.0, 90.0], &[]), (0.0, 100.0));
        assert_eq!(bounds(&[1000.0, 1090.0], &[]), (1000.0, 1100.0));
        assert_eq!(bounds(&[0.0, 10.0], &[15.0]), (0.0, 15.0));
        assert_eq!(bounds(&[0.0, 10.0], &[500.0, f64::NAN]), (0.0, 10.0));
        assert_eq!(bounds(&[1.0, f64::INFINITY], &[]), (0.0, 2.0));
        assert_eq!(bounds(&[f64::NEG_INFINITY], &[]), (0.0, 1.0));
    }
}
