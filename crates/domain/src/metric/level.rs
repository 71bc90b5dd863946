//! How bad a finding is: four levels, and which one wins when several are seen together.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The level of a value or of a whole, from best to worst. Unknown is worse than a warning, since
/// it may hide anything, and better than what is known to be critical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Inside every threshold.
    Ok,
    /// Past the warning threshold.
    Warn,
    /// No value to judge.
    Unknown,
    /// Past the critical threshold.
    Critical,
}

impl Level {
    /// The name that JSON and tables use.
    pub fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Unknown => "unknown",
            Level::Critical => "critical",
        }
    }

    /// The worst of all: critical, then unknown, then warn; `None` when there is nothing to judge.
    pub fn worst(levels: impl IntoIterator<Item = Level>) -> Option<Level> {
        levels.into_iter().max()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Critical, Ok, Unknown, Warn};

    #[test]
    fn the_worst_wins() {
        let cases: [(&[Level], Option<Level>); 5] = [
            (&[], None),
            (&[Ok, Ok], Some(Ok)),
            (&[Ok, Warn], Some(Warn)),
            (&[Warn, Unknown, Ok], Some(Unknown)),
            (&[Unknown, Critical, Warn], Some(Critical)),
        ];
        for (levels, want) in cases {
            assert_eq!(Level::worst(levels.iter().copied()), want, "{levels:?}");
        }
    }

    #[test]
    fn json_name_is_the_shown_name() {
        for level in [Ok, Warn, Unknown, Critical] {
            let json = serde_json::to_string(&level).unwrap();
            assert_eq!(json, format!("\"{level}\""));
            assert_eq!(serde_json::from_str::<Level>(&json).unwrap(), level);
        }
    }
}
