//! What follows the grammar and makes no sense: unknown functions, wrong types, modifiers where they mean nothing
//! (Prometheus' `checkAST`, <https://github.com/prometheus/prometheus/blob/main/promql/parser/parse.go>).

use crate::metric::promql::ast::{At, BinaryExpr, Expr, Gives, Offset, Shift, VectorSelector};
use crate::metric::promql::functions::{Function, names};
use crate::metric::promql::parser::Parser;
use crate::text::suggest::nearest;

/// First and last token of a part.
pub type Span = (usize, usize);

/// What is wrong with an expression that follows the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// Only Prometheus can tell.
    Unsure,
    Nonsense {
        span: Span,
        message: String,
        hint: Option<String>,
    },
}

const SETS: [&str; 3] = ["and", "or", "unless"];
const NO_RANGES: &str = "leave out `[…]`, or put it into `rate(…)` or `…_over_time(…)`";

impl Parser<'_> {
    pub fn is_unsure(&mut self) {
        self.complaint.get_or_insert(Complaint::Unsure);
    }

    fn complain(&mut self, span: Span, message: impl Into<String>, hint: Option<&str>) {
        let hint = hint.map(ToOwned::to_owned);
        self.complaint.get_or_insert_with(|| Complaint::Nonsense { span, message: message.into(), hint });
    }

    pub fn unknown_function(&mut self, name: &str, place: usize) {
        let hint = nearest(name, names()).map(|near| format!("did you mean `{near}`?"));
        self.complain((place, place), format!("unknown function `{name}`"), hint.as_deref());
    }

    pub fn check_call(&mut self, function: Function, args: &[Expr], name: usize, spans: &[Span]) {
        if let Some(message) = function.wrong_count(args.len()) {
            return self.complain((name, name), message, None);
        }
        for (index, (arg, span)) in args.iter().zip(spans).enumerate() {
            if let Some(wanted) = function.takes(index) {
                self.check_type(wanted, arg, *span, &format!("`{}`", function.name));
            }
        }
    }

    pub fn check_aggregate(&mut self, op: &str, param: Option<Gives>, args: &[Expr], name: usize, spans: &[Span]) {
        let wanted = 1 + usize::from(param.is_some());
        if args.is_empty() {
            let message = format!("no arguments for aggregate expression `{op}` provided");
            return self.complain((name, name), message, None);
        }
        if args.len() != wanted {
            let message = format!("wrong number of arguments: expected {wanted}, got {}", args.len());
            return self.complain((name, name), message, None);
        }
        self.check_type(Gives::InstantVector, &args[wanted - 1], spans[wanted - 1], "an aggregation");
        if let Some(param) = param {
            self.check_type(param, &args[0], spans[0], "an aggregation");
        }
    }

    fn check_type(&mut self, wanted: Gives, arg: &Expr, span: Span, place: &str) {
        let given = arg.gives();
        if given == wanted {
            return;
        }
        let hint = match (wanted, given) {
            (Gives::RangeVector, Gives::InstantVector) => Some("give it a window: `…[5m]`"),
            (Gives::InstantVector, Gives::RangeVector) => Some(NO_RANGES),
            (Gives::InstantVector, Gives::Scalar) => Some("`vector(…)` makes an instant vector of a number"),
            (Gives::Scalar, Gives::InstantVector) => Some("`scalar(…)` makes a number of a vector of one series"),
            _ => None,
        };
        self.complain(span, format!("{place} takes {} here, not {}", a(wanted), a(given)), hint);
    }

    /// `spans` are those of the left operand, the operator and the right operand; `keywords` those of `bool`, `on` or
    /// `ignoring`, and `group_left` or `group_right`.
    pub fn check_binary(&mut self, both: &BinaryExpr, spans: [Span; 3], keywords: [usize; 3]) {
        let BinaryExpr { op, lhs, rhs, matching } = both;
        let (left, right) = (lhs.gives(), rhs.gives());
        let [return_bool, on, group] = keywords.map(|place| (place, place));
        let compares = both.is_comparison();
        if matching.return_bool && !compares {
            return self.complain(return_bool, "bool modifier can only be used on comparison operators", None);
        }
        if compares && !matching.return_bool && (left, right) == (Gives::Scalar, Gives::Scalar) {
            let hint = Some("write `1 == bool 2`, which gives 0 or 1");
            return self.complain(spans[1], "a comparison of two numbers needs `bool`", hint);
        }
        let shared = matching.on.as_ref().filter(|on| on.include).and_then(|on| {
            let (_, labels) = matching.group.as_ref()?;
            labels.iter().find(|label| on.labels.contains(label))
        });
        if let Some(label) = shared {
            let message = format!("label `{label}` must not occur in ON and GROUP clause at once");
            return self.complain(group, message, None);
        }
        if SETS.contains(op) && (left == Gives::Scalar || right == Gives::Scalar) {
            let message = format!("set operator `{op}` not allowed in binary scalar expression");
            return self.complain(spans[1], message, None);
        }
        if SETS.contains(op) && matching.group.is_some() {
            return self.complain(group, format!("no grouping allowed for `{op}` operation"), None);
        }
        for (gives, span) in [(left, spans[0]), (right, spans[2])] {
            if matches!(gives, Gives::RangeVector | Gives::Text) {
                return self.complain(span, "operators work on numbers and instant vectors only", Some(NO_RANGES));
            }
        }
        let matches_labels = matching.on.as_ref().is_some_and(|on| !on.labels.is_empty());
        if matches_labels && (left == Gives::Scalar || right == Gives::Scalar) {
            self.complain(on, "vector matching only allowed between vectors", None);
        }
    }

    pub fn check_sign(&mut self, expr: &Expr, sign: usize) {
        let kind = match expr.gives() {
            Gives::Text => "string",
            Gives::RangeVector => "matrix",
            Gives::Scalar | Gives::InstantVector => return,
        };
        let message = format!("unary expression only allowed on expressions of type scalar or vector, got: {kind}");
        self.complain((sign, sign), message, None);
    }

    pub fn check_selector(&mut self, selector: &VectorSelector, first: usize) {
        let matchers = || selector.matchers.iter().flatten();
        match &selector.name {
            Some(name) => {
                if let Some(other) = matchers().find(|matcher| matcher.name == "__name__") {
                    let message = format!("metric name must not be set twice: `{name}` or `{}`", other.value);
                    self.complain((first, first), message, None);
                }
            }
            None if matchers().all(|matcher| matcher.accepts("") == Some(true)) => {
                let message = "this would select every series: no matcher refuses the empty value";
                let hint = "name the metric, or give a matcher such as `{job=\"game\"}`";
                self.complain(self.span(first), message, Some(hint));
            }
            None => {}
        }
    }

    pub fn check_range(&mut self, expr: &Expr, place: usize, places: [Option<usize>; 2]) {
        let [at, offset] = places.map(|known| known.unwrap_or(place)).map(|place| (place, place));
        match expr {
            Expr::Selector(VectorSelector { range: None, shift, .. }) => {
                if shift.offset.is_some() {
                    self.complain(offset, "no offset modifiers allowed before range", None);
                } else if shift.at.is_some() {
                    self.complain(at, "no @ modifiers allowed before range", None);
                }
            }
            _ => self.complain((place, place), "ranges only allowed for vector selectors", None),
        }
    }

    pub fn check_subquery(&mut self, expr: &Expr, place: usize) {
        let kind = match expr.gives() {
            Gives::InstantVector => return,
            Gives::Scalar => "scalar",
            Gives::Text => "string",
            Gives::RangeVector => "matrix",
        };
        self.complain((place, place), format!("subquery is only allowed on vector, got {kind} instead"), None);
    }

    pub fn set_at(&mut self, expr: &mut Expr, at: Option<At>, place: usize) {
        match shift(expr) {
            None => {
                let what = "@ modifier must be preceded by an vector selector or matrix selector or a subquery";
                self.complain((place, place), what, None);
            }
            Some(shift) if shift.at.is_some() => {
                self.complain((place, place), "@ <timestamp> may not be set multiple times", None);
            }
            Some(shift) => shift.at = at,
        }
    }

    pub fn set_offset(&mut self, expr: &mut Expr, offset: Offset, place: usize) {
        match shift(expr) {
            None => {
                let what = "offset modifier must be preceded by an vector selector or matrix selector or a subquery";
                self.complain((place, place), what, None);
            }
            Some(shift) if shift.offset.is_some() => {
                self.complain((place, place), "offset may not be set multiple times", None);
            }
            Some(shift) => shift.offset = Some(offset),
        }
    }
}

fn shift(expr: &mut Expr) -> Option<&mut Shift> {
    match expr {
        Expr::Selector(VectorSelector { shift, .. }) | Expr::Subquery { shift, .. } => Some(shift),
        _ => None,
    }
}

fn a(kind: Gives) -> &'static str {
    match kind {
        Gives::RangeVector => "a range vector",
        Gives::InstantVector => "an instant vector",
        Gives::Scalar => "a number",
        Gives::Text => "a string",
    }
}
