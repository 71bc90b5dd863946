//! Values for people and for programs: numbers with few digits, with a KPI's unit, and whole ones for CSV.

use liveops_domain::metric::number::special;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::series::{Measured, NativeHistogram};

/// Significant digits of a number without a unit.
const DIGITS: i32 = 6;

/// A number for a person: whole numbers as they are, others with six significant digits.
pub(super) fn number(value: f64) -> String {
    if let Some(name) = special(value) {
        return name.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e15).contains(&size) {
        return format!("{value:.5e}");
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent is -6 to 14")]
    let before = if size < 1e-6 { 0 } else { size.log10().floor() as i32 + 1 };
    let decimals = usize::try_from(DIGITS - before).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A number in the unit of a KPI, else as [`number`].
pub(super) fn with_unit(value: f64, unit: Option<&Unit>) -> String {
    unit.map_or_else(|| number(value), |unit| unit.show(value))
}

/// A value for a person; a native histogram by its count, sum and mean.
pub(super) fn measured(value: &Measured, unit: Option<&Unit>) -> String {
    match value {
        Measured::Float(value) => with_unit(*value, unit),
        Measured::Histogram(histogram) => compact(histogram),
    }
}

fn compact(histogram: &NativeHistogram) -> String {
    let mut text = format!("count {}, sum {}", number(histogram.count), number(histogram.sum));
    if histogram.count > 0.0 {
        text.push_str(&format!(", avg {}", number(histogram.sum / histogram.count)));
    }
    text
}

/// A value with all of its digits.
pub(super) fn exact(value: &Measured) -> String {
    match value {
        Measured::Float(value) => exact_number(*value),
        Measured::Histogram(histogram) => {
            // As Prometheus itself writes a histogram as a string.
            let mut parts = vec![
                format!("count:{}", exact_number(histogram.count)),
                format!("sum:{}", exact_number(histogram.sum)),
            ];
            parts.extend(histogram.buckets.iter().map(|bucket| {
                let (open, close) = edges(bucket.boundaries);
                format!(
                    "{open}{},{}{close}:{}",
                    exact_number(bucket.lower),
                    exact_number(bucket.upper),
                    exact_number(bucket.count)
                )
            }));
            format!("{{{}}}", parts.join(", "))
        }
    }
}

/// The brackets of a bucket's interval, by the number that the HTTP API gives.
pub(super) fn edges(boundaries: u8) -> (char, char) {
    match boundaries {
        0 => ('(', ']'),
        1 => ('[', ')'),
        2 => ('(', ')'),
        _ => ('[', ']'),
    }
}

fn exact_number(value: f64) -> String {
    match special(value) {
        Some(name) => name.to_owned(),
        None if value != 0.0 && !(1e-7..1e21).contains(&value.abs()) => format!("{value:e}"),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_what_matters() {
        for (value, short, long) in [
            (0.0, "0", "0"),
            (1204.0, "1204", "1204"),
            (1_234_567.0, "1234567", "1234567"),
            (0.016_666_666_666_666_666, "0.0166667", "0.016666666666666666"),
            (1204.5678, "1204.57", "1204.5678"),
            (-0.5, "-0.5", "-0.5"),
            (999_999.9, "1000000", "999999.9"),
            (1e-9, "1.00000e-9", "1e-9"),
            (1e300, "1.00000e300", "1e300"),
            (f64::NAN, "NaN", "NaN"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
        ] {
            assert_eq!((number(value).as_str(), exact_number(value).as_str()), (short, long));
            let back: f64 = exact_number(value).parse().unwrap();
            assert!(back == value || value.is_nan());
        }
    }
}
