//! By how much a counter grew over a window, of whose edges its samples may lie short: as `increase` of Prometheus 3.
//!
//! Source: Prometheus 3.5, `promql/functions.go` (`extrapolatedRate`). Prometheus before 2.5x goes back to a counter's
//! zero over up to 1.1 intervals where this goes over half of one; that is all they differ in.

/// The growth over the seconds from `start` to `end`, of samples `(second, value)`, oldest first. `None` with fewer than
/// two samples. A value that is lower than the one before was reset, and has grown from 0.
pub fn increase(samples: &[(f64, f64)], start: f64, end: f64) -> Option<f64> {
    let [first, .., last] = samples else {
        return None;
    };
    let resets: f64 = samples.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum();
    let grown = last.1 - first.1 + resets;
    let sampled = last.0 - first.0;
    let between = sampled / (samples.len() - 1) as f64;
    // A sample that is about due is expected to be on its way; else the series began or ended, half an interval off.
    let reach = |gap: f64| if gap < between * 1.1 { gap } else { between / 2.0 };
    let mut before = reach(first.0 - start);
    if grown > 0.0 && first.1 >= 0.0 {
        // A counter does not begin below 0.
        before = before.min(sampled * (first.1 / grown));
    }
    Some(grown * ((sampled + before + reach(end - last.0)) / sampled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_prometheus_extrapolates() {
        for (name, samples, want) in [
            ("to both edges", &[(10.0, 100.0), (20.0, 110.0), (30.0, 120.0), (40.0, 130.0)][..], Some(40.0)),
            ("born in the middle, half an interval", &[(30.0, 50.0), (40.0, 60.0)], Some(10.0 * 1.7)),
            ("born in the middle at nearly 0", &[(30.0, 1.0), (40.0, 11.0)], Some(10.0 * 1.3)),
            ("ended in the middle", &[(10.0, 100.0), (20.0, 110.0)], Some(10.0 * 2.3)),
            ("reset", &[(10.0, 100.0), (20.0, 10.0), (30.0, 20.0), (40.0, 30.0)], Some(40.0)),
            ("stands still", &[(10.0, 5.0), (40.0, 5.0)], Some(0.0)),
            ("one sample", &[(10.0, 5.0)], None),
        ] {
            let got = increase(samples, 2.0, 42.0);
            let near = match (got, want) {
                (Some(got), Some(want)) => (got - want).abs() < 1e-9,
                (got, want) => got == want,
            };
            assert!(near, "{name}: {got:?}, not {want:?}");
        }
    }
}
