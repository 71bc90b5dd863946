//! Label matchers added to every selector of an expression, on its tree and not on its text.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, VectorSelector};
use promql_parser::util::visitor::{ExprVisitor, ExprVisitorMut, walk_expr, walk_expr_mut};

use crate::domain::labels::Labels;
use crate::domain::promql::token::tokens;
use crate::domain::promql::{Outcome, is_beyond, parse};

/// The expression with these labels demanded of every series that it selects. `None` when it is not understood, or
/// when it would not read back as what was meant.
pub(crate) fn narrowed(text: &str, labels: &Labels) -> Option<String> {
    if is_beyond(&tokens(text)) {
        return None;
    }
    let Outcome::Good(mut tree) = parse(text) else {
        return None;
    };
    // The visitors have no errors.
    let _ = walk_expr_mut(&mut Narrow(labels), &mut tree);
    let written = tree.to_string();
    let Outcome::Good(read) = parse(&written) else {
        return None;
    };
    let demands = |tree: &Expr| {
        let mut found = Demands::default();
        let _ = walk_expr(&mut found, tree);
        found.0
    };
    // The crate does not escape what it writes, so a label with a quote in it would come out as another one.
    (demands(&read) == demands(&tree) && read.to_string() == written).then_some(written)
}

/// What each selector demands, in an order that does not depend on how it is written.
#[derive(Default)]
struct Demands(Vec<Vec<(String, String, String)>>);

impl ExprVisitor for Demands {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        let selector = match expr {
            Expr::VectorSelector(selector) => selector,
            Expr::MatrixSelector(matrix) => &matrix.vs,
            _ => return Ok(true),
        };
        let groups = &selector.matchers;
        let all = groups.matchers.iter().chain(groups.or_matchers.iter().flatten());
        let mut demands: Vec<_> = all.map(|one| (one.name.clone(), one.op.to_string(), one.value.clone())).collect();
        demands.sort();
        self.0.push(demands);
        Ok(true)
    }
}

struct Narrow<'a>(&'a Labels);

impl Narrow<'_> {
    fn narrow(&self, selector: &mut VectorSelector) {
        let groups = &mut selector.matchers;
        let all = std::iter::once(&mut groups.matchers).chain(&mut groups.or_matchers);
        for (index, group) in all.enumerate() {
            // With a choice by `or` the first list is empty, and must stay so.
            if index == 0 && group.is_empty() && selector.name.is_none() {
                continue;
            }
            group.extend(self.0.iter().map(|(name, value)| Matcher::new(MatchOp::Equal, name, value)));
        }
    }
}

impl ExprVisitorMut for Narrow<'_> {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &mut Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::VectorSelector(selector) => self.narrow(selector),
            Expr::MatrixSelector(matrix) => self.narrow(&mut matrix.vs),
            _ => {}
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_selector_gets_the_labels() {
        let labels = Labels::from([("track".into(), "canary".into())]);
        for (text, want) in [
            ("up", Some("up{track=\"canary\"}")),
            ("sum(rate(a{x=\"1\"}[5m]))", Some("sum(rate(a{track=\"canary\",x=\"1\"}[5m]))")),
            ("max_over_time(a[1h:1m])", Some("max_over_time(a{track=\"canary\"}[1h:1m])")),
            ("vector(1)", Some("vector(1)")),
            ("sum(", None),
        ] {
            assert_eq!(narrowed(text, &labels).as_deref(), want, "{text}");
        }
    }
}
