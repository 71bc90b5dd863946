//! Alerts that fire whatever happens (A02), and alerts that cannot fire (A03).

use std::time::Duration;

use crate::check::alerts::bounds::ANY;
use crate::check::alerts::bounds::Bounds;
use crate::check::alerts::infer::flipped;
use crate::check::alerts::set::{Placed, RuleSet};
use crate::check::alerts::shape::{Presence, Shape};
use crate::check::finding::{Finding, Level, Unknown};
use crate::metric::promql::Expr;
use crate::text::duration::human;

/// What a finding of A02 or A03 claims, so that it can be put to the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It fires without a single series.
    FiresAlways,
    /// It fires as soon as its series are there, whatever their values.
    FiresWithSeries,
    NeverFires,
}

/// Does an alert fire always, or never? At most one of both; the second is what cannot be told.
pub fn check(set: &RuleSet<'_>, placed: Placed<'_>) -> (Option<(Finding, Claim)>, Option<Unknown>) {
    let rule = placed.rule;
    let Some(tree) = &rule.tree else { return (None, None) };
    let shapes = set.shapes(rule);
    if let Some(why) = contradiction(tree).or_else(|| never(&shapes)) {
        let finding = rule
            .of_expr("A03", Level::High, format!("it can never fire: {why}"))
            .fix("correct the condition, or remove the alert: it protects nobody");
        return (Some((finding, Claim::NeverFires)), None);
    }
    // What steps in for another one fires always only where that one does, too.
    let is_judged = shapes.iter().any(|shape| !shape.backup && (shape.filtered || shape.is_never()));
    // What fires where another condition does not hold depends on that one, if that one never fires itself.
    let is_contrary = shapes.iter().any(|shape| !shape.otherwise && shape.is_never());
    let is_excused = |shape: &Shape| {
        shape.filtered || shape.is_never() || (shape.backup && is_judged) || (shape.otherwise && is_contrary)
    };
    let is_open = |shape: &&Shape| !is_excused(shape);
    let open: Vec<&Shape> = shapes.iter().filter(is_open).collect();
    let Some(first) = open.first() else { return (None, None) };
    if is_heartbeat(&rule.name, rule.labels.get("severity").map(String::as_str)) {
        return (None, None);
    }
    if let Some(name) = open.iter().find_map(|shape| shape.elsewhere.as_ref()) {
        let why = format!("whether it fires always depends on `{name}`, which is recorded by a rule that is not here");
        return (None, Some(Unknown { id: "A02", subject: rule.name.clone(), why }));
    }
    let (why, claim) = if first.presence == Presence::Always {
        ("it fires always: its expression has a result without any series".to_owned(), Claim::FiresAlways)
    } else if open.len() < shapes.len() {
        ("it fires always: one side of its `or` has no condition on the value".into(), Claim::FiresWithSeries)
    } else if is_bool(tree) {
        ("it fires always: `bool` makes 0 and 1 of the comparison, and both fire".into(), Claim::FiresWithSeries)
    } else {
        ("it fires whenever its series are there: it has no condition on their values".into(), Claim::FiresWithSeries)
    };
    // The label of a state, and a count of what is there, may be the condition that somebody meant.
    let is_meant = claim == Claim::FiresWithSeries && (is_count(tree) || open.iter().all(|shape| of_a_state(shape)));
    let finding = rule
        .of_expr("A02", if is_meant { Level::Medium } else { Level::High }, why)
        .fix("compare it, such as `… > 0`; a dead man's switch is called Watchdog, DeadMansSwitch or Heartbeat");
    (Some((finding, claim)), None)
}

/// Is it meant to fire always, to prove that alerts arrive?
pub fn is_heartbeat(name: &str, severity: Option<&str>) -> bool {
    let name = name.to_lowercase();
    let words = ["watchdog", "deadman", "deadmen", "heartbeat", "always", "e2e", "selfcheck"];
    severity == Some("none") || words.iter().any(|word| name.contains(word))
}

fn never(shapes: &[Shape]) -> Option<String> {
    let mut whys = shapes.iter().map(|shape| match &shape.presence {
        Presence::Never(why) => Some(why.clone()),
        _ => None,
    });
    let first = whys.next()??;
    whys.all(|why| why.is_some()).then_some(first)
}

/// Is it a count of series that is compared with none?
fn is_count(expr: &Expr) -> bool {
    let (core, bounds) = compared(expr);
    bounds != ANY && matches!(core, Expr::Aggregate { op, .. } if op == "count")
}

/// Does it ask for one state, such as `{adminState="down"}`?
fn of_a_state(shape: &Shape) -> bool {
    let words = ["state", "status", "phase", "condition", "health", "reason", "result"];
    shape.fixed.keys().any(|label| words.iter().any(|word| label.to_lowercase().contains(word)))
}

fn is_bool(expr: &Expr) -> bool {
    matches!(expr.bare(), Expr::Binary(both) if both.matching.return_bool)
}

/// What is compared, and the values that the comparisons with numbers let through.
pub fn compared(expr: &Expr) -> (&Expr, Bounds) {
    let number = |expr: &Expr| match expr.bare() {
        Expr::Number(value) => Some(Bounds::new(*value, *value)),
        _ => None,
    };
    match expr.bare() {
        Expr::Binary(both) if both.is_comparison() && !both.matching.return_bool => {
            if let Some(value) = number(&both.rhs) {
                let (core, bounds) = compared(&both.lhs);
                (core, bounds.and(ANY.kept(both.op, value)))
            } else if let Some(value) = number(&both.lhs) {
                let (core, bounds) = compared(&both.rhs);
                (core, bounds.and(ANY.kept(flipped(both.op), value)))
            } else {
                (expr.bare(), ANY)
            }
        }
        bare => (bare, ANY),
    }
}

/// Two conditions on the same thing that no value satisfies.
fn contradiction(expr: &Expr) -> Option<String> {
    let mut parts = Vec::new();
    conditions(expr, &mut parts);
    for (at, (one, bounds)) in parts.iter().enumerate() {
        for (other, more) in &parts[at + 1..] {
            if one == other && bounds.and(*more).is_empty() {
                return Some(format!("`{one}` would have to be {} and {}", limits(*bounds), limits(*more)));
            }
        }
    }
    None
}

fn limits(bounds: Bounds) -> String {
    match (bounds.point(), bounds.low.is_finite()) {
        (Some(only), _) => format!("{only}"),
        (None, true) => format!("{} {}", if bounds.low_open { ">" } else { ">=" }, bounds.low),
        (None, false) => format!("{} {}", if bounds.high_open { "<" } else { "<=" }, bounds.high),
    }
}

/// The conditions that `and` joins.
fn conditions<'e>(expr: &'e Expr, parts: &mut Vec<(&'e Expr, Bounds)>) {
    match expr.bare() {
        Expr::Binary(both) if both.op == "and" => {
            conditions(&both.lhs, parts);
            conditions(&both.rhs, parts);
        }
        bare => parts.push(compared(bare)),
    }
}

/// A single event that is forgotten before the alert may fire.
pub fn too_short(placed: Placed<'_>) -> Option<Finding> {
    let rule = placed.rule;
    let mut parts = Vec::new();
    conditions(rule.tree.as_ref()?, &mut parts);
    let (name, range) =
        parts.iter().find_map(|(core, bounds)| event(core).filter(|_| bounds.low == 0.0 && bounds.low_open))?;
    if rule.held() < range || range < Duration::from_secs(1) {
        return None;
    }
    let (hold, window) = (human(rule.held()), human(range));
    Some(
        rule.of_expr(
            "A03",
            Level::Low,
            format!("a single event cannot fire it: `{name}` forgets it after {window}, and `for` waits {hold}"),
        )
        .fix(format!("remove `for`, or look back further than {hold}")),
    )
}

/// A count of what happened, and how far it looks back.
fn event(expr: &Expr) -> Option<(&'static str, Duration)> {
    match expr.bare() {
        Expr::Call { function, args } if ["increase", "changes", "resets"].contains(&function.name) => {
            match args.first() {
                Some(Expr::Selector(selector)) => Some((function.name, selector.range?)),
                _ => None,
            }
        }
        Expr::Aggregate { op, args, .. } if op == "sum" || op == "max" => event(args.last()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::alerts::file::RuleFile;
    use crate::check::alerts::set::Setting;

    /// The id and the words of what is found, or `unknown`.
    fn found(name: &str, expr: &str) -> String {
        match judged(name, expr) {
            (Some((finding, _)), _) => format!("{} {}", finding.id, finding.why),
            (None, Some(_)) => "unknown".into(),
            (None, None) => "-".into(),
        }
    }

    fn judged(name: &str, expr: &str) -> (Option<(Finding, Claim)>, Option<Unknown>) {
        let text = format!(
            "groups:\n- name: g\n  rules:\n  - record: a:ratio\n    expr: sum(rate(a_total{{c=\"5\"}}[5m])) / sum(rate(a_total[5m]))\n  - record: a:constant\n    expr: sum(b)\n    labels: {{c: \"1\"}}\n  - record: a:bad\n    expr: sum by (job) (b) > 3\n  - alert: {name}\n    expr: |\n      {expr}\n"
        );
        let files = [RuleFile::read(&text, "r.yml")];
        assert!(files[0].findings.is_empty(), "{expr}: {:?}", files[0].findings);
        let setting = Setting::default();
        let set = RuleSet::new(&files, &setting);
        let placed = set.alerts().next().unwrap();
        check(&set, placed)
    }

    #[test]
    fn conditions_that_somebody_may_have_meant_weigh_less() {
        for (expr, want) in [
            ("up", Level::High),
            ("x{code=\"5\"}", Level::High),
            ("x{adminState=\"down\"}", Level::Medium),
            ("x{state=\"down\"} and on (host) y{status=\"on\"}", Level::Medium),
            ("count by (job) (x) > 0", Level::Medium),
            ("sum by (job) (x_total) >= 0", Level::High),
            ("vector(1) > 0", Level::High),
        ] {
            assert_eq!(judged("Alert", expr).0.map(|(finding, _)| finding.level), Some(want), "{expr}");
        }
    }

    #[test]
    fn what_fires_always_or_never() {
        for (expr, want) in [
            ("up == 0", "-"),
            ("up", "A02 it fires whenever"),
            ("x_info{state=\"down\"}", "-"),
            ("x_info", "A02"),
            ("vector(1)", "A02 it fires always: its expression"),
            ("vector(1) > 0", "A02 it fires always: its expression"),
            ("up == bool 0", "A02 it fires always: `bool`"),
            ("(up == bool 0) == 1", "-"),
            ("sum(x) / sum(y)", "A02 it fires whenever"),
            ("absent(up)", "-"),
            ("x unless y", "-"),
            ("x and y > 3", "-"),
            ("x and y", "A02 it fires whenever"),
            ("x > 1 or y", "A02 it fires always: one side"),
            ("x > 1 or y > 1", "-"),
            ("(count(x) or vector(0)) < 1", "-"),
            ("(count(x_info{role=\"master\"}) or vector(0)) < 1", "-"),
            ("(count(x) or vector(0)) < 3", "-"),
            ("(x{job=\"a\"} or on () vector(-1)) == -1", "-"),
            ("(increase(x_total[1h]) or on () vector(1)) > 0", "-"),
            ("(x or vector(1)) > 0", "A02"),
            ("count(x) > 3 or vector(0)", "A02"),
            ("(count by (a) (x < 95) or count by (a) (y) * 0) == 0", "-"),
            ("(count by (a) (x < 95) or count by (a) (y) * 0) >= 0", "A02"),
            ("x_labels{a=\"1\"} and x_labels{b=\"2\"}", "-"),
            ("a:constant{c=\"2\"} > 0", "-"),
            ("count(x) or vector(0)", "A02"),
            ("(sum(x) or sum(y)) > 1", "-"),
            ("count(x > 1)", "-"),
            ("count(x) >= 0", "A02 it fires whenever"),
            ("rate(x_total[5m]) >= 0", "A02 it fires whenever"),
            ("ALERTS{alertname=\"A\"}", "-"),
            ("a:bad", "-"),
            ("other:metric", "unknown"),
            ("other:metric > 1", "-"),
            ("x != 0", "-"),
            ("rate(x_total[5m]) < 0", "A03 it can never fire: `rate(x_total[5m])` is 0 or more, and never < 0"),
            ("up > 1", "A03"),
            ("x > 5 and x < 3", "A03 it can never fire: `x` would have to be > 5 and < 3"),
            ("x > 3 and x < 5", "-"),
            ("x > 5 and y < 3", "-"),
            ("(x > 5) < 3", "A03"),
            ("a:ratio > 14.4 * 0.1", "A03 it can never fire: `a:ratio` is between 0 and 1, and never > 1.44"),
            ("a:ratio > 14.4 * 0.01", "-"),
            ("a:ratio{job=\"x\"} > 0.1", "A03 it can never fire: `a:ratio` has no label `job`"),
            ("a:bad{job=\"x\"}", "-"),
            ("sum(x) / y > 1", "A03 it can never fire: no series on both sides"),
            ("sum(x) / on () group_right () y > 1", "-"),
            ("x{a=\"1\"} / x{a=\"2\"} > 1", "A03"),
            ("x{a=\"1\"} / ignoring (a) x{a=\"2\"} > 1", "-"),
            ("x{a=\"1\"} > 1 and x{a=\"2\"} > 1", "A03"),
            ("x{a=\"1\"} > 1 and on (b) x{a=\"2\"} > 1", "-"),
            ("sum(x) / scalar(y) > 1", "-"),
            ("sum by (job) (x) / on (job) group_left () y > 1", "-"),
            ("time() - x > 3600", "-"),
            ("vector(1) == 2", "A03"),
            ("hour() > 25", "A03"),
            ("hour() > 20", "-"),
            ("x > 1 or vector(1) == 2", "-"),
            ("x > bool 1 > 0", "-"),
            ("1 == bool 2", "A02"),
        ] {
            let is = found("Alert", expr);
            assert!(is.starts_with(want), "{expr}: want {want}, got {is}");
        }
        assert_eq!(found("Watchdog", "vector(1)"), "-");
    }

    #[test]
    fn events_that_are_forgotten_too_early() {
        for (expr, hold, want) in [
            ("increase(x_total[5m]) > 0", "5m", true),
            ("increase(x_total[5m]) > 0", "1m", false),
            ("sum(increase(x_total[5m])) > 0", "10m", true),
            ("increase(x_total[5m]) > 3", "10m", false),
            ("rate(x_total[5m]) > 0", "10m", false),
            ("changes(x[5m]) > 0", "10m", true),
        ] {
            let text = format!("groups:\n- name: g\n  rules: [{{alert: A, expr: '{expr}', for: {hold}}}]\n");
            let files = [RuleFile::read(&text, "r.yml")];
            let setting = Setting::default();
            let set = RuleSet::new(&files, &setting);
            assert_eq!(too_short(set.alerts().next().unwrap()).is_some(), want, "{expr} {hold}");
        }
    }
}
