//! Tests of key figures, in their own file for its length.

use crate::metric::kpi::*;

const FIVE: Duration = Duration::from_secs(300);

fn select(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

fn kpi(kind: KpiKind, by: Option<&str>) -> Kpi {
    Kpi {
        name: "active_players".into(),
        title: None,
        unit: kind.natural_unit(),
        kind,
        by: by.map(str::to_owned),
        warn: None,
        critical: None,
        service: None,
    }
}

/// Every kind with its PromQL, whole and by label.
fn cases() -> Vec<(Kpi, &'static str, Option<&'static str>)> {
    vec![
        (
            kpi(
                KpiKind::Gauge { selector: select("game_active_players{mode!=\"\"}"), agg: Aggregation::Sum },
                Some("region"),
            ),
            r#"sum (game_active_players{mode!=""})"#,
            Some(r#"sum by (region) (game_active_players{mode!=""})"#),
        ),
        (
            kpi(KpiKind::Gauge { selector: select("{__name__=\"cpu.load\"}"), agg: Aggregation::Max }, None),
            r#"max ({__name__="cpu.load"})"#,
            None,
        ),
        (
            kpi(KpiKind::Rate { selector: select("game_purchases_total"), window: FIVE }, Some("item_type")),
            "sum (rate(game_purchases_total[5m]))",
            Some("sum by (item_type) (rate(game_purchases_total[5m]))"),
        ),
        (
            kpi(
                KpiKind::Ratio {
                    of: select("http_requests_total{status=~\"5..\"}"),
                    to: select("http_requests_total"),
                    window: FIVE,
                },
                Some("route"),
            ),
            r#"(sum (rate(http_requests_total{status=~"5.."}[5m])) or sum (rate(http_requests_total[5m])) * 0) / sum (rate(http_requests_total[5m]))"#,
            Some(
                r#"(sum by (route) (rate(http_requests_total{status=~"5.."}[5m])) or sum by (route) (rate(http_requests_total[5m])) * 0) / sum by (route) (rate(http_requests_total[5m]))"#,
            ),
        ),
        (
            kpi(KpiKind::Ratio { of: select("cache_hits_total"), to: select("cache_reads_total"), window: FIVE }, None),
            "sum (rate(cache_hits_total[5m])) / sum (rate(cache_reads_total[5m]))",
            None,
        ),
        (
            kpi(
                KpiKind::Quantile {
                    q: 0.99,
                    histogram: select("tick_seconds{a=\"x\\\"y\"}"),
                    window: Duration::from_secs(90),
                },
                Some("region"),
            ),
            r#"histogram_quantile(0.99, sum by (le) (rate(tick_seconds_bucket{a="x\"y"}[1m30s])))"#,
            Some(r#"histogram_quantile(0.99, sum by (le, region) (rate(tick_seconds_bucket{a="x\"y"}[1m30s])))"#),
        ),
        (kpi(KpiKind::PromQl("up == 0".into()), Some("job")), "up == 0", None),
    ]
}

#[test]
fn promql_of_each_kind_parses() {
    for (kpi, whole, by) in cases() {
        assert_eq!(kpi.promql(), whole);
        assert_eq!(kpi.promql_by().as_deref(), by);
        for promql in std::iter::once(whole).chain(by) {
            crate::metric::promql::tree(promql).unwrap_or_else(|e| panic!("{promql}: {e}"));
        }
    }
}

#[test]
fn titles() {
    let mut kpi = kpi(KpiKind::PromQl("1".into()), None);
    assert_eq!(kpi.title(), "active players");
    kpi.title = Some("Players now".into());
    assert_eq!(kpi.title(), "Players now");
}

#[test]
fn what_a_scrape_must_keep() {
    let wanted: Vec<Vec<String>> =
        cases().iter().map(|(kpi, ..)| kpi.selectors().iter().map(Selector::show).collect()).collect();
    assert_eq!(wanted[0], [r#"game_active_players{mode!=""}"#]);
    assert_eq!(wanted[3].len(), 2);
    assert_eq!(wanted[5], [r#"tick_seconds_bucket{a="x\"y"}"#]);
    assert!(wanted[6].is_empty());
}

#[test]
fn units_from_the_metric() {
    let units: Vec<Unit> = cases().into_iter().map(|(kpi, ..)| kpi.unit).collect();
    assert_eq!(units, [Unit::None, Unit::None, Unit::PerSecond, Unit::Ratio, Unit::Ratio, Unit::Seconds, Unit::None]);
    let bucket = KpiKind::Quantile { q: 0.5, histogram: select("lat_ms_bucket"), window: FIVE };
    assert_eq!(bucket.natural_unit(), Unit::Milliseconds);
}

#[test]
fn level_by_thresholds() {
    let mut kpi = kpi(KpiKind::PromQl("1".into()), None);
    kpi.unit = Unit::Seconds;
    kpi.warn = Some(Threshold::parse("> 16ms", &kpi.unit).unwrap());
    assert_eq!([0.016, 0.02, f64::NAN].map(|v| kpi.level(v)), [Level::Ok, Level::Warn, Level::Unknown]);
}
