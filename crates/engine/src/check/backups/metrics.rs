//! Backups that report to Prometheus.

use chrono::{DateTime, Utc};

use crate::observe::prometheus::numbers;
use crate::session::Session;
use liveops_domain::check::backups::{Backup, Inventory, Kind, Run};
use liveops_domain::error::Result;

/// What the metrics say. No series is no success: a host that never succeeded has none.
pub(super) async fn look(
    cx: &Session,
    last_success: &str,
    size: Option<&str>,
    last_run_failed: Option<&str>,
) -> Result<Inventory> {
    let ask = async |query: Option<&str>| -> Result<Vec<f64>> {
        let Some(query) = query else { return Ok(Vec::new()) };
        Ok(numbers(cx, query).await?.into_iter().filter(|value| value.is_finite()).collect())
    };
    let (success, bytes, failed) = tokio::try_join!(ask(Some(last_success)), ask(size), ask(last_run_failed))?;
    // Of several hosts, the one that is worst off.
    let least = |values: Vec<f64>| values.into_iter().min_by(f64::total_cmp);
    let (success, bytes) = (least(success), least(bytes));
    let failed = failed.into_iter().max_by(f64::total_cmp);
    let mut all = Inventory::default();
    let finished = success.filter(|seconds| *seconds > 0.0).and_then(at);
    if let Some(finished) = finished {
        let bytes = bytes.filter(|bytes| *bytes >= 0.0).map(|bytes| bytes as u64);
        let id = finished.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        all.backups.push(Backup { id, finished, bytes, kind: Kind::Full, broken: None });
    }
    if let Some(failed) = failed {
        let failed = (failed > 0.0).then(|| format!("`{}` is {failed}", last_run_failed.unwrap_or_default()));
        all.last_run = Some(Run { at: cx.clock.now(), failed });
    }
    Ok(all)
}

fn at(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds as i64, 0)
}
