//! What the scrapes say for one key figure, before it is grouped: the series of each part of its
//! formula, from which the whole and its parts by label are told alike.

use std::collections::BTreeMap;

use crate::metric::kpi::{Aggregation, KpiKind};
use crate::metric::labels::Labels;
use crate::metric::scrape::series::{Groups, Newborn, Vector, aggregate, group_of, instant, rates};
use crate::metric::scrape::{NoValue, Window};
use crate::metric::selector::Selector;
use crate::metric::{histogram, number};

/// The series of a formula.
pub enum Measured<'a> {
    /// Values that are put together.
    Values(Vector<'a>, Aggregation),
    /// A part and its whole.
    Ratio {
        part: Vector<'a>,
        whole: Vector<'a>,
        /// See `Kpi::promql`: of the same metric, what is not there never happened.
        absent_is_zero: bool,
        /// The selector of the whole.
        selector: String,
    },
    /// The growth of cumulative buckets.
    Buckets { q: f64, rates: Vector<'a>, selector: String },
}

impl<'a> Measured<'a> {
    /// Takes from the scrapes what the formula needs.
    pub fn of(kind: &KpiKind, windows: &[Window<'a>], newborn: Newborn) -> Result<Self, NoValue> {
        let rates = |selector: &Selector, window| rates(selector, window, windows, newborn);
        match kind {
            KpiKind::Gauge { selector, agg } => Ok(Measured::Values(instant(selector, windows)?, *agg)),
            KpiKind::Rate { selector, window } => Ok(Measured::Values(rates(selector, *window)?, Aggregation::Sum)),
            KpiKind::Ratio { of, to, window } => {
                let whole = rates(to, *window)?;
                let absent_is_zero = of.name() == to.name();
                let part = match rates(of, *window) {
                    Err(NoValue::NoSeries { .. } | NoValue::NeedsSecondScrape { .. }) if absent_is_zero => {
                        Vector::new()
                    }
                    other => other?,
                };
                Ok(Measured::Ratio { part, whole, absent_is_zero, selector: to.show() })
            }
            KpiKind::Quantile { q, histogram, window } => {
                let buckets = histogram.with_suffix("_bucket");
                Ok(Measured::Buckets { q: *q, rates: rates(&buckets, *window)?, selector: buckets.show() })
            }
            KpiKind::PromQl(_) => Err(NoValue::NeedsPrometheus),
        }
    }

    /// The value for each value of the label; without one, a single value under the empty text.
    pub fn groups(&self, by: Option<&str>) -> Result<Groups, NoValue> {
        match self {
            Measured::Values(values, agg) => Ok(exactly(aggregate(values, by, *agg))),
            Measured::Ratio { part, whole, absent_is_zero, .. } => Ok(exactly(ratio(part, whole, by, *absent_is_zero))),
            Measured::Buckets { q, rates, selector } => quantiles(*q, rates, by, selector),
        }
    }

    /// Says so when there is no value because nothing happened.
    pub fn no_traffic(&self) -> Option<NoValue> {
        let (rates, selector) = match self {
            Measured::Values(..) => return None,
            Measured::Ratio { whole, selector, .. } => (whole, selector),
            Measured::Buckets { rates, selector, .. } => (rates, selector),
        };
        let still = rates.iter().all(|(_, rate)| *rate == 0.0);
        still.then(|| NoValue::NoTraffic { selector: selector.clone() })
    }
}

fn exactly(groups: BTreeMap<String, f64>) -> Groups {
    groups.into_iter().map(|(group, value)| (group, value.into())).collect()
}

fn ratio(
    part: &[(&Labels, f64)],
    whole: &[(&Labels, f64)],
    by: Option<&str>,
    absent_is_zero: bool,
) -> BTreeMap<String, f64> {
    let parts = aggregate(part, by, Aggregation::Sum);
    aggregate(whole, by, Aggregation::Sum)
        .into_iter()
        .filter_map(|(group, whole)| {
            let part = parts.get(&group).copied();
            let part = part.or(absent_is_zero.then_some(0.0))?;
            Some((group, part / whole))
        })
        .collect()
}

fn quantiles(q: f64, rates: &[(&Labels, f64)], by: Option<&str>, selector: &str) -> Result<Groups, NoValue> {
    let mut groups: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for (labels, rate) in rates {
        // As Prometheus: a bucket whose bound is not a number is left out.
        if let Some(bound) = labels.get("le").and_then(|le| number::parse(le)) {
            let group = groups.entry(group_of(labels, by)).or_default();
            group.push((bound, *rate));
        }
    }
    let all_complete = groups.values().all(|g| histogram::has_infinity_bucket(g));
    if groups.is_empty() || (by.is_none() && !all_complete) {
        return Err(NoValue::NoInfinityBucket { selector: selector.to_owned() });
    }
    Ok(groups.into_iter().map(|(group, buckets)| (group, histogram::estimate(q, &buckets))).collect())
}
