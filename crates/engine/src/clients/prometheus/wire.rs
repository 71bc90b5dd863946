//! The shapes of Prometheus' answers, and their way to domain types. Nothing else knows them.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::clients::loose::{self, Entries};
use liveops_domain::alert::rule::{Alerting, Rule};
use liveops_domain::alert::{Alert, AlertState};
use liveops_domain::error::Result;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::number;
use liveops_domain::metric::series::{Answer, Bucket, Measured, NativeHistogram, Point, ScrapeTarget, Series};
use liveops_domain::runbook::link_of;

/// `null` where a list, a map or a text is empty: several servers answer so.
pub fn or_empty<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Each entry by itself: one of another shape spoils none of the others. `Err` are those.
pub fn each<T: DeserializeOwned>(entries: Entries) -> impl Iterator<Item = Result<T, Value>> {
    let value = |entry: &RawValue| serde_json::from_str(entry.get()).unwrap_or_default();
    entries.into_iter().map(move |entry| serde_json::from_str(entry.get()).map_err(|_| value(&entry)))
}

/// Which Alertmanagers Prometheus delivers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub active: Vec<String>,
    pub dropped: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct DataWire {
    #[serde(rename = "resultType", deserialize_with = "or_empty")]
    kind: String,
    /// As it came: a tree of a million values would take ten times its memory.
    result: Box<RawValue>,
}

/// More series than anybody looks at.
const MOST_SERIES: usize = 50_000;

#[derive(Debug, Deserialize)]
struct SeriesWire {
    #[serde(default, deserialize_with = "or_empty")]
    metric: Labels,
    value: Option<(f64, String)>,
    values: Option<Vec<(f64, String)>>,
    histogram: Option<(f64, HistogramWire)>,
    histograms: Option<Vec<(f64, HistogramWire)>>,
}

#[derive(Debug, Deserialize)]
struct HistogramWire {
    count: String,
    sum: String,
    #[serde(default, deserialize_with = "or_empty")]
    buckets: Vec<(u8, String, String, String)>,
}

type Decoded<T> = Result<T, String>;

fn time(seconds: f64) -> Decoded<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a time are far below 2^53")]
    DateTime::from_timestamp_millis((seconds * 1000.0).round() as i64)
        .ok_or_else(|| format!("the time {seconds} is out of range"))
}

fn float(text: &str) -> Decoded<f64> {
    number::parse(text).ok_or_else(|| format!("`{text}` instead of a number"))
}

impl HistogramWire {
    fn into_domain(self) -> Decoded<Measured> {
        let bucket = |(boundaries, lower, upper, count): (u8, String, String, String)| {
            Ok::<_, String>(Bucket { boundaries, lower: float(&lower)?, upper: float(&upper)?, count: float(&count)? })
        };
        Ok(Measured::Histogram(Box::new(NativeHistogram {
            count: float(&self.count)?,
            sum: float(&self.sum)?,
            buckets: self.buckets.into_iter().map(bucket).collect::<Decoded<_>>()?,
        })))
    }
}

fn point((at, text): (f64, String)) -> Decoded<Point> {
    Ok(Point { at: time(at)?, value: Measured::Float(float(&text)?) })
}

impl SeriesWire {
    fn into_domain(self) -> Decoded<Series> {
        let floats = self.value.into_iter().chain(self.values.into_iter().flatten()).map(point);
        let histograms = self.histogram.into_iter().chain(self.histograms.into_iter().flatten());
        let histograms = histograms.map(|(at, wire)| Ok(Point { at: time(at)?, value: wire.into_domain()? }));
        let mut points = floats.chain(histograms).collect::<Decoded<Vec<_>>>()?;
        points.sort_by_key(|point| point.at);
        Ok(Series { labels: self.metric, points })
    }
}

impl DataWire {
    /// The answer with how many of its series are of another shape and left out, or what is odd about all of it.
    pub fn into_domain(self) -> Decoded<(Answer, usize)> {
        let odd = |error: serde_json::Error| format!("a {} of another shape: {error}", self.kind);
        let whole = |answer| (answer, 0);
        let result = self.result.get();
        let is_null = result == "null";
        match self.kind.as_str() {
            "" | "vector" if is_null => Ok(whole(Answer::Vector(Vec::new()))),
            "matrix" if is_null => Ok(whole(Answer::Matrix(Vec::new()))),
            "vector" | "matrix" => {
                let entries: Vec<&RawValue> = serde_json::from_str(result).map_err(odd)?;
                if entries.len() > MOST_SERIES {
                    return Err(format!(
                        "{} series, and no more than {MOST_SERIES} are read: add them up",
                        entries.len()
                    ));
                }
                let read = |entry: &RawValue| serde_json::from_str::<SeriesWire>(entry.get()).map_err(odd);
                let series: Vec<Series> =
                    entries.iter().filter_map(|entry| read(entry).ok()?.into_domain().ok()).collect();
                let left_out = entries.len() - series.len();
                if let (true, Some(first)) = (series.is_empty(), entries.first()) {
                    // Says what is odd about it.
                    read(first)?.into_domain()?;
                }
                Ok((if self.kind == "vector" { Answer::Vector(series) } else { Answer::Matrix(series) }, left_out))
            }
            "scalar" => point(serde_json::from_str(result).map_err(odd)?).map(Answer::Scalar).map(whole),
            "string" => {
                let (at, text): (f64, String) = serde_json::from_str(result).map_err(odd)?;
                Ok(whole(Answer::String { at: time(at)?, text }))
            }
            other => Err(format!("a result of type `{other}`, which liveops does not know")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlertWire {
    #[serde(deserialize_with = "loose::labels")]
    labels: Labels,
    #[serde(default, deserialize_with = "loose::labels")]
    annotations: Labels,
    #[serde(default, deserialize_with = "loose::text")]
    state: String,
    #[serde(default, deserialize_with = "loose::time")]
    active_at: Option<DateTime<Utc>>,
}

impl AlertWire {
    /// None where nothing is wrong: some servers list those, too.
    fn into_domain(self) -> Option<Alert> {
        Some(Alert {
            name: name(&self.labels),
            state: AlertState::of_word(&self.state)?,
            severity: self.labels.get("severity").cloned(),
            runbook: link_of(&self.annotations, &self.labels).map(ToOwned::to_owned),
            since: self.active_at,
            labels: self.labels,
            annotations: self.annotations,
            ..Alert::default()
        })
    }
}

/// The name of an alert; one without any label has none.
pub fn name(labels: &Labels) -> String {
    let nameless = if labels.is_empty() { NAMELESS_ALERT } else { "" };
    labels.get("alertname").map_or(nameless, String::as_str).to_owned()
}

#[derive(Debug, Deserialize)]
pub struct AlertsWire {
    #[serde(deserialize_with = "loose::list")]
    alerts: Entries,
}

impl AlertsWire {
    pub fn into_domain(self) -> Vec<Alert> {
        alerts(self.alerts)
    }
}

/// An entry of another shape is an alert whose state is not known.
fn alerts(entries: Entries) -> Vec<Alert> {
    let known =
        |wire: Result<AlertWire, Value>| wire.map_or_else(|entry| Some(odd_alert(&entry)), AlertWire::into_domain);
    each(entries).filter_map(known).collect()
}

const NAMELESS_ALERT: &str = "(an alert of another shape)";

/// What is known of an alert of another shape.
pub fn odd_alert(entry: &Value) -> Alert {
    let labels = entry.get("labels").and_then(Value::as_object).cloned().map(loose::labels_of).unwrap_or_default();
    Alert {
        name: labels.get("alertname").map_or(NAMELESS_ALERT, String::as_str).to_owned(),
        state: AlertState::Unknown,
        severity: labels.get("severity").cloned(),
        labels,
        ..Alert::default()
    }
}

#[derive(Debug, Deserialize)]
pub struct RulesWire {
    #[serde(deserialize_with = "or_empty")]
    groups: Entries,
}

#[derive(Debug, Default, Deserialize)]
struct GroupWire {
    #[serde(default, deserialize_with = "loose::text")]
    name: String,
    #[serde(default, deserialize_with = "loose::number")]
    interval: f64,
    #[serde(default, deserialize_with = "loose::list")]
    rules: Entries,
}

/// The name of a rule that says none.
const NAMELESS: &str = "(a rule of another shape)";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RuleWire {
    #[serde(deserialize_with = "loose::text")]
    name: String,
    #[serde(deserialize_with = "loose::text")]
    query: String,
    #[serde(rename = "type", deserialize_with = "loose::text")]
    kind: String,
    #[serde(deserialize_with = "loose::text")]
    health: String,
    #[serde(deserialize_with = "loose::text")]
    last_error: String,
    #[serde(deserialize_with = "loose::number")]
    evaluation_time: f64,
    #[serde(deserialize_with = "loose::time")]
    last_evaluation: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "loose::text")]
    state: String,
    #[serde(deserialize_with = "loose::number")]
    duration: f64,
    #[serde(deserialize_with = "loose::labels")]
    labels: Labels,
    #[serde(deserialize_with = "loose::labels")]
    annotations: Labels,
    #[serde(deserialize_with = "loose::list")]
    alerts: Entries,
}

impl RuleWire {
    /// One of another shape has a name at best, and nobody knows whether it is evaluated.
    fn odd(entry: &Value) -> Self {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let last_error = "Prometheus lists it in another shape".to_owned();
        let (kind, health) = ("alerting".into(), "unknown".into());
        Self { name: text("name"), query: text("query"), kind, health, last_error, ..Self::default() }
    }

    fn into_domain(self, group: &GroupWire) -> Rule {
        let is_alerting = self.kind == "alerting" || (self.kind.is_empty() && !self.name.contains(':'));
        Rule {
            group: group.name.clone(),
            interval: group.interval,
            last_evaluation: self.last_evaluation,
            name: if self.name.is_empty() { NAMELESS.into() } else { self.name },
            expression: self.query,
            // Other makes do not say it.
            health: if self.health.is_empty() { "not said".into() } else { self.health },
            last_error: self.last_error,
            evaluation: self.evaluation_time,
            alerting: is_alerting.then(|| Alerting {
                state: self.state,
                hold: self.duration,
                labels: self.labels,
                annotations: self.annotations,
                alerts: alerts(self.alerts),
            }),
        }
    }
}

impl RulesWire {
    pub fn into_domain(self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for group in each::<GroupWire>(self.groups) {
            let mut group = match group {
                Ok(group) => group,
                Err(Value::Null) => continue,
                Err(entry) => {
                    rules.push(RuleWire::odd(&entry).into_domain(&GroupWire::default()));
                    continue;
                }
            };
            let entries = std::mem::take(&mut group.rules);
            let wires = each::<RuleWire>(entries).map(|wire| wire.unwrap_or_else(|entry| RuleWire::odd(&entry)));
            rules.extend(wires.map(|wire| wire.into_domain(&group)));
        }
        rules
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetsWire {
    #[serde(deserialize_with = "loose::list")]
    active_targets: Entries,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetWire {
    #[serde(default, deserialize_with = "loose::labels")]
    labels: Labels,
    #[serde(default, deserialize_with = "or_empty")]
    scrape_url: String,
    #[serde(default, deserialize_with = "or_empty")]
    health: String,
    #[serde(default, deserialize_with = "or_empty")]
    last_error: String,
    #[serde(default, deserialize_with = "loose::time")]
    last_scrape: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "loose::number")]
    last_scrape_duration: f64,
    scrape_interval: Option<String>,
}

impl TargetsWire {
    pub fn into_domain(self) -> Vec<ScrapeTarget> {
        let target = |wire: TargetWire| ScrapeTarget {
            labels: wire.labels,
            url: wire.scrape_url,
            health: wire.health,
            last_error: wire.last_error,
            last_scrape: wire.last_scrape,
            duration: wire.last_scrape_duration,
            interval: wire.scrape_interval,
        };
        // One of another shape is neither up nor down.
        let known = each::<TargetWire>(self.active_targets).map(Result::unwrap_or_default);
        known.map(target).collect()
    }
}

#[derive(Debug, Deserialize)]
pub struct ConfigWire {
    pub yaml: String,
}

#[derive(Debug, Deserialize)]
pub struct BuildWire {
    pub version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagersWire {
    #[serde(default, deserialize_with = "or_empty")]
    active_alertmanagers: Vec<ManagerWire>,
    #[serde(default, deserialize_with = "or_empty")]
    dropped_alertmanagers: Vec<ManagerWire>,
}

#[derive(Debug, Deserialize)]
struct ManagerWire {
    url: String,
}

impl ManagersWire {
    pub fn into_domain(self) -> Delivery {
        let urls = |wires: Vec<ManagerWire>| wires.into_iter().map(|wire| wire.url).collect();
        Delivery { active: urls(self.active_alertmanagers), dropped: urls(self.dropped_alertmanagers) }
    }
}
