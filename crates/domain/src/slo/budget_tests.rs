//! What a reading of an objective means: known, unknown, spent, burning, young.

use super::*;
use crate::slo::sample;

const NOW: &str = "2026-11-30T12:00:00Z";

fn now() -> DateTime<Utc> {
    NOW.parse().expect("a time")
}

/// Burn by window, remaining by the period's burn.
fn reading(burns: [f64; 7], period: f64) -> Reading {
    let tally = |burn: f64| Ok(vec![Tally { bad: burn * 1000.0, total: 1e6 }]);
    Reading {
        windows: burns.into_iter().map(tally).collect(),
        period: tally(period),
        excluded: None,
        covered: Ok(Duration::from_secs(30 * 86_400)),
        doubt: None,
    }
}

#[test]
fn what_is_not_known_is_neither_within_nor_beyond() {
    let slo = sample::slo("99.9%", "30d");
    let good = judge(&slo, &reading([0.0; 7], 0.5), now());
    let fast = judge(&slo, &reading([2.0; 7], 0.5), now());
    let spent = judge(&slo, &reading([0.0; 7], 1.5), now());
    let silent = judge(&slo, &Reading { doubt: Some("no answer".into()), ..reading([0.0; 7], 0.5) }, now());
    let counts = BudgetCount::of([&good, &fast, &spent, &silent, &silent].into_iter());
    assert_eq!(counts, BudgetCount { known: 3, within: 2, fast: 1, unknown: 2 });
}

#[test]
fn a_budget_has_its_level_and_its_end() {
    let slo = sample::slo("99.9%", "30d");
    for (burns, period, level, exhausts) in [
        ([0.0; 7], 0.5, Level::Ok, None),
        ([20.0, 20.0, 20.0, 10.0, 4.0, 1.0, 0.5], 0.5, Level::Critical, Some("6h")),
        ([1.0, 20.0, 20.0, 10.0, 4.0, 1.0, 0.5], 0.5, Level::Ok, Some("6h")),
        ([2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0], 0.5, Level::Warn, Some("3d")),
        ([0.0; 7], 1.5, Level::Critical, None),
    ] {
        let budget = judge(&slo, &reading(burns, period), now());
        assert_eq!(budget.level, level, "{burns:?}: {:?}", budget.reason);
        assert_eq!(budget.exhausts.map(|one| to_promql(one.by)).as_deref(), exhausts, "{burns:?}");
        assert!((budget.remaining.unwrap() - (1.0 - period)).abs() < 1e-9);
    }
    // Half of the budget at twice the speed: a quarter of the window.
    let budget = judge(&slo, &reading([2.0; 7], 0.5), now());
    assert_eq!(budget.exhausts.unwrap().at, now() + TimeDelta::hours(180));
}

#[test]
fn what_is_not_known_is_never_ok() {
    let slo = sample::slo("99.9%", "30d");
    let mut silent = reading([0.0; 7], 0.0);
    silent.windows[0] = Err("no series".into());
    assert_eq!(judge(&slo, &silent, now()).level, Level::Unknown);
    let mut partial = reading([0.0; 7], 0.0);
    partial.doubt = Some("a store is down".into());
    assert_eq!(judge(&slo, &partial, now()).level, Level::Unknown);
    let idle = Reading { period: Ok(vec![Tally { bad: 0.0, total: 0.0 }]), ..reading([0.0; 7], 0.0) };
    let budget = judge(&slo, &idle, now());
    assert_eq!((budget.level, budget.reason.as_deref()), (Level::Unknown, Some(NO_TRAFFIC)));
    // No traffic for five minutes is no gap.
    let mut quiet = reading([0.0; 7], 0.2);
    quiet.windows[0] = Ok(vec![Tally { bad: 0.0, total: 0.0 }]);
    assert_eq!(judge(&slo, &quiet, now()).level, Level::Ok);
    for (bad, total) in [(f64::NAN, 1.0), (20.0, 10.0), (-5.0, 10.0), (1.0, f64::INFINITY)] {
        assert!(Tally { bad, total }.check().is_err(), "{bad} of {total}");
    }
    assert!(Tally { bad: 10.05, total: 10.0 }.check().is_ok());
}

#[test]
fn a_window_without_an_earlier_look_matters_only_where_its_pair_may_alert() {
    let slo = sample::slo("99.9%", "30d");
    let missing = |burns: [f64; 7], window: usize| {
        let mut one = reading(burns, 0.2);
        one.windows[window] = Err(NO_EARLIER.into());
        judge(&slo, &one, now())
    };
    // Five minutes belong to the pair with an hour, which burns slowly.
    assert_eq!(missing([0.5; 7], 0).level, Level::Ok);
    let unknown = missing([20.0, 0.5, 20.0, 0.5, 0.5, 0.5, 0.5], 0);
    assert_eq!(unknown.level, Level::Unknown);
    assert_eq!(unknown.reason.as_deref(), Some("burn over 5m is unknown: no reading that old, and no Prometheus"));
}

#[test]
fn few_errors_page_nobody() {
    let slo = sample::slo("99.9%", "30d");
    let mut few = reading([0.0; 7], 0.5);
    for window in &mut few.windows {
        *window = Ok(vec![Tally { bad: 2.0, total: 36.0 }]);
    }
    assert_eq!(judge(&slo, &few, now()).level, Level::Ok);
    assert!(low_traffic(&slo, &few).unwrap().contains("36 events in 1h: one that is bad burns 27.8×"));
}

/// Half of an hour is what the alert over an hour needs; of less nothing is known, be it good or bad.
#[test]
fn a_window_that_has_hardly_any_data_is_unknown() {
    let covered = |window: &str, burn: f64, seconds: u64, at: &str| {
        let mut one = reading([burn; 7], burn);
        one.covered = Ok(Duration::from_secs(seconds));
        let budget = judge(&sample::slo("99.9%", window), &one, at.parse().expect("a time"));
        (budget.level, budget.reason)
    };
    let young = Some("data for 30s of 30d is too little to tell".to_owned());
    assert_eq!(covered("30d", 0.5, 30, NOW), (Level::Unknown, young.clone()));
    assert_eq!(covered("30d", 20.0, 30, NOW), (Level::Unknown, young));
    assert_eq!(covered("30d", 0.5, 1_799, NOW).0, Level::Unknown);
    assert_eq!(covered("30d", 0.5, 1_800, NOW), (Level::Ok, None));
    assert_eq!(covered("30d", 20.0, 1_800, NOW).0, Level::Critical);
    // A month that is ten minutes old.
    assert_eq!(covered("month", 0.5, 600, "2026-12-01T00:10:00Z").0, Level::Ok);
    assert_eq!(covered("month", 0.5, 30, "2026-12-01T00:10:00Z").0, Level::Unknown);
    let mut none = reading([0.0; 7], 0.5);
    none.covered = Err("no answer".into());
    assert_eq!(judge(&sample::slo("99.9%", "30d"), &none, now()).level, Level::Unknown);
}

#[test]
fn exclusions_give_both_figures() {
    let slo = sample::slo("99.9%", "30d");
    let mut one = reading([0.0; 7], 1.5);
    one.excluded = Some(Ok(vec![Tally { bad: 1000.0, total: 1000.0 }]));
    let budget = judge(&slo, &one, now());
    assert!((budget.remaining.unwrap() - (1.0 - 500.0 / 999.0)).abs() < 1e-9);
    assert!((budget.unadjusted.unwrap().1.unwrap() + 0.5).abs() < 1e-9);
}
