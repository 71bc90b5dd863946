//! Many expressions in few queries: each is given a label of its own, and they are joined by `or`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::clients::prometheus::Prometheus;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::{Answer, Queried};

/// The label that says whose a series is.
const LABEL: &str = "liveops_id";

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

    fn query(&self, ids: &[usize]) -> String {
        let mut text = String::new();
        for (index, id) in ids.iter().enumerate() {
            let or = if index == 0 { "" } else { "\nor " };
            let _ = write!(text, "{or}label_replace({}, \"{LABEL}\", \"{id}\", \"\", \"\")", self.expressions[*id]);
        }
        text
    }

    /// Asks.
    ///
    /// # Errors
    /// Where Prometheus cannot be asked at all. What it refuses is the value of that expression.
    pub async fn ask(&self, client: &Prometheus<'_>, now: DateTime<Utc>) -> Result<Answers> {
        let all: Vec<usize> = (0..self.expressions.len()).collect();
        let mut answers = Answers { values: vec![Err(NO_SERIES.into()); all.len()], doubt: None, queries: 1 };
        match client.instant(&self.query(&all), None).await {
            Ok(queried) => answers.take(&queried, now),
            Err(error) if is_about_the_question(&error) && all.len() > 1 => {
                let asked = all.iter().map(|id| async { (*id, client.instant(&self.query(&[*id]), None).await) });
                answers.queries += all.len();
                for (id, answer) in join_all(asked).await {
                    match answer {
                        Ok(queried) => answers.take(&queried, now),
                        Err(error) if is_about_the_question(&error) => answers.values[id] = Err(error.reason()),
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) if is_about_the_question(&error) => answers.values[0] = Err(error.reason()),
            Err(error) => return Err(error),
        }
        Ok(answers)
    }
}

/// Is this Prometheus' own no to one question?
fn is_about_the_question(error: &Error) -> bool {
    matches!(error, Error::Rejected { status: 400 | 422, .. })
}

impl Answers {
    fn take(&mut self, queried: &Queried, now: DateTime<Utc>) {
        if let Some(warning) = queried.warnings.first() {
            self.doubt = Some(warning.clone());
        }
        let Answer::Vector(series) = &queried.answer else {
            self.doubt = Some("not a vector where one is expected".into());
            return;
        };
        let mut found: BTreeMap<usize, Vec<(&Labels, Option<f64>)>> = BTreeMap::new();
        for one in series {
            let Some(point) = one.points.last() else {
                continue;
            };
            if now - point.at > STALE {
                self.doubt = Some("the answer is old; is a cache in front of Prometheus?".into());
            }
            let id = one.labels.get(LABEL).and_then(|id| id.parse().ok()).unwrap_or(usize::MAX);
            found.entry(id).or_default().push((&one.labels, point.value.float()));
        }
        for (id, values) in found {
            let value = match values.as_slice() {
                [(_, Some(value))] => Ok(*value),
                [(_, None)] => Err("a native histogram instead of a number".into()),
                several => Err(split(several)),
            };
            if let Some(slot) = self.values.get_mut(id) {
                *slot = value;
            }
        }
    }
}

/// Several series where one is expected: which label tells them apart.
fn split(several: &[(&Labels, Option<f64>)]) -> String {
    let (first, _) = several[0];
    let mut names = several.iter().flat_map(|(labels, _)| labels.keys());
    let by = names.find(|name| several.iter().any(|(labels, _)| labels.get(*name) != first.get(*name)));
    let by = by.map_or_else(String::new, |name| format!(", split by `{name}`"));
    format!("{} series where one is expected{by}; write sum(…) or narrow it", several.len())
}
