//! From evidence to a verdict. A failure needs proof, as sure as the requirements say; a pass needs the samples that the
//! policy asks for and a value on the good side; everything between is no evidence.

mod quantile;
mod share;
#[cfg(test)]
mod tests;

use crate::guard::evidence::{Fault, Measurement};
use crate::guard::expression::{Bound, Limit};
use crate::guard::no_data::OnNoData;
use crate::guard::statistics::Counts;
use crate::guard::verdict::{Blame, Outcome, Role, Verdict};
use crate::metric::histogram;
use crate::metric::kpi::KpiKind;
use crate::metric::quantity::Unit;
use crate::metric::threshold::Comparison;

/// Fewer requests than this show nothing, however bad they are.
const FEWEST: f64 = 10.0;

/// What the two versions showed.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    pub canary: &'a Result<Measurement, Fault>,
    pub stable: &'a Result<Measurement, Fault>,
    /// What stable showed at the last good step, where it has too little traffic now.
    pub before: Option<Baseline>,
}

/// What stable showed of a metric.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(from = "StoredBaseline")]
pub struct Baseline {
    pub value: f64,
    /// Of so many samples; none for values that have no count.
    pub n: Option<f64>,
}

/// Older states have the value alone.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum StoredBaseline {
    Value(f64),
    Counted { value: f64, n: Option<f64> },
}

impl From<StoredBaseline> for Baseline {
    fn from(stored: StoredBaseline) -> Self {
        match stored {
            StoredBaseline::Value(value) => Self { value, n: None },
            StoredBaseline::Counted { value, n } => Self { value, n },
        }
    }
}

/// What the buckets of this histogram leave open of a condition on its quantile, and which buckets would decide; none where
/// they tell.
pub fn left_open(condition: &Bound, stable: &Measurement) -> Option<String> {
    match (&condition.metric.kind, stable) {
        (KpiKind::Quantile { q, .. }, Measurement::Buckets(buckets)) => {
            quantile::left_open(condition, buckets, 1.0 - q)
        }
        _ => None,
    }
}

/// What the policy asks of evidence.
#[derive(Debug, Clone, Copy)]
pub struct Requirements {
    /// Requests that a verdict needs.
    pub min_samples: u64,
    /// How seldom luck alone may fail a condition at one look.
    pub significance: f64,
    /// What it means that there is no data.
    pub on_no_data: OnNoData,
    /// Data have had the time to be there.
    pub due: bool,
}

/// What the condition comes to; `blank` has its text, role and time, and gets the rest.
pub fn judge(condition: &Bound, evidence: Evidence<'_>, demand: Requirements, blank: Verdict) -> Verdict {
    let Requirements { min_samples, on_no_data, due, significance } = demand;
    let mut verdict = Verdict { unit: condition.metric.unit.name().to_owned(), ..blank };
    let filled = [evidence.canary, evidence.stable].map(|seen| on_no_data.filled(seen));
    let canary = match (evidence.canary, &filled[0]) {
        (Ok(seen), _) | (_, Some(seen)) => seen,
        (Err(fault), None) => {
            let counted = matches!(condition.metric.kind, KpiKind::Ratio { .. });
            let blind =
                Verdict { outcome: fault.outcome(), blind: true, reason: format!("canary: {fault}"), ..verdict };
            return on_no_data.settle(fault, (counted, due), blind);
        }
    };
    let q = match &condition.metric.kind {
        KpiKind::Quantile { q, .. } => *q,
        _ => f64::NAN,
    };
    let stable = evidence.stable.as_ref().ok().or(filled[1].as_ref());
    verdict.blind = false;
    verdict.value = Some(point(canary, q)).filter(|value| value.is_finite());
    verdict.n = count(canary);
    verdict.stable = stable.map(|seen| point(seen, q)).filter(|value| value.is_finite());
    verdict.stable_n = stable.and_then(count);
    let (threshold, baseline, is_baseline_current) = match condition.limit {
        Limit::Fixed(value) => (value, None, false),
        Limit::Baseline { times, plus } => {
            // A baseline of few requests is luck, and none is no reason to let go.
            let enough = verdict.stable_n.is_none_or(|n| n >= min_samples as f64);
            let now = verdict.stable.filter(|_| enough).map(|value| Baseline { value, n: verdict.stable_n });
            match (now.or(evidence.before), evidence.stable) {
                (Some(baseline), _) => (baseline.value * times + plus, Some(baseline), now.is_some()),
                (_, Err(fault)) => {
                    return Verdict {
                        outcome: fault.outcome(),
                        reason: format!("no baseline; stable: {fault}"),
                        ..verdict
                    };
                }
                _ => {
                    let n = verdict.stable_n.unwrap_or(0.0);
                    return Verdict {
                        outcome: Outcome::NoEvidence,
                        reason: format!("no baseline: {n:.0} of {min_samples} samples of stable"),
                        ..verdict
                    };
                }
            }
        }
    };
    verdict.threshold = Some(threshold);
    let ask = Criterion {
        threshold,
        limit: condition.limit,
        baseline,
        is_baseline_current,
        op: condition.op,
        role: verdict.role,
        min_samples: min_samples as f64,
        significance,
        unit: &condition.metric.unit,
    };
    match canary {
        Measurement::Ratio { part, whole } => share::judge(Counts { bad: *part, all: *whole }, stable, &ask, verdict),
        Measurement::Buckets(buckets) => quantile::judge(buckets, stable, 1.0 - q, &ask, verdict),
        Measurement::Value(value) => {
            let breached = ask.is_bad(*value);
            let side = if breached { "on the bad side of" } else { "within" };
            verdict.reason = format!("{} is {side} {}", ask.unit.show(*value), ask.unit.show(threshold));
            verdict.outcome = if breached { Outcome::Fail } else { Outcome::Pass };
            verdict
        }
    }
}

/// What is asked of one metric.
struct Criterion<'a> {
    threshold: f64,
    limit: Limit,
    /// What the threshold was computed from, where it is a baseline.
    baseline: Option<Baseline>,
    /// It is what stable shows now.
    is_baseline_current: bool,
    op: Comparison,
    role: Role,
    min_samples: f64,
    significance: f64,
    unit: &'a Unit,
}

impl Criterion<'_> {
    /// Is more worse? A success condition says what is good, a rollback condition what is bad.
    fn is_bad_above(&self) -> bool {
        let above = matches!(self.op, Comparison::Above | Comparison::AtLeast);
        above == (self.role == Role::Rollback)
    }

    /// Is this value, were it the true one, on the bad side?
    fn is_bad(&self, value: f64) -> bool {
        let holds = match self.op {
            Comparison::Above => value > self.threshold,
            Comparison::AtLeast => value >= self.threshold,
            Comparison::Below => value < self.threshold,
            Comparison::AtMost => value <= self.threshold,
            Comparison::Equal => value == self.threshold,
            Comparison::NotEqual => value != self.threshold,
        };
        holds == (self.role == Role::Rollback)
    }

    fn lacks_samples(&self, n: f64) -> Option<String> {
        (n < self.min_samples).then(|| format!("{n:.0} of {:.0} samples", self.min_samples))
    }
}

fn point(seen: &Measurement, q: f64) -> f64 {
    match seen {
        Measurement::Ratio { part, whole } => part / whole,
        Measurement::Buckets(buckets) => histogram::quantile(q, buckets),
        Measurement::Value(value) => *value,
    }
}

fn count(seen: &Measurement) -> Option<f64> {
    match seen {
        Measurement::Ratio { whole, .. } => Some(whole.round()),
        Measurement::Buckets(buckets) => buckets.last().map(|(_, count)| count.round()),
        Measurement::Value(_) => None,
    }
}

fn blame(verdict: &mut Verdict, is_worse: bool, stable_is_bad: bool, stable: &str) {
    let blame = match (is_worse, stable_is_bad) {
        (true, _) => Blame::Canary,
        (false, true) => Blame::Everything,
        (false, false) => Blame::Unclear,
    };
    verdict.blame = Some(blame);
    match blame {
        Blame::Canary => verdict.reason += &format!("; stable {stable}: it is the canary"),
        Blame::Everything => {
            verdict.reason += &format!("; stable {stable} too: it is not the canary alone");
        }
        Blame::Unclear => {}
    }
}
