//! What the reference SDK of OpenSLO accepts and refuses, and that what is written reads back.

use super::*;

const RATIO: &str = "indicator: { metadata: { name: i }, spec: { ratioMetric: { counter: true, good: { metricSource: { type: Prometheus, spec: { query: 'sum(r{code=~\"2..\"})' } } }, total: { metricSource: { type: Prometheus, spec: { query: sum(r) } } } } } }";

const RAW: &str = "indicator: { metadata: { name: i }, spec: { ratioMetric: { rawType: success, raw: { metricSource: { type: Prometheus, spec: { query: 'sum(sum_over_time(p[{{.window}}])) / sum(count_over_time(p[{{.window}}]))' } } } } } }";

const THRESHOLD: &str = "indicator: { metadata: { name: i }, spec: { thresholdMetric: { metricSource: { type: Prometheus, spec: { query: max(q) } } } } }";

const ROLLING: &str = "timeWindow: [{ duration: 28d, isRolling: true }]";

fn spec(parts: &[&str]) -> String {
    let lines: String = parts.iter().map(|part| format!("  {part}\n")).collect();
    format!("apiVersion: openslo/v1\nkind: SLO\nmetadata: {{ name: web }}\nspec:\n  service: web\n{lines}")
}

fn found(text: &str) -> (Vec<Slo>, Vec<String>) {
    let mut problems = Problems::default();
    let slos = read(text, "slo.yaml", &mut problems);
    (slos, problems.errors.iter().map(ToString::to_string).collect())
}

const EVENTS: &str = "budgetingMethod: Occurrences";

/// What the reference SDK's examples and its tests accept, and its validation refuses.
#[test]
fn accepts_what_the_reference_sdk_accepts() {
    let slices = "budgetingMethod: Timeslices";
    let calendar = "timeWindow: [{ duration: 1w, isRolling: false, calendar: { startTime: 2022-01-01 12:00:00, timeZone: America/New_York } }]";
    let alpha = "apiVersion: openslo/v1alpha\nkind: SLO\nmetadata: { name: web }\nspec:\n  service: web\n  timeWindows: [{ unit: Week, count: 1, isRolling: false, calendar: { startTime: 2022-01-01 12:00:00, timeZone: America/New_York } }]\n";
    for text in [
        spec(&[RATIO, ROLLING, EVENTS, "objectives: [{ target: 0.995 }]"]),
        spec(&[RATIO, EVENTS, "objectives: [{ targetPercent: 99.5 }]"]),
        spec(&[RATIO, calendar, slices, "objectives: [{ target: 0.995, timeSliceTarget: 0.95, timeSliceWindow: 1m }]"]),
        spec(&[RATIO, slices, "objectives: [{ target: 0.995, timeSliceTarget: 1, timeSliceWindow: 5 }]"]),
        spec(&[RATIO, "budgetingMethod: RatioTimeslices", "objectives: [{ target: 0.995, timeSliceWindow: 1m }]"]),
        spec(&[THRESHOLD, EVENTS, "objectives: [{ op: lte, value: 200, target: 0.98 }]"]),
        spec(&[RAW, EVENTS, "objectives: [{ target: 0.98 }]"]),
        spec(&[
            EVENTS,
            &format!(
                "objectives: [{{ displayName: Good, target: 0.9, {RATIO} }}, {{ target: 0.99, compositeWeight: 2, op: gt, value: 1, {THRESHOLD} }}]"
            ),
        ]),
        format!(
            "{}---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {{ name: ref }}\nspec: {{ thresholdMetric: {{ metricSource: {{ spec: {{ query: q }} }} }} }}\n---\napiVersion: openslo/v1\nkind: Service\nmetadata: {{ name: web }}\nspec: {{}}\n",
            spec(&["indicatorRef: ref", EVENTS, "objectives: [{ op: gt, value: 1, target: 0.9 }]"])
        ),
        format!(
            "{alpha}  budgetingMethod: Occurrences\n  indicator: {{ thresholdMetric: {{ source: Prometheus, queryType: query, query: 'm{{host=\"*\"}}' }} }}\n  objectives: [{{ displayName: Good, value: 200.0, op: gt, target: 0.98 }}]\n"
        ),
        format!(
            "{alpha}  budgetingMethod: Timeslices\n  objectives: [{{ displayName: Good, target: 0.995, timeSliceTarget: 0.95, timeSliceWindow: 1m, value: 1, ratioMetrics: {{ incremental: true, good: {{ source: prometheus, queryType: query, query: 'r{{s=\"2\"}}' }}, total: {{ source: prometheus, queryType: query, query: r }} }} }}]\n"
        ),
    ] {
        let (slos, errors) = found(&text);
        assert!(errors.is_empty(), "{text}\n{errors:#?}");
        assert_eq!(slos.len(), 1, "{text}");
        // Written as v1 and read again it is the same.
        let document = liveops_domain::slo::openslo::document(&slos[0]).expect("v1 says all of it");
        let again = found(&serde_yaml::to_string(&document).expect("YAML"));
        assert!(again.1.is_empty(), "{text}\n{:#?}", again.1);
        let same = |slo: &Slo| Slo { place: String::new(), ..slo.clone() };
        assert_eq!(same(&again.0[0]), same(&slos[0]), "{text}");
    }
}

#[test]
fn refuses_what_the_reference_sdk_refuses() {
    let one = "objectives: [{ target: 0.9 }]";
    let long = format!("description: {}", "x".repeat(1_051));
    for (text, want) in [
        (spec(&[EVENTS, one]), "and at neither is one"),
        (spec(&[RATIO, EVENTS, &format!("objectives: [{{ target: 0.9, {RATIO} }}]")]), "not at both"),
        (spec(&[RATIO, one]), "`budgetingMethod` is missing"),
        (spec(&[RATIO, "budgetingMethod: Often", one]), "must be Occurrences"),
        (spec(&[RATIO, EVENTS, "objectives: []"]), "`objectives` is missing"),
        (spec(&[RATIO, EVENTS, "objectives: [{ target: 1.0 }]"]), "leaves no error budget"),
        (spec(&[RATIO, EVENTS, "objectives: [{ targetPercent: 100 }]"]), "leaves no error budget"),
        (spec(&[RATIO, EVENTS, "objectives: [{ target: 0.9, targetPercent: 90 }]"]), "needs one of target"),
        (spec(&[RATIO, EVENTS, "objectives: [{ displayName: x }]"]), "needs one of target"),
        (spec(&[RATIO, EVENTS, "objectives: [{ target: 0.9, op: lt, value: 1 }]"]), "is for a thresholdMetric alone"),
        (spec(&[THRESHOLD, EVENTS, one]), "`op` is missing"),
        (spec(&[THRESHOLD, EVENTS, "objectives: [{ target: 0.9, op: less, value: 1 }]"]), "must be lte"),
        (
            spec(&[RATIO, "budgetingMethod: Timeslices", "objectives: [{ target: 0.9, timeSliceWindow: 1m }]"]),
            "`timeSliceTarget` is missing",
        ),
        (spec(&[RATIO, "budgetingMethod: RatioTimeslices", one]), "`timeSliceWindow` is missing"),
        (
            spec(&[
                RATIO,
                EVENTS,
                one,
                "timeWindow: [{ duration: 1d, isRolling: true }, { duration: 2d, isRolling: true }]",
            ]),
            "must have one item",
        ),
        (spec(&[RATIO, EVENTS, one, "timeWindow: [{ duration: 1w, isRolling: false }]"]), "must be set when"),
        (
            spec(&[
                RATIO,
                EVENTS,
                one,
                "timeWindow: [{ duration: 1w, isRolling: true, calendar: { startTime: 2022-01-01 12:00:00, timeZone: UTC } }]",
            ]),
            "cannot be set when",
        ),
        (
            spec(&[
                RATIO,
                EVENTS,
                one,
                "timeWindow: [{ duration: 1w, calendar: { startTime: 2022-01-01, timeZone: UTC } }]",
            ]),
            "is not a time such as",
        ),
        (
            spec(&[
                RATIO,
                EVENTS,
                one,
                "timeWindow: [{ duration: 1w, calendar: { startTime: 2022-01-01 12:00:00, timeZone: Mars } }]",
            ]),
            "is no time zone",
        ),
        (
            spec(&[RATIO, EVENTS, one, "timeWindow: [{ duration: one week, isRolling: true }]"]),
            "not a duration of OpenSLO",
        ),
        (spec(&[RATIO, EVENTS, one, &long]), "longer than 1050"),
        (spec(&[RATIO, EVENTS, one]).replace("name: web", "name: Web_1"), "is not a label of DNS"),
        (spec(&[RATIO, EVENTS, one]).replace("  service: web\n", ""), "`service` is missing"),
        (spec(&[RATIO, EVENTS, one]).replace("openslo/v1", "openslo/v9"), "is not read"),
        (spec(&[RATIO, EVENTS, one]).replace("kind: SLO", "kind: Slo"), "is no kind of OpenSLO"),
        (spec(&[&RATIO.replace("good:", "best:"), EVENTS, one]), "needs one of good and bad"),
        (spec(&[&RATIO.replace("type: Prometheus", "type: Datadog"), EVENTS, one]), "only queries of Prometheus"),
        (spec(&[&RAW.replace("rawType: success", "rawType: ok"), EVENTS, one]), "must be success or failure"),
        (spec(&["indicatorRef: nowhere", EVENTS, one]), "no SLI `nowhere`"),
        ("just text\n".to_owned(), "is no object of OpenSLO"),
    ] {
        let errors = found(&text).1.join("\n");
        assert!(errors.contains(want), "{want}: {text}\n{errors}");
        assert!(errors.starts_with("slo.yaml"), "{errors}");
    }
}
