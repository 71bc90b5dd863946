//! Prometheus rules of objectives: recorded counts, alerts on two windows each, and the alert that nothing is measured.

mod inhibit;
mod test;
mod yaml;

use std::time::Duration;

use crate::metric::labels::quote;
use crate::metric::promql::{Span, check};
use crate::slo::Slo;
use crate::slo::burn::{Pair, WINDOWS, pairs};
use crate::slo::expression::{Component, components, counts, over, slices};
use crate::text::duration::to_promql;

pub use crate::slo::rules::inhibit::inhibition;
pub use crate::slo::rules::test::{RuleTest, Scrape, tests};
pub(crate) use crate::slo::rules::yaml::group;
pub use crate::slo::rules::yaml::{Format, document, test_document};

/// The name of the alerts; `slo`, `long` and `short` tell them apart.
pub const BURN: &str = "ErrorBudgetBurn";

/// The alert that there is nothing to measure.
pub const MISSING: &str = "SLOMetricMissing";

/// How long a metric may be missing before somebody is told: two evaluations at least.
const MISSING_FOR: Duration = Duration::from_secs(300);

/// A rule; with labels and annotations in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedRule {
    pub name: String,
    pub expr: String,
    pub is_alert: bool,
    pub hold: Option<Duration>,
    pub labels: Vec<(&'static str, String)>,
    pub annotations: Vec<(&'static str, String)>,
    /// The arithmetic of its threshold.
    pub comment: Option<String>,
}

/// The rules of one objective, and what is worth saying about them.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    pub slo: String,
    /// Evaluated in this order, at one time.
    pub fast: Vec<GeneratedRule>,
    /// The figures of the whole window.
    pub slow: Vec<GeneratedRule>,
    pub pairs: Vec<Pair>,
    pub warnings: Vec<String>,
}

/// The rules of an objective.
///
/// # Errors
/// An expression that cannot be counted, or an objective so low that no alert could ever fire.
pub fn rules(slo: &Slo) -> Result<RuleSet, String> {
    let mut warnings = Vec::new();
    let nominal = slo.window.nominal();
    let (mut able, mut unable): (Vec<Pair>, Vec<Pair>) =
        pairs(nominal).into_iter().partition(|pair| pair.can_fire(slo.objective));
    if let Some(slice) = slo.method.slice() {
        let (kept, short): (Vec<Pair>, Vec<Pair>) = able.into_iter().partition(|pair| pair.short >= slice);
        able = kept;
        for pair in short {
            warnings.push(format!(
                "no alert over {} and {}: a slice is {}",
                to_promql(pair.long),
                to_promql(pair.short),
                to_promql(slice)
            ));
        }
    }
    if able.is_empty() {
        let why = format!(
            "an objective of {} is too low: with {} times its budget everything may fail",
            slo.objective,
            pairs(nominal)[3].factor
        );
        return Err(why);
    }
    unable.sort_by_key(|pair| pair.long);
    for pair in unable {
        warnings.push(format!(
            "no alert over {} and {}: it could never fire, {} × (1 − {}) is {}",
            to_promql(pair.long),
            to_promql(pair.short),
            pair.factor,
            slo.objective.decimal(),
            slo.objective.threshold(pair.factor)
        ));
    }
    for pair in &able {
        if pair.factor.get() < 1.0 {
            warnings.push(format!(
                "the ticket over {} fires at {} times the budget: also for a service that keeps its objective",
                to_promql(pair.long),
                pair.factor
            ));
        }
    }
    if nominal < Duration::from_secs(28 * 86_400) {
        let spent: Vec<String> = able.iter().map(|pair| format!("{:.1} %", pair.spends(nominal) * 100.0)).collect();
        warnings.push(format!(
            "in a window of {} the alerts fire when {} of the budget is spent",
            slo.window,
            spent.join(", ")
        ));
    }
    let mut fast = sliced(slo)?;
    for window in windows(slo) {
        fast.extend(recorded(slo, window)?);
    }
    fast.extend(able.iter().map(|pair| alert(slo, pair)));
    fast.push(missing(slo));
    let slow = period(slo);
    for rule in fast.iter().chain(&slow) {
        check(&rule.expr).map_err(|why| format!("{}: {why}", rule.expr))?;
    }
    Ok(RuleSet { slo: slo.name.clone(), fast, slow, pairs: able, warnings })
}

/// The windows that hold at least one slice.
fn windows(slo: &Slo) -> impl Iterator<Item = Duration> {
    let slice = slo.method.slice().unwrap_or_default();
    WINDOWS.into_iter().filter(move |window| *window >= slice)
}

/// The slice that ends now, where slices are counted: a window is then a sum of what was recorded, and not hundreds of
/// evaluations at each evaluation.
fn sliced(slo: &Slo) -> Result<Vec<GeneratedRule>, String> {
    let slices = slices(slo)?;
    let rule = |(part, expr): (&Component, String)| record(SLICE.into(), expr, part_labels(slo, part));
    Ok(components(slo).iter().zip(slices).map(rule).collect())
}

const SLICE: &str = "slo:bad:slice";

fn part_labels(slo: &Slo, part: &Component) -> Vec<(&'static str, String)> {
    let mut labels = identity(slo);
    if !part.name.is_empty() {
        labels.push(("part", part.name.clone()));
    }
    labels
}

/// The counts of one window, and their ratio.
fn recorded(slo: &Slo, window: Duration) -> Result<Vec<GeneratedRule>, String> {
    let w = to_promql(window);
    let parts = components(slo);
    let counts = match slo.method.slice() {
        None => counts(slo, Span::last(window))?,
        Some(slice) => {
            let series = |part: &Component| {
                let part = if part.name.is_empty() { String::new() } else { format!(",part={}", quote(&part.name)) };
                format!("{SLICE}{{slo={}{part}}}", quote(&slo.name))
            };
            parts.iter().map(|part| over(&series(part), slice, Span::last(window))).collect()
        }
    };
    let mut rules = Vec::new();
    for (part, counts) in parts.iter().zip(&counts) {
        let labels = part_labels(slo, part);
        for (side, expr) in [("bad", &counts.bad), ("total", &counts.total)] {
            rules.push(record(format!("slo:{side}:increase{w}"), expr.clone(), labels.clone()));
        }
    }
    let series = |side: &str, part: &str| {
        let part = if part.is_empty() { String::new() } else { format!(",part={}", quote(part)) };
        format!("slo:{side}:increase{w}{{slo={}{part}}}", quote(&slo.name))
    };
    let ratio = match parts.as_slice() {
        [only] if only.name.is_empty() => format!("{} / ({} > 0)", series("bad", ""), series("total", "")),
        several => {
            // Each burns its own budget; the weighted burn times the budget of the whole reads as a ratio again.
            let term = |part: &Component| {
                let weight = part.weight * slo.objective.budget() / part.objective.budget();
                format!("{weight} * sum({}) / sum({} > 0)", series("bad", &part.name), series("total", &part.name))
            };
            several.iter().map(term).collect::<Vec<_>>().join(" + ")
        }
    };
    rules.push(record(format!("slo:error:ratio_rate{w}"), ratio, identity(slo)));
    Ok(rules)
}

fn record(name: String, expr: String, labels: Vec<(&'static str, String)>) -> GeneratedRule {
    GeneratedRule { name, expr, is_alert: false, hold: None, labels, annotations: Vec::new(), comment: None }
}

fn identity(slo: &Slo) -> Vec<(&'static str, String)> {
    let service = slo.service.iter().map(|service| ("service", service.clone()));
    std::iter::once(("slo", slo.name.clone())).chain(service).collect()
}

fn alert(slo: &Slo, pair: &Pair) -> GeneratedRule {
    let (long, short) = (to_promql(pair.long), to_promql(pair.short));
    let name = quote(&slo.name);
    let threshold = slo.objective.threshold(pair.factor);
    let enough = f64::from(slo.min_bad()) - 0.5;
    let points = pair.least_history().as_secs() / 300;
    let mut expr = format!(
        "slo:error:ratio_rate{long}{{slo={name}}} > {threshold}\nand on (slo) slo:error:ratio_rate{short}{{slo={name}}} > {threshold}"
    );
    if slo.min_bad() > 0 {
        expr.push_str(&format!("\nand on (slo) sum by (slo) (slo:bad:increase{long}{{slo={name}}}) > {enough}"));
    }
    expr.push_str(&format!(
        "\nand on (slo) count by (slo) (count_over_time(slo:total:increase{}{{slo={name}}}[{long}:5m]) >= {points}) > 0",
        to_promql(first_window(slo))
    ));
    let mut labels = identity(slo);
    labels.extend([("severity", pair.tier.name().to_owned()), ("long", long.clone()), ("short", short.clone())]);
    let spent = pair.spends(slo.window.nominal()) * 100.0;
    let mut annotations = vec![
        ("summary", format!("{} burns its error budget more than {} times too fast", slo.name, pair.factor)),
        (
            "description",
            format!(
                "{{{{ $value | humanizePercentage }}}} of {}s were bad in the last {long}, and as many in the last {short}: above {} × (1 − {}). {spent:.1} % of the budget of {} is spent when this fires. See: liveops slo budget {}",
                slo.method.unit(),
                pair.factor,
                slo.objective.decimal(),
                slo.window,
                slo.name
            ),
        ),
    ];
    annotations.extend(links(slo));
    let guard = match slo.min_bad() {
        0 => String::new(),
        n => format!("; at least {n} bad"),
    };
    GeneratedRule {
        name: BURN.into(),
        expr,
        is_alert: true,
        hold: None,
        labels,
        annotations,
        comment: Some(format!(
            "{} × (1 − {}) = {threshold}: {spent:.1} % of the budget within {long}{guard}; half of {long} must have data",
            pair.factor,
            slo.objective.decimal()
        )),
    }
}

/// The shortest window that holds a slice.
fn first_window(slo: &Slo) -> Duration {
    windows(slo).next().unwrap_or(WINDOWS[0])
}

fn links(slo: &Slo) -> impl Iterator<Item = (&'static str, String)> {
    let runbook = slo.alerting.runbook.iter().map(|url| ("runbook_url", url.clone()));
    runbook.chain(slo.alerting.dashboard.iter().map(|url| ("dashboard", url.clone())))
}

fn missing(slo: &Slo) -> GeneratedRule {
    let absent: Vec<String> =
        slo.parts.iter().map(|part| format!("absent_over_time({}[5m:1m])", part.indicator.presence())).collect();
    let mut labels = identity(slo);
    labels.push(("severity", "ticket".into()));
    let metrics: Vec<String> = slo.parts.iter().flat_map(|part| part.indicator.metrics()).take(3).collect();
    let mut annotations = vec![
        ("summary", format!("{} is not measured: {} has no data", slo.name, metrics.join(", "))),
        (
            "description",
            format!("Without it nobody is paged when {} fails. See: liveops slo status {}", slo.name, slo.name),
        ),
    ];
    annotations.extend(links(slo));
    GeneratedRule {
        name: MISSING.into(),
        expr: absent.join(" or "),
        is_alert: true,
        hold: Some(MISSING_FOR),
        labels,
        annotations,
        comment: None,
    }
}

/// What dashboards show, and `liveops slo` reads where it is there: sums of counts, never means of ratios.
fn period(slo: &Slo) -> Vec<GeneratedRule> {
    let name = quote(&slo.name);
    let window = to_promql(slo.window.nominal());
    let first = to_promql(first_window(slo));
    let sum = |side: &str| format!("sum_over_time(slo:{side}:increase{first}{{slo={name}}}[{window}:{first}])");
    let by = |side: &str| format!("sum by (slo) ({})", sum(side));
    let mut labels = identity(slo);
    labels.push(("window", slo.window.to_string()));
    let mut rules =
        vec![record("slo:objective:ratio".into(), format!("vector({})", slo.objective.decimal()), labels.clone())];
    if !slo.is_composite() {
        rules.push(record(
            "slo:error:ratio_window".into(),
            format!("{} / ({} > 0)", by("bad"), by("total")),
            labels.clone(),
        ));
        rules.push(record(
            "slo:budget:remaining_ratio".into(),
            format!("1 - slo:error:ratio_window{{slo={name}}} / {}", slo.objective.budget_decimal()),
            labels,
        ));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::sample;

    #[test]
    fn thresholds_are_decimals_with_their_arithmetic() {
        let set = rules(&sample::slo("99.9%", "30d")).expect("rules");
        let page = set.fast.iter().find(|rule| rule.is_alert).expect("an alert");
        assert_eq!(
            page.expr,
            "slo:error:ratio_rate1h{slo=\"api\"} > 0.0144\n\
             and on (slo) slo:error:ratio_rate5m{slo=\"api\"} > 0.0144\n\
             and on (slo) sum by (slo) (slo:bad:increase1h{slo=\"api\"}) > 2.5\n\
             and on (slo) count by (slo) (count_over_time(slo:total:increase5m{slo=\"api\"}[1h:5m]) >= 6) > 0"
        );
        assert!(
            page.comment.as_deref().unwrap().starts_with("14.4 × (1 − 0.999) = 0.0144: 2.0 % of the budget within 1h")
        );
        assert_eq!(set.fast.iter().filter(|rule| rule.is_alert).count(), 5);
        assert!(set.warnings.is_empty(), "{:?}", set.warnings);
    }

    #[test]
    fn alerts_that_could_never_fire_are_left_out_and_said() {
        let set = rules(&sample::slo("90%", "30d")).expect("rules");
        assert_eq!(set.pairs.len(), 3);
        assert!(set.warnings[0].contains("14.4 × (1 − 0.9) is 1.44"), "{:?}", set.warnings);
        assert!(rules(&sample::slo("50%", "90d")).unwrap_err().contains("too low"));
        let week = rules(&sample::slo("99.9%", "7d")).expect("rules");
        assert!(week.warnings[0].contains("8.6 %, 21.4 %, 42.9 %, 42.9 % of the budget"), "{:?}", week.warnings);
        let month = rules(&sample::slo("99.9%", "28d")).expect("rules");
        assert!(month.warnings[0].contains("also for a service that keeps"), "{:?}", month.warnings);
    }
}
