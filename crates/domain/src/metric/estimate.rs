//! A number as far as it is known: the value itself, or a bound that it lies above.

use crate::metric::level::Level;
use crate::metric::quantity::Unit;
use crate::metric::threshold::Threshold;

/// A value, or a lower bound of it: a quantile beyond the last finite bucket is somewhere above that bucket's bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub is_lower_bound: bool,
}

impl From<f64> for Estimate {
    fn from(value: f64) -> Self {
        Self { value, is_lower_bound: false }
    }
}

impl Estimate {
    /// What lies above this value, and is not known better.
    pub fn above(value: f64) -> Self {
        Self { value, is_lower_bound: true }
    }

    /// `480 ms`, or `> 500 ms`.
    pub fn show(&self, unit: &Unit) -> String {
        let value = unit.show(self.value);
        if self.is_lower_bound { format!("> {value}") } else { value }
    }

    /// Whether it is on the bad side; `None` where the bound does not tell.
    fn breaches(&self, threshold: &Threshold) -> Option<bool> {
        match self.is_lower_bound {
            false => Some(threshold.is_breached(self.value)),
            true if self.value >= threshold.value => Some(threshold.is_breached(f64::INFINITY)),
            true => None,
        }
    }

    /// The level: critical wins over warn; what is not finite, or may be worse than its bound tells, is unknown.
    pub fn level(&self, warn: Option<&Threshold>, critical: Option<&Threshold>) -> Level {
        if !self.value.is_finite() {
            return Level::Unknown;
        }
        let breaches = |threshold: Option<&Threshold>| threshold.map_or(Some(false), |limit| self.breaches(limit));
        match (breaches(critical), breaches(warn)) {
            (Some(true), _) => Level::Critical,
            (None, _) => Level::Unknown,
            (_, Some(true)) => Level::Warn,
            (_, None) => Level::Unknown,
            _ => Level::Ok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_a_value_and_of_a_bound() {
        let at = |text: &str| Threshold::parse(text, &Unit::Seconds).unwrap();
        let (warn, critical) = (at("> 16ms"), at("> 20ms"));
        for (estimate, want) in [
            (Estimate::from(0.016), Level::Ok),
            (Estimate::from(0.017), Level::Warn),
            (Estimate::from(0.021), Level::Critical),
            (Estimate::from(f64::NAN), Level::Unknown),
            (Estimate::from(f64::INFINITY), Level::Unknown),
            (Estimate::above(0.010), Level::Unknown),
            (Estimate::above(0.016), Level::Unknown),
            (Estimate::above(0.020), Level::Critical),
        ] {
            assert_eq!(estimate.level(Some(&warn), Some(&critical)), want, "{estimate:?}");
        }
        assert_eq!(Estimate::above(0.02).level(Some(&warn), None), Level::Warn);
        assert_eq!(Estimate::above(0.01).level(Some(&warn), None), Level::Unknown);
        assert_eq!(Estimate::above(0.01).level(None, None), Level::Ok);
        assert_eq!(Estimate::from(f64::NAN).level(None, None), Level::Unknown);
        // What should be high is surely above its bound.
        let low = at("< 5ms");
        assert_eq!(Estimate::above(0.005).level(None, Some(&low)), Level::Ok);
        assert_eq!(Estimate::above(0.004).level(None, Some(&low)), Level::Unknown);
        for (text, want) in [(">= 5ms", Level::Critical), ("<= 5ms", Level::Ok), ("== 5ms", Level::Ok)] {
            assert_eq!(Estimate::above(0.005).level(None, Some(&at(text))), want, "{text}");
        }
        assert_eq!(Estimate::above(0.5).show(&Unit::Seconds), "> 500 ms");
    }
}
