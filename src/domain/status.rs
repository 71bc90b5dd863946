//! What a status is made of, whoever was asked: readings with their level, and the reason where there is none.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::domain::alert::Alert;
use crate::domain::health::ServiceState;
use crate::domain::kpi::Kpi;
use crate::domain::level::Level;
use crate::domain::number;
use crate::domain::standing;

/// Where a KPI's value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Prometheus,
    Scrape,
}

impl Origin {
    /// The word in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Scrape => "scrape",
        }
    }
}

/// A KPI as it was read.
#[derive(Debug, Clone)]
pub(crate) struct KpiReading {
    pub(crate) kpi: Kpi,
    pub(crate) origin: Origin,
    /// The whole; none when it is unknown.
    pub(crate) value: Option<f64>,
    /// By the values of the KPI's label.
    pub(crate) by: BTreeMap<String, f64>,
    pub(crate) level: Level,
    /// Why it is unknown, or what to know about the value.
    pub(crate) note: Option<String>,
    /// The last hour, evenly spaced.
    pub(crate) trend: Vec<Option<f64>>,
    /// When the value was read, if that is not now: the last good one of a `--watch`.
    pub(crate) as_of: Option<DateTime<Utc>>,
}

impl KpiReading {
    /// A value, judged by the KPI's thresholds.
    pub(crate) fn known(kpi: Kpi, origin: Origin, value: f64, by: BTreeMap<String, f64>) -> Self {
        let level = kpi.level(value);
        let note = number::special(value).map(|special| match special {
            "NaN" => "no data in the window (0/0)".to_owned(),
            other => format!("the value is {other}"),
        });
        let value = Some(value).filter(|value| value.is_finite());
        Self { kpi, origin, value, by, level, note, trend: Vec::new(), as_of: None }
    }

    /// The values of the last hour with their times.
    pub(crate) fn points(&self, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, f64)> {
        let hour = TimeDelta::hours(1);
        let gaps = i32::try_from(self.trend.len().saturating_sub(1)).unwrap_or(0);
        let at = |index: usize| now - hour + hour / gaps.max(1) * i32::try_from(index).unwrap_or(0);
        let values = self.trend.iter().enumerate();
        values.filter_map(|(index, value)| Some((at(index), (*value)?))).collect()
    }

    /// No value, and why.
    pub(crate) fn unknown(kpi: Kpi, origin: Origin, why: impl Into<String>) -> Self {
        Self {
            kpi,
            origin,
            value: None,
            by: BTreeMap::new(),
            level: Level::Unknown,
            note: Some(why.into()),
            trend: Vec::new(),
            as_of: None,
        }
    }
}

/// A service as its health API describes it.
#[derive(Debug, Clone)]
pub(crate) struct ServiceReading {
    pub(crate) name: String,
    pub(crate) state: ServiceState,
    pub(crate) latency_ms: Option<u64>,
    pub(crate) detail: String,
}

/// The scrape targets of Prometheus.
#[derive(Debug, Clone, Default)]
pub(crate) struct Targets {
    pub(crate) up: usize,
    /// Not scraped yet.
    pub(crate) unknown: usize,
    /// `job instance`, and the error.
    pub(crate) down: Vec<(String, String)>,
}

/// The feature flags, in numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct FlagsReading {
    pub(crate) count: usize,
    /// Switched off, killed ones included.
    pub(crate) off: usize,
    /// Off since somebody killed them.
    pub(crate) killed: usize,
    /// Changed in the last hour.
    pub(crate) changed: usize,
    /// What readers cannot take, and what is on for nobody.
    pub(crate) errors: Vec<FlagError>,
    /// How many lesser findings there are.
    pub(crate) warnings: usize,
}

impl FlagsReading {
    /// How many flags have errors.
    pub(crate) fn faulty(&self) -> usize {
        distinct(&self.errors, |_| true)
    }

    /// How many flags the services fail on. Other errors are the owner's: a flag that is on for nobody is no trouble of
    /// the service, and wakes nobody.
    pub(crate) fn broken(&self) -> usize {
        distinct(&self.errors, FlagError::breaks)
    }
}

/// How many flags have such an error.
fn distinct(errors: &[FlagError], is_such: impl Fn(&FlagError) -> bool) -> usize {
    let such = errors.iter().filter(|error| is_such(error));
    let names: std::collections::BTreeSet<&str> = such.map(|error| error.flag.as_str()).collect();
    names.len()
}

/// One error of a flag.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FlagError {
    pub(crate) flag: String,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl FlagError {
    /// Do readers fail on it (no JSON, no list where one is meant)?
    pub(crate) fn breaks(&self) -> bool {
        matches!(self.code, "E01" | "E04")
    }
}

/// Everything that was read for one screen.
#[derive(Debug, Clone)]
pub(crate) struct Readings {
    pub(crate) services: Vec<ServiceReading>,
    pub(crate) kpis: Vec<KpiReading>,
    /// None when nobody could say.
    pub(crate) alerts: Option<Vec<Alert>>,
    /// When the alerts were read, if that is not now.
    pub(crate) alerts_as_of: Option<DateTime<Utc>>,
    /// Alerts of services that were not asked for.
    pub(crate) alerts_elsewhere: usize,
    /// None when there is no Prometheus, or it could not say.
    pub(crate) targets: Option<Targets>,
    /// None when there are none, or their store could not say.
    pub(crate) flags: Option<FlagsReading>,
}

impl Readings {
    /// The level of each thing that was looked at. A source of alerts that should answer and does not is unknown.
    pub(crate) fn levels(&self, alerts_expected: bool, sources_down: usize) -> Vec<Level> {
        let services = self.services.iter().map(|service| service.state.into());
        let kpis = self.kpis.iter().map(|reading| reading.level);
        let mut levels: Vec<Level> = services.chain(kpis).collect();
        match &self.alerts {
            Some(alerts) => {
                levels.push(Level::Ok);
                levels.extend(alerts.iter().filter_map(standing::of_alert));
            }
            None if alerts_expected => levels.push(Level::Unknown),
            None => {}
        }
        if self.alerts_as_of.is_some() {
            levels.push(Level::Unknown);
        }
        if let Some(targets) = &self.targets {
            levels.push(if targets.down.is_empty() { Level::Ok } else { Level::Warn });
        }
        if let Some(flags) = &self.flags {
            levels.push(if flags.broken() == 0 { Level::Ok } else { Level::Warn });
        }
        levels.extend(std::iter::repeat_n(Level::Unknown, sources_down));
        levels
    }
}
