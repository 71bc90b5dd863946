//! The statistics of a canary: how sure may one be, from these counts? Counts are those of one window.
//!
//! All tests are exact, for errors are rare and small counts decide: the binomial tail for a share against a limit
//! (C. J. Clopper, E. S. Pearson, Biometrika 26 (1934), for its bounds); for two shares the conditional test of
//! J. Przyborowski and H. Wilenski (Biometrika 31 (1940)), and with a margin that of R. L. Berger and D. D. Boos (JASA 89
//! (1994)); for "is it the canary?" R. A. Fisher, "Statistical Methods for Research Workers" (1935), §21.02. All are
//! one-sided: a canary that is better is no reason to go back.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Hypergeometric, Normal};

/// How sure a rollback must be, over a whole rollout: its looks share what is left of 100 %.
const CONFIDENCE: f64 = 0.99;

/// The significance that belongs to it.
pub const SIGNIFICANCE: f64 = 1.0 - CONFIDENCE;

/// Of the same share as the baseline, or no more than chance makes it: a difference that comes this often by luck.
pub const PLAUSIBLE: f64 = 0.02;

/// The same of the slow requests of two histograms. Lower, for two builds that are the same must pass each of a dozen steps,
/// and a build that is a third slower differs by far more at three hundred samples.
pub const ALIKE: f64 = 0.001;

/// Below this expected count the normal approximation of a two-proportion test is poor, and Fisher's exact test is
/// used (Cochran's rule asks for 5; 10 is on the safe side and still cheap).
const EXACT_BELOW: f64 = 10.0;

/// The part of a significance that is spent on not knowing the baseline's own share (Berger and Boos).
const ON_THE_BASELINE: f64 = 0.1;

/// Exact one-sided bounds of a share: the true one is below the first, or above the second, with no more chance than this
/// each. `part` of `whole`; 0 to 1 of nothing is anything.
pub fn bounds(part: f64, whole: f64, significance: f64) -> (f64, f64) {
    let (part, whole) = (part.max(0.0).round(), whole.max(0.0).round());
    let part = part.min(whole);
    (lower(part, whole, significance), 1.0 - lower(whole - part, whole, significance))
}

fn lower(part: f64, whole: f64, significance: f64) -> f64 {
    if part < 1.0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, part / whole);
    for _ in 0..48 {
        let middle = (low + high) / 2.0;
        if binomial_tail(part as u64, whole as u64, middle) < significance {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The chance of `above` or more of `whole`, if each is above with chance `share`: `P(X ≥ above)`, `X ~ B(whole, share)`.
pub fn binomial_tail(above: u64, whole: u64, share: f64) -> f64 {
    let Some(below) = above.checked_sub(1) else {
        return 1.0;
    };
    match Binomial::new(share, whole) {
        Ok(binomial) => binomial.sf(below),
        Err(_) => f64::NAN,
    }
}

/// Bad ones of all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    pub bad: f64,
    pub all: f64,
}

impl Counts {
    /// The share of the bad ones; `NaN` of nothing.
    pub fn share(self) -> f64 {
        self.bad / self.all
    }
}

/// The chance of this many bad ones or more, if the true share of them is no higher than `limit`.
pub fn chance_above(counts: Counts, limit: f64) -> f64 {
    let (bad, all) = (counts.bad.max(0.0).round(), counts.all.max(0.0).round());
    binomial_tail(bad.min(all) as u64, all as u64, limit.clamp(0.0, 1.0))
}

/// The chance of this many bad ones or more in `canary`, if its true share of them is no higher than
/// `times × stable's + plus`. 1 without data.
pub fn chance_within(canary: Counts, stable: Counts, (times, plus): (f64, f64), significance: f64) -> f64 {
    let whole = |value: f64| value.max(0.0).round();
    let (bad_c, all_c) = (whole(canary.bad), whole(canary.all));
    let (bad_s, all_s) = (whole(stable.bad), whole(stable.all));
    if all_c < 1.0 || all_s < 1.0 || bad_c < 1.0 {
        return 1.0;
    }
    if plus.abs() < f64::EPSILON {
        // Of all bad ones, this part would be the canary's.
        let share = times * all_c / (times * all_c + all_s);
        return binomial_tail(bad_c as u64, (bad_c + bad_s) as u64, share);
    }
    let spent = significance * ON_THE_BASELINE;
    let (_, highest) = bounds(bad_s, all_s, spent);
    chance_above(canary, times * highest + plus) + spent
}

/// The chance that `canary` has a share of bad ones this much higher than `stable` by luck alone, if both are the same:
/// Fisher's exact test where counts are small, the pooled two-proportion z-test elsewhere. 1 without data.
pub fn chance_of_luck(canary: Counts, stable: Counts) -> f64 {
    let whole = |value: f64| value.max(0.0).round();
    let (bad_c, all_c) = (whole(canary.bad), whole(canary.all));
    let (bad_s, all_s) = (whole(stable.bad), whole(stable.all));
    if all_c < 1.0 || all_s < 1.0 {
        return 1.0;
    }
    let bad = bad_c + bad_s;
    let all = all_c + all_s;
    let pooled = bad / all;
    let fewest = all_c.min(all_s) * pooled.min(1.0 - pooled);
    if fewest < EXACT_BELOW {
        return fisher(bad_c, all_c, bad, all);
    }
    let spread = (pooled * (1.0 - pooled) * (1.0 / all_c + 1.0 / all_s)).sqrt();
    let z = (bad_c / all_c - bad_s / all_s) / spread;
    Normal::standard().sf(z)
}

/// `P(X ≥ bad_c)` of the hypergeometric distribution: `all_c` drawn out of `all`, of which `bad` are bad.
fn fisher(bad_c: f64, all_c: f64, bad: f64, all: f64) -> f64 {
    if bad_c < 1.0 {
        return 1.0;
    }
    match Hypergeometric::new(all as u64, bad as u64, all_c as u64) {
        Ok(drawn) => drawn.sf(bad_c as u64 - 1),
        Err(_) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_are_exact() {
        // Clopper and Pearson, two-sided 95 % for 5 of 50: 0.0333 to 0.2181.
        let (low, high) = bounds(5.0, 50.0, 0.025);
        assert!((low - 0.0333).abs() < 1e-4 && (high - 0.2181).abs() < 1e-4, "{low} {high}");
        assert_eq!(bounds(0.0, 0.0, 0.01), (0.0, 1.0));
        // Nothing bad shows that the share is below 1 %, at 95 %, from 299 on: 0.99^n < 5 %.
        assert!(bounds(0.0, 299.0, 0.05).1 < 0.01 && bounds(0.0, 298.0, 0.05).1 > 0.01);
        // All of them good is all of them, not nearly all.
        assert_eq!(bounds(804.0, 804.0, 0.01).1, 1.0);
    }

    #[test]
    fn a_limit_at_an_end_needs_no_luck() {
        let counts = |bad: f64| Counts { bad, all: 400.0 };
        assert_eq!(chance_above(counts(0.0), 0.0), 1.0);
        assert_eq!(chance_above(counts(1.0), 0.0), 0.0);
        assert_eq!(chance_above(counts(400.0), 1.0), 1.0);
    }

    #[test]
    fn nothing_against_nothing_is_no_difference() {
        let of = |bad: f64, all: f64| Counts { bad, all };
        let within = |canary, stable, limit| chance_within(canary, stable, limit, 1e-5);
        assert_eq!(within(of(0.0, 804.0), of(0.0, 796.0), (1.2, 0.0)), 1.0);
        // One error against none shows nothing; twelve do.
        assert!(within(of(1.0, 804.0), of(0.0, 796.0), (2.0, 0.0)) > 0.5);
        assert!(within(of(24.0, 804.0), of(0.0, 796.0), (2.0, 0.0)) < 1e-4);
        // With a margin, too.
        assert!(within(of(1.0, 804.0), of(0.0, 796.0), (1.0, 0.001)) > 0.5);
        assert!(within(of(60.0, 804.0), of(4.0, 796.0), (1.0, 0.01)) < 1e-5);
    }

    #[test]
    fn exceedances_that_reject_one_per_cent() {
        for (above, whole) in [(5, 100), (9, 300), (12, 500), (19, 1000), (44, 3000)] {
            assert!(binomial_tail(above, whole, 0.01) < SIGNIFICANCE, "{above}/{whole}");
            assert!(binomial_tail(above - 1, whole, 0.01) >= SIGNIFICANCE, "{above}-1/{whole}");
        }
        assert_eq!(binomial_tail(0, 10, 0.5), 1.0);
    }

    #[test]
    fn comparison_by_known_tables() {
        // Fisher's tea: 3 of 4 against 1 of 4, p = 17/70.
        let tea = chance_of_luck(Counts { bad: 3.0, all: 4.0 }, Counts { bad: 1.0, all: 4.0 });
        assert!((tea - 17.0 / 70.0).abs() < 1e-9, "{tea}");
        // Two proportions, 60/1000 against 40/1000: z = 2.0520, p = 0.0201.
        let z = chance_of_luck(Counts { bad: 60.0, all: 1000.0 }, Counts { bad: 40.0, all: 1000.0 });
        assert!((z - 0.0201).abs() < 1e-4, "{z}");
        let none = Counts { bad: 0.0, all: 0.0 };
        assert_eq!(chance_of_luck(none, none), 1.0);
    }

    proptest! {
        #[test]
        fn bounds_hold_the_share(bad in 0u32..500, more in 0u32..5000) {
            let all = f64::from(bad + more);
            prop_assume!(all > 0.0);
            let (low, high) = bounds(f64::from(bad), all, SIGNIFICANCE);
            let share = f64::from(bad) / all;
            prop_assert!(low <= share + 1e-12 && share <= high + 1e-12);
            prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
        }

        #[test]
        fn luck_is_a_probability(a in 0u32..200, b in 0u32..2000, c in 0u32..200, d in 0u32..2000) {
            let counts = |bad: u32, good: u32| Counts { bad: f64::from(bad), all: f64::from(bad + good) };
            for p in [
                chance_of_luck(counts(a, b), counts(c, d)),
                chance_within(counts(a, b), counts(c, d), (1.2, 0.0), 1e-4),
                chance_within(counts(a, b), counts(c, d), (0.9, 0.1), 1e-4),
            ] {
                prop_assert!((0.0..=1.0 + 1e-4).contains(&p), "{p}");
            }
        }
    }
}
