//! What Prometheus does not say of a quantile: whether it lies in the last bucket, where the bound below it is given
//! for it. The buckets tell.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::clients::prometheus::Prometheus;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::Answer;
use liveops_domain::metric::{histogram, number, promql};

/// The label sets whose quantile is only known to lie above its value; none of any other expression.
pub async fn beyond(client: &Prometheus<'_>, text: &str, at: Option<DateTime<Utc>>) -> Vec<Labels> {
    let Some((q, buckets)) = promql::quantile(text) else {
        return Vec::new();
    };
    let Ok(Answer::Vector(series)) = client.instant(&buckets, at).await.map(|queried| queried.answer) else {
        return Vec::new();
    };
    let mut groups: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for one in series {
        let mut labels = one.labels;
        let bound = labels.remove("le").and_then(|le| number::parse(&le));
        let count = one.points.last().and_then(|point| point.value.float());
        if let (Some(bound), Some(count)) = (bound, count) {
            labels.remove("__name__");
            groups.entry(labels).or_default().push((bound, count));
        }
    }
    let beyond = groups.into_iter().filter(|(_, buckets)| histogram::estimate(q, buckets).is_lower_bound);
    beyond.map(|(labels, _)| labels).collect()
}
