//! An expression over counters as what they grew by within a window: on its tree and not on its text, so that a range
//! that somebody wrote is replaced and never nested.

use std::time::Duration;

use crate::metric::promql::ast::{At, BinaryExpr, Expr, Shift, VectorSelector};
use crate::metric::promql::{functions, tree};

/// Functions of a counter and a range, whose range becomes the window.
const OF_A_RANGE: [&str; 5] = ["rate", "irate", "increase", "delta", "idelta"];

/// A stretch of time: how long, and the second at which it ends where that is not the moment of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub length: Duration,
    pub end: Option<i64>,
}

impl Span {
    /// The stretch that ends now.
    pub fn last(length: Duration) -> Self {
        Self { length, end: None }
    }

    /// What stands behind brackets to move them to the end of the stretch.
    pub fn at(&self) -> String {
        self.end.map_or_else(String::new, |end| format!(" @ {end}"))
    }
}

/// The expression with `function(selector[span])` in the place of every selector, summed to one series.
///
/// # Errors
/// Why that cannot be done: not PromQL, a subquery, a selector that is moved in time.
pub fn windowed(text: &str, function: &str, span: Span) -> Result<String, String> {
    let expr = over(tree(text)?, function, span)?;
    Ok(if is_one(&expr) { expr.to_string() } else { format!("sum({expr})") })
}

/// Its first selector, as it stands.
pub fn first_selector(text: &str) -> Option<VectorSelector> {
    let mut first = None;
    tree(text).ok()?.for_each_selector(&mut |selector| {
        if first.is_none() {
            first = Some(VectorSelector { range: None, ..selector.clone() });
        }
    });
    first
}

fn over(expr: Expr, function: &str, span: Span) -> Result<Expr, String> {
    let boxed = |expr: Box<Expr>| Ok::<_, String>(Box::new(over(*expr, function, span)?));
    Ok(match expr {
        Expr::Selector(selector) => {
            if selector.shift != Shift::default() {
                return Err(format!("`{selector}` is moved in time by `offset` or `@`"));
            }
            grown(VectorSelector { range: None, ..selector }, function, span)?
        }
        Expr::Call { function: called, mut args } if OF_A_RANGE.contains(&called.name) => match args.pop() {
            Some(inner @ Expr::Selector(_)) => over(inner, function, span)?,
            _ => return Err(format!("`{}` of a subquery; write the counter itself", called.name)),
        },
        Expr::Subquery { .. } => return Err("it holds a subquery; write the counter itself".into()),
        Expr::Call { function: called, args } => {
            let args = args.into_iter().map(|arg| over(arg, function, span)).collect::<Result<_, _>>()?;
            Expr::Call { function: called, args }
        }
        Expr::Aggregate { op, grouping, args } => {
            let args = args.into_iter().map(|arg| over(arg, function, span)).collect::<Result<_, _>>()?;
            Expr::Aggregate { op, grouping, args }
        }
        Expr::Binary(BinaryExpr { op, lhs, rhs, matching }) => {
            Expr::Binary(BinaryExpr { op, lhs: boxed(lhs)?, rhs: boxed(rhs)?, matching })
        }
        Expr::Negative(expr) => Expr::Negative(boxed(expr)?),
        Expr::Paren(expr) => Expr::Paren(boxed(expr)?),
        Expr::Number(_) | Expr::Text(_) => expr,
    })
}

fn grown(selector: VectorSelector, function: &str, span: Span) -> Result<Expr, String> {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a time are far below 2^53")]
    let at = span.end.map(|end| At::Time(end as f64));
    let selector = VectorSelector { range: Some(span.length), shift: Shift { at, offset: None }, ..selector };
    let function = functions::function(function).ok_or_else(|| format!("no function `{function}`"))?;
    Ok(Expr::Call { function, args: vec![Expr::Selector(selector)] })
}

/// Does it give one series without labels?
fn is_one(expr: &Expr) -> bool {
    match expr {
        Expr::Aggregate { grouping, .. } => {
            grouping.as_ref().is_none_or(|grouping| grouping.include && grouping.labels.is_empty())
        }
        Expr::Paren(expr) | Expr::Negative(expr) => is_one(expr),
        Expr::Binary(both) => is_one(&both.lhs) && is_one(&both.rhs),
        Expr::Number(_) => true,
        Expr::Text(_) | Expr::Selector(_) | Expr::Subquery { .. } | Expr::Call { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_their_growth_and_ranges_are_never_nested() {
        let span = Span::last(Duration::from_secs(3600));
        for (text, want) in [
            ("c", "sum(increase(c[1h]))"),
            ("c{a=\"b\"}", "sum(increase(c{a=\"b\"}[1h]))"),
            ("sum(c)", "sum(increase(c[1h]))"),
            ("sum by (x) (c)", "sum(sum by (x) (increase(c[1h])))"),
            ("sum(rate(c[5m]))", "sum(increase(c[1h]))"),
            ("sum(a) + sum(b)", "sum(increase(a[1h])) + sum(increase(b[1h]))"),
            ("a + b", "sum(increase(a[1h]) + increase(b[1h]))"),
            ("c[5m]", "sum(increase(c[1h]))"),
        ] {
            assert_eq!(windowed(text, "increase", span).as_deref(), Ok(want), "{text}");
        }
        for (text, want) in [
            ("c offset 1h", "moved in time"),
            ("max_over_time(rate(c[5m])[1h:1m])", "subquery"),
            ("sum(", "not closed"),
        ] {
            assert!(windowed(text, "increase", span).unwrap_err().contains(want), "{text}");
        }
        let past = Span { end: Some(1_700_000_000), ..span };
        assert_eq!(windowed("c", "increase", past).as_deref(), Ok("sum(increase(c[1h] @ 1700000000.000))"));
    }
}
