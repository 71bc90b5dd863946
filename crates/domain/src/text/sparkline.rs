//! One-line graphs: a window of samples as a row of block characters. Pure text, no colour.

/// Blocks from lowest to highest, for terminals with Unicode.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Levels from lowest to highest in ASCII. The lowest is not a space, since a space is a gap.
const ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];

/// The level of a series that does not change: neither low nor high.
const MIDDLE: usize = 3;

/// A spread below this share of the value is rounding noise, not movement.
const FLAT: f64 = 1e-9;

/// Draws `values`, evenly spaced in time, as exactly `width` columns.
///
/// Each column is the mean of the samples that fall into it; `None`, NaN and infinities are gaps, and
/// a column that holds nothing else is a space. The lowest column is drawn lowest and the highest
/// highest; a series that does not change is drawn at middle height. Fewer values than columns are
/// stretched.
pub fn sparkline(values: &[Option<f64>], width: usize, ascii: bool) -> String {
    let levels = if ascii { &ASCII } else { &BLOCKS };
    let columns: Vec<Option<f64>> = (0..width).map(|column| mean(bucket(values, column, width))).collect();
    let present = || columns.iter().flatten().copied();
    let min = present().fold(f64::INFINITY, f64::min);
    let max = present().fold(f64::NEG_INFINITY, f64::max);
    columns.iter().map(|column| column.map_or(' ', |value| levels[level(value, min, max)])).collect()
}

/// The samples that fall into one column; every sample falls into at least one.
fn bucket(values: &[Option<f64>], column: usize, width: usize) -> &[Option<f64>] {
    if values.is_empty() {
        return values;
    }
    let from = column * values.len() / width;
    let to = ((column + 1) * values.len() / width).max(from + 1);
    &values[from..to]
}

/// The mean of what is finite, divided before it is summed so that huge values do not overflow.
fn mean(values: &[Option<f64>]) -> Option<f64> {
    let finite = || values.iter().flatten().filter(|value| value.is_finite());
    let count = finite().count();
    (count > 0).then(|| finite().map(|value| value / count as f64).sum())
}

/// Which of the eight levels `value` has; halves keep the spread of the largest floats finite.
fn level(value: f64, min: f64, max: f64) -> usize {
    let spread = max / 2.0 - min / 2.0;
    if spread <= FLAT * min.abs().max(max.abs()) {
        return MIDDLE;
    }
    let share = (value / 2.0 - min / 2.0) / spread;
    ((share * 7.0).round() as usize).min(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn draws_levels_gaps_and_flat_series() {
        let ramp = some(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        let cases: [(&[Option<f64>], usize, &str, &str); 10] = [
            (&ramp, 8, "▁▂▃▄▅▆▇█", "_.:-=+*#"),
            (&ramp, 4, "▁▃▆█", "_:+#"),
            (&some(&[1.0, 2.0]), 4, "▁▁██", "__##"),
            (&[Some(1.0), None, Some(2.0)], 3, "▁ █", "_ #"),
            (&[Some(1.0), Some(f64::NAN), Some(f64::INFINITY), Some(2.0)], 4, "▁  █", "_  #"),
            (&some(&[5.0, 5.0, 5.0]), 3, "▄▄▄", "---"),
            (&some(&[0.0, 0.0]), 2, "▄▄", "--"),
            (&some(&[1e9, 1e9 + 1e-6]), 2, "▄▄", "--"),
            (&[], 3, "   ", "   "),
            (&ramp, 0, "", ""),
        ];
        for (values, width, unicode, ascii) in cases {
            assert_eq!(sparkline(values, width, false), unicode, "{values:?}");
            assert_eq!(sparkline(values, width, true), ascii, "{values:?}");
        }
    }

    #[test]
    fn largest_floats_do_not_overflow() {
        let values = some(&[f64::MAX, f64::MIN, f64::MAX, f64::MAX]);
        assert_eq!(sparkline(&values, 4, false), "█▁██");
        assert_eq!(sparkline(&values, 2, false), "▁█");
    }

    #[test]
    fn always_fills_the_width() {
        for count in 0..40 {
            let values: Vec<Option<f64>> = (0..count).map(|n| (n % 3 > 0).then_some(f64::from(n))).collect();
            for width in 0..50 {
                assert_eq!(sparkline(&values, width, false).chars().count(), width);
            }
        }
    }
}
