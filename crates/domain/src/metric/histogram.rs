//! Quantiles of classic histograms, exactly as `histogram_quantile` of Prometheus gives them.
//!
//! Source of the rules: Prometheus 2.42, `promql/quantile.go` (`bucketQuantile`,
//! `coalesceBuckets`, `ensureMonotonic`).

use crate::metric::estimate::Estimate;

/// The `q`-quantile of a histogram given as `(upper bound, cumulative count)` in any order.
/// Counts may be rates. Linear inside a bucket; the lowest bucket begins at 0 when its bound is
/// above 0; in the highest bucket the answer is the bound below it.
///
/// - `q < 0` gives `-Inf`, `q > 1` gives `+Inf`.
/// - `NaN` when `q` is `NaN`, when there is no `+Inf` bucket, when that is the only bucket, or when
///   there are no observations. Also when their number is `NaN`, where Prometheus gives the second
///   highest bound: what is not known must not look like a value.
///
/// Buckets with the same bound are added up; a count lower than that of a smaller bucket is
/// raised to it; a bound that is `NaN` is left out.
pub fn quantile(q: f64, cumulative: &[(f64, f64)]) -> f64 {
    estimate(q, cumulative).value
}

/// The same, with what the buckets tell of it: in the highest bucket the bound below it is all that is known.
pub fn estimate(q: f64, cumulative: &[(f64, f64)]) -> Estimate {
    let exactly = Estimate::from;
    if q.is_nan() {
        return exactly(f64::NAN);
    }
    if q < 0.0 {
        return exactly(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return exactly(f64::INFINITY);
    }
    let buckets = prepare(cumulative);
    let [below @ .., highest] = buckets.as_slice() else {
        return exactly(f64::NAN);
    };
    let Some(second) = below.last() else {
        return exactly(f64::NAN);
    };
    if highest.0 != f64::INFINITY || highest.1 == 0.0 || highest.1.is_nan() {
        return exactly(f64::NAN);
    }
    let rank = q * highest.1;
    let index = below.partition_point(|(_, count)| *count < rank);
    let Some(&(end, count)) = below.get(index) else {
        // Rates of the same observations differ in their last bits.
        let is_beyond = rank > second.1 * (1.0 + 1e-9);
        return Estimate { value: second.0, is_lower_bound: is_beyond };
    };
    let (start, before) = match index.checked_sub(1) {
        Some(previous) => below[previous],
        None if end <= 0.0 => return exactly(end),
        None => (0.0, 0.0),
    };
    exactly(start + (end - start) * ((rank - before) / (count - before)))
}

/// Whether there is a bucket with the bound `+Inf`, without which no quantile can be told.
pub fn has_infinity_bucket(cumulative: &[(f64, f64)]) -> bool {
    cumulative.iter().any(|(bound, _)| *bound == f64::INFINITY)
}

/// Sorted by bound, equal bounds (`1` and `1.0`, of two clients) added up, counts never falling.
pub fn prepare(cumulative: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<(f64, f64)> = cumulative.iter().copied().filter(|(bound, _)| !bound.is_nan()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut buckets: Vec<(f64, f64)> = Vec::with_capacity(sorted.len());
    for (bound, count) in sorted {
        match buckets.last_mut() {
            Some(last) if last.0 == bound => last.1 += count,
            _ => buckets.push((bound, count)),
        }
    }
    let mut highest = f64::NEG_INFINITY;
    for (_, count) in &mut buckets {
        highest = highest.max(*count);
        if *count < highest {
            *count = highest;
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Buckets = &'static [(f64, f64)];

    const INF: f64 = f64::INFINITY;

    #[test]
    fn as_prometheus() {
        const TICK: Buckets = &[(0.001, 1.0), (0.005, 20.0), (0.01, 60.0), (0.016, 95.0), (0.033, 99.0), (INF, 100.0)];
        let cases: [(&str, f64, Buckets, f64); 15] = [
            ("inside", 0.5, TICK, 0.00875),
            ("on a bound", 0.95, TICK, 0.016),
            ("in a wide bucket", 0.97, TICK, 0.0245),
            ("lowest from zero", 0.005, TICK, 0.0005),
            ("highest gives the bound below", 0.999, TICK, 0.033),
            ("q = 0", 0.0, TICK, 0.0),
            ("q = 1", 1.0, TICK, 0.033),
            ("q below 0", -0.1, TICK, f64::NEG_INFINITY),
            ("q above 1", 1.1, TICK, INF),
            ("negative lowest bound", 0.1, &[(-1.0, 5.0), (INF, 10.0)], -1.0),
            ("unsorted", 0.5, &[(INF, 10.0), (2.0, 10.0), (1.0, 0.0)], 1.5),
            ("equal bounds", 0.5, &[(1.0, 2.0), (1.0, 2.0), (INF, 8.0)], 1.0),
            ("not monotonic", 0.5, &[(1.0, 6.0), (2.0, 4.0), (INF, 10.0)], 5.0 / 6.0),
            ("falls to +Inf", 0.9, &[(1.0, 6.0), (INF, 4.0)], 0.9),
            ("rates", 0.5, &[(1.0, 0.1), (2.0, 0.3), (INF, 0.4)], 1.5),
        ];
        for (name, q, buckets, want) in cases {
            let got = quantile(q, buckets);
            let near = got == want || (got - want).abs() < 1e-12;
            assert!(near, "{name}: {got}, not {want}");
        }
    }

    #[test]
    fn no_answer_is_nan() {
        let cases: [(f64, &[(f64, f64)]); 6] = [
            (0.5, &[]),
            (0.5, &[(INF, 10.0)]),
            (0.5, &[(1.0, 10.0), (2.0, 10.0)]),
            (0.5, &[(1.0, 0.0), (INF, 0.0)]),
            (0.5, &[(1.0, f64::NAN), (INF, f64::NAN)]),
            (f64::NAN, &[(1.0, 1.0), (INF, 1.0)]),
        ];
        for (q, buckets) in cases {
            assert!(quantile(q, buckets).is_nan(), "{q} of {buckets:?}");
        }
    }

    #[test]
    fn beyond_the_last_finite_bucket_it_is_a_lower_bound() {
        let buckets = [(0.1, 90.0), (0.5, 98.0), (INF, 100.0)];
        for (q, want) in [
            (0.9, Estimate::from(0.1)),
            (0.98, Estimate::from(0.5)),
            (0.99, Estimate::above(0.5)),
            (1.0, Estimate::above(0.5)),
        ] {
            assert_eq!(estimate(q, &buckets), want, "{q}");
        }
        assert_eq!(estimate(1.0, &[(1.0, 3.0), (INF, 3.0)]), Estimate::from(1.0));
    }

    fn buckets() -> impl Strategy<Value = Vec<(f64, f64)>> {
        proptest::collection::vec((0.001..1e4_f64, 0.0..1e6_f64), 1..12).prop_map(|steps| {
            let mut cumulative = Vec::new();
            let (mut bound, mut count) = (0.0, 0.0);
            for (width, more) in steps {
                bound += width;
                count += more;
                cumulative.push((bound, count));
            }
            cumulative.push((INF, count + 1.0));
            cumulative
        })
    }

    proptest! {
        #[test]
        fn within_bounds_and_monotonic(given in buckets(), a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
            let (low, high) = (quantile(a.min(b), &given), quantile(a.max(b), &given));
            let top = given[given.len() - 2].0;
            prop_assert!(low >= 0.0 && high <= top * (1.0 + 1e-12), "{low} {high} {top}");
            prop_assert!(low <= high * (1.0 + 1e-9), "{low} > {high}");
        }

        #[test]
        fn never_panics(q in any::<f64>(), given in proptest::collection::vec(any::<(f64, f64)>(), 0..6)) {
            let _ = quantile(q, &given);
        }
    }
}
