//! What conditions come to, by tables of counts.

use std::time::Duration;

use chrono::DateTime;

use crate::guard::expression::Condition;
use crate::guard::judge::*;
use crate::metric::kpi::Kpi;
use crate::metric::selector::Selector;

const USUAL: Requirements =
    Requirements { min_samples: 300, significance: 0.01, on_no_data: OnNoData::Hold, due: true };

fn metrics() -> Vec<Kpi> {
    let selector = |text| Selector::parse(text).expect("valid");
    let window = Duration::from_secs(60);
    let metric = |name: &str, kind: KpiKind| Kpi {
        name: name.into(),
        title: None,
        unit: kind.natural_unit(),
        kind,
        by: None,
        warn: None,
        critical: None,
        service: None,
    };
    vec![
        metric("error_rate", KpiKind::Ratio { of: selector("e"), to: selector("t"), window }),
        metric("p99", KpiKind::Quantile { q: 0.99, histogram: selector("h_seconds"), window }),
        metric("players", KpiKind::Gauge { selector: selector("players"), agg: crate::metric::kpi::Aggregation::Sum }),
    ]
}

#[expect(clippy::needless_pass_by_value, reason = "the tables read better")]
fn verdict(text: &str, role: Role, canary: Result<Measurement, Fault>, stable: Result<Measurement, Fault>) -> Verdict {
    let Ok(Condition::Metric(written)) = Condition::parse(text) else {
        panic!("{text}");
    };
    let bound = written.bind(&metrics()).expect(text);
    let blank = Verdict::bare(text, role, Outcome::NoEvidence, DateTime::default(), "");
    let evidence = Evidence { canary: &canary, stable: &stable, before: None };
    judge(&bound, evidence, USUAL, blank)
}

fn errors(part: f64, whole: f64) -> Result<Measurement, Fault> {
    Ok(Measurement::Ratio { part, whole })
}

/// Requests up to 100 ms, up to 250 ms, and all.
fn times(fast: f64, medium: f64, all: f64) -> Result<Measurement, Fault> {
    Ok(Measurement::Buckets(vec![(0.1, fast), (0.25, medium), (f64::INFINITY, all)]))
}

#[test]
fn an_error_rate_passes_fails_or_waits() {
    use Outcome::{Error, Fail, NoEvidence, Pass};
    let good = errors(1.0, 1000.0);
    for (text, role, canary, want) in [
        ("error_rate < 1%", Role::Success, errors(0.0, 300.0), Pass),
        ("error_rate < 1%", Role::Success, errors(0.0, 299.0), NoEvidence),
        ("error_rate < 1%", Role::Success, errors(4.0, 300.0), NoEvidence),
        ("error_rate < 1%", Role::Success, errors(20.0, 300.0), Fail),
        ("error_rate < 1%", Role::Success, errors(5.0, 9.0), NoEvidence),
        ("error_rate > 5%", Role::Rollback, errors(10.0, 100.0), Pass),
        ("error_rate > 5%", Role::Rollback, errors(5.0, 20.0), Fail),
        ("error_rate > 5%", Role::Rollback, errors(9.0, 9.0), NoEvidence),
        ("error_rate > 5%", Role::Rollback, errors(0.0, 10.0), Pass),
        ("error_rate < baseline * 2", Role::Success, errors(50.0, 1000.0), Fail),
        ("error_rate < 1%", Role::Success, Err(Fault::NoSeries), NoEvidence),
        ("error_rate < 1%", Role::Success, Err(Fault::Several { count: 2 }), Error),
        ("error_rate < 1%", Role::Success, Err(Fault::Failed { reason: "500".into() }), Error),
    ] {
        let got = verdict(text, role, canary.clone(), good.clone());
        assert_eq!(got.outcome, want, "{text} {canary:?}: {}", got.reason);
    }
}

#[test]
fn it_is_everything_or_it_is_the_canary() {
    for (canary, stable, want) in [
        (errors(30.0, 300.0), errors(2.0, 1000.0), Blame::Canary),
        (errors(30.0, 300.0), errors(100.0, 1000.0), Blame::Everything),
        (errors(30.0, 300.0), Err(Fault::NoSeries), Blame::Unclear),
    ] {
        let got = verdict("error_rate > 5%", Role::Rollback, canary, stable);
        assert_eq!(got.outcome, Outcome::Fail);
        assert_eq!(got.blame, Some(want), "{}", got.reason);
    }
}

#[test]
fn a_quantile_is_judged_by_counting_above_the_bound() {
    use Outcome::{Error, Fail, NoEvidence, Pass};
    // Stable: 1000 requests, p99 = 100 ms.
    let stable = times(990.0, 1000.0, 1000.0);
    let fast = || times(298.0, 300.0, 300.0);
    for (text, role, canary, want) in [
        ("p99 < baseline * 1.2", Role::Success, fast(), Pass),
        ("p99 < 200ms", Role::Success, times(250.0, 291.0, 300.0), Fail),
        ("p99 < 200ms", Role::Success, times(250.0, 295.0, 300.0), NoEvidence),
        ("p99 < 200ms", Role::Success, times(99.0, 100.0, 100.0), NoEvidence),
        ("p99 > baseline * 2", Role::Rollback, times(50.0, 95.0, 100.0), Fail),
        ("p99 > baseline * 2", Role::Rollback, times(50.0, 96.0, 100.0), NoEvidence),
        ("p99 > baseline * 2", Role::Rollback, times(98.0, 100.0, 100.0), Pass),
        ("p99 > baseline * 2", Role::Rollback, times(5.0, 5.0, 20.0), NoEvidence),
        // A limit between two bounds: passed by the one below, failed by the one above, and nothing in between.
        ("p99 < 200ms", Role::Success, times(298.0, 298.0, 300.0), Pass),
        ("p99 < 200ms", Role::Success, times(0.0, 300.0, 300.0), NoEvidence),
        ("p99 > 200ms", Role::Rollback, times(0.0, 300.0, 300.0), NoEvidence),
        ("p99 > 200ms", Role::Rollback, times(290.0, 300.0, 300.0), NoEvidence),
        ("p99 > 200ms", Role::Rollback, times(296.0, 300.0, 300.0), Pass),
        // On a bound, there is nothing in between.
        ("p99 > 100ms", Role::Rollback, times(0.0, 300.0, 300.0), Fail),
        ("p99 < 100ms", Role::Success, times(0.0, 300.0, 300.0), Fail),
        // Below all bounds it is never passed, above all of them never failed.
        ("p99 < 50ms", Role::Success, times(300.0, 300.0, 300.0), NoEvidence),
        ("p99 < 50ms", Role::Success, times(0.0, 300.0, 300.0), Fail),
        ("p99 > 50ms", Role::Rollback, times(300.0, 300.0, 300.0), NoEvidence),
        ("p99 < 300ms", Role::Success, fast(), Pass),
        ("p99 < 300ms", Role::Success, times(0.0, 0.0, 300.0), NoEvidence),
        ("p99 > 300ms", Role::Rollback, times(0.0, 0.0, 300.0), NoEvidence),
        // 80 ms before, 200 ms now: the bound above says nothing against it, the one below does.
        ("p99 < baseline * 1.2", Role::Success, times(0.0, 300.0, 300.0), NoEvidence),
        ("p99 > baseline * 2", Role::Rollback, times(0.0, 300.0, 300.0), NoEvidence),
        ("p99 > baseline * 2", Role::Rollback, times(0.0, 0.0, 300.0), Fail),
        ("p99 < 200ms", Role::Success, Ok(Measurement::Buckets(vec![(f64::INFINITY, 300.0)])), Error),
    ] {
        let got = verdict(text, role, canary.clone(), stable.clone());
        assert_eq!(got.outcome, want, "{text} {canary:?}: {}", got.reason);
    }
}

#[test]
fn no_baseline_is_no_evidence() {
    for stable in [Err(Fault::NoSeries), times(9.0, 10.0, 10.0)] {
        let got = verdict("p99 < baseline * 1.2", Role::Success, times(300.0, 300.0, 300.0), stable);
        assert_eq!(got.outcome, Outcome::NoEvidence);
        assert!(got.reason.starts_with("no baseline"), "{}", got.reason);
    }
}

#[test]
fn the_baseline_of_the_last_good_step_stands_in() {
    let Ok(Condition::Metric(written)) = Condition::parse("p99 < baseline * 1.2") else {
        panic!("a metric");
    };
    let bound = written.bind(&metrics()).expect("fits");
    let blank = Verdict::bare("", Role::Success, Outcome::NoEvidence, DateTime::default(), "");
    let evidence = Evidence {
        canary: &times(298.0, 300.0, 300.0),
        stable: &Err(Fault::NoSeries),
        before: Some(Baseline { value: 0.1, n: None }),
    };
    let got = judge(&bound, evidence, USUAL, blank);
    assert_eq!(got.outcome, Outcome::Pass, "{}", got.reason);
}

#[test]
fn a_value_without_a_count_is_compared() {
    for (value, want) in [(120.0, Outcome::Pass), (80.0, Outcome::Fail)] {
        let got = verdict(
            "players > baseline * 0.9",
            Role::Success,
            Ok(Measurement::Value(value)),
            Ok(Measurement::Value(100.0)),
        );
        assert_eq!(got.outcome, want);
    }
}

#[test]
fn a_metric_without_data_is_what_the_policy_says_it_is() {
    use OnNoData::{Fail, Hold, Pass};
    let none = || Err(Fault::NoSeries);
    let no_errors = |whole: f64| Err(Fault::NoPart { whole });
    let stale = || Err(Fault::Stale { why: "stale".into() });
    let nan = || Err(Fault::NotFinite { value: "NaN" });
    let broken = || Err(Fault::Failed { reason: "timeout".into() });
    type Row = (&'static str, Result<Measurement, Fault>, OnNoData, bool, (Outcome, bool));
    let table: [Row; 14] = [
        // Unless something is said, it holds.
        ("error_rate < 1%", no_errors(900.0), Hold, true, (Outcome::NoEvidence, false)),
        ("players > 5", none(), Hold, true, (Outcome::NoEvidence, false)),
        // No error was ever counted: with requests enough that is evidence, with few of them it is none.
        ("error_rate < 1%", no_errors(900.0), Pass, true, (Outcome::Pass, false)),
        ("error_rate < 1%", no_errors(20.0), Pass, true, (Outcome::NoEvidence, false)),
        // Without requests nothing is known of a share, whatever is said.
        ("error_rate < 1%", none(), Pass, true, (Outcome::NoEvidence, false)),
        ("players > 5", none(), Pass, true, (Outcome::Pass, true)),
        ("p99 < 100ms", nan(), Pass, true, (Outcome::Pass, true)),
        // What is stale or broken is not absent.
        ("players > 5", stale(), Pass, true, (Outcome::NoEvidence, false)),
        ("players > 5", broken(), Pass, true, (Outcome::Error, false)),
        ("players > 5", broken(), Fail, true, (Outcome::Error, false)),
        ("players > 5", none(), Fail, true, (Outcome::Fail, false)),
        ("error_rate < 1%", none(), Fail, true, (Outcome::Fail, false)),
        ("p99 < 100ms", nan(), Fail, true, (Outcome::Fail, false)),
        // A series needs a scrape or two to begin.
        ("players > 5", none(), Fail, false, (Outcome::NoEvidence, false)),
    ];
    for (text, canary, on_no_data, due, want) in table {
        let Ok(Condition::Metric(written)) = Condition::parse(text) else {
            panic!("{text}");
        };
        let bound = written.bind(&metrics()).expect(text);
        let evidence = Evidence { canary: &canary, stable: &none(), before: None };
        let demand = Requirements { on_no_data, due, ..USUAL };
        let blank = Verdict::bare(text, Role::Success, Outcome::NoEvidence, DateTime::default(), "");
        let got = judge(&bound, evidence, demand, blank);
        assert_eq!((got.outcome, got.assumed), want, "{text} {canary:?} {on_no_data:?} {due}: {}", got.reason);
    }
}

#[test]
fn a_build_that_is_the_same_passes_whatever_the_buckets() {
    // Both quantiles lie in the same bucket, from 100 to 250 ms: no bucket of theirs is within 20 % of the other.
    let stable = times(900.0, 9_990.0, 10_000.0);
    for (canary, want) in [
        (times(90.0, 999.0, 1_000.0), Outcome::Pass),
        (times(300.0, 2_999.0, 3_000.0), Outcome::Pass),
        // The same bucket, and yet slower.
        (times(10.0, 999.0, 1_000.0), Outcome::NoEvidence),
    ] {
        let got = verdict("p99 < baseline * 1.2", Role::Success, canary.clone(), stable.clone());
        assert_eq!(got.outcome, want, "{canary:?}: {}", got.reason);
    }
}

#[test]
fn nothing_bad_is_good_on_every_side() {
    use Outcome::{Fail, NoEvidence, Pass};
    let none = errors(0.0, 8_000.0);
    for (text, role, canary, stable, want) in [
        // An end of the scale that may be reached.
        ("error_rate <= 0%", Role::Success, errors(0.0, 804.0), none.clone(), Pass),
        ("error_rate <= 0%", Role::Success, errors(1.0, 804.0), none.clone(), Fail),
        ("error_rate >= 100%", Role::Success, errors(804.0, 804.0), none.clone(), Pass),
        ("error_rate >= 100%", Role::Success, errors(803.0, 804.0), none.clone(), Fail),
        ("error_rate < 100%", Role::Rollback, errors(804.0, 804.0), none.clone(), Pass),
        ("error_rate >= 100%", Role::Rollback, errors(804.0, 804.0), none.clone(), Fail),
        ("error_rate >= 100%", Role::Rollback, errors(803.0, 804.0), none.clone(), Pass),
        // Nothing against nothing, and one against nothing.
        ("error_rate < baseline * 1.2", Role::Success, errors(0.0, 804.0), none.clone(), Pass),
        ("error_rate <= baseline", Role::Success, errors(0.0, 804.0), none.clone(), Pass),
        ("error_rate > baseline * 2", Role::Rollback, errors(1.0, 804.0), none.clone(), Pass),
        ("error_rate > baseline", Role::Rollback, errors(1.0, 804.0), errors(0.0, 1_000.0), Pass),
        ("error_rate > baseline * 2", Role::Rollback, errors(20.0, 804.0), none.clone(), Fail),
        ("error_rate > baseline + 0.5%", Role::Rollback, errors(5.0, 804.0), none.clone(), Pass),
        ("error_rate > baseline + 0.5%", Role::Rollback, errors(60.0, 804.0), none.clone(), Fail),
        // A few more than none may be luck, and may not.
        ("error_rate < baseline * 1.2", Role::Success, errors(2.0, 804.0), none.clone(), NoEvidence),
        ("error_rate < baseline * 1.2", Role::Success, errors(20.0, 804.0), none, Fail),
        // Where the share should be high, the others are the bad ones.
        ("error_rate > baseline * 0.99", Role::Success, errors(800.0, 804.0), errors(7_970.0, 8_000.0), Pass),
        ("error_rate > baseline * 0.99", Role::Success, errors(700.0, 804.0), errors(7_970.0, 8_000.0), Fail),
    ] {
        let got = verdict(text, role, canary.clone(), stable);
        assert_eq!(got.outcome, want, "{text} {canary:?}: {}", got.reason);
    }
}

#[test]
fn a_value_at_its_limit_is_on_the_side_that_the_operator_says() {
    use Outcome::{Fail, Pass};
    for (text, role, want) in [
        ("players >= 100", Role::Success, Pass),
        ("players > 100", Role::Success, Fail),
        ("players < 100", Role::Rollback, Pass),
        ("players <= 100", Role::Rollback, Fail),
    ] {
        let got = verdict(text, role, Ok(Measurement::Value(100.0)), Err(Fault::NoSeries));
        assert_eq!(got.outcome, want, "{text}");
    }
}

#[test]
fn what_the_buckets_leave_open_is_said_beforehand() {
    let open = |text: &str, stable: Result<Measurement, Fault>| {
        let Ok(Condition::Metric(written)) = Condition::parse(text) else {
            panic!("{text}");
        };
        left_open(&written.bind(&metrics()).expect(text), &stable.expect("seen"))
    };
    assert_eq!(open("p99 < 250ms", times(990.0, 1000.0, 1000.0)), None);
    assert_eq!(
        open("p99 < 200ms", times(990.0, 1000.0, 1000.0)).as_deref(),
        Some(
            "what is between 100 ms and 250 ms is neither good nor bad for it: a bucket that ends at 200 ms would decide"
        )
    );
    let baseline = open("p99 < baseline * 1.2", times(900.0, 1000.0, 1000.0)).expect("open");
    assert!(baseline.starts_with("stable is between 100 ms and 250 ms, as far as its buckets tell"), "{baseline}");
}
