//! A percentage as liveops writes it: exact, 0 to 100, at most three decimals (the resolution of reader `v2`).

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A percentage in thousandths: 0 to 100 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

/// Why a text is no percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    #[error("`{0}` is no percentage; write a number from 0 to 100, such as 10")]
    Shape(String),
    #[error("out of range: `{0}`, a percentage is 0 to 100")]
    Range(String),
    #[error("`{0}` has more than three decimals, and readers know none finer than 0.001")]
    Fine(String),
}

impl Percent {
    pub const NOBODY: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(100_000);

    /// A whole percentage; more than 100 is 100.
    pub fn whole(percent: u8) -> Self {
        Self(u32::from(percent.min(100)) * 1000)
    }

    /// Thousandths of a percent, out of 100 000; more is everybody.
    pub fn from_thousandths(thousandths: u32) -> Self {
        Self(thousandths.min(100_000))
    }

    #[cfg(test)]
    pub fn thousandths(self) -> u32 {
        self.0
    }

    /// Has it no decimals?
    pub fn is_whole(self) -> bool {
        self.0.is_multiple_of(1000)
    }

    /// As the number that is written into the flag.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        let shape = || PercentError::Shape(text.to_owned());
        let number = text.trim().trim_end_matches('%').trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || (number.contains('.') && !digits(decimals)) {
            let negative = whole.strip_prefix('-').is_some_and(digits);
            return Err(if negative { PercentError::Range(text.to_owned()) } else { shape() });
        }
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > 3 {
            return Err(PercentError::Fine(text.to_owned()));
        }
        let range = || PercentError::Range(text.to_owned());
        let whole: u32 = whole.parse().map_err(|_| range())?;
        let thousandths: u32 = format!("{decimals:0<3}").parse().map_err(|_| shape())?;
        let all = whole
            .checked_mul(1000)
            .and_then(|all| all.checked_add(thousandths))
            .filter(|all| *all <= 100_000)
            .ok_or_else(range)?;
        Ok(Self(all))
    }
}

impl fmt::Display for Percent {
    /// `10`, `10.5`: the JSON number, without a sign for per cent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_whole() { serializer.serialize_u32(self.0 / 1000) } else { serializer.serialize_f64(self.value()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_and_refuses_the_rest() {
        let read = |text: &str| text.parse::<Percent>().map(Percent::thousandths);
        assert_eq!(read("10"), Ok(10_000));
        assert_eq!(read("10%"), Ok(10_000));
        assert_eq!(read("0.5"), Ok(500));
        assert_eq!(read("12.3450"), Ok(12_345));
        assert_eq!(read("100"), Ok(100_000));
        assert!(matches!(read("100.001"), Err(PercentError::Range(_))));
        assert!(matches!(read("-1"), Err(PercentError::Range(_))));
        assert!(matches!(read("99999999999"), Err(PercentError::Range(_))));
        assert!(matches!(read("1.2345"), Err(PercentError::Fine(_))));
        for wrong in ["", "%", ".5", "5.", "ten", "1e1", "+5", "NaN", "--5"] {
            assert!(matches!(read(wrong), Err(PercentError::Shape(_))), "{wrong}");
        }
        assert_eq!(Percent::from_thousandths(10_500).to_string(), "10.5");
        assert_eq!(Percent::whole(7).to_string(), "7");
    }
}
