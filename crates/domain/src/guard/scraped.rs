//! Evidence from direct scrapes, where there is no Prometheus: what counters grew by between the scrapes of a window. A
//! counter that fell was reset, and has grown by its new value; a series that is new has grown from nothing.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use crate::guard::evidence::{Fault, Measurement, counted};
use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::labels::Labels;
use crate::metric::scrape::{Snapshot, Window};
use crate::metric::selector::Selector;
use crate::metric::{number, scrape};
use crate::text::count::count;

/// The scrapes of a service at one time, one an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Scrapes {
    pub at: DateTime<Utc>,
    pub endpoints: Vec<Option<Snapshot>>,
}

/// What a metric of the version with these labels did since `from`.
pub fn measure(metric: &Kpi, track: &Labels, history: &[Scrapes], from: DateTime<Utc>) -> Result<Measurement, Fault> {
    let begin = history.iter().rposition(|scrapes| scrapes.at <= from);
    let window = &history[begin.unwrap_or(0)..];
    let Some(latest) = window.last() else {
        return Err(Fault::NoSeries);
    };
    let silent = latest.endpoints.iter().filter(|endpoint| endpoint.is_none()).count();
    if silent == latest.endpoints.len() {
        return Err(Fault::Failed { reason: "no metrics endpoint answers".into() });
    }
    if silent > 0 {
        let of = count(latest.endpoints.len(), "metrics endpoint");
        return Err(Fault::Partial { reason: format!("{silent} of {of} did not answer") });
    }
    let only = metric.narrowed(track).ok_or(Fault::NoSeries)?;
    match &only.kind {
        KpiKind::Ratio { of, to, .. } => {
            let whole = growth(to, window).ok_or(Fault::NoSeries)?;
            let whole = whole.values().sum();
            let part = match growth(of, window) {
                Some(part) => part,
                None if of.name() == to.name() => BTreeMap::new(),
                None => return Err(Fault::NoPart { whole }),
            };
            Ok(Measurement::Ratio { part: part.values().sum(), whole })
        }
        KpiKind::Quantile { histogram, .. } => {
            let grown = growth(&histogram.with_suffix("_bucket"), window).ok_or(Fault::NoSeries)?;
            let buckets: Vec<(f64, f64)> =
                grown.iter().filter_map(|(le, count)| Some((number::parse(le)?, *count))).collect();
            counted(&buckets)
        }
        KpiKind::Gauge { .. } | KpiKind::Rate { .. } => value(&only, window),
        KpiKind::PromQl(_) => Err(Fault::Failed { reason: "free PromQL, which needs Prometheus".into() }),
    }
}

fn value(metric: &Kpi, window: &[Scrapes]) -> Result<Measurement, Fault> {
    let Some((last, before)) = window.split_last() else {
        return Err(Fault::NoSeries);
    };
    let earlier = |index: usize| before.iter().filter_map(|scrapes| scrapes.endpoints.get(index)?.as_ref()).collect();
    let endpoints = last.endpoints.iter().enumerate();
    let windows: Vec<Window<'_>> = endpoints
        .filter_map(|(index, current)| Some(Window { current: current.as_ref()?, earlier: earlier(index) }))
        .collect();
    let narrow = Kpi { by: None, ..metric.clone() };
    scrape::evaluate(&narrow, &windows).map(|value| Measurement::Value(value.total.value)).map_err(|_| Fault::NoSeries)
}

/// By how much the selected series grew, by their `le` (empty without); `None` when the latest scrapes have none.
fn growth(selector: &Selector, window: &[Scrapes]) -> Option<BTreeMap<String, f64>> {
    let mut grown = BTreeMap::new();
    let mut known: HashMap<(usize, &Labels), f64> = HashMap::new();
    let mut scraped: Vec<bool> = Vec::new();
    let mut there = false;
    for scrapes in window {
        scraped.resize(scrapes.endpoints.len(), false);
        there = false;
        for (index, snapshot) in scrapes.endpoints.iter().enumerate() {
            let Some(snapshot) = snapshot else { continue };
            let selected = snapshot.samples.iter().filter(|sample| selector.matches(&sample.name, &sample.labels));
            for sample in selected {
                there = true;
                let before = known.insert((index, &sample.labels), sample.value);
                let more = match before {
                    Some(before) if sample.value >= before => sample.value - before,
                    Some(_) => sample.value,
                    None if scraped[index] => sample.value,
                    None => 0.0,
                };
                let le = sample.labels.get("le").cloned().unwrap_or_default();
                *grown.entry(le).or_insert(0.0) += more;
            }
            scraped[index] = true;
        }
    }
    there.then_some(grown)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metric::exposition::Sample;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("in range")
    }

    fn scrapes(second: i64, values: &[(&str, &str, f64)]) -> Scrapes {
        let samples = values.iter().map(|(status, track, value)| Sample {
            name: "http_requests_total".into(),
            labels: Labels::from([("status".into(), (*status).into()), ("track".into(), (*track).into())]),
            value: *value,
        });
        Scrapes { at: at(second), endpoints: vec![Some(Snapshot::new(at(second), samples.collect()))] }
    }

    #[test]
    fn counters_are_counted_between_scrapes() {
        let selector = |text| Selector::parse(text).expect("valid");
        let kind = KpiKind::Ratio {
            of: selector("http_requests_total{status=~\"5..\"}"),
            to: selector("http_requests_total"),
            window: Duration::from_secs(60),
        };
        let metric = Kpi {
            name: "error_rate".into(),
            title: None,
            unit: kind.natural_unit(),
            kind,
            by: None,
            warn: None,
            critical: None,
            service: None,
        };
        let history = [
            scrapes(0, &[("200", "stable", 900.0), ("200", "canary", 50.0)]),
            scrapes(5, &[("200", "stable", 950.0), ("200", "canary", 60.0)]),
            // The first error ever: its series is new.
            scrapes(10, &[("200", "canary", 80.0), ("500", "canary", 3.0)]),
            // A restart.
            scrapes(15, &[("200", "canary", 7.0), ("500", "canary", 1.0)]),
        ];
        let canary = Labels::from([("track".into(), "canary".into())]);
        assert_eq!(measure(&metric, &canary, &history, at(6)), Ok(Measurement::Ratio { part: 4.0, whole: 31.0 }));
        assert_eq!(measure(&metric, &canary, &history[..2], at(0)), Ok(Measurement::Ratio { part: 0.0, whole: 10.0 }));
        let stable = Labels::from([("track".into(), "stable".into())]);
        assert_eq!(measure(&metric, &stable, &history, at(0)), Err(Fault::NoSeries));
        let mut half = history.to_vec();
        half.iter_mut().for_each(|scrapes| scrapes.endpoints.push(None));
        let partial = Fault::Partial { reason: "1 of 2 metrics endpoints did not answer".into() };
        assert_eq!(measure(&metric, &canary, &half, at(6)), Err(partial), "a part is not the whole");
    }
}
