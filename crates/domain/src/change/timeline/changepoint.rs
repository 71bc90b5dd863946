//! Where the mean of a series changes: PELT (Killick, Fearnhead and Eckley 2012, arXiv:1101.1438).
//!
//! Of all ways to cut a series into segments it finds the one with the least squared distance from the segments' means
//! plus a penalty for each cut. It is exact, as optimal partitioning is (Jackson et al. 2005, arXiv:math/0309285), and
//! drops the beginnings of a last segment that can never be best again.

/// The first points of new segments, in order. The noise of the values has a variance of 1.
pub fn changepoints(values: &[f64]) -> Vec<usize> {
    let penalty = penalty(values.len());
    let cost = Cost::new(values);
    // The least cost of the first `end` points, and where its last segment begins.
    let mut least = vec![-penalty];
    let mut begins = vec![0];
    let mut candidates = vec![0];
    for end in 1..=values.len() {
        let (best, begin) = candidates
            .iter()
            .map(|begin| (least[*begin] + cost.of(*begin, end) + penalty, *begin))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or((0.0, 0));
        // Pruning: what costs more now even without its penalty does so for every later end, for a cut at `end` in its
        // place saves at least as much.
        candidates.retain(|begin| least[*begin] + cost.of(*begin, end) <= best);
        candidates.push(end);
        least.push(best);
        begins.push(begin);
    }
    let mut found = Vec::new();
    let mut end = values.len();
    while begins[end] > 0 {
        end = begins[end];
        found.push(end);
    }
    found.reverse();
    found
}

/// BIC's penalty of a cut, in units of the noise's variance: `ln n` for its place and again for the new mean.
fn penalty(points: usize) -> f64 {
    2.0 * (points.max(2) as f64).ln()
}

/// Sums from the beginning, so that the cost of a segment takes one step.
struct Cost {
    sums: Vec<(f64, f64)>,
}

impl Cost {
    fn new(values: &[f64]) -> Self {
        let mut sums = vec![(0.0, 0.0)];
        let (mut sum, mut squares) = (0.0, 0.0);
        for value in values {
            sum += value;
            squares += value * value;
            sums.push((sum, squares));
        }
        Self { sums }
    }

    /// The sum of squared distances from the mean of the points `begin..end`.
    fn of(&self, begin: usize, end: usize) -> f64 {
        let (sum, squares) = (self.sums[end].0 - self.sums[begin].0, self.sums[end].1 - self.sums[begin].1);
        (squares - sum * sum / (end - begin) as f64).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Noise between -1 and 1 that is the same in every run.
    fn noise(n: u32) -> f64 {
        f64::from(n.wrapping_mul(2_654_435_761) >> 16) / 32_768.0 - 1.0
    }

    #[test]
    fn the_mean_changes_where_it_changes() {
        let level = |levels: &'static [(u32, f64)]| {
            let last = levels.last().map_or(0, |(until, _)| *until);
            (0..last)
                .map(|n| noise(n) + levels.iter().find(|(until, _)| n < *until).map_or(0.0, |(_, level)| *level))
                .collect::<Vec<f64>>()
        };
        for (levels, want) in [
            (&[][..], vec![]),
            (&[(1, 5.0)], vec![]),
            (&[(200, 0.0)], vec![]),
            (&[(60, 0.0), (120, 8.0)], vec![60]),
            (&[(60, 0.0), (120, -8.0)], vec![60]),
            (&[(40, 0.0), (70, 8.0), (120, 0.0)], vec![40, 70]),
            (&[(40, 0.0), (41, 30.0), (120, 0.0)], vec![40, 41]),
            (&[(4, 0.0), (8, 20.0)], vec![4]),
        ] {
            assert_eq!(changepoints(&level(levels)), want, "{levels:?}");
        }
        assert_eq!(changepoints(&[7.0; 50]), Vec::<usize>::new());
    }

    /// The cost of a segmentation, from its definition.
    fn whole(values: &[f64], cuts: &[usize]) -> f64 {
        let ends = cuts.iter().copied().chain([values.len()]);
        let begins = std::iter::once(0).chain(cuts.iter().copied());
        let segments: f64 = begins
            .zip(ends)
            .map(|(begin, end)| {
                let segment = &values[begin..end];
                let mean = segment.iter().sum::<f64>() / segment.len() as f64;
                segment.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
            })
            .sum();
        segments + penalty(values.len()) * cuts.len() as f64
    }

    proptest! {
        #[test]
        fn no_segmentation_costs_less(
            pieces in prop::collection::vec((-12.0..12.0_f64, 1..4_usize, -1.0..1.0_f64), 1..6),
        ) {
            let mut values: Vec<f64> = pieces
                .iter()
                .flat_map(|(level, count, noise)| (0..*count).map(move |n| level + noise * (n % 2) as f64))
                .collect();
            values.truncate(11);
            let found = changepoints(&values);
            let best = (0_u32..1 << (values.len() - 1))
                .map(|cuts| (1..values.len()).filter(|at| cuts >> (at - 1) & 1 == 1).collect::<Vec<usize>>())
                .map(|cuts| whole(&values, &cuts))
                .fold(f64::INFINITY, f64::min);
            prop_assert!((whole(&values, &found) - best).abs() < 1e-9, "{values:?}: {found:?}");
        }
    }
}
