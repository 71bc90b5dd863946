//! The last hour of KPIs that are scraped: each look leaves its values in the cache, and they are the next sparkline.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::config::service::Service;
use crate::files::cache::Cache;
use crate::session::{Session, cache};
use liveops_domain::status::{KpiReading, Origin};

/// KPI values of the scrape path are remembered this far apart, for an hour: their sparkline.
const TREND_SPACING: TimeDelta = TimeDelta::seconds(20);

const HOUR: TimeDelta = TimeDelta::hours(1);

const TREND_POINTS: usize = 60;

/// KPI values by name, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Trends(BTreeMap<String, Vec<(DateTime<Utc>, f64)>>);

pub fn with_trends(
    mut readings: Vec<KpiReading>,
    services: &[&Service],
    cache: &Cache,
    now: DateTime<Utc>,
) -> Vec<KpiReading> {
    let mut trends: Trends = cache.load(&key(services)).unwrap_or_default();
    for reading in &mut readings {
        let Some(value) = reading.value.filter(|_| reading.origin == Origin::Scrape) else {
            continue;
        };
        record(&mut trends.0, &reading.kpi.name, now, value.value);
        reading.trend = grid(&trends.0[&reading.kpi.name], now);
    }
    cache.save(&key(services), &trends);
    readings
}

fn record(trends: &mut BTreeMap<String, Vec<(DateTime<Utc>, f64)>>, name: &str, at: DateTime<Utc>, value: f64) {
    let points = trends.entry(name.to_owned()).or_default();
    points.retain(|(old, _)| at - *old <= HOUR && *old <= at);
    if points.len() >= 2 && at - points[points.len() - 2].0 < TREND_SPACING {
        points.pop();
    }
    points.push((at, value));
}

fn grid(points: &[(DateTime<Utc>, f64)], now: DateTime<Utc>) -> Vec<Option<f64>> {
    let mut grid = vec![None; TREND_POINTS + 1];
    for (at, value) in points {
        let index = usize::try_from((*at - (now - HOUR)).num_seconds() / 60).unwrap_or(usize::MAX);
        if let Some(slot) = grid.get_mut(index) {
            *slot = Some(*value);
        }
    }
    grid
}

/// Writes KPI values of past moments into the cache, as if one had looked then: the demo's hour before it began.
pub fn seed(cache: &Cache, services: &[&Service], past: &[(DateTime<Utc>, BTreeMap<String, f64>)]) {
    let mut trends = Trends::default();
    for (at, values) in past {
        for (name, value) in values {
            record(&mut trends.0, name, *at, *value);
        }
    }
    cache.save(&key(services), &trends);
}

/// What looks at the services themselves have left of a KPI.
pub fn scraped_points(
    cx: &Session,
    name: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<(DateTime<Utc>, f64)> {
    let (Ok(cache), Ok(services)) = (cache(cx), cx.services(&[])) else {
        return Vec::new();
    };
    let mut trends: Trends = cache.load(&key(&services)).unwrap_or_default();
    let mut points = trends.0.remove(name).unwrap_or_default();
    points.retain(|(at, _)| *at >= from && *at <= to);
    points
}

/// Values of other services are another series.
fn key(services: &[&Service]) -> String {
    let endpoints = services.iter().flat_map(|service| &service.metrics);
    let urls: Vec<String> = endpoints.map(|endpoint| endpoint.url.show()).collect();
    format!("trends {}", urls.join(" "))
}
