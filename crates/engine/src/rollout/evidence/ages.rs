//! What the age of the samples leaves unknown of a condition: by the same measure as a KPI's level on `status`.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clients::prometheus::Prometheus;
use crate::observe::age::{Intervals, KpiAges, ask};
use crate::rollout::evidence::in_time;
use liveops_domain::guard::evidence::Fault;
use liveops_domain::metric::freshness::Doubt;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::labels::Labels;

/// A metric's name, and the labels of a version.
pub(super) type Key = (String, Labels);

/// The metrics of each version.
pub(super) type Metrics = BTreeMap<Key, Kpi>;

/// What the age of a metric's samples leaves unknown.
#[derive(Debug, Clone)]
pub(super) enum Age {
    Fresh,
    /// The rest is known, and a part is gone: it never passes.
    Lacks(String),
    Unknown(Fault),
}

/// The age of each metric; and how often each job is scraped, where that was not `known` and Prometheus tells. `usual` is
/// what the policy says of it.
pub(super) async fn ages(
    prometheus: &Prometheus<'_>,
    metrics: Metrics,
    known: Option<&Intervals>,
    usual: TimeDelta,
    now: DateTime<Utc>,
) -> (BTreeMap<Key, Age>, Option<Intervals>) {
    let kpis: Vec<&Kpi> = metrics.values().collect();
    let targets = async {
        // The answer names every target: it is asked for once.
        if known.is_some() { None } else { in_time(prometheus.targets()).await.ok() }
    };
    let (asked, targets) = tokio::join!(in_time(async { Ok(ask(prometheus, &kpis, Some(now)).await) }), targets);
    let learned = targets.map(|targets| Intervals::of(&targets).or(usual));
    let fallback = Intervals::default().or(usual);
    let intervals = known.or(learned.as_ref()).unwrap_or(&fallback);
    let ages: Vec<Age> = match &asked {
        Err(why) => kpis.iter().map(|_| not_known(why)).collect(),
        Ok(asked) => kpis.iter().zip(asked).map(|(kpi, ages)| age(kpi, ages, intervals, now)).collect(),
    };
    (metrics.into_keys().zip(ages).collect(), learned)
}

fn not_known(why: &str) -> Age {
    Age::Unknown(Fault::Failed { reason: format!("how old its samples are is not known: {why}") })
}

fn age(kpi: &Kpi, ages: &KpiAges, intervals: &Intervals, now: DateTime<Utc>) -> Age {
    if ages.is_unknown {
        return not_known("Prometheus did not answer that");
    }
    // The user's own expression may do without any series.
    let Some(freshness) = ages.freshness(kpi, intervals) else { return Age::Fresh };
    if let Some(fault) = Fault::of_age(&freshness, now) {
        return Age::Unknown(fault);
    }
    match freshness.doubt(&ages.gone(&freshness, now), now) {
        Some(Doubt::Gone(why) | Doubt::Stale(why)) => Age::Lacks(why),
        None => Age::Fresh,
    }
}
