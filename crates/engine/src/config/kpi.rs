//! KPIs as they are written in the configuration.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::decode::{Problems, Section};
use crate::config::node::{Node, Value};
use liveops_domain::metric::kpi::{Aggregation, Kpi, KpiKind};
use liveops_domain::metric::promql;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::selector::Selector;
use liveops_domain::metric::threshold::Threshold;
use liveops_domain::text::duration::parse_positive;

/// Window of rates, ratios and quantiles that do not name one.
const WINDOW: Duration = Duration::from_secs(300);

/// Reads `kpis`.
pub fn decode_all(top: &mut Section<'_>, problems: &mut Problems) -> Vec<Kpi> {
    let mut names = BTreeSet::new();
    let mut kpis = Vec::new();
    for (index, node) in top.list("kpis", problems).iter().enumerate() {
        let name = node.get("name").and_then(Node::text).map(ToOwned::to_owned);
        let path = name.as_ref().map_or_else(|| format!("kpis[{index}]"), |name| format!("kpis.{name}"));
        let Some(kpi) = decode(node, &path, problems) else {
            continue;
        };
        if names.insert(kpi.name.clone()) {
            kpis.push(kpi);
        } else {
            problems.error(&node.origin, &path, "a KPI of this name exists already");
        }
    }
    kpis
}

fn decode(node: &Node, path: &str, problems: &mut Problems) -> Option<Kpi> {
    let mut section = Section::open(node, path, problems);
    let name = section.text("name", problems);
    section.require("name", name.is_some(), problems);
    decode_members(section, node, path, name, problems)
}

/// Reads a key figure whose name is the key that it stands under.
pub fn decode_named(node: &Node, path: &str, name: &str, problems: &mut Problems) -> Option<Kpi> {
    let section = Section::open(node, path, problems);
    decode_members(section, node, path, Some(name.to_owned()), problems)
}

fn decode_members(
    mut section: Section<'_>,
    node: &Node,
    path: &str,
    name: Option<String>,
    problems: &mut Problems,
) -> Option<Kpi> {
    let title = section.text("title", problems);
    let by = section.parse("by", problems, |text| {
        if text == "le" { Err("`le` is the histogram's own label") } else { Ok(text.to_owned()) }
    });
    let service = section.text("service", problems);
    let agg = section.parse("agg", problems, aggregation);
    let kinds = ["gauge", "rate", "ratio", "quantile", "promql"];
    let given: Vec<&str> =
        kinds.into_iter().filter(|kind| node.get(kind).is_some_and(|node| node.value != Value::Null)).collect();
    let kind = match given.as_slice() {
        [only] => decode_kind(only, &mut section, agg.unwrap_or_default(), problems),
        [] => {
            problems.error(section.origin(), path, format!("needs one of {}", kinds.join(", ")));
            None
        }
        several => {
            problems.error(section.origin(), path, format!("has {} at once; choose one", several.join(" and ")));
            None
        }
    };
    for kind in kinds {
        let _ = section.get(kind);
    }
    if agg.is_some() && !matches!(kind, None | Some(KpiKind::Gauge { .. })) {
        problems.error(section.origin(), &section.path("agg"), "only a gauge has `agg`");
    }
    let unit = section.parse("unit", problems, |text| Ok::<_, String>(Unit::from_name(text)));
    let unit = unit.or_else(|| kind.as_ref().map(KpiKind::natural_unit)).unwrap_or(Unit::None);
    let warn = section.parse("warn", problems, |text| Threshold::parse(text, &unit));
    let critical = section.parse("critical", problems, |text| Threshold::parse(text, &unit));
    section.finish(problems);
    Some(Kpi { name: name?, title, kind: kind?, by, unit, warn, critical, service })
}

fn decode_kind(kind: &str, section: &mut Section<'_>, agg: Aggregation, problems: &mut Problems) -> Option<KpiKind> {
    match kind {
        "gauge" => section.parse("gauge", problems, Selector::parse).map(|selector| KpiKind::Gauge { selector, agg }),
        "promql" => {
            section.parse("promql", problems, |text| promql::check(text).map(|()| text.to_owned())).map(KpiKind::PromQl)
        }
        "rate" => {
            let node = section.get("rate")?;
            if node.text().is_some() {
                let selector = section.parse("rate", problems, Selector::parse)?;
                return Some(KpiKind::Rate { selector, window: WINDOW });
            }
            let mut rate = Section::open(node, section.path("rate"), problems);
            let selector = rate.parse("of", problems, Selector::parse);
            rate.require("of", selector.is_some(), problems);
            let window = window(&mut rate, problems);
            rate.finish(problems);
            Some(KpiKind::Rate { selector: selector?, window })
        }
        "ratio" => {
            let mut ratio = Section::open(section.get("ratio")?, section.path("ratio"), problems);
            let of = ratio.parse("of", problems, Selector::parse);
            ratio.require("of", of.is_some(), problems);
            let to = ratio.parse("to", problems, Selector::parse);
            ratio.require("to", to.is_some(), problems);
            let window = window(&mut ratio, problems);
            ratio.finish(problems);
            Some(KpiKind::Ratio { of: of?, to: to?, window })
        }
        _ => {
            let mut quantile = Section::open(section.get("quantile")?, section.path("quantile"), problems);
            let q = quantile.parse("q", problems, |text| match text.parse::<f64>() {
                Ok(q) if (0.0..=1.0).contains(&q) => Ok(q),
                _ => Err(format!("must be between 0 and 1, such as 0.99, not `{text}`")),
            });
            quantile.require("q", q.is_some(), problems);
            let histogram = quantile.parse("histogram", problems, Selector::parse);
            quantile.require("histogram", histogram.is_some(), problems);
            let window = window(&mut quantile, problems);
            quantile.finish(problems);
            Some(KpiKind::Quantile { q: q?, histogram: histogram?, window })
        }
    }
}

fn window(section: &mut Section<'_>, problems: &mut Problems) -> Duration {
    section.parse("window", problems, parse_positive).unwrap_or(WINDOW)
}

fn aggregation(text: &str) -> Result<Aggregation, String> {
    match text {
        "sum" => Ok(Aggregation::Sum),
        "avg" => Ok(Aggregation::Avg),
        "max" => Ok(Aggregation::Max),
        "min" => Ok(Aggregation::Min),
        other => Err(format!("must be sum, avg, max or min, not `{other}`")),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::yaml::parse;

    fn read(item: &str) -> (Vec<Kpi>, Vec<String>) {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let root = parse(&format!("kpis: [ {item} ]"), &layer).expect("valid").root;
        let mut problems = Problems::default();
        let mut top = Section::open(&root, "", &mut problems);
        let kpis = decode_all(&mut top, &mut problems);
        let errors = problems.errors.iter().map(ToString::to_string);
        (kpis, errors.collect())
    }

    #[test]
    fn every_kind_becomes_its_promql() {
        for (item, want) in [
            ("{ name: a, gauge: g }", "sum (g)"),
            ("{ name: a, gauge: g, agg: max }", "max (g)"),
            ("{ name: a, rate: c }", "sum (rate(c[5m]))"),
            ("{ name: a, rate: { of: c, window: 1m } }", "sum (rate(c[1m]))"),
            ("{ name: a, ratio: { of: x, to: y } }", "sum (rate(x[5m])) / sum (rate(y[5m]))"),
            (
                "{ name: a, quantile: { q: 0.5, histogram: h } }",
                "histogram_quantile(0.5, sum by (le) (rate(h_bucket[5m])))",
            ),
            ("{ name: a, promql: up }", "up"),
        ] {
            let (kpis, errors) = read(item);
            assert!(errors.is_empty(), "{item}: {errors:?}");
            assert_eq!(kpis[0].promql(), want, "{item}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (item, want) in [
            ("{ gauge: g }", "`name` is missing"),
            ("{ name: a }", "needs one of gauge, rate, ratio, quantile, promql"),
            ("{ name: a, gauge: g, promql: up }", "has gauge and promql at once"),
            ("{ name: a, rate: c, agg: max }", "only a gauge has `agg`"),
            ("{ name: a, gauge: g, agg: median }", "must be sum, avg, max or min"),
            ("{ name: a, quantile: { q: 99, histogram: h } }", "must be between 0 and 1"),
            ("{ name: a, quantile: { histogram: h } }", "`q` is missing"),
            ("{ name: a, ratio: { of: x } }", "`to` is missing"),
            ("{ name: a, ratio: { of: x, too: y } }", "did you mean `to`?"),
            ("{ name: a, rate: { of: c, window: 0s } }", "must be longer than zero"),
            ("{ name: a, promql: 'up(' }", "kpis.a.promql"),
            ("{ name: a, gauge: g, by: le }", "histogram's own label"),
            ("{ name: a, gauge: g, warn: lots }", "is not a threshold"),
            ("{ name: a, gauge: g }, { name: a, gauge: g }", "of this name exists already"),
        ] {
            let errors = read(item).1.join("\n");
            assert!(errors.contains(want), "{item}: {errors}");
            assert!(errors.starts_with("liveops.yaml:1"), "{errors}");
        }
    }
}
