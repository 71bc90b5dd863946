//! A quantile of a histogram. Its buckets say between which bounds it lies, and no more: so a limit is passed by the
//! bucket's bound at or below it, failed by the one at or above it, and what lies between is no evidence.

use crate::guard::evidence::Measurement;
use crate::guard::expression::{Bound, Limit};
use crate::guard::judge::{Criterion, blame};
use crate::guard::statistics::{ALIKE, Counts, SIGNIFICANCE, binomial_tail, chance_of_luck};
use crate::guard::verdict::{Blame, Outcome, Role, Verdict};
use crate::metric::quantity::Unit;

/// How far a limit may be from a bucket's bound and be taken for it: the rounding of arithmetic.
const ROUNDING: f64 = 1e-9;

/// The finite bounds beside a limit: the highest at or below it, the lowest at or above it.
fn around(buckets: &[(f64, f64)], limit: f64) -> (Option<f64>, Option<f64>) {
    let finite = || buckets.iter().map(|(le, _)| *le).filter(|le| le.is_finite());
    let slack = limit.abs() * ROUNDING;
    (finite().rfind(|le| *le <= limit + slack), finite().find(|le| *le >= limit - slack))
}

/// The requests above a bound; none where the histogram does not have it.
fn above(buckets: &[(f64, f64)], bound: Option<f64>) -> Option<Counts> {
    let all = buckets.last().map_or(0.0, |(_, count)| *count);
    let within = match bound {
        Some(bound) => buckets.iter().find(|(le, _)| *le == bound)?.1,
        None => 0.0,
    };
    Some(Counts { bad: (all - within).max(0.0), all })
}

/// Two quantiles are too noisy to compare. The requests above a bound are counted instead: if the quantile is not above
/// it, no more than `tail` of them are.
pub(super) fn judge(
    buckets: &[(f64, f64)],
    stable: Option<&Measurement>,
    tail: f64,
    ask: &Criterion<'_>,
    mut verdict: Verdict,
) -> Verdict {
    if !ask.is_bad_above() {
        return wanted_high(buckets, tail, ask, verdict);
    }
    let stable = match stable {
        Some(Measurement::Buckets(stable)) => Some(stable.as_slice()),
        _ => None,
    };
    let (low, high) = limits(ask, stable, tail);
    let (below, over) = (around(buckets, low).0, around(buckets, high).1);
    if buckets.iter().all(|(le, _)| !le.is_finite()) {
        verdict.outcome = Outcome::Error;
        verdict.reason = "the histogram has no finite bucket".into();
        return verdict;
    }
    // More than all of the highest bucket: nothing that the histogram counts is above it for sure.
    let beyond = over.and_then(|bound| above(buckets, Some(bound)));
    let n = buckets.last().map_or(0.0, |(_, count)| count.round());
    let enough = (1.0 / tail).ceil().min(1e6);
    let is_proven =
        |counts: Counts| n >= enough && binomial_tail(counts.bad.round() as u64, n as u64, tail) < ask.significance;
    let shown = |bound: f64| ask.unit.show(bound);
    if let (Some(bound), Some(counts)) = (over, beyond)
        && is_proven(counts)
    {
        verdict.outcome = Outcome::Fail;
        verdict.bound = Some(bound);
        verdict.reason =
            format!("{:.0} of {n:.0} above {}, where {:.0} would be fair", counts.bad, shown(bound), (n * tail).ceil());
        match stable.and_then(|stable| above(stable, over)) {
            Some(stable) => {
                let chance = binomial_tail(stable.bad.round() as u64, stable.all.round() as u64, tail);
                let is_worse = chance_of_luck(counts, stable) < SIGNIFICANCE;
                blame(&mut verdict, is_worse, chance < SIGNIFICANCE, &Unit::Ratio.show(stable.share()));
            }
            None => verdict.blame = Some(Blame::Unclear),
        }
        return verdict;
    }
    let counts = above(buckets, below).unwrap_or(Counts { bad: n, all: n });
    verdict.bound = below;
    verdict.reason = match below {
        Some(bound) => format!("{:.0} of {n:.0} above {}", counts.bad, shown(bound)),
        None => format!("no bucket ends at or below {}", shown(ask.threshold)),
    };
    let is_alike = || ask.is_baseline_current && is_like_stable(buckets, stable, tail);
    let is_between = below != over;
    if ask.is_baseline_current && is_between {
        // Where stable's own quantile lies is what the canary is held against.
        let (low, top) = stable.map_or((0.0, f64::INFINITY), |stable| bucket(stable, tail));
        verdict.reason = match above(buckets, Some(top)).filter(|_| top.is_finite()) {
            Some(counts) => format!("{:.0} of {n:.0} above {}, below which stable is", counts.bad, shown(top)),
            None => format!("stable is above {}", shown(low)),
        };
    }
    verdict.outcome = Outcome::NoEvidence;
    if verdict.role == Role::Rollback {
        if n < enough {
            return verdict;
        }
        if !is_between || (below.is_some() && !is_proven(counts)) || is_alike() {
            verdict.outcome = Outcome::Pass;
            return verdict;
        }
    } else if let Some(lack) = ask.lacks_samples(n) {
        verdict.reason = lack;
        return verdict;
    } else if (below.is_some() && counts.share() <= tail) || is_alike() {
        verdict.outcome = Outcome::Pass;
        return verdict;
    } else if !is_between {
        verdict.reason += ": more than it should be, and may be luck";
        return verdict;
    }
    let side = match over {
        Some(bound) => format!("{:.0} above {}", beyond.map_or(0.0, |counts| counts.bad), shown(bound)),
        None => "no higher bucket".to_owned(),
    };
    let limit = match high.is_finite() {
        true => shown(ask.threshold),
        false => format!("above {}", shown(low)),
    };
    verdict.reason += &format!(", {side}: a bucket that ends at {limit} would tell");
    verdict
}

/// What these buckets leave open of a condition, and which would decide.
pub(super) fn left_open(condition: &Bound, stable: &[(f64, f64)], tail: f64) -> Option<String> {
    let shown = |value: f64| condition.metric.unit.show(value);
    let (low, high) = match condition.limit {
        Limit::Fixed(limit) => (limit, limit),
        Limit::Baseline { times, plus } => {
            let (low, high) = bucket(stable, tail);
            (low * times + plus, high * times + plus)
        }
    };
    let (below, over) = (around(stable, low).0, around(stable, high).1);
    if below == over {
        return None;
    }
    let from = below.map_or_else(|| "0".to_owned(), shown);
    let open = match over {
        Some(over) => format!("between {from} and {} is neither good nor bad", shown(over)),
        None => format!("above {from} is never bad"),
    };
    Some(match condition.limit {
        Limit::Fixed(limit) => format!("what is {open} for it: a bucket that ends at {} would decide", shown(limit)),
        Limit::Baseline { .. } => {
            let (low, high) = bucket(stable, tail);
            let now = match high.is_finite() {
                true => format!("stable is between {} and {}", shown(low), shown(high)),
                false => format!("stable is above {}", shown(low)),
            };
            format!(
                "{now}, as far as its buckets tell, so what is {open} for it, but for a canary whose buckets are alike: finer buckets there would decide"
            )
        }
    })
}

/// Between which values the limit lies: stable's quantile is known by its bucket alone, too.
fn limits(ask: &Criterion<'_>, stable: Option<&[(f64, f64)]>, tail: f64) -> (f64, f64) {
    match (ask.limit, stable) {
        (Limit::Baseline { times, plus }, Some(stable)) if ask.is_baseline_current => {
            let (low, high) = bucket(stable, tail);
            (low * times + plus, high * times + plus)
        }
        _ => (ask.threshold, ask.threshold),
    }
}

/// The bounds of the bucket that holds the quantile.
fn bucket(buckets: &[(f64, f64)], tail: f64) -> (f64, f64) {
    let rank = buckets.last().map_or(0.0, |(_, count)| *count) * (1.0 - tail);
    let index = buckets.partition_point(|(_, count)| *count < rank * (1.0 - ROUNDING));
    let high = buckets.get(index).map_or(f64::INFINITY, |(le, _)| *le);
    let low = index.checked_sub(1).map_or(0.0_f64.min(high), |below| buckets[below].0);
    (low, high)
}

/// Is the canary no slower than stable, as far as the bucket with stable's quantile tells? Of two builds that are the same
/// more cannot be known, where no bound lies between the quantile and the limit.
fn is_like_stable(canary: &[(f64, f64)], stable: Option<&[(f64, f64)]>, tail: f64) -> bool {
    let Some(stable) = stable else {
        return false;
    };
    let (low, high) = bucket(stable, tail);
    let known = |bound: &f64| stable.iter().any(|(le, _)| le == bound && le.is_finite());
    let mut bounds = [low, high].into_iter().filter(known).peekable();
    bounds.peek().is_some()
        && bounds.all(|bound| match (above(canary, Some(bound)), above(stable, Some(bound))) {
            (Some(canary), Some(stable)) => chance_of_luck(canary, stable) >= ALIKE,
            _ => false,
        })
}

/// A quantile that should be high: proven low by the bound at or below the limit, high by the one at or above it.
fn wanted_high(buckets: &[(f64, f64)], tail: f64, ask: &Criterion<'_>, mut verdict: Verdict) -> Verdict {
    let (below, over) = around(buckets, ask.threshold);
    let n = buckets.last().map_or(0.0, |(_, count)| count.round());
    let within = |bound: Option<f64>| bound.and_then(|bound| above(buckets, Some(bound))).map(|counts| n - counts.bad);
    let (low, high) = (within(below), within(over));
    verdict.bound = below;
    verdict.reason = match (low, below) {
        (Some(count), Some(bound)) => format!("{count:.0} of {n:.0} up to {}", ask.unit.show(bound)),
        _ => format!("{n:.0} requests, and no bucket ends at or below {}", ask.unit.show(ask.threshold)),
    };
    let is_low = low.is_some_and(|count| binomial_tail(count.round() as u64, n as u64, 1.0 - tail) < ask.significance);
    verdict.outcome = match (is_low, ask.role, high) {
        (true, ..) => Outcome::Fail,
        (false, Role::Rollback, _) => Outcome::Pass,
        (false, Role::Success, Some(count)) if n >= ask.min_samples && count <= n * (1.0 - tail) => Outcome::Pass,
        (false, Role::Success, _) => Outcome::NoEvidence,
    };
    verdict
}
