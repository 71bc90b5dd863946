//! Functions that are given what they cannot work with (A04 to A08): quantiles without `le`, rates of gauges, counters
//! without a rate, divisions by zero within a sum, sides of an `or` that are taken for each other.

use std::collections::BTreeSet;

use crate::check::alerts::bounds::{ANY, Bounds};
use crate::check::alerts::fires::compared;
use crate::check::alerts::infer::{flipped, is_counter, shapes};
use crate::check::alerts::set::{Placed, RuleSet};
use crate::check::alerts::shape::{Known, Shape};
use crate::check::alerts::template;
use crate::check::finding::{Finding, Level};
use crate::metric::promql::{BinaryExpr, Expr, VectorSelector};

/// Functions of counters, and those of gauges.
const OF_COUNTERS: [&str; 3] = ["rate", "irate", "increase"];
const OF_GAUGES: [&str; 4] = ["deriv", "delta", "idelta", "predict_linear"];

/// How the names of gauges end.
const GAUGES: [&str; 20] = [
    "_ratio",
    "_percent",
    "_percentage",
    "_celsius",
    "_usage",
    "_free",
    "_used",
    "_available",
    "_active",
    "_pending",
    "_running",
    "_size",
    "_length",
    "_limit",
    "_max",
    "_min",
    "_temperature",
    "_info",
    "_connections",
    "_depth",
];

/// What the names of sizes and limits have in them.
const SIZES: [&str; 8] = ["limit", "max", "capacity", "_size", "total_bytes", "quota", "period", "allocatable"];

/// What is counted when it happens, by its name.
const EVENTS: [&str; 22] = [
    "error",
    "fail",
    "exception",
    "request",
    "reject",
    "drop",
    "restart",
    "retr",
    "timeout",
    "message",
    "evict",
    "crash",
    "operation",
    "bytes_sent",
    "bytes_received",
    "received",
    "sent",
    "processed",
    "transmit",
    "abort",
    "violation",
    "attempt",
];

/// What there is now, by its name.
const STATES: [&str; 10] =
    ["pending", "inflight", "in_flight", "waiting", "queued", "enabled", "active", "current", "open", "stuck"];

pub fn check(set: &RuleSet<'_>, placed: Placed<'_>) -> Vec<Finding> {
    let rule = placed.rule;
    let Some(tree) = &rule.tree else { return Vec::new() };
    let mut findings = Vec::new();
    let guards = guards(tree);
    tree.walk(&mut |expr| match expr {
        Expr::Call { function, args } if function.name == "histogram_quantile" => {
            findings.extend(quantile(set, placed, &args[1]));
        }
        Expr::Call { function, args }
            if ["histogram_count", "histogram_sum", "histogram_avg"].contains(&function.name) =>
        {
            if let Some(name) = bucket(&args[0]) {
                let why =
                    format!("`{}` is of native histograms, and `{name}` is the bucket of a classic one", function.name);
                findings.push(rule.of_expr("A04", Level::High, why).fix("use its `_count` and `_sum` series"));
            }
        }
        Expr::Call { function, args } if OF_COUNTERS.contains(&function.name) || OF_GAUGES.contains(&function.name) => {
            findings.extend(rate(set, placed, function.name, &args[0]));
        }
        Expr::Binary(both) if both.is_comparison() && !guards.iter().any(|guard| std::ptr::eq(*guard, expr)) => {
            findings.extend(bare_counter(set, placed, both));
        }
        Expr::Aggregate { op, args, .. } if ["sum", "avg", "stddev", "stdvar"].contains(&op.as_str()) => {
            findings.extend(args.last().and_then(|arg| division(placed, op, arg)));
        }
        _ => {}
    });
    if rule.is_alert {
        alternatives(tree, &mut |both| findings.extend(collision(set, placed, both)));
    }
    findings
}

/// The series of buckets that an expression is made of.
fn bucket(expr: &Expr) -> Option<&str> {
    expr.selectors().into_iter().filter_map(VectorSelector::metric).find(|name| name.ends_with("_bucket"))
}

fn quantile(set: &RuleSet<'_>, placed: Placed<'_>, arg: &Expr) -> Option<Finding> {
    let name = bucket(arg)?;
    // VictoriaMetrics has buckets of its own, by `vmrange`.
    let lacks = |shape: &Shape| ["le", "vmrange"].iter().all(|label| shape.label(label) == Known::Missing);
    let lost = shapes(arg, &|name| set.recorded(name)).iter().all(lacks);
    let why = format!("`histogram_quantile` needs the label `le` of `{name}`, and the aggregation in it drops `le`");
    lost.then(|| {
        placed
            .rule
            .of_expr("A04", Level::High, why)
            .fix("keep it: `sum by (le, …) (rate(…))`; without it there is no result")
    })
}

fn rate(set: &RuleSet<'_>, placed: Placed<'_>, function: &str, arg: &Expr) -> Option<Finding> {
    let rule = placed.rule;
    let of_counters = OF_COUNTERS.contains(&function);
    if let Expr::Subquery { expr, .. } = arg {
        let is_sum = matches!(expr.bare(), Expr::Aggregate { op, args, .. }
            if op == "sum" && args.iter().any(|arg| matches!(arg.bare(), Expr::Selector(selector) if selector.metric().is_some_and(|name| name.ends_with("_total")))));
        let why = format!(
            "`{function}` of a sum of counters: when one of them restarts, the sum falls and counts as a reset of all"
        );
        return (of_counters && is_sum)
            .then(|| rule.of_expr("A06", Level::High, why).fix(format!("sum the rates: `sum({function}(…))`")));
    }
    let Expr::Selector(selector) = arg else { return None };
    let name = selector.metric()?;
    let recorded = set.recording(name).iter().find_map(|placed| summed_counter(placed.rule.tree.as_ref()?));
    if let Some(counter) = recorded.filter(|_| of_counters) {
        let why = format!(
            "`{function}({name})`: `{name}` is recorded as a sum of the counter `{counter}`, whose restarts it hides"
        );
        return Some(rule.of_expr("A06", Level::High, why).fix("record the rate, and sum it"));
    }
    let known = set.setting.types.get(name).map(String::as_str);
    // What was accepted, received or rejected is counted, whatever it was.
    let is_done = |name: &str| name.split('_').any(|word| word.len() > 4 && word.ends_with("ed") && word != "used");
    let is_gauge = |name: &str| GAUGES.iter().any(|end| name.ends_with(end)) && !is_done(name);
    let found = match (of_counters, known) {
        (true, Some("gauge")) | (false, Some("counter")) => {
            let kind = known.unwrap_or_default();
            Some((Level::High, format!("`{function}` of `{name}`, which is a {kind}: so its exporter says")))
        }
        (_, Some(kind)) if kind != "unknown" && kind != "untyped" => None,
        (true, _) if !is_counter(name) && !name.contains(':') && is_gauge(name) => {
            Some((Level::Medium, format!("`{function}` of `{name}`, which by its name is a gauge")))
        }
        (false, _) if name.ends_with("_total") || name.ends_with("_bucket") => Some((
            Level::Medium,
            format!("`{function}` of `{name}`, which by its name is a counter: a restart looks like a fall"),
        )),
        _ => None,
    };
    let (level, why) = found?;
    let instead =
        if of_counters { "use `deriv` or `delta` for a gauge" } else { "use `rate` or `increase` for a counter" };
    Some(rule.of_expr("A05", level, why).fix(instead))
}

/// The comparisons that only say of which series the left side of an `and` or `unless` is meant, such as those that have
/// ever failed.
fn guards(tree: &Expr) -> Vec<&Expr> {
    let mut found = Vec::new();
    tree.walk(&mut |expr| {
        if let Expr::Binary(both) = expr
            && ["and", "unless"].contains(&both.op)
        {
            both.rhs.walk(&mut |inner| found.push(inner));
        }
    });
    found
}

/// The counter that an expression sums as it stands.
fn summed_counter(expr: &Expr) -> Option<&str> {
    match expr.bare() {
        Expr::Aggregate { op, args, .. } if op == "sum" => match args.last()?.bare() {
            Expr::Selector(selector) => selector.metric().filter(|name| name.ends_with("_total")),
            _ => None,
        },
        _ => None,
    }
}

/// A counter that is compared as it stands.
fn bare_counter(set: &RuleSet<'_>, placed: Placed<'_>, both: &BinaryExpr) -> Option<Finding> {
    // How much it grew, computed by hand; and whether there ever was one, or none.
    let names = |expr: &Expr| -> BTreeSet<String> {
        expr.selectors().into_iter().filter_map(|selector| selector.metric().map(ToOwned::to_owned)).collect()
    };
    let is_zero = |expr: &Expr| matches!(expr.bare(), Expr::Number(value) if *value == 0.0);
    if ["==", "!="].contains(&both.op) && (is_zero(&both.lhs) || is_zero(&both.rhs)) {
        return None;
    }
    if names(&both.lhs).intersection(&names(&both.rhs)).next().is_some() {
        return None;
    }
    // What is small is young: a restart is meant.
    let (side, op) = if total(&both.lhs).is_some() { (&both.lhs, both.op) } else { (&both.rhs, flipped(both.op)) };
    let name = total(side).filter(|_| !op.starts_with('<'))?;
    let known = set.setting.types.get(name).map(String::as_str);
    if known.is_some_and(|kind| kind != "counter") || set.recorded(name).is_some() {
        return None;
    }
    // `_total` is also what is there in all, such as bytes of memory: only what happens is counted.
    if known.is_none() && (!EVENTS.iter().any(|word| name.contains(word)) || is_whole(placed.rule.tree.as_ref()?, name))
    {
        return None;
    }
    let is_share = matches!(side.bare(), Expr::Binary(both) if both.op == "/" && total(&both.rhs).is_some());
    let (level, why) = match known {
        _ if is_share => (
            Level::Low,
            format!("the share of `{name}` is of all since the process started: what happens now hardly moves it"),
        ),
        Some(_) => (
            Level::High,
            format!("the counter `{name}` is compared as it stands: it only grows, and starts anew with its process"),
        ),
        None => (
            Level::Low,
            format!("`{name}`, by its name a counter, is compared as it stands: a counter only grows until a restart"),
        ),
    };
    Some(placed.rule.of_expr("A06", level, why).fix("compare how much it grows: `rate(…[5m])` or `increase(…[1h])`"))
}

/// Is it what something else is a part of: capacity, by its other name?
fn is_whole(expr: &Expr, name: &str) -> bool {
    let mut found = false;
    expr.walk(&mut |expr| {
        if let Expr::Binary(both) = expr
            && both.op == "/"
        {
            let has = |selector: &&VectorSelector| selector.range.is_none() && selector.metric() == Some(name);
            found |= both.rhs.selectors().iter().any(has) && total(&both.lhs).is_none();
        }
    });
    found
}

/// A counter whose own value an expression gives.
fn total(expr: &Expr) -> Option<&str> {
    match expr.bare() {
        // How many there are now is no counter, whatever it is called.
        Expr::Selector(selector) => {
            selector.metric().filter(|name| name.ends_with("_total") && !STATES.iter().any(|word| name.contains(word)))
        }
        Expr::Negative(inner) => total(inner),
        Expr::Aggregate { op, args, .. } if ["sum", "avg", "min", "max"].contains(&op.as_str()) => total(args.last()?),
        Expr::Binary(both) if ["*", "/", "+"].contains(&both.op) => {
            let (left, right) = (total(&both.lhs), total(&both.rhs));
            let number = |expr: &Expr| matches!(expr.bare(), Expr::Number(_));
            match (left, right) {
                (Some(name), Some(_)) => Some(name),
                (Some(name), None) if number(&both.rhs) => Some(name),
                (None, Some(name)) if number(&both.lhs) => Some(name),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A division within an aggregation that one series of zeros poisons.
fn division(placed: Placed<'_>, op: &str, arg: &Expr) -> Option<Finding> {
    let Expr::Binary(both) = arg.bare() else { return None };
    let by_what = match both.op {
        "/" => &both.rhs,
        "*" | "+" | "-" => {
            return division(placed, op, &both.lhs).or_else(|| division(placed, op, &both.rhs));
        }
        _ => return None,
    };
    // A number, or what a comparison has kept from zero.
    let is_safe = match by_what.bare() {
        Expr::Number(value) => *value != 0.0,
        Expr::Binary(both) => both.is_comparison() && !both.matching.return_bool,
        Expr::Call { function, .. } => ["clamp_min", "scalar"].contains(&function.name),
        // What there is of something is never nothing.
        Expr::Selector(selector) => selector.metric().is_some_and(|name| SIZES.iter().any(|word| name.contains(word))),
        _ => false,
    };
    let why = format!("`{op}` of a division: one series that is divided by zero makes the whole NaN or Inf");
    (!is_safe).then(|| {
        let fix = format!("divide the sums: `{op}(…) / {op}(…)`, or keep zeros out: `… / (… > 0)`");
        placed.rule.of_expr("A07", Level::Medium, why).fix(fix)
    })
}

/// The `or`s that give what the alert gives.
fn alternatives<'e>(expr: &'e Expr, look: &mut impl FnMut(&'e BinaryExpr)) {
    match expr.bare() {
        Expr::Binary(both) if both.op == "or" => {
            look(both);
            alternatives(&both.lhs, look);
            alternatives(&both.rhs, look);
        }
        Expr::Binary(both) if both.op == "and" || both.op == "unless" => alternatives(&both.lhs, look),
        _ => {}
    }
}

/// Does each side keep only what the other one drops?
fn exclude(left: &Expr, right: &Expr) -> bool {
    let filters = |side: &Expr| -> Vec<(String, Bounds)> {
        let mut found = Vec::new();
        side.walk(&mut |expr| {
            let (core, bounds) = compared(expr);
            if bounds != ANY {
                found.push((core.to_string(), bounds));
            }
        });
        found
    };
    let others = filters(right);
    let unless = |side: &Expr| -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        side.walk(&mut |expr| match expr {
            Expr::Binary(both) if both.op == "unless" && both.matching.on.is_none() => {
                found.extend(both.rhs.selectors().iter().map(ToString::to_string));
            }
            _ => {}
        });
        found
    };
    let needs = |side: &Expr, gone: &BTreeSet<String>| {
        side.selectors().iter().any(|selector| gone.contains(&selector.to_string())) && unless(side).is_empty()
    };
    needs(left, &unless(right))
        || needs(right, &unless(left))
        || filters(left)
            .iter()
            .any(|(core, bounds)| others.iter().any(|(other, more)| core == other && bounds.and(*more).is_empty()))
}

/// Does it fire at one value alone, which tells nothing?
fn is_one_value(expr: &Expr) -> bool {
    match expr.bare() {
        Expr::Binary(both) if both.op == "or" => is_one_value(&both.lhs) && is_one_value(&both.rhs),
        _ => compared(expr).1.point().is_some(),
    }
}

/// Two conditions of which only the first is told when both hold.
fn collision(set: &RuleSet<'_>, placed: Placed<'_>, both: &BinaryExpr) -> Option<Finding> {
    if both.matching.on.is_some() {
        return None;
    }
    let of = |expr| shapes(expr, &|name| set.recorded(name));
    let (left, right) = (of(&both.lhs), of(&both.rhs));
    let collides = |one: &Shape, other: &Shape| {
        let names: BTreeSet<&String> = one.fixed.keys().chain(other.fixed.keys()).collect();
        let apart = |name: &&String| match (one.label(name), other.label(name)) {
            (Known::Is(a), Known::Is(b)) => a != b,
            (Known::Is(_), Known::Missing) | (Known::Missing, Known::Is(_)) => true,
            _ => false,
        };
        let same = match (&one.only, &other.only) {
            (Some(a), Some(b)) => a == b,
            (None, None) => true,
            _ => false,
        };
        one.filtered && other.filtered && same && !names.iter().any(apart)
    };
    if !left.iter().any(|one| right.iter().any(|other| collides(one, other))) {
        return None;
    }
    if exclude(&both.lhs, &both.rhs) {
        return None;
    }
    let why = "both sides of its `or` can have the same labels: when both hold, only the left one is told".to_owned();
    // The same thing over other windows: `ratio_rate5m`, `ratio_rate1h`.
    let metrics = |expr: &Expr| {
        let bare = |name: &str| name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let name = |name: &str| bare(name).trim_end_matches(['s', 'm', 'h', 'd', 'w']).to_owned();
        expr.selectors().iter().filter_map(|one| one.metric()).map(name).collect::<BTreeSet<_>>()
    };
    // One alert for two conditions is what somebody may want; a number that is of one of them misleads.
    let rule = placed.rule;
    let shows_value = rule
        .annotations
        .values()
        .chain(rule.labels.values())
        .any(|text| template::read(text).is_ok_and(|asked| asked.value));
    let misleads = shows_value && !(is_one_value(&both.lhs) && is_one_value(&both.rhs));
    let level = if misleads { Level::Medium } else { Level::Low };
    (metrics(&both.lhs) != metrics(&both.rhs)).then(|| {
        rule.of_expr("A08", level, why).fix("make two alerts of it, or tell the sides apart with `label_replace`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::alerts::file::RuleFile;
    use crate::check::alerts::set::Setting;

    #[test]
    fn each_is_caught_and_its_twin_is_not() {
        let mut setting = Setting::default();
        setting.types.insert("typed_gauge".into(), "gauge".into());
        setting.types.insert("typed_counter".into(), "counter".into());
        setting.types.insert("gauge_total".into(), "gauge".into());
        setting.types.insert("counted_total".into(), "counter".into());
        for (expr, want) in [
            ("histogram_quantile(0.9, sum(rate(x_bucket[5m]))) > 1", "A04"),
            ("histogram_quantile(0.9, sum by (job) (rate(x_bucket[5m]))) > 1", "A04"),
            ("histogram_quantile(0.9, sum by (le, job) (rate(x_bucket[5m]))) > 1", ""),
            ("histogram_quantile(0.9, sum without (job) (rate(x_bucket[5m]))) > 1", ""),
            ("histogram_quantile(0.9, sum by (vmrange) (rate(x_bucket[5m]))) > 1", ""),
            ("histogram_quantile(0.9, sum(rate(x[5m]))) > 1", ""),
            ("histogram_count(rate(x_bucket[5m])) > 1", "A04"),
            ("histogram_count(rate(x[5m])) > 1", ""),
            ("rate(x_bytes[5m]) > 1", ""),
            ("rate(x_connections[5m]) > 1", "A05"),
            ("rate(accepted_connections[5m]) > 1", ""),
            ("rate(x_bytes_total[5m]) > 1", ""),
            ("rate(x[5m]) > 1", ""),
            ("rate(typed_gauge[5m]) > 1", "A05"),
            ("delta(typed_counter[5m]) > 1", "A05"),
            ("deriv(x_total[5m]) > 1", "A05"),
            ("delta(gauge_total[5m]) > 1", ""),
            ("deriv(x_bytes[5m]) > 1", ""),
            ("x_total > 5", ""),
            ("x_requests_total > 5", "A06"),
            ("backends_waiting_requests_total > 5", ""),
            ("counted_total > 5", "A06"),
            ("a_rate5m > 5 or a_rate1h > 1", ""),
            ("(time() - (a > 0) > 5) or (time() - b > 5 and a == 0)", ""),
            ("(a > 1 and count(c) < 3) or (b > 1 and count(c) >= 3)", ""),
            ("(a > 1 and count(c) < 3) or (b > 1 and count(c) >= 2)", "A08"),
            ("errors_total > 1", "A06"),
            ("errors_total > 0", "A06"),
            ("jobs_pending_total > 0", ""),
            ("x_total > 0", ""),
            ("x_total < 5", ""),
            ("x_used / x_total > 0.9 and x_total > 1", ""),
            ("sum by (job) (x_errors_total) > 5", "A06"),
            ("x_errors_total / y_total > 0.5", "A06"),
            ("up == 0 and on (job) sum by (job) (x_errors_total) > 0", ""),
            ("rate(x_total[5m]) > 5", ""),
            ("x_total - x_total offset 5m > 5", ""),
            ("x_total == 0", ""),
            ("gauge_total > 5", ""),
            ("count(x_total) > 5", ""),
            ("rate(sum(x_total)[5m:]) > 1", "A06"),
            ("rate(s:x_total:sum[5m]) > 1", "A06"),
            ("sum(rate(x_total[5m])) > 1", ""),
            ("sum(a / b) > 1", "A07"),
            ("sum(a / disk_capacity) > 1", ""),
            ("avg by (job) (100 * (a / b)) > 1", "A07"),
            ("sum(a) / sum(b) > 1", ""),
            ("sum(a / 100) > 1", ""),
            ("sum(a / (b > 0)) > 1", ""),
            ("max(a / b) > 1", ""),
            ("increase(a_total[5m]) > 0 or increase(b_total[5m]) > 0", "A08"),
            ("a > 0 or b > 0", "A08"),
            ("a{x=\"1\"} > 0 or b{x=\"2\"} > 0", ""),
            ("sum(a) > 0 or sum by (x) (b) > 0", ""),
            ("a > 0 or vector(0) > 1", ""),
            ("a > 0 or on (x) b > 0", ""),
            ("a{x=\"1\"} > 0 or absent(a{x=\"1\"})", ""),
            ("a > 5 or a < 1", ""),
            ("a < 5 or ((b == 1 unless a) * 0)", ""),
            ("a < 5 or ((b == 1 unless c) * 0)", "A08"),
        ] {
            let text = format!(
                "groups:\n- name: g\n  rules:\n  - record: s:x_total:sum\n    expr: sum(x_total)\n  - alert: A\n    expr: |\n      {expr}\n"
            );
            let files = [RuleFile::read(&text, "r.yml")];
            assert!(files[0].findings.is_empty(), "{expr}");
            let set = RuleSet::new(&files, &setting);
            let found: BTreeSet<&str> =
                set.alerts().flat_map(|placed| check(&set, placed)).map(|found| found.id).collect();
            assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), want, "{expr}");
        }
    }
}
