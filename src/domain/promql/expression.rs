//! What can be told about an expression without asking a server: what it gives, of which metrics.

use promql_parser::parser::Expr;
use promql_parser::parser::value::ValueType;
use promql_parser::util::visitor::{ExprVisitor, walk_expr};

use crate::domain::promql::token::tokens;
use crate::domain::promql::{Outcome, is_beyond, parse, plain};

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    /// A number.
    Scalar,
    /// A text.
    Text,
    /// One value a series.
    InstantVector,
    /// The samples of a window.
    RangeVector,
}

impl Gives {
    /// As PromQL's documentation calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Text => "string",
            Self::InstantVector => "instant vector",
            Self::RangeVector => "range vector",
        }
    }
}

impl From<ValueType> for Gives {
    fn from(kind: ValueType) -> Self {
        match kind {
            ValueType::Scalar => Self::Scalar,
            ValueType::String => Self::Text,
            ValueType::Vector => Self::InstantVector,
            ValueType::Matrix => Self::RangeVector,
        }
    }
}

/// What can be told about an expression without asking a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression {
    /// The type of its value.
    pub(crate) gives: Gives,
    /// The metrics that it selects by name, in order of appearance.
    pub(crate) metrics: Vec<String>,
    /// The metric, when the expression is a selector and nothing else.
    pub(crate) selects: Option<String>,
    /// Its result comes in an order that means something (`sort`, `topk`).
    pub(crate) ordered: bool,
    /// Written out over several lines where it is long.
    pub(crate) pretty: String,
}

/// What the expression will give; nothing when the parser crate cannot read it.
pub(crate) fn inspect(text: &str) -> Option<Expression> {
    let found = tokens(text);
    if is_beyond(&found) {
        return None;
    }
    let tree = match parse(text) {
        Outcome::Good(tree) => tree,
        _ => match parse(&plain(text, &found)) {
            Outcome::Good(tree) => tree,
            _ => return None,
        },
    };
    let mut selected = Metrics::default();
    // The visitor has no errors.
    let _ = walk_expr(&mut selected, &tree);
    // A name that had to be replaced is not one of the text.
    let metrics = selected.0.into_iter().filter(|name| text.contains(name.as_str())).collect();
    let first = found.first().map_or("", |token| token.text);
    let ordered = ["sort", "topk", "bottomk"].iter().any(|name| first.to_ascii_lowercase().starts_with(name))
        && matches!(*tree, Expr::Call(_) | Expr::Aggregate(_));
    let selects = match &*tree {
        Expr::VectorSelector(selector) => selector.name.clone(),
        Expr::MatrixSelector(matrix) => matrix.vs.name.clone(),
        _ => None,
    };
    Some(Expression { gives: tree.value_type().into(), metrics, selects, ordered, pretty: tree.prettify() })
}

#[derive(Default)]
struct Metrics(Vec<String>);

impl ExprVisitor for Metrics {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        let selector = match expr {
            Expr::VectorSelector(selector) => Some(selector),
            Expr::MatrixSelector(matrix) => Some(&matrix.vs),
            _ => None,
        };
        if let Some(name) = selector.and_then(|selector| selector.name.as_ref())
            && !self.0.contains(name)
        {
            self.0.push(name.clone());
        }
        Ok(true)
    }
}
