//! From scrapes to one number a series, and from these to groups, as PromQL selects, rates and aggregates.

use std::collections::{BTreeMap, HashMap};
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

/// The growth a second of each series that both scrapes of its endpoint have.
pub fn rates<'a>(selector: &Selector, range: Duration, windows: &[Window<'a>]) -> Result<Vector<'a>, NoValue> {
    instant(selector, windows)?;
    let mut rates = Vector::new();
    for window in windows {
        let Some((previous, seconds)) = usable_previous(window, range) else {
            continue;
        };
        let before: HashMap<&Labels, f64> =
            selected(previous, selector).map(|sample| (&sample.labels, sample.value)).collect();
        for sample in selected(window.current, selector) {
            if let Some(old) = before.get(&sample.labels) {
                let grown = if sample.value < *old { sample.value } else { sample.value - old };
                rates.push((&sample.labels, grown / seconds));
            }
        }
    }
    if rates.is_empty() {
        return Err(NoValue::NeedsSecondScrape { selector: selector.show() });
    }
    Ok(rates)
}

/// The earlier scrape and the seconds since, when it is inside the window and truly earlier.
fn usable_previous<'a>(window: &Window<'a>, range: Duration) -> Option<(&'a Snapshot, f64)> {
    let previous = window.previous?;
    let elapsed = (window.current.at - previous.at).to_std().ok()?;
    let usable = !elapsed.is_zero() && elapsed <= range;
    usable.then_some((previous, elapsed.as_secs_f64()))
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
