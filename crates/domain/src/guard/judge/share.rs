//! A share of requests, such as the failed ones, against a limit or against what stable shows at the same time.

use crate::guard::evidence::Measurement;
use crate::guard::expression::Limit;
use crate::guard::judge::{Criterion, FEWEST, blame};
use crate::guard::statistics::{Counts, PLAUSIBLE, SIGNIFICANCE, bounds, chance_above, chance_of_luck, chance_within};
use crate::guard::verdict::{Blame, Outcome, Role, Verdict};

/// The verdict on these counts. `counts.bad` are those that the share counts, whether many of them are bad or good.
pub(super) fn judge(
    counts: Counts,
    stable: Option<&Measurement>,
    ask: &Criterion<'_>,
    mut verdict: Verdict,
) -> Verdict {
    let n = counts.all.round();
    if n < FEWEST {
        verdict.outcome = Outcome::NoEvidence;
        verdict.reason = format!("{n:.0} requests show nothing yet");
        return verdict;
    }
    let shown = |value: f64| ask.unit.show(value);
    // For a share that should be high, the others are the bad ones.
    let bad_above = ask.is_bad_above();
    let turned = |counts: Counts| Counts {
        bad: if bad_above { counts.bad } else { counts.all - counts.bad }.clamp(0.0, counts.all),
        all: counts.all,
    };
    let chance = chance_that_it_holds(turned(counts), ask);
    let (part, share) = (counts.bad.round(), counts.share());
    let all_bad = chance >= 1.0 && ask.is_bad(share.clamp(0.0, 1.0)) && turned(counts).share() >= 1.0;
    verdict.reason = format!("{part:.0} of {n:.0}");
    if chance < ask.significance || (all_bad && n >= ask.min_samples) {
        verdict.outcome = Outcome::Fail;
        let (low, high) = bounds(counts.bad, counts.all, SIGNIFICANCE);
        let (word, bound) = if bad_above { ("at least", low) } else { ("at most", high) };
        verdict.bound = Some(bound);
        verdict.reason += &format!(": {word} {} with 99% confidence", shown(bound));
        if let Some(Measurement::Ratio { part, whole }) = stable {
            let stable = Counts { bad: *part, all: *whole };
            let stable_is_bad = stable.all >= FEWEST && ask.is_bad(stable.share());
            let is_worse = chance_of_luck(turned(counts), turned(stable)) < SIGNIFICANCE;
            blame(&mut verdict, is_worse, stable_is_bad, &shown(stable.share()));
        } else {
            verdict.blame = Some(Blame::Unclear);
        }
        return verdict;
    }
    verdict.outcome = Outcome::Pass;
    if verdict.role == Role::Rollback {
        return verdict;
    }
    // Two shares are compared by their counts: nothing against nothing is as good, one against none may be luck.
    let is_good = match ask.baseline {
        Some(_) => chance >= PLAUSIBLE,
        None => !ask.is_bad(share),
    };
    if let Some(lack) = ask.lacks_samples(n) {
        verdict.outcome = Outcome::NoEvidence;
        verdict.reason = lack;
    } else if !is_good {
        verdict.outcome = Outcome::NoEvidence;
        verdict.reason +=
            &format!(": {} is not on the good side of {}, and may be luck", shown(share), shown(ask.threshold));
    }
    verdict
}

/// The chance of so many bad ones if the condition is kept.
fn chance_that_it_holds(bad: Counts, ask: &Criterion<'_>) -> f64 {
    let of_bad = |share: f64| if ask.is_bad_above() { share } else { 1.0 - share };
    let (Limit::Baseline { times, plus }, Some(baseline)) = (ask.limit, ask.baseline) else {
        return chance_above(bad, of_bad(ask.threshold));
    };
    // A baseline of an older state has no count: it had as many samples as it needed.
    let all = baseline.n.unwrap_or(ask.min_samples).max(1.0);
    let stable = Counts { bad: of_bad(baseline.value) * all, all };
    let plus = if ask.is_bad_above() { plus } else { 1.0 - times - plus };
    chance_within(bad, stable, (times, plus), ask.significance)
}
