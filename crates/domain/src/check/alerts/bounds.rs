//! What values an expression can have: an interval, whose ends belong to it or not.

/// From `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub low: f64,
    pub high: f64,
    /// The end itself is left out.
    pub low_open: bool,
    pub high_open: bool,
}

pub const ANY: Bounds = Bounds { low: f64::NEG_INFINITY, high: f64::INFINITY, low_open: false, high_open: false };
pub const POSITIVE: Bounds = Bounds { low: 0.0, ..ANY };
pub const SHARE: Bounds = Bounds { low: 0.0, high: 1.0, ..ANY };

impl Bounds {
    pub fn new(low: f64, high: f64) -> Self {
        if low.is_nan() || high.is_nan() { ANY } else { Self { low, high, ..ANY } }
    }

    /// The only value that there is.
    pub fn point(self) -> Option<f64> {
        #[expect(clippy::float_cmp, reason = "the ends are one constant")]
        (self.low == self.high).then_some(self.low)
    }

    pub fn is_empty(self) -> bool {
        self.low > self.high || (self.point().is_some() && (self.low_open || self.high_open))
    }

    /// Those that `self OP other` lets through, for some value of the other.
    pub fn kept(self, op: &str, other: Self) -> Self {
        match op {
            ">" => self.above(other.low, true),
            ">=" => self.above(other.low, other.low_open),
            "<" => self.below(other.high, true),
            "<=" => self.below(other.high, other.high_open),
            "==" => self.above(other.low, other.low_open).below(other.high, other.high_open),
            // Infinity is seldom what is meant by the end of what is not bounded.
            "!=" if self.point().is_some() && self.point() == other.point() => Self { low_open: true, ..self },
            _ => self,
        }
    }

    /// Does `self OP other` hold, whatever their values are? None where that depends on them.
    pub fn compared(self, op: &str, other: Self) -> Option<bool> {
        if self.kept(op, other).is_empty() {
            return Some(false);
        }
        let apart = self.low > other.high || self.high < other.low;
        #[expect(clippy::float_cmp, reason = "the ends are constants")]
        let holds = match op {
            ">" => self.low > other.high || (self.low == other.high && (self.low_open || other.high_open)),
            ">=" => self.low >= other.high,
            "<" => self.high < other.low || (self.high == other.low && (self.high_open || other.low_open)),
            "<=" => self.high <= other.low,
            "==" => self.point().is_some() && self.point() == other.point(),
            _ => apart,
        };
        (holds && (self.low.is_finite() || self.high.is_finite())).then_some(true)
    }

    fn above(self, low: f64, open: bool) -> Self {
        #[expect(clippy::float_cmp, reason = "the same end, open or not")]
        if low > self.low {
            Self { low, low_open: open && low.is_finite(), ..self }
        } else if low == self.low && low.is_finite() {
            Self { low_open: self.low_open || open, ..self }
        } else {
            self
        }
    }

    fn below(self, high: f64, open: bool) -> Self {
        -(-self).above(-high, open)
    }

    /// Those that are in both.
    pub fn and(self, other: Self) -> Self {
        self.above(other.low, other.low_open).below(other.high, other.high_open)
    }

    /// What `+ - * /` make of both.
    pub fn combined(self, op: &str, other: Self) -> Self {
        match op {
            "+" => Self::new(self.low + other.low, self.high + other.high),
            "-" => Self::new(self.low - other.high, self.high - other.low),
            "*" => {
                let times = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
                let all = [
                    times(self.low, other.low),
                    times(self.low, other.high),
                    times(self.high, other.low),
                    times(self.high, other.high),
                ];
                Self::hull(&all)
            }
            // By what may be zero everything is possible, and nothing below it where neither is.
            "/" => match other.point() {
                Some(by) if by != 0.0 => Self::hull(&[self.low / by, self.high / by]),
                _ if self.low >= 0.0 && other.low >= 0.0 => POSITIVE,
                _ => ANY,
            },
            _ => match (self.point(), other.point()) {
                (Some(a), Some(b)) if op == "^" => Self::new(a.powf(b), a.powf(b)),
                (Some(a), Some(b)) if op == "%" => Self::new(a % b, a % b),
                _ if op == "%" && self.low >= 0.0 && other.point().is_some_and(|by| by > 0.0) => {
                    Self::new(0.0, other.high)
                }
                _ => ANY,
            },
        }
    }

    fn hull(values: &[f64]) -> Self {
        if values.iter().any(|value| value.is_nan()) {
            return ANY;
        }
        Self::new(
            values.iter().copied().fold(f64::INFINITY, f64::min),
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        )
    }

    /// In words: `between 0 and 1`.
    pub fn show(self) -> String {
        // Sums of decimals are off in their last digits.
        let [low, high] = [self.low, self.high].map(|end| (end * 1e9).round() / 1e9);
        match (self.point(), self.low.is_finite(), self.high.is_finite()) {
            (Some(_), ..) => format!("{low}"),
            (_, true, true) => format!("between {low} and {high}"),
            (_, true, false) => format!("{low} or more"),
            (_, false, true) => format!("{high} or less"),
            _ => "anything".into(),
        }
    }
}

impl std::ops::Neg for Bounds {
    type Output = Self;

    fn neg(self) -> Self {
        Self { low: -self.high, high: -self.low, low_open: self.high_open, high_open: self.low_open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_narrow() {
        let point = |value| Bounds::new(value, value);
        for (bounds, op, value, empty) in [
            (SHARE, ">", 1.0, true),
            (SHARE, ">=", 1.0, false),
            (SHARE, "<", 0.0, true),
            (SHARE, "==", 2.0, true),
            (SHARE, "==", 1.0, false),
            (SHARE, "!=", 2.0, false),
            (point(1.0), "!=", 1.0, true),
            (POSITIVE, "<", 0.0, true),
            (POSITIVE, "<=", 0.0, false),
            (ANY, ">", 5.0, false),
            (ANY.kept(">", point(5.0)), "<", 3.0, true),
            (ANY.kept(">", point(5.0)), "<=", 5.0, true),
            (ANY.kept(">=", point(5.0)), "<=", 5.0, false),
        ] {
            assert_eq!(bounds.kept(op, point(value)).is_empty(), empty, "{bounds:?} {op} {value}");
        }
        // What lets everything through changes nothing.
        assert_eq!(POSITIVE.kept(">=", point(0.0)), POSITIVE);
        assert_eq!(POSITIVE.kept("!=", point(0.0)), POSITIVE);
        assert_ne!(POSITIVE.kept(">", point(0.0)), POSITIVE);
    }

    #[test]
    fn arithmetic_moves_the_ends() {
        let hundred = Bounds::new(100.0, 100.0);
        for (bounds, want) in [
            (hundred.combined("*", SHARE), "between 0 and 100"),
            (Bounds::new(1.0, 1.0).combined("-", SHARE), "between 0 and 1"),
            (POSITIVE.combined("/", POSITIVE), "0 or more"),
            (ANY.combined("/", hundred), "anything"),
            (Bounds::new(14.4, 14.4).combined("*", Bounds::new(0.5, 0.5)), "7.2"),
            (POSITIVE.combined("-", POSITIVE), "anything"),
        ] {
            assert_eq!(bounds.show(), want);
        }
    }
}
