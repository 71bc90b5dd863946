//! Signals of an attack: measured values against the limits of the configuration.

use crate::check::finding::{Finding, Level};

/// A limit that somebody set.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    pub name: String,
    /// Asked of Prometheus; one number, or the worst of several.
    pub query: String,
    /// Above it, it is a finding.
    pub limit: f64,
}

impl Signal {
    /// What a value means.
    pub fn judge(&self, value: f64) -> Option<Finding> {
        (value > self.limit).then(|| {
            let why = format!("{} is {}, the limit is {}", self.name, round(value), round(self.limit));
            let level = if value > 2.0 * self.limit { Level::High } else { Level::Medium };
            Finding::new("G01", level, &self.name, why)
                .fix("see who it is; limit or block the source, then look at what it reached")
                .evidence(&self.query)
        })
    }
}

fn round(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_above_its_limit_is_a_finding() {
        let signal = Signal { name: "failed logins".into(), query: "q".into(), limit: 5.0 };
        let level = |value| signal.judge(value).map(|finding| finding.level);
        assert_eq!((level(5.0), level(6.0), level(11.0)), (None, Some(Level::Medium), Some(Level::High)));
        assert_eq!(signal.judge(6.5).expect("found").why, "failed logins is 6.5, the limit is 5");
    }
}
