//! What a status is made of, whoever was asked: readings with their level, and the reason where there is none.

pub mod health;
pub mod scale;
pub mod skew;
pub mod source;
pub mod worst_level;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::alert::Alert;
use crate::metric::estimate::Estimate;
use crate::metric::freshness::{Doubt, Freshness, GoneMember};
use crate::metric::kpi::Kpi;
use crate::metric::level::Level;
use crate::metric::number;
use crate::metric::threshold::Threshold;
use crate::status::health::ServiceState;
use crate::text::count::count;
use crate::text::time::relative;

/// Where a KPI's value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Prometheus,
    Scrape,
}

impl Origin {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Scrape => "scrape",
        }
    }
}

/// Said of a value that is no number: nothing happened in the window.
const UNDEFINED: &str = "no data in the window (0/0)";

#[derive(Debug, Clone)]
pub struct KpiReading {
    pub kpi: Kpi,
    pub origin: Origin,
    /// The whole; none when it is unknown.
    pub value: Option<Estimate>,
    /// By the values of the KPI's label.
    pub by: BTreeMap<String, Estimate>,
    /// Parts that were there in the last hour, and are not.
    pub gone: Vec<GoneMember>,
    pub freshness: Freshness,
    pub level: Level,
    /// Why it is unknown, or what to know about the value.
    pub note: Option<String>,
    /// The last hour, evenly spaced.
    pub trend: Vec<Option<f64>>,
    /// When the value was true, if that is not now: its newest sample's time, or the last good one of a `--watch`.
    pub as_of: Option<DateTime<Utc>>,
}

impl KpiReading {
    /// A value, judged by the KPI's thresholds.
    pub fn known(kpi: Kpi, origin: Origin, value: Estimate, by: BTreeMap<String, Estimate>) -> Self {
        let level = kpi.level(value);
        let note = match number::special(value.value) {
            Some("NaN") => Some(UNDEFINED.to_owned()),
            Some(other) => Some(format!("the value is {other}")),
            None if value.is_lower_bound => Some("beyond the histogram's last bucket".to_owned()),
            None => None,
        };
        let value = Some(value).filter(|value| value.value.is_finite());
        Self { level, note, value, by, ..Self::unknown(kpi, origin, "") }
    }

    /// The same with its age. What is stale, or lacks a part that was there, is not known to be well.
    pub fn aged(mut self, freshness: Freshness, gone: Vec<GoneMember>, now: DateTime<Utc>) -> Self {
        match freshness.doubt(&gone, now) {
            Some(Doubt::Stale(why)) => {
                self.level = Level::Unknown;
                self.as_of = freshness.newest;
                self.note = Some(why);
            }
            Some(Doubt::Gone(_)) => self.level = self.level.max(Level::Unknown),
            None => {}
        }
        Self { freshness, gone, ..self }
    }

    /// The parts that are gone, in words. Where nobody answers, all of them are, and that is said once, at the source.
    pub fn missing(&self, now: DateTime<Utc>) -> impl Iterator<Item = String> {
        self.gone
            .iter()
            .filter(|_| self.as_of.is_none())
            .map(move |member| member.show(member.was.map(|was| self.kpi.unit.show(was)), now))
    }

    /// The same, of which not everything is known: its level is no more.
    pub fn doubtful(self, why: &str) -> Self {
        Self { level: Level::Unknown, note: Some(format!("not everything answered: {why}")), ..self }
    }

    /// Is there a value to rely on?
    pub fn is_sure(&self) -> bool {
        self.value.is_some() && self.level != Level::Unknown
    }

    /// Is there no value because nothing happened?
    pub fn is_undefined(&self) -> bool {
        self.note.as_deref() == Some(UNDEFINED)
    }

    /// The values of the last hour with their times.
    pub fn points(&self, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, f64)> {
        let hour = TimeDelta::hours(1);
        let gaps = i32::try_from(self.trend.len().saturating_sub(1)).unwrap_or(0);
        let at = |index: usize| now - hour + hour / gaps.max(1) * i32::try_from(index).unwrap_or(0);
        let values = self.trend.iter().enumerate();
        values.filter_map(|(index, value)| Some((at(index), (*value)?))).collect()
    }

    /// No value, and why.
    pub fn unknown(kpi: Kpi, origin: Origin, why: impl Into<String>) -> Self {
        Self {
            kpi,
            origin,
            value: None,
            by: BTreeMap::new(),
            gone: Vec::new(),
            freshness: Freshness::default(),
            level: Level::Unknown,
            note: Some(why.into()),
            trend: Vec::new(),
            as_of: None,
        }
    }
}

/// A service as its health API describes it.
#[derive(Debug, Clone)]
pub struct ServiceReading {
    pub name: String,
    pub state: ServiceState,
    pub latency_ms: Option<u64>,
    /// How bad that is.
    pub latency: Level,
    pub detail: String,
}

impl ServiceReading {
    /// An answer that is late is no good one, whatever it says.
    pub fn late(self, latency_ms: u64, warn: Option<&Threshold>, critical: Option<&Threshold>) -> Self {
        let latency = Estimate::from(latency_ms as f64).level(warn, critical);
        let limit = if latency == Level::Critical { critical } else { warn };
        let (Some(limit), true) = (limit, latency > Level::Ok) else {
            return Self { latency, ..self };
        };
        let word = if latency == Level::Critical { "critical" } else { "warn" };
        let detail = format!("{}; answers in {latency_ms} ms ({word} {limit})", self.detail);
        let state = if self.state == ServiceState::Healthy { ServiceState::Degraded } else { self.state };
        Self { latency, detail, state, ..self }
    }

    pub fn level(&self) -> Level {
        Level::from(self.state).max(self.latency)
    }
}

/// The scrape targets of Prometheus.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    pub up: usize,
    /// Not scraped yet.
    pub unknown: usize,
    /// `job instance`, and the error.
    pub down: Vec<(String, String)>,
}

/// The feature flags, in numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FlagsReading {
    pub count: usize,
    /// Switched off, killed ones included.
    pub off: usize,
    /// Off since somebody killed them.
    pub killed: usize,
    /// Changed in the last hour.
    pub changed: usize,
    /// What readers cannot take, and what is on for nobody.
    pub errors: Vec<FlagError>,
    /// How many lesser findings there are.
    pub warnings: usize,
    /// Flags that were there, and that nobody removed.
    pub gone: Vec<GoneFlag>,
}

/// A flag that is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GoneFlag {
    pub flag: String,
    /// When it was seen last.
    pub seen: DateTime<Utc>,
}

impl GoneFlag {
    /// `2 flags that were there 4m ago are gone: a, b`; nothing where none is.
    pub fn words(gone: &[Self], now: DateTime<Utc>) -> Option<String> {
        let last = gone.iter().map(|one| one.seen).max()?;
        let names: Vec<&str> = gone.iter().take(3).map(|one| one.flag.as_str()).collect();
        let more = if gone.len() > names.len() { ", …" } else { "" };
        let (were, are) = if gone.len() == 1 { ("was", "is") } else { ("were", "are") };
        let flags = count(gone.len(), "flag");
        let when = match relative(last, now) {
            now if now == "now" => "a moment ago".into(),
            ago => ago,
        };
        Some(format!("{flags} that {were} there {when} {are} gone: {}{more}", names.join(", ")))
    }
}

impl FlagsReading {
    /// How many flags have errors.
    pub fn faulty(&self) -> usize {
        distinct(&self.errors, |_| true)
    }

    /// How many flags the services fail on. Other errors are the owner's: a flag that is on for nobody is no trouble of
    /// the service, and wakes nobody.
    pub fn broken(&self) -> usize {
        distinct(&self.errors, FlagError::breaks)
    }
}

/// How many flags have such an error.
fn distinct(errors: &[FlagError], is_such: impl Fn(&FlagError) -> bool) -> usize {
    let such = errors.iter().filter(|error| is_such(error));
    let names: std::collections::BTreeSet<&str> = such.map(|error| error.flag.as_str()).collect();
    names.len()
}

#[derive(Debug, Clone, Serialize)]
pub struct FlagError {
    pub flag: String,
    pub code: &'static str,
    pub message: String,
}

impl FlagError {
    /// Do readers fail on it (no JSON, no list where one is meant)?
    pub fn breaks(&self) -> bool {
        matches!(self.code, "E01" | "E04")
    }
}

/// Everything that was read for one screen.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    pub services: Vec<ServiceReading>,
    pub kpis: Vec<KpiReading>,
    /// None when nobody could say. Shared: a flood is large, and each look has it.
    pub alerts: Option<Arc<Vec<Alert>>>,
    /// What cannot be known of the alerts, and why.
    pub alert_gaps: Vec<String>,
    /// What is wrong on the way from the rules to people.
    pub alert_faults: Vec<String>,
    pub alerts_as_of: Option<DateTime<Utc>>,
    /// Alerts of services that were not asked for.
    pub alerts_elsewhere: usize,
    /// None when there is no Prometheus, or it could not say.
    pub targets: Option<Targets>,
    /// None when there are none, or their store could not say.
    pub flags: Option<FlagsReading>,
}

impl Readings {
    /// The alerts that are known.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().flat_map(|alerts| alerts.iter())
    }

    /// The level of each thing that was looked at. A source of alerts that should answer and does not is unknown.
    pub fn levels(&self, alerts_expected: bool, sources_down: usize) -> Vec<Level> {
        let services = self.services.iter().map(ServiceReading::level);
        let kpis = self.kpis.iter().map(|reading| reading.level);
        let mut levels: Vec<Level> = services.chain(kpis).collect();
        match &self.alerts {
            Some(alerts) => {
                levels.push(Level::Ok);
                levels.extend(alerts.iter().filter_map(worst_level::of_alert));
            }
            None if alerts_expected => levels.push(Level::Unknown),
            None => {}
        }
        if self.alerts_as_of.is_some() {
            levels.push(Level::Unknown);
        }
        levels.extend(self.alert_gaps.iter().map(|_| Level::Unknown));
        levels.extend(self.alert_faults.iter().map(|_| Level::Warn));
        if let Some(targets) = &self.targets {
            levels.push(if targets.down.is_empty() { Level::Ok } else { Level::Warn });
        }
        if let Some(flags) = &self.flags {
            levels.push(match (flags.gone.is_empty(), flags.count, flags.broken()) {
                // Every feature is off.
                (false, 0, _) => Level::Critical,
                (true, _, 0) => Level::Ok,
                _ => Level::Warn,
            });
        }
        levels.extend(std::iter::repeat_n(Level::Unknown, sources_down));
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::kpi::{Aggregation, KpiKind};
    use crate::metric::quantity::Unit;
    use crate::metric::selector::Selector;

    #[test]
    fn what_nobody_answers_for_is_said_once_and_not_part_by_part() {
        let kpi = Kpi {
            name: "players".into(),
            title: None,
            kind: KpiKind::Gauge { selector: Selector::parse("players").expect("a selector"), agg: Aggregation::Sum },
            by: None,
            unit: Unit::None,
            warn: None,
            critical: None,
            service: None,
        };
        let now = DateTime::UNIX_EPOCH;
        let mut reading = KpiReading::unknown(kpi, Origin::Prometheus, "down");
        reading.gone = vec![GoneMember { name: "eu".into(), was: Some(3.0), last_seen: now }];
        assert_eq!(reading.missing(now).count(), 1, "others answer");
        reading.as_of = Some(now);
        assert_eq!(reading.missing(now).count(), 0);
    }
}
