//! What can be told about an expression without asking a server: what it gives, of which metrics.

use crate::metric::promql::ast::{Expr, Gives};
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
