//! An objective as OpenSLO v1 (<https://github.com/OpenSLO/OpenSLO>); what OpenSLO has no member for is an annotation.

use serde_json::{Map, Value, json};

use crate::metric::threshold::Comparison;
use crate::slo::indicator::{Indicator, Side, bucket};
use crate::slo::window::Window;
use crate::slo::{MIN_BAD, Method, Part, Slo};
use crate::text::time::rfc3339;

/// Annotations by which liveops keeps what is its own.
pub const MIN_BAD_KEY: &str = "liveops/min_bad";

pub const RUNBOOK_KEY: &str = "liveops/runbook";

pub const DASHBOARD_KEY: &str = "liveops/dashboard";

pub const EXCLUSIONS_KEY: &str = "liveops/exclusions";

/// OpenSLO's operators, which say when it is good, and when it is bad then.
pub const OPERATORS: [(&str, Comparison); 4] =
    [("lte", Comparison::Above), ("lt", Comparison::AtLeast), ("gte", Comparison::Below), ("gt", Comparison::AtMost)];

/// One document.
///
/// # Errors
/// What OpenSLO cannot say.
pub fn document(slo: &Slo) -> Result<Value, String> {
    let mut spec = Map::new();
    if let Some(text) = &slo.description {
        spec.insert("description".into(), json!(text));
    }
    spec.insert("service".into(), json!(slo.service.as_deref().unwrap_or(&slo.name)));
    spec.insert("timeWindow".into(), json!([window(&slo.window)]));
    spec.insert("budgetingMethod".into(), json!(slo.method.name()));
    let composite = slo.is_composite();
    if let ([only], false) = (slo.parts.as_slice(), composite) {
        spec.insert("indicator".into(), indicator(&slo.name, only)?);
    }
    let objective = |part: &Part| {
        let mut one = Map::new();
        if !part.name.is_empty() {
            one.insert("displayName".into(), json!(part.name));
        }
        one.insert("target".into(), number(&part.objective.decimal()));
        if let Indicator::Threshold { bad, .. } = &part.indicator {
            let op = OPERATORS.iter().find(|(_, op)| *op == bad.op);
            let (name, _) = op.ok_or("OpenSLO has no operator for `==` and `!=`")?;
            one.insert("op".into(), json!(name));
            one.insert("value".into(), json!(bad.value));
        }
        if let Method::Timeslices { target, .. } = slo.method {
            one.insert("timeSliceTarget".into(), number(&target.decimal()));
        }
        if let Some(slice) = slo.method.slice() {
            one.insert("timeSliceWindow".into(), json!(shorthand(slice.as_secs())));
        }
        if composite {
            one.insert("compositeWeight".into(), json!(part.weight));
            let name = format!("{}-{}", slo.name, part.name);
            one.insert("indicator".into(), indicator(&name, part)?);
        }
        Ok::<_, String>(Value::Object(one))
    };
    let objectives = slo.parts.iter().map(objective).collect::<Result<Vec<_>, _>>()?;
    spec.insert("objectives".into(), Value::Array(objectives));
    let mut metadata = Map::from_iter([("name".to_owned(), json!(slo.name))]);
    let annotations = annotations(slo);
    if !annotations.is_empty() {
        metadata.insert("annotations".into(), Value::Object(annotations));
    }
    Ok(json!({ "apiVersion": "openslo/v1", "kind": "SLO", "metadata": metadata, "spec": spec }))
}

fn annotations(slo: &Slo) -> Map<String, Value> {
    let mut all = Map::new();
    if slo.alerting.min_bad != MIN_BAD {
        all.insert(MIN_BAD_KEY.into(), json!(slo.alerting.min_bad.to_string()));
    }
    for (key, value) in [(RUNBOOK_KEY, &slo.alerting.runbook), (DASHBOARD_KEY, &slo.alerting.dashboard)] {
        if let Some(value) = value {
            all.insert(key.into(), json!(value));
        }
    }
    if !slo.exclusions.is_empty() {
        let one = |exclusion: &crate::slo::Exclusion| {
            json!({
                "owner": exclusion.owner,
                "reason": exclusion.reason,
                "from": rfc3339(exclusion.from),
                "to": rfc3339(exclusion.to),
            })
        };
        let list: Vec<Value> = slo.exclusions.iter().map(one).collect();
        all.insert(EXCLUSIONS_KEY.into(), json!(Value::Array(list).to_string()));
    }
    all
}

fn window(window: &Window) -> Value {
    match window {
        Window::Rolling(length) => json!({ "duration": shorthand(length.as_secs()), "isRolling": true }),
        Window::Calendar { unit, anchor, zone } => json!({
            "duration": format!("1{}", unit.letter()),
            "isRolling": false,
            "calendar": { "startTime": anchor.format("%Y-%m-%d %H:%M:%S").to_string(), "timeZone": zone.to_string() },
        }),
    }
}

fn indicator(name: &str, part: &Part) -> Result<Value, String> {
    let source = |query: &str| json!({ "metricSource": { "type": "Prometheus", "spec": { "query": query } } });
    let raw = |query: &str, side: Side| {
        let kind = if side == Side::Good { "success" } else { "failure" };
        json!({ "ratioMetric": { "counter": false, "raw": source(query), "rawType": kind } })
    };
    let spec = match &part.indicator {
        Indicator::Ratio { side, events, total, monotonic } => {
            let side = if *side == Side::Good { "good" } else { "bad" };
            json!({ "ratioMetric": { "counter": monotonic, side: source(events), "total": source(total) } })
        }
        Indicator::Latency { histogram, below, native: false } => json!({ "ratioMetric": {
            "counter": true,
            "good": source(&format!("sum({})", bucket(histogram, *below))),
            "total": source(&format!("sum({})", histogram.with_suffix("_count"))),
        } }),
        Indicator::Latency { histogram, below, native: true } => {
            raw(&format!("histogram_fraction(-Inf, {below}, sum(rate({histogram}[5m])))"), Side::Good)
        }
        Indicator::Threshold { query, .. } => json!({ "thresholdMetric": source(query) }),
        Indicator::Up { selector } => raw(&format!("avg({selector})"), Side::Good),
        Indicator::Raw { query, side } => raw(query, *side),
    };
    Ok(json!({ "metadata": { "name": name }, "spec": spec }))
}

/// The longest unit that fits without a rest.
fn shorthand(seconds: u64) -> String {
    let units = [(604_800, 'w'), (86_400, 'd'), (3_600, 'h')];
    let fits = units.iter().find(|(size, _)| seconds.is_multiple_of(*size));
    let (size, unit) = fits.copied().unwrap_or((60, 'm'));
    // `4w` is a month to nobody: days, as people write it.
    let (size, unit) = if unit == 'w' { (86_400, 'd') } else { (size, unit) };
    format!("{}{unit}", seconds / size)
}

fn number(decimal: &str) -> Value {
    decimal.parse::<f64>().map_or(Value::Null, |value| json!(value))
}
