//! Key figures computed from direct scrapes, as Prometheus would compute them from the same data.
//!
//! A gauge needs one scrape; what grows needs two. Each series is followed through the window, and
//! its growth extrapolated to the window's edges as Prometheus does it. Where one has looked for
//! less than the window, the window is that much shorter. A series whose first sample is the latest
//! has no rate yet, as with Prometheus; but a level that would be worse if it counted from 0, is:
//! the first errors of an outage count.

pub mod gone;
mod increase;
mod measured;
mod processes;
mod series;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::metric::estimate::Estimate;
use crate::metric::exposition::Sample;
use crate::metric::freshness::Freshness;
use crate::metric::kpi::Kpi;
use crate::metric::level::Level;
use crate::metric::number;
use crate::metric::scrape::measured::Measured;
use crate::metric::scrape::series::Newborn;
use crate::metric::selector::Selector;

/// What one endpoint gave at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was scraped.
    pub at: DateTime<Utc>,
    /// The samples, each series once.
    pub samples: Vec<Sample>,
    /// When the process began that answered, in seconds since the epoch, where it says so.
    #[serde(default)]
    pub started: Option<f64>,
}

/// The metric that says when a process began.
pub const STARTED: &str = "process_start_time_seconds";

impl Snapshot {
    fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.name == name)
    }

    /// What was scraped at this time.
    pub fn new(at: DateTime<Utc>, samples: Vec<Sample>) -> Self {
        let mut starts = samples.iter().filter(|sample| sample.name == STARTED);
        // Several are an exposition that was put together of several processes.
        let started = starts.next().map(|sample| sample.value).filter(|_| starts.next().is_none());
        Self { at, samples, started }
    }

    /// Do the scrapes beside it say all that it says of these counters? Not where one of them was born, restarted, or seen
    /// for the last time: without it, the growth up to there would be lost.
    pub fn is_implied(&self, before: &Self, after: &Self, counters: &[Selector]) -> bool {
        let value = |look: &Self, sample: &Sample| {
            let mut same =
                look.samples.iter().filter(|other| other.name == sample.name && other.labels == sample.labels);
            same.next().map(|other| other.value)
        };
        let mut counted =
            self.samples.iter().filter(|one| counters.iter().any(|all| all.matches(&one.name, &one.labels)));
        counted.all(|one| value(before, one).is_some_and(|was| was <= one.value) && value(after, one).is_some())
    }

    /// Did another process than that of the earlier scrape answer, which is no successor of it: one that began
    /// before, or that had begun well before the other still answered?
    fn is_beside(&self, earlier: &Self) -> bool {
        // Clocks differ, and an old and a new process overlap for a moment.
        const OVERLAP: f64 = 60.0;
        let (Some(now), Some(then)) = (self.started, earlier.started) else {
            return false;
        };
        let asked = earlier.at.timestamp() as f64;
        now < then - 1.0 || (now > then + 1.0 && now + OVERLAP < asked)
    }
}

/// The scrapes of one endpoint. One that failed is an empty one: it was looked, and nothing was there.
#[derive(Debug, Clone)]
pub struct Window<'a> {
    /// The earlier ones, oldest first.
    pub earlier: Vec<&'a Snapshot>,
    /// The latest.
    pub current: &'a Snapshot,
}

impl<'a> Window<'a> {
    /// All of them, oldest first.
    fn looks(&self) -> Vec<&'a Snapshot> {
        let earlier = self.earlier.iter().copied().filter(|earlier| earlier.at < self.current.at);
        let mut looks: Vec<&Snapshot> = earlier.chain([self.current]).collect();
        looks.dedup_by_key(|look| look.at);
        looks
    }

    /// Those of the last so many seconds; one exactly that long ago is no more among them.
    fn within(&self, range: Duration) -> Vec<&'a Snapshot> {
        let inside = |look: &&Snapshot| (self.current.at - look.at).to_std().is_ok_and(|age| age < range);
        self.looks().into_iter().filter(inside).collect()
    }
}

/// A key figure: whole, and for each value of its `by` label (empty without one; a part that
/// cannot be told is `NaN`).
#[derive(Debug, Clone, PartialEq)]
pub struct KpiValue {
    /// The whole; always finite.
    pub total: Estimate,
    /// Label value → value.
    pub by: BTreeMap<String, Estimate>,
    /// Does the whole count series from 0 that are new, since it is worse with them?
    pub counts_newborn: bool,
    pub freshness: Freshness,
}

/// Why a key figure has no value.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NoValue {
    /// Nothing to look at.
    #[error("no endpoint was scraped")]
    NoEndpoint,
    /// The metric is not there, or not with these labels.
    #[error("no series match `{selector}`")]
    NoSeries {
        /// What was looked for.
        selector: String,
    },
    /// There is no earlier scrape inside the window that has the series.
    #[error("needs a second scrape to see how `{selector}` changes")]
    NeedsSecondScrape {
        /// What was looked for.
        selector: String,
    },
    /// The whole did not grow, so there is no part of it.
    #[error("no traffic: `{selector}` did not change between the scrapes")]
    NoTraffic {
        /// What did not change.
        selector: String,
    },
    /// Classic buckets are not complete.
    #[error("`{selector}` has no bucket with le=\"+Inf\"")]
    NoInfinityBucket {
        /// The histogram's buckets.
        selector: String,
    },
    /// The computation ended in `NaN` or an infinity.
    #[error("the value is {value}")]
    NotFinite {
        /// `NaN`, `+Inf` or `-Inf`.
        value: &'static str,
    },
    /// A load balancer, or workers that share a port.
    #[error("the answers come from different processes behind one URL; name each by its own")]
    SeveralProcesses,
    /// Free PromQL is not evaluated here.
    #[error("free PromQL, which needs Prometheus")]
    NeedsPrometheus,
}

impl NoValue {
    /// Whether scraping once more, a moment later, may give the value.
    pub fn is_cured_by_scraping_again(&self) -> bool {
        matches!(self, NoValue::NeedsSecondScrape { .. })
    }
}

/// Computes a key figure over the scrapes of all endpoints.
///
/// # Errors
/// [`NoValue`] when there is none, with the reason.
pub fn evaluate(kpi: &Kpi, windows: &[Window<'_>]) -> Result<KpiValue, NoValue> {
    if windows.is_empty() {
        return Err(NoValue::NoEndpoint);
    }
    let found = compute(kpi, windows, Newborn::Ignored);
    let level = found.as_ref().map_or(Level::Unknown, |value| kpi.level(value.total));
    if kpi.warn.is_some() || kpi.critical.is_some() {
        let counted = compute(kpi, windows, Newborn::FromZero);
        if let Ok(counted) = counted
            && matches!(kpi.level(counted.total), Level::Warn | Level::Critical)
            && (kpi.level(counted.total) > level || found.is_err())
        {
            return Ok(KpiValue { counts_newborn: true, ..counted });
        }
    }
    found
}

fn compute(kpi: &Kpi, windows: &[Window<'_>], newborn: Newborn) -> Result<KpiValue, NoValue> {
    let measured = Measured::of(&kpi.kind, windows, newborn)?;
    let total = measured.groups(None)?.get("").copied().unwrap_or(f64::NAN.into());
    if let Some(value) = number::special(total.value) {
        return Err(measured.no_traffic().unwrap_or(NoValue::NotFinite { value }));
    }
    let by = match &kpi.by {
        Some(label) => measured.groups(Some(label))?,
        None => BTreeMap::new(),
    };
    Ok(KpiValue { total, by, counts_newborn: false, freshness: gone::freshness(kpi, windows) })
}

/// The metric that says when a counter's or histogram's series were created, beside it in an exposition.
pub fn created_name(name: &str) -> String {
    let base = ["_total", "_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
    format!("{}_created", base.unwrap_or(name))
}

/// Leaves only the series that some key figure needs.
pub fn keep(mut snapshot: Snapshot, kpis: &[Kpi]) -> Snapshot {
    let selectors: Vec<Selector> = kpis.iter().flat_map(Kpi::selectors).collect();
    let mut by_name: HashMap<&str, Vec<&Selector>> = HashMap::new();
    for selector in &selectors {
        by_name.entry(selector.name()).or_default().push(selector);
    }
    let created: Vec<String> = by_name.keys().map(|name| created_name(name)).collect();
    snapshot.samples.retain(|sample| {
        by_name
            .get(sample.name.as_str())
            .is_some_and(|wanted| wanted.iter().any(|selector| selector.matches(&sample.name, &sample.labels)))
            || created.contains(&sample.name)
    });
    snapshot
}
