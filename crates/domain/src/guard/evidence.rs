//! What was seen of a metric in one version: counts, buckets or a value; or why nothing was. Builds the queries, and
//! reads their answers strictly: exactly one series, finite, fresh, without warnings.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::guard::verdict::Outcome;
use crate::metric::histogram;
use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::labels::Labels;
use crate::metric::number;
use crate::metric::quantity::Unit;
use crate::metric::series::{Answer, Queried, Series};
use crate::text::duration;

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Measurement {
    /// Of all requests of the window, the ones that count as bad.
    Ratio { part: f64, whole: f64 },
    /// Upper bound of each bucket, and the requests of the window up to it.
    Buckets(Vec<(f64, f64)>),
    /// A value without a count.
    Value(f64),
}

/// Why nothing was seen.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("no series")]
    NoSeries,
    /// Requests, and no series of those that count as bad: none was, or the name is wrong.
    #[error("no series of what counts as bad, beside {whole:.0} requests")]
    NoPart { whole: f64 },
    #[error("the latest sample is {} old", Unit::Seconds.show(*.seconds))]
    Stale { seconds: f64 },
    #[error("the value is {value}")]
    NotFinite { value: &'static str },
    #[error("{count} series where one is expected; add labels to the metric, or aggregate it")]
    Several { count: usize },
    #[error("Prometheus warns: {text}")]
    Warned { text: String },
    #[error("{reason}")]
    Failed { reason: String },
}

impl Fault {
    /// What a condition on it comes to.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NoSeries
            | Self::NoPart { .. }
            | Self::Stale { .. }
            | Self::NotFinite { .. }
            | Self::Warned { .. } => Outcome::NoEvidence,
            Self::Several { .. } | Self::Failed { .. } => Outcome::Error,
        }
    }
}

/// The queries for one metric of one version. Each is asked for by itself, so that the number of requests is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queries {
    /// The bad requests, the buckets, or the value.
    pub part: String,
    /// All requests.
    pub whole: Option<String>,
    /// When the latest sample was taken, in seconds since 1970.
    pub fresh: Option<String>,
    /// Bad requests and all requests are one metric, told apart by a label: then a series for the bad ones is only
    /// there once there was one, and none means zero.
    same_metric: bool,
}

impl Queries {
    /// For a metric of the version with these labels, over a window that ends now. `is_new`: its series may be born in the
    /// window, and what they begin with counts.
    pub fn new(metric: &Kpi, track: &Labels, window: Duration, is_new: bool) -> Result<Self, Fault> {
        let window = duration::to_promql(window.max(Duration::from_secs(1)));
        let fresh = |selector: &str| Some(format!("max(timestamp({selector}))"));
        Ok(match &metric.kind {
            KpiKind::Ratio { of, to, .. } => {
                let (part, whole) = (of.narrowed(track), to.narrowed(track));
                Self {
                    part: format!("sum({})", growth(&part.show(), &to.show(), &window, is_new)),
                    whole: Some(format!("sum({})", growth(&whole.show(), &to.show(), &window, is_new))),
                    fresh: fresh(&whole.show()),
                    same_metric: of.name() == to.name(),
                }
            }
            KpiKind::Quantile { histogram, .. } => {
                let all = histogram.with_suffix("_bucket");
                let buckets = all.narrowed(track);
                Self {
                    part: format!("sum by (le) ({})", growth(&buckets.show(), &all.show(), &window, is_new)),
                    whole: None,
                    fresh: fresh(&buckets.show()),
                    same_metric: false,
                }
            }
            KpiKind::Gauge { selector, agg } => {
                let selector = selector.narrowed(track);
                Self {
                    part: format!("{}({selector})", agg.name()),
                    whole: None,
                    fresh: fresh(&selector.show()),
                    same_metric: false,
                }
            }
            KpiKind::Rate { selector, .. } => {
                let selector = selector.narrowed(track);
                Self {
                    part: format!("sum(rate({selector}[{window}]))"),
                    whole: None,
                    fresh: fresh(&selector.show()),
                    same_metric: false,
                }
            }
            KpiKind::PromQl(text) => Self {
                part: crate::metric::promql::narrowed(text, track)
                    .ok_or_else(|| Fault::Failed { reason: format!("labels cannot be added to `{text}`") })?,
                whole: None,
                fresh: None,
                same_metric: false,
            },
        })
    }

    /// All of them, for the record.
    pub fn all(&self) -> Vec<String> {
        let rest = self.whole.iter().chain(&self.fresh).cloned();
        std::iter::once(self.part.clone()).chain(rest).collect()
    }

    /// Reads the answers. `oldest` is how old the latest sample may be.
    pub fn read(
        &self,
        metric: &Kpi,
        part: &Queried,
        whole: Option<&Queried>,
        fresh: Option<&Queried>,
        now: DateTime<Utc>,
        oldest: Duration,
    ) -> Result<Measurement, Fault> {
        if let Some(fresh) = fresh {
            let at = one(fresh)?.ok_or(Fault::NoSeries)?;
            let seconds = now.timestamp_millis() as f64 / 1e3 - at;
            if seconds > oldest.as_secs_f64() {
                return Err(Fault::Stale { seconds });
            }
        }
        match (&metric.kind, whole) {
            (KpiKind::Ratio { .. }, Some(whole)) => {
                let whole = one(whole)?.ok_or(Fault::NoSeries)?;
                let part = match one(part)? {
                    Some(part) => part,
                    None if self.same_metric => 0.0,
                    None => return Err(Fault::NoPart { whole }),
                };
                Ok(Measurement::Ratio { part, whole })
            }
            (KpiKind::Quantile { .. }, _) => buckets(part),
            _ => one(part)?.map(Measurement::Value).ok_or(Fault::NoSeries),
        }
    }
}

/// By how much each series of the selector grew in the window. `increase` begins with the first sample that it sees, so
/// it does not count what a series is born with, and nothing of one that lives for a single scrape: a pod that fails from
/// its first request on. What had no sample at the window's beginning has grown from nothing; unless none of the metric had
/// (`all`), for then it was Prometheus that did not look.
fn growth(selector: &str, all: &str, window: &str, is_new: bool) -> String {
    let grown = format!("increase({selector}[{window}])");
    if !is_new {
        return grown;
    }
    let born = format!(
        "((last_over_time({selector}[{window}]) unless {selector} offset {window}) and on() count({all} offset {window}))"
    );
    format!("({grown} > {born}) or {born} or {grown}")
}

fn series(queried: &Queried) -> Result<&[Series], Fault> {
    if let Some(text) = queried.warnings.first() {
        return Err(Fault::Warned { text: text.clone() });
    }
    match &queried.answer {
        Answer::Vector(series) => Ok(series),
        _ => Err(Fault::Failed { reason: "the answer is no instant vector".into() }),
    }
}

fn value(series: &Series) -> Result<f64, Fault> {
    let value = series.points.last().and_then(|point| point.value.float());
    let value =
        value.ok_or_else(|| Fault::Failed { reason: "a native histogram where a number is expected".into() })?;
    match number::special(value) {
        Some(value) => Err(Fault::NotFinite { value }),
        None => Ok(value),
    }
}

/// The one value; `None` without a series.
fn one(queried: &Queried) -> Result<Option<f64>, Fault> {
    if let Answer::Scalar(point) = &queried.answer {
        let value = point.value.float().unwrap_or(f64::NAN);
        return match number::special(value) {
            Some(value) => Err(Fault::NotFinite { value }),
            None => Ok(Some(value)),
        };
    }
    match series(queried)? {
        [] => Ok(None),
        [only] => value(only).map(Some),
        several => Err(Fault::Several { count: several.len() }),
    }
}

fn buckets(queried: &Queried) -> Result<Measurement, Fault> {
    let all = series(queried)?;
    if all.is_empty() {
        return Err(Fault::NoSeries);
    }
    let mut buckets = Vec::new();
    for series in all {
        let bound = series.labels.get("le").and_then(|le| number::parse(le));
        let bound = bound.ok_or_else(|| Fault::Failed { reason: "a bucket without a bound `le`".into() })?;
        buckets.push((bound, value(series)?));
    }
    counted(&buckets)
}

/// Cumulative counts by bound, once each, and up to all requests.
pub(super) fn counted(buckets: &[(f64, f64)]) -> Result<Measurement, Fault> {
    if !histogram::has_infinity_bucket(buckets) {
        return Err(Fault::Failed {
            reason: "no bucket with the bound `+Inf`, so nothing says how many requests there were".into(),
        });
    }
    Ok(Measurement::Buckets(histogram::prepare(buckets)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::selector::Selector;
    use crate::metric::series::{Measured, Point};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    fn vector(values: &[(&str, f64)]) -> Queried {
        let series = values.iter().map(|(le, value)| Series {
            labels: match *le {
                "" => Labels::new(),
                le => Labels::from([("le".into(), le.into())]),
            },
            points: vec![Point { at: at(100), value: Measured::Float(*value) }],
        });
        Queried { answer: Answer::Vector(series.collect()), warnings: Vec::new(), infos: Vec::new() }
    }

    fn metric(kind: KpiKind) -> Kpi {
        Kpi {
            name: "m".into(),
            title: None,
            unit: kind.natural_unit(),
            kind,
            by: None,
            warn: None,
            critical: None,
            service: None,
        }
    }

    fn ratio(of: &str) -> Kpi {
        metric(KpiKind::Ratio {
            of: Selector::parse(of).expect("valid"),
            to: Selector::parse("http_requests_total").expect("valid"),
            window: Duration::from_secs(60),
        })
    }

    fn canary() -> Labels {
        Labels::from([("track".into(), "canary".into())])
    }

    #[test]
    fn labels_are_added_to_each_selector() {
        let minute = Duration::from_secs(60);
        let queries =
            Queries::new(&ratio("http_requests_total{status=~\"5..\"}"), &canary(), minute, false).expect("sound");
        assert_eq!(
            queries.all(),
            [
                "sum(increase(http_requests_total{status=~\"5..\",track=\"canary\"}[1m]))",
                "sum(increase(http_requests_total{track=\"canary\"}[1m]))",
                "max(timestamp(http_requests_total{track=\"canary\"}))",
            ]
        );
        let free = metric(KpiKind::PromQl("sum(rate(a[5m])) / sum(rate(b{x=\"1\"}[5m]))".into()));
        let queries = Queries::new(&free, &canary(), minute, true).expect("sound");
        assert!(queries.part.matches("track=\"canary\"").count() == 2, "{}", queries.part);
    }

    #[test]
    fn every_kind_of_answer_has_its_class() {
        let metric = ratio("http_requests_total{status=~\"5..\"}");
        let queries = Queries::new(&metric, &canary(), Duration::from_secs(60), true).expect("sound");
        let oldest = Duration::from_secs(30);
        let fresh = vector(&[("", 95.0)]);
        let read =
            |part: &Queried, whole: &Queried| queries.read(&metric, part, Some(whole), Some(&fresh), at(100), oldest);
        let whole = vector(&[("", 200.0)]);
        let none = vector(&[]);
        assert_eq!(read(&vector(&[("", 3.0)]), &whole), Ok(Measurement::Ratio { part: 3.0, whole: 200.0 }));
        // No series of errors is no error, where there are requests.
        assert_eq!(read(&none, &whole), Ok(Measurement::Ratio { part: 0.0, whole: 200.0 }));
        assert_eq!(read(&none, &none), Err(Fault::NoSeries));
        assert_eq!(read(&none, &vector(&[("", f64::NAN)])), Err(Fault::NotFinite { value: "NaN" }));
        assert_eq!(read(&none, &vector(&[("", 1.0), ("", 2.0)])), Err(Fault::Several { count: 2 }));
        let mut warned = whole.clone();
        warned.warnings.push("a store is missing".into());
        assert!(matches!(read(&none, &warned), Err(Fault::Warned { .. })));
        let stale = vector(&[("", 60.0)]);
        assert_eq!(
            queries.read(&metric, &none, Some(&whole), Some(&stale), at(100), oldest),
            Err(Fault::Stale { seconds: 40.0 })
        );
        // Another metric that is not there may be a misspelling.
        let other = ratio("http_errors_total");
        let queries = Queries::new(&other, &canary(), Duration::from_secs(60), true).expect("sound");
        assert_eq!(
            queries.read(&other, &none, Some(&whole), None, at(100), oldest),
            Err(Fault::NoPart { whole: 200.0 })
        );
    }

    #[test]
    fn buckets_are_whole_or_nothing() {
        let read = |values: &[(&str, f64)]| buckets(&vector(values));
        let these = |values: &[(f64, f64)]| Ok(Measurement::Buckets(values.to_vec()));
        let all = f64::INFINITY;
        assert_eq!(read(&[("+Inf", 10.0), ("0.1", 8.0)]), these(&[(0.1, 8.0), (all, 10.0)]));
        assert!(matches!(read(&[("0.1", 8.0)]), Err(Fault::Failed { .. })));
        // Two clients write one bound in two ways.
        assert_eq!(
            read(&[("1", 8.0), ("1.0", 3.0), ("+Inf", 20.0), ("0.10", 5.0)]),
            these(&[(0.1, 5.0), (1.0, 11.0), (all, 20.0)])
        );
    }
}
