//! What was seen of a metric in one version: counts, buckets or a value; or why nothing was. Builds the queries, and
//! reads their answers strictly: exactly one series, finite, fresh, without warnings.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::guard::verdict::Outcome;
use crate::metric::freshness::Freshness;
use crate::metric::histogram;
use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::labels::Labels;
use crate::metric::number;
use crate::metric::selector::Selector;
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
    /// By its age ([`Freshness::doubt`]), as a KPI's level goes by it.
    #[error("{why}")]
    Stale { why: String },
    #[error("the value is {value}")]
    NotFinite { value: &'static str },
    #[error("{count} series where one is expected; add labels to the metric, or aggregate it")]
    Several { count: usize },
    #[error("Prometheus warns: {text}")]
    Warned { text: String },
    /// Somebody who has a part of it did not answer.
    #[error("{reason}")]
    Partial { reason: String },
    #[error("{reason}")]
    Failed { reason: String },
}

impl Fault {
    /// What the age of the samples says: nobody has any now, or they are old.
    pub fn of_age(freshness: &Freshness, now: DateTime<Utc>) -> Option<Self> {
        if freshness.targets == 0 {
            return Some(Self::NoSeries);
        }
        freshness.stale(now).map(|why| Self::Stale { why })
    }

    /// What a condition on it comes to.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NoSeries
            | Self::NoPart { .. }
            | Self::Stale { .. }
            | Self::Partial { .. }
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
    /// Bad requests and all requests are one metric, told apart by a label: then a series for the bad ones is only
    /// there once there was one, and none means zero.
    same_metric: bool,
}

impl Queries {
    /// For a metric of the version with these labels, over a window that ends now. `is_new`: its series may be born in the
    /// window, and what they begin with counts.
    pub fn new(metric: &Kpi, track: &Labels, window: Duration, is_new: bool) -> Result<Self, Fault> {
        let window = duration::to_promql(window.max(Duration::from_secs(1)));
        let only = metric
            .narrowed(track)
            .ok_or_else(|| Fault::Failed { reason: format!("labels cannot be added to `{}`", metric.promql()) })?;
        let single = |part: String| Self { part, whole: None, same_metric: false };
        Ok(match (&only.kind, &metric.kind) {
            (KpiKind::Ratio { of, to, .. }, KpiKind::Ratio { to: all, .. }) => {
                let grown = |selector: &Selector| growth(&selector.show(), &all.show(), &window, is_new);
                Self {
                    part: format!("sum({})", grown(of)),
                    whole: Some(format!("sum({})", grown(to))),
                    same_metric: of.name() == to.name(),
                }
            }
            (KpiKind::Quantile { histogram: buckets, .. }, KpiKind::Quantile { histogram: all, .. }) => {
                let [buckets, all] = [buckets, all].map(|one| one.with_suffix("_bucket").show());
                single(format!("sum by (le) ({})", growth(&buckets, &all, &window, is_new)))
            }
            (KpiKind::Gauge { selector, agg }, _) => single(format!("{}({})", agg.name(), selector.show())),
            (KpiKind::Rate { selector, .. }, _) => single(format!("sum(rate({}[{window}]))", selector.show())),
            (KpiKind::PromQl(text), _) => single(text.clone()),
            (KpiKind::Ratio { .. } | KpiKind::Quantile { .. }, _) => {
                return Err(Fault::Failed { reason: "narrowing changed the kind of the metric".into() });
            }
        })
    }

    /// All of them, for the record.
    pub fn all(&self) -> Vec<String> {
        std::iter::once(&self.part).chain(&self.whole).cloned().collect()
    }

    /// Reads the answers.
    pub fn read(&self, metric: &Kpi, part: &Queried, whole: Option<&Queried>) -> Result<Measurement, Fault> {
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

/// What a part of the answers is missing from is no evidence, of whatever kind it is.
fn whole(queried: &Queried) -> Result<(), Fault> {
    queried.partial().map_or(Ok(()), |text| Err(Fault::Warned { text: text.to_owned() }))
}

fn series(queried: &Queried) -> Result<&[Series], Fault> {
    whole(queried)?;
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
    whole(queried)?;
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
        let read = |part: &Queried, whole: &Queried| queries.read(&metric, part, Some(whole));
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
        // Another metric that is not there may be a misspelling.
        let other = ratio("http_errors_total");
        let queries = Queries::new(&other, &canary(), Duration::from_secs(60), true).expect("sound");
        assert_eq!(queries.read(&other, &none, Some(&whole)), Err(Fault::NoPart { whole: 200.0 }));
        // A number without series may lack a part, too.
        let free = super::tests::metric(KpiKind::PromQl("scalar(x)".into()));
        let queries = Queries::new(&free, &canary(), Duration::from_secs(60), true).expect("sound");
        let mut scalar = Queried {
            answer: Answer::Scalar(Point { at: at(100), value: Measured::Float(1.0) }),
            warnings: Vec::new(),
            infos: vec!["the name is that of no counter".into()],
        };
        assert_eq!(queries.read(&free, &scalar, None), Ok(Measurement::Value(1.0)), "an info blocks nothing");
        scalar.warnings.push("a store is missing".into());
        assert!(matches!(queries.read(&free, &scalar, None), Err(Fault::Warned { .. })));
    }

    #[test]
    fn samples_have_an_age() {
        let age = |newest: Option<i64>, targets: usize| Freshness {
            newest: newest.map(at),
            targets,
            interval: Some(chrono::TimeDelta::seconds(15)),
            ..Freshness::default()
        };
        assert_eq!(Fault::of_age(&age(Some(80), 2), at(100)), None);
        assert!(matches!(Fault::of_age(&age(Some(60), 2), at(100)), Some(Fault::Stale { .. })));
        assert_eq!(Fault::of_age(&age(Some(60), 0), at(100)), Some(Fault::NoSeries), "its last sample is history");
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
