//! The statistics of a canary: how sure may one be, from these counts? Counts are those of one window.
//!
//! Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), for
//! the bounds of a share; R. A. Fisher, "Statistical Methods for Research Workers" (1935), §21.02, for the comparison of
//! two shares; the exact binomial tail for requests above a bucket's bound. All tests are one-sided: a canary that is
//! better is no reason to go back.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Hypergeometric, Normal};

/// How sure a verdict must be. Conditions are looked at many times in a rollout, so the usual 95 % would raise false
/// alarms: 99 %, and two looks in a row.
pub const CONFIDENCE: f64 = 0.99;

/// The significance that belongs to it.
pub const SIGNIFICANCE: f64 = 1.0 - CONFIDENCE;

/// Below this expected count the normal approximation of a two-proportion test is poor, and Fisher's exact test is
/// used (Cochran's rule asks for 5; 10 is on the safe side and still cheap).
const EXACT_BELOW: f64 = 10.0;

/// The value that a standard normal variable stays below with this probability.
fn quantile_of_normal(confidence: f64) -> f64 {
    Normal::standard().inverse_cdf(confidence)
}

/// One-sided Wilson bounds of a share: with this confidence the true share is above the first, and (taken alone) with
/// the same confidence below the second. `part` of `whole`; 0 to 1 of nothing is anything.
///
/// `(p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)`
pub fn wilson(part: f64, whole: f64, confidence: f64) -> (f64, f64) {
    if whole <= 0.0 {
        return (0.0, 1.0);
    }
    let z = quantile_of_normal(confidence);
    let p = (part / whole).clamp(0.0, 1.0);
    let z2 = z * z / whole;
    let middle = p + z2 / 2.0;
    let spread = z * (p * (1.0 - p) / whole + z2 / (4.0 * whole)).sqrt();
    let bound = |value: f64| (value / (1.0 + z2)).clamp(0.0, 1.0);
    (bound(middle - spread), bound(middle + spread))
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

    /// How many samples without any bad one show, at this confidence, that the share of bad ones is below `share`, by
    /// Wilson's bound: `z²/(n + z²) < share`.
    fn samples_to_prove(share: f64, confidence: f64) -> u64 {
        let z = quantile_of_normal(confidence);
        ((1.0 - share) / share * z * z).ceil() as u64
    }

    #[test]
    fn wilson_is_as_published() {
        // 10 of 100 are not yet above 5 %, 5 of 20 are.
        assert!((wilson(10.0, 100.0, 0.99).0 - 0.0495).abs() < 5e-5);
        assert!((wilson(5.0, 20.0, 0.99).0 - 0.0965).abs() < 1e-4);
        // Brown, Cai, DasGupta (2001), two-sided 95 % for 5 of 50: 0.0434 to 0.2136.
        let (low, high) = wilson(5.0, 50.0, 0.975);
        assert!((low - 0.0434).abs() < 5e-4 && (high - 0.2136).abs() < 5e-4, "{low} {high}");
        assert_eq!(wilson(0.0, 0.0, 0.99), (0.0, 1.0));
    }

    #[test]
    fn nothing_bad_needs_many_samples_to_be_worth_something() {
        assert_eq!(samples_to_prove(0.01, 0.95), 268);
        assert!(wilson(0.0, 268.0, 0.95).1 < 0.01);
        assert!(wilson(0.0, 267.0, 0.95).1 >= 0.01);
        // Exactly: 0.99^n < 5 %.
        assert!(1.0 - binomial_tail(1, 299, 0.01) < 0.05);
        assert!(1.0 - binomial_tail(1, 298, 0.01) > 0.05);
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
    fn half_of_all_failing_is_seen_in_ten_requests() {
        // Power at n = 10: P(lower bound above 5 %) when half of the requests fail.
        let caught = (0_u32..=10).find(|bad| wilson(f64::from(*bad), 10.0, 0.99).0 > 0.05);
        let power = binomial_tail(u64::from(caught.expect("some count")), 10, 0.5);
        assert!(power > 0.94, "{power}");
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
            let (low, high) = wilson(f64::from(bad), all, CONFIDENCE);
            let share = f64::from(bad) / all;
            prop_assert!(low <= share + 1e-12 && share <= high + 1e-12);
            prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
        }

        #[test]
        fn luck_is_a_probability(a in 0u32..200, b in 0u32..2000, c in 0u32..200, d in 0u32..2000) {
            let counts = |bad: u32, good: u32| Counts { bad: f64::from(bad), all: f64::from(bad + good) };
            let p = chance_of_luck(counts(a, b), counts(c, d));
            prop_assert!((0.0..=1.0 + 1e-9).contains(&p), "{p}");
        }
    }
}
