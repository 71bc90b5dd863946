//! Many expressions in one query: each is given a label of its own, and they are joined by `or`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::clients::prometheus::Prometheus;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::series::{Answer, Queried, Series};

/// The label that says whose a series is.
const LABEL: &str = "liveops_id";

/// What was answered to expressions that were asked together.
#[derive(Debug)]
pub struct Joined {
    /// In order: the series of each expression, or why Prometheus refused it.
    pub answers: Vec<Result<Vec<Series>>>,
    /// Why the answers are not whole.
    pub warnings: Vec<String>,
    /// How many queries it took.
    pub queries: usize,
}

/// Is this Prometheus' own no to one question? A 404 is somebody else's: it has no such API at this URL.
pub fn is_about_the_question(error: &Error) -> bool {
    matches!(error, Error::Rejected { status: 400 | 422, .. })
}

fn query<'a>(expressions: impl Iterator<Item = (usize, &'a String)>) -> String {
    let mut text = String::new();
    for (id, expression) in expressions {
        let or = if text.is_empty() { "" } else { "\nor " };
        let _ = write!(text, "{or}label_replace({expression}, \"{LABEL}\", \"{id}\", \"\", \"\")");
    }
    text
}

impl Prometheus<'_> {
    /// Evaluates vector expressions at one time, in one query; one by one where that is refused.
    ///
    /// # Errors
    /// Where Prometheus cannot be asked at all.
    pub async fn joined(&self, expressions: &[String], at: Option<DateTime<Utc>>) -> Result<Joined> {
        let mut joined =
            Joined { answers: expressions.iter().map(|_| Ok(Vec::new())).collect(), warnings: Vec::new(), queries: 1 };
        if expressions.is_empty() {
            return Ok(Joined { queries: 0, ..joined });
        }
        match self.instant(&query(expressions.iter().enumerate()), at).await {
            Ok(queried) => joined.take(queried),
            Err(error) if is_about_the_question(&error) && expressions.len() > 1 => {
                let one = async |(id, expression)| (id, self.instant(&query([(id, expression)].into_iter()), at).await);
                joined.queries += expressions.len();
                for (id, answer) in join_all(expressions.iter().enumerate().map(one)).await {
                    match answer {
                        Ok(queried) => joined.take(queried),
                        Err(error) if is_about_the_question(&error) => joined.answers[id] = Err(error),
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) if is_about_the_question(&error) => joined.answers[0] = Err(error),
            Err(error) => return Err(error),
        }
        Ok(joined)
    }
}

impl Joined {
    fn take(&mut self, queried: Queried) {
        self.warnings.extend(queried.warnings);
        let Answer::Vector(series) = queried.answer else {
            self.warnings.push("not a vector where one is expected".into());
            return;
        };
        for mut one in series {
            let id = one.labels.remove(LABEL).and_then(|id| id.parse::<usize>().ok());
            if let Some(Ok(own)) = id.and_then(|id| self.answers.get_mut(id)) {
                own.push(one);
            }
        }
    }
}
