//! Kubernetes' quantities (`500m`, `1Gi`) and shares (`25%`).

/// The number that a quantity stands for.
pub fn quantity(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let factor = match unit {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        exponent => 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number * factor)
}

/// A number of pods, or a share of them rounded up, as budgets of disruption are.
pub fn pods(text: &str, of: i64) -> Option<i64> {
    let Some(percent) = text.trim().strip_suffix('%') else {
        return text.trim().parse().ok();
    };
    let percent: i64 = percent.trim().parse().ok()?;
    Some((of * percent + 99).div_euclid(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_and_shares_are_read() {
        for (text, want) in [("500m", 0.5), ("1Gi", 1_073_741_824.0), ("2", 2.0), ("1e3", 1000.0), ("1.5k", 1500.0)] {
            assert_eq!(quantity(text), Some(want), "{text}");
        }
        assert_eq!((quantity("lots"), quantity("5X")), (None, None));
        // Rounded up: half of three is two.
        assert_eq!((pods("50%", 3), pods("100%", 3), pods("2", 9), pods("x", 1)), (Some(2), Some(3), Some(2), None));
    }
}
