//! From evidence to a verdict. A failure needs 99 % confidence; a pass needs the samples that the policy asks for and a
//! value on the good side; everything between is no evidence (research: Verdict rules, Statistics).

#[cfg(test)]
mod tests;

use crate::guard::evidence::{Fault, Measurement};
use crate::guard::expression::{Bound, Limit};
use crate::guard::no_data::OnNoData;
use crate::guard::statistics::{CONFIDENCE, Counts, SIGNIFICANCE, binomial_tail, chance_of_luck, wilson};
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
    /// Stable's value at the last good step, where it has too little traffic now.
    pub before: Option<f64>,
}

/// What the policy asks of evidence.
#[derive(Debug, Clone, Copy)]
pub struct Requirements {
    /// Requests that a verdict needs.
    pub min_samples: u64,
    /// What it means that there is no data.
    pub on_no_data: OnNoData,
    /// Data have had the time to be there.
    pub due: bool,
}

/// What the condition comes to; `blank` has its text, role and time, and gets the rest.
pub fn judge(condition: &Bound, evidence: Evidence<'_>, demand: Requirements, blank: Verdict) -> Verdict {
    let Requirements { min_samples, on_no_data, due } = demand;
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
    let threshold = match condition.limit {
        Limit::Fixed(value) => value,
        Limit::Baseline { times, plus } => {
            // A baseline of few requests is luck, and none is no reason to let go.
            let enough = verdict.stable_n.is_none_or(|n| n >= min_samples as f64);
            let now = verdict.stable.filter(|_| enough);
            match (now.or(evidence.before), evidence.stable) {
                (Some(value), _) => value * times + plus,
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
        bad_above: is_bad_above(condition.op, verdict.role),
        min_samples: min_samples as f64,
        unit: &condition.metric.unit,
    };
    match canary {
        Measurement::Ratio { part, whole } => {
            let counts = Counts { bad: *part, all: *whole };
            ratio(counts, stable, &ask, verdict)
        }
        Measurement::Buckets(buckets) => latency(buckets, stable, 1.0 - q, &ask, verdict),
        Measurement::Value(value) => {
            let breached = if ask.bad_above { *value > threshold } else { *value < threshold };
            let side = if breached { "on the bad side of" } else { "within" };
            verdict.reason = format!("{} is {side} {}", ask.unit.show(*value), ask.unit.show(threshold));
            verdict.outcome = if breached { Outcome::Fail } else { Outcome::Pass };
            verdict
        }
    }
}

struct Criterion<'a> {
    threshold: f64,
    bad_above: bool,
    min_samples: f64,
    unit: &'a Unit,
}

/// Is more worse? A success condition says what is good, a rollback condition what is bad.
fn is_bad_above(op: Comparison, role: Role) -> bool {
    let above = matches!(op, Comparison::Above | Comparison::AtLeast);
    above == (role == Role::Rollback)
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

fn ratio(counts: Counts, stable: Option<&Measurement>, ask: &Criterion<'_>, mut verdict: Verdict) -> Verdict {
    let n = counts.all.round();
    if n < FEWEST {
        verdict.outcome = Outcome::NoEvidence;
        verdict.reason = format!("{n:.0} requests show nothing yet");
        return verdict;
    }
    let (low, high) = wilson(counts.bad, counts.all, CONFIDENCE);
    let bound = if ask.bad_above { low } else { high };
    verdict.bound = Some(bound);
    let is_bad = |value: f64| {
        if ask.bad_above { value > ask.threshold } else { value < ask.threshold }
    };
    let shown = |value: f64| ask.unit.show(value);
    let (bad, share) = (counts.bad.round(), counts.share());
    if is_bad(bound) {
        verdict.outcome = Outcome::Fail;
        let word = if ask.bad_above { "at least" } else { "at most" };
        verdict.reason = format!("{bad:.0} of {n:.0}: {word} {} with 99% confidence", shown(bound));
        if let Some(Measurement::Ratio { part, whole }) = stable {
            let stable = Counts { bad: *part, all: *whole };
            // For a share that should be high, the others are the bad ones.
            let turned = |counts: Counts| Counts {
                bad: if ask.bad_above { counts.bad } else { counts.all - counts.bad },
                ..counts
            };
            let stable_is_bad = stable.all >= FEWEST && is_bad(stable.share());
            let luck = chance_of_luck(turned(counts), turned(stable));
            blame(&mut verdict, luck, stable_is_bad, &shown(stable.share()));
        } else {
            verdict.blame = Some(Blame::Unclear);
        }
    } else if verdict.role == Role::Rollback {
        verdict.outcome = Outcome::Pass;
        verdict.reason = format!("{bad:.0} of {n:.0}");
    } else if n < ask.min_samples {
        verdict.outcome = Outcome::NoEvidence;
        verdict.reason = format!("{n:.0} of {:.0} samples", ask.min_samples);
    } else if is_bad(share) || share == ask.threshold {
        verdict.outcome = Outcome::NoEvidence;
        verdict.reason =
            format!("{} is not on the good side of {}, and may be luck", shown(share), shown(ask.threshold));
    } else {
        verdict.outcome = Outcome::Pass;
        verdict.reason = format!("{bad:.0} of {n:.0}");
    }
    verdict
}

/// Two quantiles are too noisy to compare. The requests above the threshold (rounded up to a bucket's bound) are
/// counted instead: if the quantile is kept, no more than `tail` of them are.
fn latency(
    buckets: &[(f64, f64)],
    stable: Option<&Measurement>,
    tail: f64,
    ask: &Criterion<'_>,
    mut verdict: Verdict,
) -> Verdict {
    let n = count(&Measurement::Buckets(buckets.to_vec())).unwrap_or(0.0);
    let wanted = ask.threshold * (1.0 - 1e-9);
    let Some((limit, _)) = buckets.iter().find(|(le, _)| le.is_finite() && *le >= wanted) else {
        let highest = buckets.iter().rev().find(|(le, _)| le.is_finite());
        verdict.outcome = Outcome::Error;
        verdict.reason = match highest {
            Some((le, _)) => format!(
                "the highest bucket ends at {}, below {}: the histogram cannot tell",
                ask.unit.show(*le),
                ask.unit.show(ask.threshold)
            ),
            None => "the histogram has no finite bucket".into(),
        };
        return verdict;
    };
    let above = |buckets: &[(f64, f64)]| {
        let all = buckets.last().map_or(0.0, |(_, count)| *count);
        let within = buckets.iter().find(|(le, _)| le == limit);
        Counts { bad: (all - within.map_or(all, |(_, count)| *count)).max(0.0), all }
    };
    let counts = above(buckets);
    let slow = counts.bad.round();
    verdict.bound = Some(*limit);
    let shown = ask.unit.show(*limit);
    let enough = (1.0 / tail).ceil().min(1e6);
    let chance = binomial_tail(slow as u64, n as u64, tail);
    verdict.reason = format!("{slow:.0} of {n:.0} above {shown}");
    if n >= enough && chance < SIGNIFICANCE {
        verdict.outcome = Outcome::Fail;
        verdict.reason += &format!(", where {:.0} would be fair", (n * tail).ceil());
        match stable {
            Some(Measurement::Buckets(stable)) => {
                let stable = above(stable);
                let stable_chance = binomial_tail(stable.bad.round() as u64, stable.all.round() as u64, tail);
                let luck = chance_of_luck(counts, stable);
                let share = Unit::Ratio.show(stable.share());
                blame(&mut verdict, luck, stable_chance < SIGNIFICANCE, &share);
            }
            _ => verdict.blame = Some(Blame::Unclear),
        }
    } else if verdict.role == Role::Rollback {
        verdict.outcome = if n >= enough { Outcome::Pass } else { Outcome::NoEvidence };
    } else if n < ask.min_samples {
        verdict.outcome = Outcome::NoEvidence;
        verdict.reason = format!("{n:.0} of {:.0} samples", ask.min_samples);
    } else if counts.share() > tail {
        verdict.outcome = Outcome::NoEvidence;
        verdict.reason += ": more than it should be, and may be luck";
    } else {
        verdict.outcome = Outcome::Pass;
    }
    verdict
}

fn blame(verdict: &mut Verdict, luck: f64, stable_is_bad: bool, stable: &str) {
    let blame = if luck < SIGNIFICANCE {
        Blame::Canary
    } else if stable_is_bad {
        Blame::Everything
    } else {
        Blame::Unclear
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
