//! From scrapes to one number a series, and from these to groups, as PromQL selects, rates and aggregates.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metric::exposition::Sample;
use crate::metric::kpi::Aggregation;
use crate::metric::labels::Labels;
use crate::metric::scrape::{NoValue, Snapshot, Window};
use crate::metric::selector::Selector;

/// Series with what each has to say: its value or its growth a second.
pub type Vector<'a> = Vec<(&'a Labels, f64)>;

/// A value for each value of the label that is grouped by; one under the empty text without label.
pub type Groups = BTreeMap<String, f64>;

fn selected<'a>(snapshot: &'a Snapshot, selector: &Selector) -> impl Iterator<Item = &'a Sample> {
    snapshot.samples.iter().filter(|sample| selector.matches(&sample.name, &sample.labels))
}

pub fn instant<'a>(selector: &Selector, windows: &[Window<'a>]) -> Result<Vector<'a>, NoValue> {
    let values: Vector<'a> = windows
        .iter()
        .flat_map(|window| selected(window.current, selector))
        .map(|sample| (&sample.labels, sample.value))
        .collect();
    if values.is_empty() {
        return Err(NoValue::NoSeries { selector: selector.show() });
    }
    Ok(values)
}

/// The growth a second of each series since the oldest scrape in the window, over all restarts between.
pub fn rates<'a>(selector: &Selector, range: Duration, windows: &[Window<'a>]) -> Result<Vector<'a>, NoValue> {
    instant(selector, windows)?;
    let mut rates = Vector::new();
    for window in windows {
        let scrapes = within(window, range);
        if scrapes.windows(2).any(|pair| pair[1].is_beside(pair[0])) {
            return Err(NoValue::SeveralProcesses);
        }
        let [oldest, _, ..] = scrapes.as_slice() else {
            continue;
        };
        let seconds = (window.current.at - oldest.at).as_seconds_f64();
        let grown = growth(selector, &scrapes);
        rates.extend(grown.into_iter().map(|(labels, grown)| (labels, grown / seconds)));
    }
    if rates.is_empty() {
        return Err(NoValue::NeedsSecondScrape { selector: selector.show() });
    }
    Ok(rates)
}

/// By how much each series grew: by what it was seen to grow, and from 0 where it was born among others of its metric.
fn growth<'a>(selector: &Selector, scrapes: &[&'a Snapshot]) -> BTreeMap<&'a Labels, f64> {
    let mut last: BTreeMap<&Labels, f64> = BTreeMap::new();
    let mut grown = BTreeMap::new();
    let mut is_known = false;
    for scrape in scrapes {
        for sample in selected(scrape, selector) {
            let more = match last.insert(&sample.labels, sample.value) {
                Some(old) if sample.value < old => sample.value,
                Some(old) => sample.value - old,
                None if is_known => sample.value,
                None => continue,
            };
            *grown.entry(&sample.labels).or_insert(0.0) += more;
        }
        is_known |= scrape.samples.iter().any(|sample| sample.name == selector.name());
    }
    grown
}

/// The scrapes of a window that are inside of it, oldest first, the latest among them.
fn within<'a>(window: &Window<'a>, range: Duration) -> Vec<&'a Snapshot> {
    let usable = |earlier: &&&Snapshot| {
        let elapsed = (window.current.at - earlier.at).to_std();
        elapsed.is_ok_and(|elapsed| !elapsed.is_zero() && elapsed <= range)
    };
    window.earlier.iter().filter(usable).copied().chain([window.current]).collect()
}

pub fn group_of(labels: &Labels, by: Option<&str>) -> String {
    by.and_then(|label| labels.get(label)).cloned().unwrap_or_default()
}

pub fn aggregate(vector: &[(&Labels, f64)], by: Option<&str>, agg: Aggregation) -> Groups {
    let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (labels, value) in vector {
        groups.entry(group_of(labels, by)).or_default().push(*value);
    }
    let fold = |values: &[f64]| match agg {
        Aggregation::Sum => values.iter().sum(),
        Aggregation::Avg => values.iter().sum::<f64>() / values.len() as f64,
        // Like Prometheus, and like `f64::max`, these prefer any number to `NaN`.
        Aggregation::Max => values.iter().copied().fold(f64::NAN, f64::max),
        Aggregation::Min => values.iter().copied().fold(f64::NAN, f64::min),
    };
    groups.into_iter().map(|(group, values)| (group, fold(&values))).collect()
}
