//! What a `--watch` remembers between two looks: the last good values, and since when they are the last.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use liveops_domain::alert::Alert;
use liveops_domain::status::KpiReading;

/// The last good values by KPI, and the last alerts.
#[derive(Debug, Default)]
pub struct LastGood {
    kpis: BTreeMap<String, (DateTime<Utc>, KpiReading)>,
    alerts: Option<(DateTime<Utc>, Arc<Vec<Alert>>)>,
}

impl LastGood {
    /// Puts the last good values where there are none now, marked with their time. Their level stays unknown.
    pub fn fill_kpis(&mut self, readings: &mut [KpiReading], now: DateTime<Utc>) {
        for reading in readings {
            if reading.is_sure() {
                if let Some((at, last)) = self.kpis.get(&reading.kpi.name) {
                    fill_gaps(&mut reading.trend, &last.trend, now - *at);
                }
                self.kpis.insert(reading.kpi.name.clone(), (now, reading.clone()));
            } else if reading.value.is_none()
                && let Some((at, last)) = self.kpis.get(&reading.kpi.name)
            {
                reading.value = last.value;
                reading.by = last.by.clone();
                reading.trend = last.trend.clone();
                reading.as_of = Some(*at);
            }
        }
    }

    /// The last alerts, where nobody knows them now, with their time.
    pub fn fill_alerts(&mut self, alerts: &mut Option<Arc<Vec<Alert>>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match (&alerts, &self.alerts) {
            (Some(known), _) => {
                self.alerts = Some((now, Arc::clone(known)));
                None
            }
            (None, Some((at, last))) => {
                let at = *at;
                *alerts = Some(Arc::clone(last));
                Some(at)
            }
            (None, None) => None,
        }
    }
}

/// Puts what an earlier look knew of the last hour where this one knows nothing: a Prometheus that died since.
fn fill_gaps(trend: &mut [Option<f64>], earlier: &[Option<f64>], since: TimeDelta) {
    let shift = usize::try_from(since.num_minutes()).unwrap_or(usize::MAX);
    for (index, slot) in trend.iter_mut().enumerate() {
        let known = index.checked_add(shift).and_then(|at| earlier.get(at));
        *slot = slot.or(known.copied().flatten());
    }
}
