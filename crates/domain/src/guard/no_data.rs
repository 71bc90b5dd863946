//! What it means that a metric of the canary has no data: nothing (it holds), as the policy says for the metric, or that
//! the condition passes or fails. Never decided by accident: an empty result, `NaN` and a broken query are kept apart.

use serde::{Deserialize, Serialize};

use crate::guard::evidence::{Fault, Measurement};
use crate::guard::verdict::{Outcome, Role, Verdict};

/// What a metric without data means to its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNoData {
    /// No evidence: it stays where it is.
    #[default]
    Hold,
    /// It is as it should be. A ratio needs its requests all the same; for another metric it is taken for granted, and
    /// is no evidence by itself: another condition must have some.
    Pass,
    /// Data must be there: none is as bad as bad data.
    Fail,
}

impl OnNoData {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 3] = [("hold", Self::Hold), ("pass", Self::Pass), ("fail", Self::Fail)];

    /// Counters that come to life with the first bad request are none until then: where that is known of a metric, and
    /// there were requests, none of them was bad.
    pub(super) fn filled(self, canary: &Result<Measurement, Fault>) -> Option<Measurement> {
        match canary {
            Err(Fault::NoPart { whole }) if self == Self::Pass => Some(Measurement::Ratio { part: 0.0, whole: *whole }),
            _ => None,
        }
    }

    /// Settles a verdict that has no data. `due`: it has been looked for long enough to be there.
    /// `counted`: the metric is a share of requests.
    pub(super) fn settle(self, fault: &Fault, (counted, due): (bool, bool), verdict: Verdict) -> Verdict {
        let absent = matches!(fault, Fault::NoSeries | Fault::NotFinite { .. } | Fault::NoPart { .. });
        match self {
            Self::Pass if absent && !counted => Verdict {
                outcome: Outcome::Pass,
                blind: false,
                assumed: true,
                reason: format!("{}; taken as good (on_no_data)", verdict.reason),
                ..verdict
            },
            Self::Fail if absent && due => Verdict {
                outcome: Outcome::Fail,
                blind: false,
                reason: match verdict.role {
                    Role::Success => format!("{}; data must be there (on_no_data)", verdict.reason),
                    Role::Rollback => format!("{}; taken as bad (on_no_data)", verdict.reason),
                },
                ..verdict
            },
            _ => verdict,
        }
    }
}
