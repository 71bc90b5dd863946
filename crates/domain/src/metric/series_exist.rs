//! Whether the series that a KPI is made of exist at all, and if not, which name was probably meant. Tells "no data
//! yet" from "no such metric", which looks the same on a screen.

use std::collections::BTreeSet;

use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::labels::Labels;
use crate::metric::selector::Selector;
use crate::text::suggest::nearest;

/// The series without which the KPI has no value. Of a ratio of one counter only the whole: a failure that never
/// happened has no series.
pub fn needed(kpi: &Kpi) -> Vec<Selector> {
    match &kpi.kind {
        KpiKind::Ratio { of, to, .. } if of.name() == to.name() => vec![to.clone()],
        _ => kpi.selectors(),
    }
}

/// PromQL that has a value when all of them exist. The user's own PromQL stands for itself.
pub fn query(kpi: &Kpi) -> String {
    if let KpiKind::PromQl(promql) = &kpi.kind {
        return promql.clone();
    }
    let counts: Vec<String> = needed(kpi).iter().map(|selector| format!("count({})", selector.show())).collect();
    counts.join(" and on () ")
}

/// Are they all among these samples? `None` for what only Prometheus can compute.
pub fn is_among(kpi: &Kpi, samples: &[(&str, &Labels)]) -> Option<bool> {
    if matches!(kpi.kind, KpiKind::PromQl(_)) {
        return None;
    }
    let found = |selector: &Selector| samples.iter().any(|(name, labels)| selector.matches(name, labels));
    Some(needed(kpi).iter().all(found))
}

/// Why there is no data, as far as the names of all metrics tell.
pub fn reason(kpi: &Kpi, names: &BTreeSet<String>) -> String {
    for selector in needed(kpi) {
        let name = selector.name();
        if names.contains(name) {
            continue;
        }
        let near = nearest(name, names.iter().map(String::as_str));
        return match near {
            Some(near) => format!("no metric `{name}`; did you mean `{near}`?"),
            None => format!("no metric `{name}`"),
        };
    }
    match needed(kpi).first() {
        Some(selector) if selector.show() != selector.name() => {
            format!("no series `{}` of late", selector.show())
        }
        Some(selector) => format!("`{}` has no samples of late", selector.name()),
        None => "the query gives no value".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metric::quantity::Unit;

    const WINDOW: Duration = Duration::from_secs(300);

    fn selector(text: &str) -> Selector {
        Selector::parse(text).expect("valid")
    }

    fn kpi(kind: KpiKind) -> Kpi {
        Kpi {
            name: "k".into(),
            title: None,
            kind,
            by: None,
            unit: Unit::None,
            warn: None,
            critical: None,
            service: None,
        }
    }

    fn ratio(of: &str, to: &str) -> Kpi {
        kpi(KpiKind::Ratio { of: selector(of), to: selector(to), window: WINDOW })
    }

    #[test]
    fn a_failure_that_never_happened_is_no_missing_data() {
        let one = ratio("http_total{status=~\"5..\"}", "http_total");
        assert_eq!(query(&one), "count(http_total)");
        let two = ratio("errors_total", "http_total");
        assert_eq!(query(&two), "count(errors_total) and on () count(http_total)");
        assert_eq!(query(&kpi(KpiKind::PromQl("up == 1".into()))), "up == 1");
    }

    #[test]
    fn samples_of_a_scrape_are_found_by_their_labels() {
        let labels: Labels = [("status".to_owned(), "200".to_owned())].into();
        let samples = [("http_total", &labels)];
        assert_eq!(is_among(&ratio("http_total{status=\"500\"}", "http_total"), &samples), Some(true));
        assert_eq!(is_among(&ratio("x", "http_total"), &samples), Some(false));
        assert_eq!(is_among(&kpi(KpiKind::PromQl("x".into())), &samples), None);
    }

    #[test]
    fn the_reason_names_what_was_probably_meant() {
        let names: BTreeSet<String> = ["http_requests_total".to_owned()].into();
        for (of, to, want) in [
            (
                "http_request_total",
                "http_request_total",
                "no metric `http_request_total`; did you mean `http_requests_total`?",
            ),
            ("zzz", "http_requests_total", "no metric `zzz`"),
            (
                "http_requests_total{a=\"b\"}",
                "http_requests_total{c=\"d\"}",
                "no series `http_requests_total{c=\"d\"}` of late",
            ),
            ("http_requests_total", "http_requests_total", "`http_requests_total` has no samples of late"),
        ] {
            assert_eq!(reason(&ratio(of, to), &names), want);
        }
    }
}
