//! Values that are asked for together: one each, or why there is none.

use chrono::{DateTime, TimeDelta, Utc};

use crate::clients::prometheus::Prometheus;
use crate::clients::prometheus::joined::Joined;
use liveops_domain::error::Result;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::Series;

/// An instant answer is of now. One that is older than clocks are usually apart comes out of a cache.
const STALE: TimeDelta = TimeDelta::minutes(15);

/// Expressions that belong together: they are asked in one query, and again one by one where it is refused.
#[derive(Debug, Default)]
pub struct Batch {
    expressions: Vec<String>,
}

/// One value, or why there is none.
pub type Value = std::result::Result<f64, String>;

/// There is no series: a reason of its own, since it may mean zero.
pub const NO_SERIES: &str = "no series";

/// What was answered.
#[derive(Debug, Default)]
pub struct Answers {
    values: Vec<Value>,
    /// Why the answer is not whole.
    pub doubt: Option<String>,
    pub queries: usize,
}

impl Answers {
    pub fn value(&self, id: usize) -> Value {
        self.values.get(id).cloned().unwrap_or_else(|| Err(NO_SERIES.into()))
    }
}

impl Batch {
    /// Adds an expression; its id.
    pub fn add(&mut self, expression: String) -> usize {
        self.expressions.push(expression);
        self.expressions.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.expressions.is_empty()
    }

    /// Asks.
    ///
    /// # Errors
    /// Where Prometheus cannot be asked at all. What it refuses is the value of that expression.
    pub async fn ask(&self, client: &Prometheus<'_>, now: DateTime<Utc>) -> Result<Answers> {
        let Joined { answers, warnings, queries } = client.joined(&self.expressions, None).await?;
        let mut doubt = warnings.into_iter().next();
        let mut value = |series: Vec<Series>| {
            let of = |one: &Series| one.points.last().map(|point| (point.at, point.value.float()));
            let values: Vec<_> = series.iter().filter_map(|one| Some((&one.labels, of(one)?))).collect();
            if values.iter().any(|(_, (at, _))| now - *at > STALE) {
                doubt = Some("the answer is old; is a cache in front of Prometheus?".into());
            }
            match values.as_slice() {
                [] => Err(NO_SERIES.into()),
                [(_, (_, Some(value)))] => Ok(*value),
                [_] => Err("a native histogram instead of a number".into()),
                several => Err(split(&several.iter().map(|(labels, _)| *labels).collect::<Vec<_>>())),
            }
        };
        let values = answers.into_iter().map(|answer| answer.map_or_else(|error| Err(error.reason()), &mut value));
        let values = values.collect();
        Ok(Answers { values, doubt, queries })
    }
}

/// Several series where one is expected: which label tells them apart.
fn split(several: &[&Labels]) -> String {
    let mut names = several.iter().flat_map(|labels| labels.keys());
    let by = names.find(|name| several.iter().any(|labels| labels.get(*name) != several[0].get(*name)));
    let by = by.map_or_else(String::new, |name| format!(", split by `{name}`"));
    format!("{} series where one is expected{by}; write sum(…) or narrow it", several.len())
}
