//! Thresholds that people write (`> 16ms`, `> 0.1%`, `>= 2 GiB`), kept in the unit of the value
//! they judge.

mod scale;

use std::fmt;

use thiserror::Error;

use crate::metric::quantity::Unit;
use crate::metric::threshold::scale::{allowed, compound, measured, scale, split_number};

/// How a value is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// Longest first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Comparison); 6] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

/// A limit, and on which side of it a value is bad.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// When it is true, the value is bad.
    pub op: Comparison,
    /// The limit, in the unit of the value.
    pub value: f64,
    /// As it was written.
    pub text: String,
}

/// Why a text is not a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ThresholdError {
    /// No comparison in front.
    #[error("`{text}` is not a threshold: begin with `>`, `>=`, `<`, `<=`, `==` or `!=`, as in `> 5`")]
    Operator {
        /// What was given.
        text: String,
    },
    /// No finite number after the comparison.
    #[error("`{text}` is not a threshold: after the comparison comes a number, as in `> 16ms` or `< 0.5`")]
    Number {
        /// What was given.
        text: String,
    },
    /// The unit cannot be converted to that of the value.
    #[error("`{text}`: `{unit}` does not fit {measured}; write {allowed}")]
    Unit {
        /// What was given.
        text: String,
        /// The unit that was written.
        unit: String,
        /// What the value is, in words.
        measured: String,
        /// What can be written instead.
        allowed: String,
    },
    /// A bare number above 1 against a ratio, which may mean two things.
    #[error("`{text}` is not clear for a ratio (0 to 1): write per cent, as in `{op} {number}%`")]
    BareRatio {
        /// What was given.
        text: String,
        /// The comparison.
        op: String,
        /// The number.
        number: String,
    },
}

impl Threshold {
    /// A limit in the unit of the value, as it would be written.
    pub fn new(op: Comparison, value: f64) -> Self {
        let sign = OPERATORS.iter().find(|(_, known)| *known == op).map_or("", |(sign, _)| sign);
        Self { op, value, text: format!("{sign} {value}") }
    }

    /// Reads a threshold for values in `unit`. A number without a unit is in `unit`.
    ///
    /// # Errors
    /// [`ThresholdError`] when it is not one, or when its unit does not fit.
    pub fn parse(text: &str, unit: &Unit) -> Result<Self, ThresholdError> {
        let written = text.trim();
        let found = OPERATORS.iter().find_map(|(sign, op)| Some((*sign, *op, written.strip_prefix(sign)?.trim())));
        let (sign, op, limit) = found.ok_or_else(|| ThresholdError::Operator { text: written.into() })?;
        let (digits, suffix) = split_number(limit);
        let suffix = suffix.trim();
        let number: f64 = digits
            .parse()
            .ok()
            .filter(|n: &f64| n.is_finite())
            .ok_or_else(|| ThresholdError::Number { text: written.into() })?;
        if *unit == Unit::Ratio && suffix.is_empty() && number > 1.0 {
            return Err(ThresholdError::BareRatio { text: written.into(), op: sign.into(), number: digits.into() });
        }
        let value = match scale(unit, suffix) {
            // Two factors, because dividing by 1000 is exact to the last bit where × 0.001 is not.
            Some((times, over)) => Some(number * times / over),
            None => compound(unit, limit),
        };
        let value = value.ok_or_else(|| ThresholdError::Unit {
            text: written.into(),
            unit: suffix.into(),
            measured: measured(unit),
            allowed: allowed(unit),
        })?;
        Ok(Threshold { op, value, text: written.to_owned() })
    }

    /// Whether the value is on the bad side. `NaN` is on no side.
    pub fn is_breached(&self, value: f64) -> bool {
        match self.op {
            Comparison::Above => value > self.value,
            Comparison::AtLeast => value >= self.value,
            Comparison::Below => value < self.value,
            Comparison::AtMost => value <= self.value,
            Comparison::Equal => value == self.value,
            Comparison::NotEqual => !value.is_nan() && value != self.value,
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn converts_to_the_unit_of_the_value() {
        for (text, unit, want) in [
            ("> 16ms", Unit::Seconds, 0.016),
            ("> 16ms", Unit::Milliseconds, 16.0),
            (">0.1%", Unit::Ratio, 0.001),
            ("> 80%", Unit::Percent, 80.0),
            ("> 120s", Unit::Seconds, 120.0),
            ("> 120s", Unit::Milliseconds, 120_000.0),
            ("> 250 µs", Unit::Milliseconds, 0.25),
            ("> 2m", Unit::Seconds, 120.0),
            ("> 1m30s", Unit::Seconds, 90.0),
            ("< 5", Unit::None, 5.0),
            ("< -1.5e3", Unit::None, -1500.0),
            (">= 2 GiB", Unit::Bytes, 2.0 * 1024.0 * 1024.0 * 1024.0),
            (">= 2Gi", Unit::Bytes, 2.0 * 1024.0 * 1024.0 * 1024.0),
            ("> 2 GB", Unit::Bytes, 2e9),
            ("> 10B", Unit::Bytes, 10.0),
            ("> 1 MiB/s", Unit::BytesPerSecond, 1_048_576.0),
            ("< 30/min", Unit::PerSecond, 0.5),
            ("> 3/s", Unit::PerSecond, 3.0),
            ("> 0.5", Unit::Ratio, 0.5),
            ("> 7 rooms", Unit::Custom("rooms".into()), 7.0),
        ] {
            let got = Threshold::parse(text, &unit).unwrap();
            assert_eq!((got.value, got.to_string()), (want, text.to_owned()));
        }
    }

    #[test]
    fn refuses_with_what_is_allowed() {
        for (text, unit, part) in [
            ("16ms", Unit::Seconds, "begin with `>`"),
            ("= 5", Unit::None, "`==`"),
            ("> fast", Unit::Seconds, "comes a number"),
            (">", Unit::None, "comes a number"),
            ("> 1e999", Unit::None, "comes a number"),
            ("> NaN", Unit::None, "comes a number"),
            ("> 5%", Unit::None, "`%` does not fit a value without a unit"),
            ("> 5%", Unit::None, "give the KPI a `unit`"),
            ("> 5%", Unit::Seconds, "a time such as `16ms`"),
            ("> 5ms", Unit::Ratio, "per cent (`5%`)"),
            ("> 5", Unit::Ratio, "`> 5%`"),
            ("> 5 iB", Unit::Bytes, "`2 GiB`"),
            ("> 1,204", Unit::None, "does not fit"),
            ("> 5 rooms", Unit::Custom("players".into()), "`players`"),
        ] {
            let error = Threshold::parse(text, &unit).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn every_comparison() {
        for (text, below, at, above) in [
            ("> 5", false, false, true),
            (">= 5", false, true, true),
            ("< 5", true, false, false),
            ("<= 5", true, true, false),
            ("== 5", false, true, false),
            ("!= 5", true, false, true),
        ] {
            let threshold = Threshold::parse(text, &Unit::None).unwrap();
            let got = [4.0, 5.0, 6.0, f64::NAN].map(|v| threshold.is_breached(v));
            assert_eq!(got, [below, at, above, false], "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,12}|[<>=!]{1,2} ?[-+0-9.eE]{0,8} ?[a-zA-Z%/µ]{0,4}") {
            for unit in [Unit::None, Unit::Seconds, Unit::Ratio, Unit::Bytes, Unit::PerSecond] {
                let _ = Threshold::parse(&text, &unit);
            }
        }
    }
}
