//! Backups that report to Prometheus.

use chrono::{DateTime, Utc};

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use liveops_domain::check::backups::{Backup, Inventory, Kind, Run};
use liveops_domain::error::Result;
use liveops_domain::metric::series::Answer;

/// What the metrics say. No series is no success: a host that never succeeded has none.
pub(super) async fn look(
    cx: &Session,
    last_success: &str,
    size: Option<&str>,
    last_run_failed: Option<&str>,
) -> Result<Inventory> {
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let ask = async |query: Option<&str>| match query {
        Some(query) => numbers(&client, query).await,
        None => Ok(Vec::new()),
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

async fn numbers(client: &Prometheus<'_>, query: &str) -> Result<Vec<f64>> {
    let values: Vec<f64> = match client.instant(query, None).await?.answer {
        Answer::Vector(series) => {
            series.iter().filter_map(|one| one.points.last()).filter_map(|point| point.value.float()).collect()
        }
        Answer::Scalar(point) => point.value.float().into_iter().collect(),
        Answer::Matrix(_) | Answer::String { .. } => Vec::new(),
    };
    Ok(values.into_iter().filter(|value| value.is_finite()).collect())
}
