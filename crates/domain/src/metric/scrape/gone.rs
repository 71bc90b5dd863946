//! How fresh a key figure's series are, and which parts of its breakdown are gone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::metric::freshness::{Freshness, GoneMember};
use crate::metric::kpi::Kpi;
use crate::metric::scrape::series::{Newborn, group_of, selected};
use crate::metric::scrape::{Snapshot, Window, compute};
use crate::metric::series_exist::needed;

/// Of parts that were last seen at more times than these, it is told that they are gone, not what they were.
const TOLD: usize = 3;

/// From how many endpoints it comes, and when their latest samples were taken.
pub fn freshness(kpi: &Kpi, windows: &[Window<'_>]) -> Freshness {
    let selectors = needed(kpi);
    let has = |look: &&&Snapshot| selectors.iter().any(|selector| selected(look, selector).next().is_some());
    let mut freshness = Freshness::default();
    for window in windows {
        let looks = kpi.window().map_or_else(|| vec![window.current], |range| window.within(range));
        if let Some(latest) = looks.iter().rev().find(has) {
            freshness.add(latest.at, latest.at);
        }
    }
    freshness
}

/// The parts that earlier scrapes had and the latest have not, with what they were.
pub fn gone(kpi: &Kpi, windows: &[Window<'_>]) -> Vec<GoneMember> {
    let Some(label) = kpi.by.as_deref() else {
        return Vec::new();
    };
    let mut last_seen: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
    let mut present = BTreeSet::new();
    let selectors = needed(kpi);
    for window in windows {
        for look in window.looks() {
            let names = selectors.iter().flat_map(|selector| selected(look, selector));
            for name in names.map(|sample| group_of(&sample.labels, Some(label))) {
                if look.at == window.current.at {
                    present.insert(name.clone());
                }
                last_seen.entry(name).and_modify(|at| *at = look.at.max(*at)).or_insert(look.at);
            }
        }
    }
    let mut times: Vec<DateTime<Utc>> = last_seen.values().copied().collect();
    times.sort_unstable();
    times.dedup();
    // What all of it was at one time costs as much as what it is now.
    let told: Vec<DateTime<Utc>> = times.into_iter().rev().take(TOLD + 1).collect();
    let missing = last_seen.into_iter().filter(|(name, _)| !present.contains(name));
    let mut then = BTreeMap::new();
    missing
        .map(|(name, last_seen)| {
            if !told.contains(&last_seen) {
                return GoneMember { name, was: None, last_seen };
            }
            let value = || compute(kpi, &as_of(windows, last_seen), Newborn::Ignored).map(|value| value.by);
            let parts = then.entry(last_seen).or_insert_with(|| value().unwrap_or_default());
            let was = parts.get(&name).map(|one| one.value).filter(|was| was.is_finite());
            GoneMember { name, was, last_seen }
        })
        .collect()
}

/// What was known at that time.
fn as_of<'a>(windows: &[Window<'a>], at: DateTime<Utc>) -> Vec<Window<'a>> {
    let known = windows.iter().filter_map(|window| {
        let mut looks: Vec<&Snapshot> = window.looks().into_iter().filter(|look| look.at <= at).collect();
        let current = looks.pop()?;
        Some(Window { earlier: looks, current })
    });
    known.collect()
}
