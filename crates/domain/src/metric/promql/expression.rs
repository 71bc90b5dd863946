//! What can be told about an expression without asking a server: what it gives, of which metrics, what it is made of.

use crate::metric::promql::ast::{Expr, Gives, Shift, VectorSelector};
use crate::metric::promql::token::tokens;
use crate::metric::promql::tree;

/// What can be told about an expression without asking a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// The type of its value.
    pub gives: Gives,
    /// The metrics that it selects by name, in order of appearance.
    pub metrics: Vec<String>,
    /// The metric, when the expression is a selector and nothing else.
    pub selects: Option<String>,
    /// Its result comes in an order that means something (`sort`, `topk`).
    pub ordered: bool,
    /// Written out over several lines where it is long.
    pub pretty: String,
}

/// What the expression will give; nothing when it cannot be read here.
pub fn inspect(text: &str) -> Option<Expression> {
    let mut tree = tree(text).ok()?;
    let pretty = tree.prettify();
    let mut metrics: Vec<String> = Vec::new();
    tree.for_each_selector(&mut |selector| {
        metrics.extend(selector.name.clone().filter(|name| !metrics.contains(name)));
    });
    let first = tokens(text).first().map_or_else(String::new, |token| token.text.to_ascii_lowercase());
    let ordered = ["sort", "topk", "bottomk"].iter().any(|name| first.starts_with(name))
        && matches!(tree, Expr::Call { .. } | Expr::Aggregate { .. });
    let gives = tree.gives();
    let selects = match tree {
        Expr::Selector(selector) => selector.name,
        _ => None,
    };
    Some(Expression { gives, metrics, selects, ordered, pretty })
}

/// The series that it selects, each as it is at one time. None of an expression that asks for what is not there.
pub fn selectors(text: &str) -> Vec<String> {
    let Ok(mut tree) = tree(text) else {
        return Vec::new();
    };
    let mut selectors: Vec<String> = Vec::new();
    tree.for_each_selector(&mut |selector| {
        let plain = VectorSelector { range: None, shift: Shift::default(), ..selector.clone() };
        selectors.extend(Some(Expr::Selector(plain).to_string()).filter(|one| !selectors.contains(one)));
    });
    if tokens(text).iter().any(|token| token.text.starts_with("absent")) { Vec::new() } else { selectors }
}

/// Of a `histogram_quantile`, the quantile and the expression of its buckets.
pub fn quantile(text: &str) -> Option<(f64, String)> {
    let mut expr = tree(text).ok()?;
    while let Expr::Paren(inner) = expr {
        expr = *inner;
    }
    match expr {
        Expr::Call { function, args } if function.name == "histogram_quantile" => match args.as_slice() {
            [Expr::Number(q), buckets] => Some((*q, buckets.to_string())),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_expression_is_made_of() {
        for (text, want) in [
            ("sum(rate(a{x=\"1\"}[5m] offset 1h)) / sum(a{x=\"1\"} @ end())", &["a{x=\"1\"}"][..]),
            ("max_over_time(b[1h:1m]) + c", &["b", "c"]),
            ("absent(up{job=\"x\"})", &[]),
            ("vector(1)", &[]),
            ("sum(", &[]),
        ] {
            assert_eq!(selectors(text), want, "{text}");
        }
    }

    #[test]
    fn the_buckets_of_a_quantile() {
        let want = Some((0.99, "sum by (le) (rate(h_bucket[5m]))".to_owned()));
        assert_eq!(quantile("histogram_quantile(0.99, sum by (le) (rate(h_bucket[5m])))"), want);
        assert_eq!(quantile("(histogram_quantile(0.99, sum by (le) (rate(h_bucket[5m]))))"), want);
        assert_eq!(quantile("histogram_quantile(0.99, a) > 1"), None);
        assert_eq!(quantile("histogram_quantile(scalar(q), a)"), None);
    }
}
