//! How much of the traffic goes to the canary, as it is in the world: percentages, readiness, what was there before.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Differences below this are the rounding of whoever stored the weight.
const TOLERANCE: f64 = 0.05;

/// A share of the traffic, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent(f64);

impl Percent {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// Everything.
    pub const FULL: Self = Self(100.0);

    /// A share, when it is one.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=100.0).contains(&value).then_some(Self(value))
    }

    /// `part` of `whole` things, such as pods; nothing of nothing is nothing.
    pub fn of(part: u32, whole: u32) -> Self {
        if whole == 0 {
            return Self::ZERO;
        }
        Self((f64::from(part) * 100.0 / f64::from(whole)).clamp(0.0, 100.0))
    }

    /// Reads `5%`, `5 %` or `5`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().trim_end_matches('%').trim_end();
        number
            .parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| format!("`{text}` is not a percentage: write 0% to 100%, such as `5%`"))
    }

    /// The number, 0 to 100.
    pub fn get(self) -> f64 {
        self.0
    }

    /// What is left for the others.
    pub fn rest(self) -> Self {
        Self(100.0 - self.0)
    }

    /// The same, but for rounding.
    pub fn is_about(self, other: Self) -> bool {
        (self.0 - other.0).abs() < TOLERANCE
    }

    /// Nothing, but for rounding.
    pub fn is_zero(self) -> bool {
        self.is_about(Self::ZERO)
    }

    /// More than `other` by more than rounding.
    pub fn exceeds(self, other: Self) -> bool {
        self.0 >= other.0 + TOLERANCE
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 10.0).round() / 10.0;
        f.pad(&format!("{rounded}%"))
    }
}

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value).ok_or_else(|| format!("{value} is not a percentage"))
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

/// Can a side take traffic? Counts are instances (pods); a target that knows none says 1 of 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Readiness {
    /// There is nothing of this side.
    Absent,
    /// All that is wanted is available, and of the wanted version.
    Ready { available: u32 },
    /// Not yet.
    Waiting {
        available: u32,
        wanted: u32,
        /// Such as `2 of 3 pods available`.
        why: String,
    },
    /// It will not become ready by itself: crash loop, image that cannot be pulled, quota, deadline exceeded.
    Failed { available: u32, why: String },
}

impl Readiness {
    /// Instances that answer now.
    pub fn available(&self) -> u32 {
        match self {
            Self::Absent => 0,
            Self::Ready { available } | Self::Waiting { available, .. } | Self::Failed { available, .. } => *available,
        }
    }

    /// Is all there that is wanted?
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }
}

/// What the pods of both sides run under their tags, those of the wanted images alone; empty where the world tells none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    pub stable: Vec<String>,
    pub canary: Vec<String>,
}

impl Digests {
    pub fn is_empty(&self) -> bool {
        self.stable.is_empty() && self.canary.is_empty()
    }
}

/// What the world says now, read back from it and never assumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The share of new traffic that goes to the canary.
    pub live: Percent,
    /// Has the data plane taken the weight over (a route that is accepted at its present generation)?
    pub settled: bool,
    /// The version that is there now.
    pub stable: Readiness,
    /// The version that is tried.
    pub canary: Readiness,
    /// The precondition of the next write: `resourceVersion`, `ETag`. None where the target has none.
    pub version: Option<String>,
    /// The epoch that the object carries: who holds it (see [`Fence`]). None when no rollout ever touched it.
    pub epoch: Option<u64>,
    /// Who last wrote the weight, as far as the world tells (the field manager); for the message about drift.
    pub writer: Option<String>,
    /// The images of both sides as they are wanted now, where the world knows of any.
    pub stable_image: Option<String>,
    pub canary_image: Option<String>,
    /// What runs under those names.
    #[serde(default)]
    pub digests: Digests,
    /// What keeps traffic from reaching a backend, as the data plane itself says.
    pub broken: Option<String>,
}

/// What a forward write must find to be accepted: the world as it was read, under the epoch of the lock that we hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Id of the rollout.
    pub rollout: String,
    /// Epoch of the lock. A target that can store it refuses the write when another one stands there.
    pub epoch: u64,
    /// [`Reading::version`] of the reading that the decision rests on.
    pub version: Option<String>,
}

/// Everything that a rollback needs, recorded before the first change. Stored in the rollout's state, and by
/// Kubernetes targets also as the undo note on the object that carries the weight, so that each alone is enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Originals {
    /// The canary's share at the start; what a rollback goes back to, normally zero.
    pub weight: Percent,
    /// Instances of stable that were available at the start; never fewer before the window ends.
    pub stable_available: u32,
    /// The image of stable, as written in the workload.
    pub stable_image: Option<String>,
    /// The image that is rolled out. Nothing else is ever taken back from the stable workload: what somebody else
    /// released there meanwhile stays.
    #[serde(default)]
    pub release: Option<String>,
    /// The image of the canary that was there already.
    #[serde(default)]
    pub canary_image: Option<String>,
    /// Its digest, where known.
    pub stable_digest: Option<String>,
    /// Revision of the workload, where it has one.
    pub stable_revision: Option<String>,
    /// Whatever else the target restores (replicas, HPA bounds, selector, weights of each backend); its own form.
    pub detail: Value,
}

impl Originals {
    /// Has somebody else released this, neither what was there at the start nor what is rolled out?
    pub fn is_foreign(&self, image: &str) -> bool {
        let is_ours = self.release.as_ref().is_none_or(|release| release == image);
        !is_ours && self.stable_image.as_deref() != Some(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_read_and_show() {
        for (text, want) in [("5%", "5%"), ("12.5 %", "12.5%"), ("0", "0%"), ("100%", "100%")] {
            assert_eq!(Percent::parse(text).map(|p| p.to_string()), Ok(want.into()));
        }
        for text in ["", "%", "-1%", "101", "NaN", "five"] {
            assert!(Percent::parse(text).is_err(), "{text}");
        }
        assert_eq!(Percent::of(1, 4).get(), 25.0);
        assert_eq!(Percent::of(1, 0), Percent::ZERO);
    }

    #[test]
    fn rounding_is_no_difference() {
        let five = Percent::of(1, 20);
        assert!(five.is_about(Percent(5.01)) && !five.exceeds(Percent(4.99)));
        assert!(Percent(5.1).exceeds(five));
    }
}
