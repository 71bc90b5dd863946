//! What the series of an expression can be, as far as its text tells: their labels, their values, and whether there are
//! any. An expression with `or` has several shapes.

use std::collections::BTreeSet;

use crate::check::alerts::bounds::{ANY, Bounds, POSITIVE, SHARE};
use crate::check::alerts::shape::{Known, Presence, Shape};
use crate::metric::promql::{BinaryExpr, Expr, Gives, MatchOp, VectorSelector};

/// Shapes of one expression that are told apart; more are not looked at.
const MOST: usize = 64;

/// Labels that a Prometheus gives to all of its series when others read them.
const EXTERNAL: [&str; 14] = [
    "cluster",
    "cluster_name",
    "monitor",
    "prometheus",
    "prometheus_replica",
    "replica",
    "env",
    "environment",
    "region",
    "datacenter",
    "dc",
    "tenant",
    "tenant_id",
    "site",
];

/// What recording rules of this name give; none where nobody knows it.
pub type Recorded<'a> = &'a dyn Fn(&str) -> Option<Vec<Shape>>;

/// The shapes of an expression.
pub fn shapes(expr: &Expr, recorded: Recorded<'_>) -> Vec<Shape> {
    let mut all = match expr {
        Expr::Number(value) => vec![Shape::of(Bounds::new(*value, *value), Presence::Always)],
        Expr::Text(_) => vec![Shape::of(ANY, Presence::Always)],
        Expr::Selector(selector) => of_selector(selector, recorded),
        Expr::Subquery { expr, .. } | Expr::Paren(expr) => shapes(expr, recorded),
        Expr::Negative(expr) => {
            let mut all = shapes(expr, recorded);
            all.iter_mut().for_each(|shape| shape.bounds = -shape.bounds);
            all
        }
        Expr::Call { function, args } => of_call(function.name, function.gives, args, recorded),
        Expr::Aggregate { op, grouping, args } => {
            let grouping = grouping.as_ref().map(|grouping| (grouping.include, grouping.labels.as_slice()));
            of_aggregate(op, grouping, args, recorded)
        }
        Expr::Binary(both) => of_binary(both, recorded),
    };
    all.truncate(MOST);
    all
}

fn of_selector(selector: &VectorSelector, recorded: Recorded<'_>) -> Vec<Shape> {
    let name = selector.metric().unwrap_or_default();
    let known = recorded(name);
    let is_recorded = known.is_some();
    let mut all = known.unwrap_or_else(|| {
        let mut shape = Shape::of(bounds_of(name), Presence::Depends);
        shape.only = None;
        // Of what is said by labels, having one of them is the condition.
        let says_by_labels =
            ["_info", "_metadata", "_labels"].iter().any(|end| name.ends_with(end)) || name.contains("_info_");
        let is_chosen = selector.matchers.iter().flatten().any(|matcher| matcher.name != "__name__");
        shape.filtered = matches!(name, "ALERTS" | "ALERTS_FOR_STATE") || (says_by_labels && is_chosen);
        shape.elsewhere = name.contains(':').then(|| name.to_owned());
        if !name.contains(':') && !name.starts_with("ALERTS") && !name.is_empty() {
            shape.some = ["instance", "job"].map(str::to_owned).into();
        }
        vec![shape]
    });
    // With `or` between them, no matcher is sure to hold.
    let [matchers] = selector.matchers.as_slice() else { return all };
    for shape in &mut all {
        for matcher in matchers.iter().filter(|matcher| matcher.name != "__name__") {
            let known = shape.label(&matcher.name);
            let value = match &known {
                Known::Is(value) => Some(value.as_str()),
                Known::Missing => Some(""),
                Known::Some | Known::Open => None,
            };
            // Thanos and Mimir see what Prometheus records with the labels of that Prometheus.
            let is_open = shape.is_example
                || (is_recorded && matches!(known, Known::Is(_)))
                || (is_recorded && known == Known::Missing && EXTERNAL.contains(&matcher.name.as_str()));
            let value = value.filter(|_| !is_open);
            if value.and_then(|value| matcher.accepts(value)) == Some(false) {
                let why = match known {
                    Known::Is(value) => format!("`{name}` always has {}=\"{value}\"", matcher.name),
                    _ => format!("`{name}` has no label `{}`", matcher.name),
                };
                let narrowed = format!("{why}, and `{}{}\"{}\"` asks for it", matcher.name, matcher.op, matcher.value);
                *shape = shape.clone().never(narrowed);
            } else if matcher.op == MatchOp::Equal && matcher.value.is_empty() {
                shape.drop(&matcher.name);
            } else if matcher.op == MatchOp::Equal {
                shape.add(&matcher.name, Some(matcher.value.clone()));
            } else if matcher.accepts("") == Some(false) && shape.label(&matcher.name) == Known::Open {
                shape.some.insert(matcher.name.clone());
            }
        }
    }
    all
}

/// The values that a metric of this name can have.
pub fn bounds_of(name: &str) -> Bounds {
    match name {
        "up" | "probe_success" => SHARE,
        "ALERTS" => Bounds::new(1.0, 1.0),
        _ if is_counter(name) => POSITIVE,
        _ => ANY,
    }
}

/// Does the name of a metric say that it is a counter, or a part of a histogram?
pub fn is_counter(name: &str) -> bool {
    ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end))
}

fn of_call(name: &str, gives: Gives, args: &[Expr], recorded: Recorded<'_>) -> Vec<Shape> {
    let constant = |index: usize| match args.get(index).map(Expr::bare) {
        Some(Expr::Number(value)) => Some(*value),
        _ => None,
    };
    let text = |index: usize| match args.get(index) {
        Some(Expr::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let is_vector = |arg: &&Expr| matches!(arg.gives(), Gives::InstantVector | Gives::RangeVector);
    let calendar = |high| Bounds::new(0.0, high);
    let fixed = match name {
        "absent" | "absent_over_time" => return vec![absent(&args[0])],
        "vector" => return shapes(&args[0], recorded).into_iter().take(1).collect(),
        "minute" => Some(calendar(59.0)),
        "hour" => Some(calendar(23.0)),
        "day_of_week" => Some(calendar(6.0)),
        "day_of_month" | "days_in_month" => Some(Bounds::new(1.0, 31.0)),
        "month" => Some(Bounds::new(1.0, 12.0)),
        "rate" | "increase" | "irate" | "resets" | "changes" | "abs" | "sqrt" | "timestamp" | "histogram_count"
        | "stddev_over_time" | "stdvar_over_time" | "year" | "day_of_year" => Some(POSITIVE),
        "count_over_time" => Some(Bounds { low: 1.0, ..ANY }),
        "present_over_time" => Some(Bounds::new(1.0, 1.0)),
        "histogram_fraction" => Some(SHARE),
        "sgn" => Some(Bounds::new(-1.0, 1.0)),
        _ => None,
    };
    let Some(vector) = args.iter().find(is_vector) else {
        return vec![Shape::of(fixed.unwrap_or(ANY), Presence::Always)];
    };
    if gives == Gives::Scalar {
        return vec![Shape::of(ANY, Presence::Always)];
    }
    let mut all = shapes(vector, recorded);
    for shape in &mut all {
        shape.bounds = match (fixed, name) {
            (Some(bounds), _) => bounds,
            (
                _,
                "sort" | "sort_desc" | "avg_over_time" | "min_over_time" | "max_over_time" | "last_over_time"
                | "first_over_time" | "quantile_over_time" | "label_replace" | "label_join" | "sort_by_label"
                | "sort_by_label_desc",
            ) => shape.bounds,
            (_, "sum_over_time" | "ceil" | "floor" | "round") if shape.bounds.low >= 0.0 => POSITIVE,
            (_, "clamp_min") => constant(1).map_or(ANY, |low| shape.bounds.and(Bounds { low, ..ANY })),
            (_, "clamp_max") => constant(1).map_or(ANY, |high| shape.bounds.and(Bounds { high, ..ANY })),
            _ => ANY,
        };
        match (name, text(1)) {
            ("histogram_quantile" | "histogram_fraction", _) => shape.drop("le"),
            ("label_replace", Some(to)) => {
                // Of a label that is not there every series is meant.
                let is_constant = text(4) == Some("") && text(2).is_some_and(|value| !value.contains('$'));
                let value = text(2).filter(|value| is_constant && text(3) == Some("") && !value.is_empty());
                shape.add(to, value.map(ToOwned::to_owned));
            }
            ("label_join", Some(to)) => shape.add(to, None),
            _ => {}
        }
    }
    all
}

/// `absent()` has the labels that its selector asks for by `=`.
fn absent(arg: &Expr) -> Shape {
    let mut shape = Shape { filtered: true, ..Shape::of(Bounds::new(1.0, 1.0), Presence::Depends) };
    if let Expr::Selector(selector) = arg.bare()
        && let [matchers] = selector.matchers.as_slice()
    {
        for matcher in matchers.iter().filter(|matcher| matcher.name != "__name__") {
            let same = matchers.iter().filter(|other| other.name == matcher.name).count();
            if matcher.op == MatchOp::Equal && same == 1 && !matcher.value.is_empty() {
                shape.add(&matcher.name, Some(matcher.value.clone()));
            }
        }
    }
    shape
}

fn of_aggregate(op: &str, grouping: Option<(bool, &[String])>, args: &[Expr], recorded: Recorded<'_>) -> Vec<Shape> {
    let Some(inner) = args.last() else { return Vec::new() };
    let mut all = shapes(inner, recorded);
    for shape in &mut all {
        if !matches!(op, "topk" | "bottomk" | "limitk" | "limit_ratio") {
            match grouping {
                Some((true, labels)) => shape.keep(labels),
                Some((false, labels)) => labels.iter().for_each(|label| shape.drop(label)),
                None => shape.keep(&[]),
            }
        }
        let bounds = shape.bounds;
        shape.bounds = match op {
            "sum" if bounds.low >= 0.0 => Bounds { high: f64::INFINITY, high_open: false, ..bounds },
            "sum" if bounds.high <= 0.0 => Bounds { low: f64::NEG_INFINITY, low_open: false, ..bounds },
            "avg" | "min" | "max" | "quantile" | "topk" | "bottomk" | "limitk" | "limit_ratio" => bounds,
            "count" => Bounds { low: 1.0, ..ANY },
            "group" => Bounds::new(1.0, 1.0),
            "stddev" | "stdvar" => POSITIVE,
            _ => ANY,
        };
        if let ("count_values", Some(Expr::Text(label))) = (op, args.first()) {
            shape.add(label, None);
        }
    }
    all
}

fn of_binary(both: &BinaryExpr, recorded: Recorded<'_>) -> Vec<Shape> {
    let (left, right) = (shapes(&both.lhs, recorded), shapes(&both.rhs, recorded));
    match both.op {
        "or" => {
            // Of the same labels, the right one steps in where the left one is missing, whatever that is compared with.
            let has_condition = both.lhs.is_conditional();
            // By `on ()` any series of the left one is enough.
            let is_any = both.matching.on.as_ref().is_some_and(|on| on.include && on.labels.is_empty());
            let is_alike = |one: &Shape, other: &Shape| is_any || one.only == other.only;
            let steps_in =
                |other: &Shape| left.iter().any(|one| is_alike(one, other) && !(one.filtered && has_condition));
            let excludes = |other: &Shape| left.iter().any(|one| is_alike(one, other) && one.filtered && has_condition);
            let right = right.into_iter().map(|one| Shape {
                backup: one.backup || steps_in(&one),
                otherwise: one.otherwise || excludes(&one),
                ..one
            });
            let right: Vec<Shape> = right.collect();
            left.into_iter().chain(right).collect()
        }
        "unless" => left.into_iter().map(|shape| Shape { filtered: true, ..shape }).collect(),
        "and" => {
            let is_filter = right.iter().all(|shape| shape.filtered);
            let join = |mut shape: Shape| {
                let apart: Vec<Option<String>> = right.iter().map(|other| why_apart(both, &shape, other)).collect();
                shape.filtered |= is_filter;
                match apart.into_iter().collect::<Option<Vec<String>>>().and_then(|all| all.into_iter().next()) {
                    Some(why) => shape.never(why),
                    None if right.iter().all(|one| one.presence == Presence::Always) => shape,
                    None if shape.presence == Presence::Always => Shape { presence: Presence::Depends, ..shape },
                    None => shape,
                }
            };
            left.into_iter().map(join).collect()
        }
        _ => left.iter().flat_map(|one| right.iter().map(|other| joined(both, one, other))).collect(),
    }
}

/// Why no series of the one has its match among those of the other.
fn why_apart(both: &BinaryExpr, left: &Shape, right: &Shape) -> Option<String> {
    if let Presence::Never(why) = &right.presence {
        return Some(why.clone());
    }
    let names: BTreeSet<&String> = match &both.matching.on {
        Some(on) if on.include => on.labels.iter().collect(),
        _ => {
            let ignored = both.matching.on.as_ref().map_or(&[][..], |on| on.labels.as_slice());
            let all = left.fixed.keys().chain(right.fixed.keys()).chain(&left.some).chain(&right.some);
            all.filter(|name| !ignored.contains(name)).collect()
        }
    };
    if left.is_example || right.is_example {
        return None;
    }
    let differ = |name: &&String| match (left.label(name), right.label(name)) {
        (Known::Is(a), Known::Is(b)) => a != b,
        (Known::Missing, Known::Is(_) | Known::Some) | (Known::Is(_) | Known::Some, Known::Missing) => true,
        _ => false,
    };
    let name = names.into_iter().find(differ)?;
    let words = |known: Known| match known {
        Known::Is(value) => format!("has {name}=\"{value}\""),
        Known::Missing => format!("has no label `{name}`"),
        Known::Some | Known::Open => format!("has the label `{name}`"),
    };
    Some(format!(
        "no series on both sides of `{}` match: the left one {}, the right one {}",
        both.op,
        words(left.label(name)),
        words(right.label(name))
    ))
}

/// A comparison or arithmetic.
fn joined(both: &BinaryExpr, left: &Shape, right: &Shape) -> Shape {
    let (is_left, is_right) = (both.lhs.gives() != Gives::Scalar, both.rhs.gives() != Gives::Scalar);
    let group = both.matching.group.as_ref();
    let of_right = (!is_left && is_right) || group.is_some_and(|(left, _)| !left);
    let (base, other) = if of_right { (right, left) } else { (left, right) };
    let mut shape = base.clone();
    shape.elsewhere = left.elsewhere.clone().or_else(|| right.elsewhere.clone());
    shape.filtered = left.filtered || right.filtered;
    shape.is_example = left.is_example || right.is_example;
    if left.presence == Presence::Always && right.presence == Presence::Always {
        shape.presence = Presence::Always;
    } else if !shape.is_never() {
        shape.presence = Presence::Depends;
    }
    if is_left && is_right {
        let on = both.matching.on.as_ref();
        if let Some(why) = why_apart(both, left, right) {
            shape = shape.never(why);
        }
        match (group, on) {
            (Some((_, taken)), _) => {
                for name in taken {
                    match other.label(name) {
                        Known::Is(value) => shape.add(name, Some(value)),
                        Known::Missing => shape.drop(name),
                        Known::Some | Known::Open => shape.add(name, None),
                    }
                }
            }
            (None, Some(on)) if on.include => shape.keep(&on.labels),
            (None, on) => {
                on.iter().flat_map(|on| &on.labels).for_each(|label| shape.drop(label));
                match &other.only {
                    Some(only) => shape.keep(&only.iter().cloned().collect::<Vec<String>>()),
                    None => other.gone.iter().for_each(|label| shape.drop(label)),
                }
            }
        }
    } else if let Presence::Never(why) = &other.presence {
        shape = shape.never(why.clone());
    }
    if !both.is_comparison() {
        shape.bounds = match ratio(&both.lhs, &both.rhs) {
            true if both.op == "/" => SHARE,
            _ => left.bounds.combined(both.op, right.bounds),
        };
        return shape;
    }
    let holds = left.bounds.compared(both.op, right.bounds);
    if both.matching.return_bool {
        shape.bounds = holds.map_or(SHARE, |holds| Bounds::new(f64::from(holds), f64::from(holds)));
        return shape;
    }
    shape.bounds = if of_right && !is_left {
        right.bounds.kept(flipped(both.op), left.bounds)
    } else {
        left.bounds.kept(both.op, right.bounds)
    };
    shape.filtered |= holds.is_none();
    match holds {
        Some(false) => {
            let why = format!(
                "`{}` is {}, and never {} {}",
                both.lhs,
                left.bounds.show(),
                both.op,
                if right.bounds.point().is_some() { right.bounds.show() } else { format!("`{}`", both.rhs) }
            );
            shape.never(why)
        }
        _ => shape,
    }
}

/// The operator, read from the right.
pub fn flipped(op: &str) -> &str {
    match op {
        ">" => "<",
        "<" => ">",
        ">=" => "<=",
        "<=" => ">=",
        op => op,
    }
}

/// Are they a part and its whole: the same sum of the same counter, over fewer series?
fn ratio(part: &Expr, whole: &Expr) -> bool {
    match (part.bare(), whole.bare()) {
        (Expr::Aggregate { op: a, grouping: by, args: x }, Expr::Aggregate { op: b, grouping: to, args: y }) => {
            a == b && matches!(a.as_str(), "sum" | "count") && by == to && ratio(&x[0], &y[0])
        }
        (Expr::Call { function: a, args: x }, Expr::Call { function: b, args: y }) => {
            a == b && matches!(a.name, "rate" | "increase") && ratio(&x[0], &y[0])
        }
        (Expr::Selector(part), Expr::Selector(whole)) => {
            let narrower = match (part.matchers.as_slice(), whole.matchers.as_slice()) {
                ([part], [whole]) => whole.iter().all(|matcher| part.contains(matcher)),
                _ => false,
            };
            let is_same = part.metric().is_some() && part.metric() == whole.metric();
            is_same
                && narrower
                && part.range == whole.range
                && part.shift == whole.shift
                && part.metric().is_some_and(is_counter)
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "infer_tests.rs"]
mod tests;
