//! Tests of key figures from scrapes, in their own file for its length.

use std::time::Duration;

use crate::metric::exposition;
use crate::metric::exposition::Format;
use crate::metric::kpi::{Aggregation, KpiKind};
use crate::metric::quantity::Unit;
use crate::metric::scrape::*;
use crate::metric::threshold::Threshold;

const FIVE: Duration = Duration::from_secs(300);

fn snapshot(second: i64, body: &str) -> Snapshot {
    let samples = exposition::parse(body, Format::Text, |_| true).unwrap().samples;
    Snapshot::new(DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap(), samples)
}

fn kpi(kind: KpiKind, by: Option<&str>) -> Kpi {
    Kpi {
        name: "k".into(),
        title: None,
        kind,
        by: by.map(str::to_owned),
        unit: Unit::None,
        warn: None,
        critical: None,
        service: None,
    }
}

fn select(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

fn rate(text: &str) -> KpiKind {
    KpiKind::Rate { selector: select(text), window: FIVE }
}

fn ratio(of: &str, to: &str) -> KpiKind {
    KpiKind::Ratio { of: select(of), to: select(to), window: FIVE }
}

fn quantile(q: f64, histogram: &str) -> KpiKind {
    KpiKind::Quantile { q, histogram: select(histogram), window: FIVE }
}

fn gauge(text: &str, agg: Aggregation) -> KpiKind {
    KpiKind::Gauge { selector: select(text), agg }
}

/// The value over one endpoint that gave `before` and ten seconds later `after`, or the reason.
fn between(kind: KpiKind, by: Option<&str>, before: &str, after: &str) -> Result<KpiValue, String> {
    let (before, after) = (snapshot(0, before), snapshot(10, after));
    let window = Window { earlier: vec![&before], current: &after };
    evaluate(&kpi(kind, by), &[window]).map_err(|reason| reason.to_string())
}

fn parts(pairs: &[(&str, f64)]) -> BTreeMap<String, Estimate> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect()
}

#[test]
fn gauges_of_one_scrape() {
    let body = "p{r=\"eu\"} 10\np{r=\"us\"} 30\np 2\np_other 9\n";
    let now = snapshot(0, body);
    let one = Window { earlier: vec![], current: &now };
    let windows = [one.clone(), one];
    for (agg, total, eu) in [
        (Aggregation::Sum, 84.0, 20.0),
        (Aggregation::Avg, 14.0, 10.0),
        (Aggregation::Max, 30.0, 10.0),
        (Aggregation::Min, 2.0, 10.0),
    ] {
        let got = evaluate(&kpi(gauge("p", agg), Some("r")), &windows).unwrap();
        assert_eq!(got.total.value, total, "{agg:?}");
        assert_eq!(got.by["eu"].value, eu, "{agg:?}");
        assert_eq!(got.by.keys().collect::<Vec<_>>(), ["", "eu", "us"]);
    }
}

#[test]
fn gauges_that_are_not_numbers() {
    let body = "p{r=\"eu\"} NaN\np{r=\"us\"} 3\n";
    let one = |agg, by| between(gauge("p", agg), by, "", body);
    assert_eq!(one(Aggregation::Sum, None).unwrap_err(), "the value is NaN");
    assert_eq!(one(Aggregation::Max, None).unwrap().total.value, 3.0);
    let by = one(Aggregation::Min, Some("r")).unwrap().by;
    assert!(by["eu"].value.is_nan() && by["us"].value == 3.0);
    assert_eq!(between(gauge("q", Aggregation::Sum), None, "", body).unwrap_err(), "no series match `q`");
}

#[test]
fn rates_between_two_scrapes() {
    let cases = [
        ("grows", "c 100\n", "c 150\n", Ok(5.0)),
        ("stands still", "c 100\n", "c 100\n", Ok(0.0)),
        ("was reset", "c 100\n", "c 30\n", Ok(3.0)),
        ("one appeared", "c{a=\"1\"} 0\n", "c{a=\"1\"} 10\nc{a=\"2\"} 500\n", Ok(1.0)),
        ("one vanished", "c{a=\"1\"} 0\nc{a=\"2\"} 500\n", "c{a=\"1\"} 10\n", Ok(1.0)),
        ("all are new", "d 1\n", "c 10\n", Err("needs a second scrape to see how `c` changes")),
        ("not there", "c 1\n", "d 1\n", Err("no series match `c`")),
        ("not a number", "c NaN\n", "c 5\n", Err("the value is NaN")),
        ("infinite", "c 0\n", "c +Inf\n", Err("the value is +Inf")),
    ];
    for (name, before, after, want) in cases {
        let got = between(rate("c"), None, before, after).map(|v| v.total.value);
        assert_eq!(got, want.map_err(str::to_owned), "{name}");
    }
}

#[test]
fn endpoints_are_added_up_each_over_its_own_time() {
    let (a0, a1) = (snapshot(0, "c 0\n"), snapshot(10, "c 100\n"));
    let (b0, b1) = (snapshot(5, "c 0\n"), snapshot(10, "c 100\n"));
    let new = snapshot(10, "c 9\n");
    let windows = [
        Window { earlier: vec![&a0], current: &a1 },
        Window { earlier: vec![&b0], current: &b1 },
        Window { earlier: vec![], current: &new },
    ];
    assert_eq!(evaluate(&kpi(rate("c"), None), &windows).unwrap().total.value, 30.0);
}

#[test]
fn the_earlier_scrape_must_be_earlier_and_inside_the_window() {
    let now = snapshot(1_000, "c 5\n");
    for (second, usable) in [(999, true), (701, true), (700, false), (1_000, false), (1_001, false)] {
        let before = snapshot(second, "c 1\n");
        let window = Window { earlier: vec![&before], current: &now };
        let got = evaluate(&kpi(rate("c"), None), &[window]);
        assert_eq!(got.is_ok(), usable, "{second}");
        assert!(got.err().is_none_or(|e| e.is_cured_by_scraping_again()));
    }
}

#[test]
fn ratios() {
    let all = "http{code=\"200\",r=\"a\"} 0\nhttp{code=\"500\",r=\"a\"} 0\nhttp{code=\"200\",r=\"b\"} 0\n";
    let later = "http{code=\"200\",r=\"a\"} 90\nhttp{code=\"500\",r=\"a\"} 10\nhttp{code=\"200\",r=\"b\"} 100\n";
    let errors = ratio("http{code=~\"5..\"}", "http");
    let got = between(errors.clone(), Some("r"), all, later).unwrap();
    assert_eq!(got.total.value, 0.05);
    assert_eq!(got.by, parts(&[("a", 0.1), ("b", 0.0)]));

    let never = between(errors.clone(), None, "http{code=\"200\"} 0\n", "http{code=\"200\"} 9\n");
    assert_eq!(never.unwrap().total.value, 0.0);
    let first = between(errors.clone(), None, "http{code=\"200\"} 0\n", "http{code=\"200\"} 9\nhttp{code=\"500\"} 9\n");
    assert_eq!(first.unwrap().total.value, 0.0, "as Prometheus: a series has no rate before its second sample");
    let quiet = between(errors, None, all, all);
    assert_eq!(quiet.unwrap_err(), "no traffic: `http` did not change between the scrapes");
    let typo = between(ratio("htp{code=~\"5..\"}", "http"), None, all, later);
    assert_eq!(typo.unwrap_err(), "no series match `htp{code=~\"5..\"}`");
    let part = between(
        ratio("hit", "http"),
        Some("r"),
        &format!("{all}hit{{r=\"a\"}} 0\n"),
        &format!("{later}hit{{r=\"a\"}} 50\n"),
    );
    assert_eq!(part.unwrap().by, parts(&[("a", 0.5)]));
}

#[test]
fn one_quiet_part_does_not_hide_the_rest() {
    let before = "http{r=\"a\"} 0\nhttp{r=\"b\"} 7\n";
    let after = "http{r=\"a\"} 4\nhttp{r=\"b\"} 7\n";
    let got = between(ratio("http", "http"), Some("r"), before, after).unwrap();
    assert_eq!(got.total.value, 1.0);
    assert!(got.by["a"].value == 1.0 && got.by["b"].value.is_nan());
}

#[test]
fn quantiles_of_what_was_observed_between() {
    let body = |r: &str, one: u32, two: u32, all: u32| {
        format!(
            "t_bucket{{r=\"{r}\",le=\"1.0\"}} {one}\nt_bucket{{r=\"{r}\",le=\"2\"}} {two}\nt_bucket{{r=\"{r}\",le=\"+Inf\"}} {all}\n"
        )
    };
    let before = format!("{}{}", body("a", 1000, 1000, 1000), body("b", 7, 7, 7));
    let after = format!("{}{}", body("a", 1000, 1010, 1010), body("b", 17, 17, 17));
    let got = between(quantile(0.5, "t"), Some("r"), &before, &after).unwrap();
    assert_eq!(got.total.value, 1.0);
    assert_eq!(got.by, parts(&[("a", 1.5), ("b", 0.5)]));

    let quiet = between(quantile(0.5, "t"), None, &before, &before).unwrap_err();
    assert_eq!(quiet, "no traffic: `t_bucket` did not change between the scrapes");
    let cut = |text: &str| text.lines().filter(|l| !l.contains("Inf")).fold(String::new(), |t, l| t + l + "\n");
    let cut = between(quantile(0.5, "t"), None, &cut(&before), &cut(&after)).unwrap_err();
    assert_eq!(cut, "`t_bucket` has no bucket with le=\"+Inf\"");
    let outside = between(quantile(1.5, "t"), None, &before, &after).unwrap_err();
    assert_eq!(outside, "the value is +Inf");
}

/// The growth a second of `c` over scrapes ten seconds apart.
fn over(bodies: &[&str]) -> Result<f64, NoValue> {
    let scrapes: Vec<Snapshot> = (0..).step_by(10).zip(bodies).map(|(second, body)| snapshot(second, body)).collect();
    let (current, earlier) = scrapes.split_last().unwrap();
    let window = Window { earlier: earlier.iter().collect(), current };
    evaluate(&kpi(rate("c"), None), &[window]).map(|value| value.total.value)
}

#[test]
fn each_series_is_followed_through_the_window() {
    for (name, bodies, want) in [
        (
            "born in the middle",
            ["c{a=\"1\"} 0\n", "c{a=\"1\"} 10\nc{a=\"2\"} 40\n", "c{a=\"1\"} 20\nc{a=\"2\"} 80\n"],
            5.0,
        ),
        (
            "ended in the middle",
            ["c{a=\"1\"} 0\nc{a=\"2\"} 0\n", "c{a=\"1\"} 10\nc{a=\"2\"} 60\n", "c{a=\"1\"} 20\n"],
            7.0,
        ),
        ("restarted twice", ["c 100\n", "c 20\n", "c 20\n"], 1.0),
        ("restarted and higher at once", ["c 100\n", "c 0\n", "c 120\n"], 6.0),
    ] {
        assert_eq!(over(&bodies), Ok(want), "{name}");
    }
}

#[test]
fn the_first_errors_of_an_outage_count_for_the_level() {
    let all = "http{code=\"200\"} 0\n";
    let (before, after) = (snapshot(0, all), snapshot(10, "http{code=\"200\"} 9\nhttp{code=\"500\"} 9\n"));
    let windows = [Window { earlier: vec![&before], current: &after }];
    let mut kpi = kpi(ratio("http{code=~\"5..\"}", "http"), None);
    assert_eq!(evaluate(&kpi, &windows).unwrap().total, 0.0.into());
    for (limit, want, counts) in [("> 60%", 0.0, false), ("> 1%", 0.5, true)] {
        kpi.critical = Some(Threshold::parse(limit, &Unit::Ratio).unwrap());
        let got = evaluate(&kpi, &windows).unwrap();
        assert_eq!((got.total, got.counts_newborn), (want.into(), counts), "{limit}");
    }
}

#[test]
fn what_was_created_since_began_at_0() {
    let at = |count: u32, born: i64| format!("c_created {}\nc_total {count}\n", 1_700_000_000 + born);
    let rate_of = |bodies: &[String]| {
        let scrapes: Vec<Snapshot> = (0..).step_by(10).zip(bodies).map(|(at, body)| snapshot(at, body)).collect();
        let (current, earlier) = scrapes.split_last().unwrap();
        let window = Window { earlier: earlier.iter().collect(), current };
        evaluate(&kpi(rate("c_total"), None), &[window]).map(|value| value.total.value)
    };
    assert_eq!(rate_of(&[at(50, -100), at(60, -100)]), Ok(1.0));
    assert_eq!(rate_of(&[at(50, -100), at(60, 4)]), Ok(6.0), "created anew, though higher than before");
    assert_eq!(rate_of(&["c_total{x=\"1\"} 5\n".into(), at(30, 5)]), Ok(3.0), "born since, and not seen before");
}

#[test]
fn a_process_that_began_since_has_counted_anew() {
    let at = |start: i64, count: u32| format!("process_start_time_seconds {}\nc {count}\n", 1_700_000_000 + start);
    assert_eq!(over(&[&at(-500, 10), &at(3, 70)]), Ok(7.0), "a restart that ends above where it began");
}

#[test]
fn parts_that_are_gone_are_found_with_what_they_were() {
    let both = "p{r=\"eu\"} 10\np{r=\"us\"} 30\n";
    let (first, second, now) = (snapshot(0, both), snapshot(10, both), snapshot(22, "p{r=\"eu\"} 11\n"));
    let empty = snapshot(22, "");
    let window = |current| Window { earlier: vec![&first, &second], current };
    let kpi = kpi(gauge("p", Aggregation::Sum), Some("r"));
    let us = gone::gone(&kpi, &[window(&now)]);
    assert_eq!(us.len(), 1);
    assert_eq!((us[0].name.as_str(), us[0].was, us[0].last_seen), ("us", Some(30.0), second.at));
    assert_eq!(gone::gone(&kpi, &[window(&empty)]).len(), 2);
    // Another endpoint still has it.
    assert_eq!(gone::gone(&kpi, &[window(&now), window(&second)]), []);
    let value = evaluate(&kpi, &[window(&now)]).unwrap();
    assert_eq!((value.freshness.targets, value.freshness.newest), (1, Some(now.at)));
}

#[test]
fn workers_that_take_turns_are_told_by_their_names_and_by_their_counts() {
    let from = |who: &str, count: u32| format!("c{{instance=\"{who}\"}} {count}\n");
    let turns = [from("a", 1000), from("b", 5), from("a", 1001)];
    assert_eq!(over(&turns.each_ref().map(String::as_str)), Err(NoValue::SeveralProcesses));
    let moved = [from("a", 1000), from("a", 1010), from("b", 5)];
    assert!(over(&moved.each_ref().map(String::as_str)).is_ok());
    assert_eq!(over(&["c 1000\n", "c 40\n", "c 1001\n", "c 41\n"]), Err(NoValue::SeveralProcesses));
    assert!(over(&["c 1000\n", "c 40\n", "c 90\n", "c 41\n"]).is_ok(), "restarts");
}

#[test]
fn several_processes_behind_one_url_are_no_restarts() {
    let at = |start: u32, count: u32| format!("process_start_time_seconds {start}\nc {count}\n");
    let long_ago = 1_600_000_000;
    let (one, other) = (at(long_ago, 1000), at(long_ago + 500, 400));
    assert_eq!(over(&[&one, &other]), Err(NoValue::SeveralProcesses), "it had begun long before");
    assert_eq!(over(&[&other, &one]), Err(NoValue::SeveralProcesses), "it is the older one");
    assert_eq!(over(&[&one, &at(1_700_000_005, 40)]), Ok(4.0), "it began since");
    assert_eq!(over(&[&one, &one]), Ok(0.0));
}

#[test]
fn what_cannot_be_computed_here() {
    let promql = kpi(KpiKind::PromQl("up".into()), None);
    let now = snapshot(0, "up 1\n");
    let window = Window { earlier: vec![], current: &now };
    assert_eq!(evaluate(&promql, &[window]), Err(NoValue::NeedsPrometheus));
    assert_eq!(evaluate(&promql, &[]), Err(NoValue::NoEndpoint));
}

#[test]
fn keeps_what_is_needed_and_survives_the_cache() {
    let body = "c{a=\"1\"} 1\nc{a=\"2\"} NaN\nt_bucket{le=\"1\"} 1\nt_sum 1\nt_count 1\nother 1\n";
    let kpis = [kpi(rate("c{a=\"2\"}"), None), kpi(quantile(0.5, "t"), None)];
    let kept = keep(snapshot(0, body), &kpis);
    let names: Vec<&str> = kept.samples.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["c", "t_bucket"]);
    let json = serde_json::to_string(&kept).unwrap();
    let back: Snapshot = serde_json::from_str(&json).unwrap();
    assert_eq!(format!("{back:?}"), format!("{kept:?}"));
    assert!(keep(snapshot(0, body), &[]).samples.is_empty());
}

#[test]
fn a_look_at_which_a_counter_was_born_or_restarted_or_seen_last_says_more_than_those_beside_it() {
    let counters = [select("a_total")];
    let says_more = |before: &str, between: &str, after: &str| {
        !snapshot(1, between).is_implied(&snapshot(0, before), &snapshot(2, after), &counters)
    };
    assert!(!says_more("a_total 1\ng 9\n", "a_total 2\ng 3\n", "a_total 3\ng 9\n"), "a gauge may fall");
    assert!(says_more("", "a_total 2\n", "a_total 3\n"), "born");
    assert!(says_more("a_total 9\n", "a_total 2\n", "a_total 30\n"), "restarted");
    assert!(says_more("a_total 1\n", "a_total 2\n", ""), "seen last");
}
