//! From scrapes to one number a series, and from these to groups, as PromQL selects, rates and aggregates.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metric::estimate::Estimate;
use crate::metric::exposition::Sample;
use crate::metric::kpi::Aggregation;
use crate::metric::labels::Labels;
use crate::metric::scrape::increase::increase;
use crate::metric::scrape::processes::{are_several, zigzags};
use crate::metric::scrape::{NoValue, Snapshot, Window, created_name};
use crate::metric::selector::Selector;

/// Series with what each has to say: its value or its growth a second.
pub type Vector<'a> = Vec<(&'a Labels, f64)>;

/// A value for each value of the label that is grouped by; one under the empty text without label.
pub type Groups = BTreeMap<String, Estimate>;

/// What a series that the latest scrape has, and none before, adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newborn {
    /// Nothing, as with Prometheus: it has a rate from its second sample on.
    Ignored,
    /// Its value: it began at 0 after the scrape before.
    FromZero,
}

pub fn selected<'a>(snapshot: &'a Snapshot, selector: &Selector) -> impl Iterator<Item = &'a Sample> {
    snapshot.samples.iter().filter(|sample| selector.matches(&sample.name, &sample.labels))
}

pub fn instant<'a>(selector: &Selector, windows: &[Window<'a>]) -> Result<Vector<'a>, NoValue> {
    if windows.iter().any(|window| are_several(&window.looks(), selector)) {
        return Err(NoValue::SeveralProcesses);
    }
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

/// The growth a second of each series over the window, as far back as one has looked: of a shorter time it is that of a
/// shorter window.
pub fn rates<'a>(
    selector: &Selector,
    range: Duration,
    windows: &[Window<'a>],
    newborn: Newborn,
) -> Result<Vector<'a>, NoValue> {
    let mut rates = Vector::new();
    for window in windows {
        let looks = window.within(range);
        if are_several(&looks, selector) {
            return Err(NoValue::SeveralProcesses);
        }
        let (Some(start), end) = (start(&looks, range), second(window.current)) else {
            continue;
        };
        let was_there = looks.iter().rev().skip(1).any(|look| look.has(selector.name()));
        for (labels, samples) in histories(selector, &looks, start) {
            if zigzags(&samples) {
                return Err(NoValue::SeveralProcesses);
            }
            let grown = match samples.as_slice() {
                [(at, value)] if *at == end && was_there && newborn == Newborn::FromZero => Some(*value),
                samples => increase(samples, start, end),
            };
            rates.extend(grown.map(|grown| (labels, grown / (end - start))));
        }
    }
    if rates.is_empty() {
        let is_there = windows.iter().any(|window| selected(window.current, selector).next().is_some());
        let selector = selector.show();
        return Err(if is_there { NoValue::NeedsSecondScrape { selector } } else { NoValue::NoSeries { selector } });
    }
    Ok(rates)
}

fn second(snapshot: &Snapshot) -> f64 {
    snapshot.at.timestamp_millis() as f64 / 1e3
}

/// Where the window begins: `range` ago, or with the first look where one has not looked for that long. `None` with a
/// single look.
fn start(looks: &[&Snapshot], range: Duration) -> Option<f64> {
    let [first, .., last] = looks else {
        return None;
    };
    let (oldest, end) = (second(first), second(last));
    let begin = end - range.as_secs_f64();
    let between = (end - oldest) / (looks.len() - 1) as f64;
    Some(if oldest - begin < between * 1.1 { begin } else { oldest })
}

/// The samples of each series, oldest first, with a 0 where the series says that it was created since. Of a process that
/// began anew, or a series that was created anew, all that it counts is growth: a reset, though its value be higher.
fn histories<'a>(selector: &Selector, looks: &[&'a Snapshot], start: f64) -> BTreeMap<&'a Labels, Vec<(f64, f64)>> {
    let mut histories: BTreeMap<&Labels, Vec<(f64, f64)>> = BTreeMap::new();
    let created_name = created_name(selector.name());
    let mut process = None;
    for look in looks {
        let at = second(look);
        let is_restarted = process.zip(look.started).is_some_and(|(before, now)| now > before + 1.0);
        process = look.started.or(process);
        let created = created(look, &created_name);
        for sample in selected(look, selector) {
            let history = histories.entry(&sample.labels).or_default();
            let before = history.last().map_or(start, |last| last.0);
            let born = created.get(&sample.labels).copied().filter(|born| *born > before && *born < at);
            let hidden = is_restarted && history.last().is_some_and(|last| last.1 <= sample.value);
            match born {
                Some(born) => history.push((born, 0.0)),
                None if hidden => history.push((f64::midpoint(before, at), 0.0)),
                None => {}
            }
            history.push((at, sample.value));
        }
    }
    histories
}

/// When each series was created, where that is told; a histogram's buckets share one time.
fn created<'a>(look: &'a Snapshot, name: &str) -> Created<'a> {
    let samples = look.samples.iter().filter(|sample| sample.name == name);
    Created(samples.map(|sample| (&sample.labels, sample.value)).collect())
}

struct Created<'a>(BTreeMap<&'a Labels, f64>);

impl Created<'_> {
    fn get(&self, labels: &Labels) -> Option<&f64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(labels).or_else(|| {
            let mut labels = labels.clone();
            labels.remove("le")?;
            self.0.get(&labels)
        })
    }
}

pub fn group_of(labels: &Labels, by: Option<&str>) -> String {
    by.and_then(|label| labels.get(label)).cloned().unwrap_or_default()
}

pub fn aggregate(vector: &[(&Labels, f64)], by: Option<&str>, agg: Aggregation) -> BTreeMap<String, f64> {
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
