//! The objective as an exact decimal, so that `1 - 0.999` is `0.001` in rules and not `0.0010000000000000009`.

use std::fmt;

/// Parts of one that an objective is counted in.
const WHOLE: u64 = 1_000_000_000;

/// A share between 0 and 1, both excluded, to nine decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objective(u64);

impl Objective {
    /// Reads `99.9%`, or a share such as `0.999`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let written = text.trim();
        let percent = written.strip_suffix('%').map(str::trim);
        let objective = match percent {
            Some(digits) => decimal(digits, 7),
            None => decimal(written, 9),
        };
        match objective {
            Some(parts) if parts > 0 && parts < WHOLE => Ok(Self(parts)),
            Some(_) if percent.is_none() && written.parse::<f64>().is_ok_and(|n| n > 1.0) => {
                Err(format!("`{written}` is not clear: write per cent, as in `{written}%`"))
            }
            Some(parts) if parts >= WHOLE => {
                Err(format!("`{written}` leaves no error budget; an objective is below 100 %, such as `99.9%`"))
            }
            Some(_) => Err(format!("`{written}` is not an objective: above 0 and below 100 %, such as `99.9%`")),
            None => Err(format!("`{written}` is not an objective, such as `99.9%` or `0.999`")),
        }
    }

    /// Reads the target of a slice, which may be all of it.
    ///
    /// # Errors
    /// As [`Objective::parse`].
    pub fn target(text: &str) -> Result<Self, String> {
        match text.trim().trim_end_matches('%').trim() {
            "1" | "1.0" | "100" | "100.0" if text.contains('%') == text.contains("100") => Ok(Self(WHOLE)),
            _ => Self::parse(text),
        }
    }

    /// The objective.
    pub fn get(self) -> f64 {
        ratio(self.0)
    }

    /// The error budget: the share that may be bad.
    pub fn budget(self) -> f64 {
        ratio(WHOLE - self.0)
    }

    /// `0.999`.
    pub fn decimal(self) -> String {
        plain(u128::from(self.0), 9)
    }

    /// `0.001`.
    pub fn budget_decimal(self) -> String {
        plain(u128::from(WHOLE - self.0), 9)
    }

    /// A burn rate times the budget, as PromQL compares with it: `0.0144`.
    pub fn threshold(self, factor: Factor) -> String {
        plain(u128::from(factor.0) * u128::from(WHOLE - self.0), 15)
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", plain(u128::from(self.0), 7))
    }
}

/// A burn rate in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(u64);

impl Factor {
    /// As `14.4` and `1` are: millionths.
    pub const fn millionths(parts: u64) -> Self {
        Self(parts)
    }

    /// That burns a share of the budget (in millionths) of the window within a shorter one.
    pub fn of(share: u64, window: u64, long: u64) -> Self {
        let parts = u128::from(share) * u128::from(window);
        let long = u128::from(long.max(1));
        Self(u64::try_from((parts + long / 2) / long).unwrap_or(u64::MAX))
    }

    #[expect(clippy::cast_precision_loss, reason = "a burn rate has a few digits")]
    pub fn get(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(u128::from(self.0), 6))
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 1e9")]
fn ratio(parts: u64) -> f64 {
    parts as f64 / WHOLE as f64
}

/// The digits of a plain decimal, moved by `scale` places; none where it has more, or is none.
fn decimal(text: &str, scale: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let part = part.trim_end_matches('0');
    if (whole.is_empty() && part.is_empty()) || !is_digits(whole) || !is_digits(part) || part.len() > scale {
        return None;
    }
    format!("{whole}{part:0<scale$}").parse().ok()
}

fn plain(parts: u128, scale: usize) -> String {
    let digits = format!("{parts:0>width$}", width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let part = part.trim_end_matches('0');
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_exact() {
        for (text, shown, budget, threshold) in [
            ("99.9%", "99.9 %", "0.001", "0.0144"),
            ("0.999", "99.9 %", "0.001", "0.0144"),
            ("99.95 %", "99.95 %", "0.0005", "0.0072"),
            ("99.999%", "99.999 %", "0.00001", "0.000144"),
            ("50%", "50 %", "0.5", "7.2"),
            ("0.9", "90 %", "0.1", "1.44"),
        ] {
            let objective = Objective::parse(text).expect(text);
            assert_eq!(objective.to_string(), shown);
            assert_eq!(objective.budget_decimal(), budget);
            assert_eq!(objective.threshold(Factor::millionths(14_400_000)), threshold);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, want) in [
            ("100%", "leaves no error budget"),
            ("1", "leaves no error budget"),
            ("99.9", "write per cent"),
            ("0", "above 0"),
            ("101%", "leaves no error budget"),
            ("-1%", "is not an objective"),
            ("three nines", "is not an objective"),
            ("99.99999999%", "is not an objective"),
            ("", "is not an objective"),
        ] {
            let error = Objective::parse(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn factors_are_those_of_the_workbook() {
        let day = 86_400;
        for (share, window, long, want) in [
            (20_000, 30 * day, 3_600, "14.4"),
            (50_000, 30 * day, 6 * 3_600, "6"),
            (100_000, 30 * day, day, "3"),
            (100_000, 30 * day, 3 * day, "1"),
            (20_000, 28 * day, 3_600, "13.44"),
            (100_000, 28 * day, 3 * day, "0.933333"),
            (20_000, 90 * day, 3_600, "43.2"),
        ] {
            assert_eq!(Factor::of(share, window, long).to_string(), want);
        }
    }
}
