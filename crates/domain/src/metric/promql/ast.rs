//! The tree of a PromQL expression.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use regex::Regex;

use crate::metric::promql::functions::Function;

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
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
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Text => "string",
            Self::InstantVector => "instant vector",
            Self::RangeVector => "range vector",
        }
    }
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Number(f64),
    Text(String),
    Selector(VectorSelector),
    Subquery { expr: Box<Expr>, range: Duration, step: Option<Duration>, shift: Shift },
    Call { function: Function, args: Vec<Expr> },
    Aggregate { op: String, grouping: Option<Grouping>, args: Vec<Expr> },
    Binary(BinaryExpr),
    Negative(Box<Expr>),
    Paren(Box<Expr>),
}

/// Series, or their samples within a range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorSelector {
    pub name: Option<String>,
    /// Groups of matchers, one of which must hold: more than one where they are joined by `or`.
    pub matchers: Vec<Vec<Matcher>>,
    pub range: Option<Duration>,
    pub shift: Shift,
}

/// `@` and `offset`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shift {
    pub at: Option<At>,
    pub offset: Option<Offset>,
}

/// A moment that an expression is evaluated at.
#[derive(Debug, Clone, PartialEq)]
pub enum At {
    Start,
    End,
    /// Seconds since 1970.
    Time(f64),
}

/// How far back in time; ahead of it when `ahead`.
#[derive(Debug, Clone, PartialEq)]
pub struct Offset {
    pub ahead: bool,
    pub by: Duration,
}

/// `by (…)` or `without (…)`; `on (…)` or `ignoring (…)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    /// Only these labels, not all but these.
    pub include: bool,
    pub labels: Vec<String>,
}

/// Two operands, an operator and how their series are matched.
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryExpr {
    /// In lower case.
    pub op: &'static str,
    pub lhs: Box<Expr>,
    pub rhs: Box<Expr>,
    pub matching: Matching,
}

/// What stands between an operator and its right operand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matching {
    pub return_bool: bool,
    pub on: Option<Grouping>,
    /// `group_left` (true) or `group_right`, with the labels to take over.
    pub group: Option<(bool, Vec<String>)>,
    /// What a missing series counts as on the left and on the right.
    pub fill: (Option<f64>, Option<f64>),
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        })
    }
}

/// A condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
    /// None where the value is Go's kind of regular expression and not ours, or none at all. Few are ever asked for.
    regex: OnceLock<Option<Regex>>,
}

impl Matcher {
    pub fn new(name: &str, op: MatchOp, value: &str) -> Self {
        Self { name: name.to_owned(), op, value: value.to_owned(), regex: OnceLock::new() }
    }

    /// Does it accept the value? None when its regular expression cannot be read here.
    pub fn accepts(&self, value: &str) -> Option<bool> {
        match self.op {
            MatchOp::Equal => Some(self.value == value),
            MatchOp::NotEqual => Some(self.value != value),
            MatchOp::Regex => self.regex().map(|regex| regex.is_match(value)),
            MatchOp::NotRegex => self.regex().map(|regex| !regex.is_match(value)),
        }
    }

    fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| anchored(&self.value)).as_ref()
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

/// The whole value must match.
fn anchored(pattern: &str) -> Option<Regex> {
    let compile = |pattern: &str| Regex::new(&format!("^(?:{pattern})$"));
    compile(pattern).or_else(|_| compile(&braces_escaped(pattern))).ok()
}

/// For Go, a brace that begins no repetition stands for itself: `a{b}`.
fn braces_escaped(pattern: &str) -> String {
    let mut escaped = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                escaped.push(c);
                escaped.extend(rest.next());
            }
            '{' => {
                let count = rest.as_str().split_once('}').map_or("", |(count, _)| count);
                let (least, most) = count.split_once(',').unwrap_or((count, ""));
                let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
                let repeats = !least.is_empty() && is_number(least) && is_number(most);
                escaped.push_str(if repeats { "{" } else { "\\{" });
            }
            c => escaped.push(c),
        }
    }
    escaped
}

impl VectorSelector {
    /// The name of its metric, however it is written.
    pub fn metric(&self) -> Option<&str> {
        let written = || {
            let is_name = |matcher: &&Matcher| matcher.name == "__name__" && matcher.op == MatchOp::Equal;
            self.matchers.iter().flatten().find(is_name).map(|matcher| matcher.value.as_str())
        };
        self.name.as_deref().or_else(written)
    }
}

impl BinaryExpr {
    pub fn is_comparison(&self) -> bool {
        ["==", "!=", ">", "<", ">=", "<="].contains(&self.op)
    }
}

impl Expr {
    /// The type of its value.
    pub fn gives(&self) -> Gives {
        match self {
            Self::Number(_) => Gives::Scalar,
            Self::Text(_) => Gives::Text,
            Self::Selector(selector) if selector.range.is_some() => Gives::RangeVector,
            Self::Selector(_) | Self::Aggregate { .. } => Gives::InstantVector,
            Self::Subquery { .. } => Gives::RangeVector,
            Self::Call { function, .. } => function.gives,
            Self::Negative(expr) | Self::Paren(expr) => expr.gives(),
            Self::Binary(both) if both.lhs.gives() == Gives::Scalar && both.rhs.gives() == Gives::Scalar => {
                Gives::Scalar
            }
            Self::Binary(_) => Gives::InstantVector,
        }
    }

    /// Calls `look` with this expression and every one in it, in the order in which they are written.
    pub fn walk<'a>(&'a self, look: &mut impl FnMut(&'a Self)) {
        look(self);
        match self {
            Self::Number(_) | Self::Text(_) | Self::Selector(_) => {}
            Self::Call { args, .. } | Self::Aggregate { args, .. } => args.iter().for_each(|arg| arg.walk(look)),
            Self::Subquery { expr, .. } | Self::Negative(expr) | Self::Paren(expr) => expr.walk(look),
            Self::Binary(both) => {
                both.lhs.walk(look);
                both.rhs.walk(look);
            }
        }
    }

    /// Its selectors, in the order in which they are written.
    pub fn selectors(&self) -> Vec<&VectorSelector> {
        let mut all = Vec::new();
        self.walk(&mut |expr| {
            if let Self::Selector(selector) = expr {
                all.push(selector);
            }
        });
        all
    }

    /// Does a comparison, a set operation or the absence of something decide whether it is there?
    pub fn is_conditional(&self) -> bool {
        let mut found = false;
        self.walk(&mut |part| {
            found |= match part {
                Self::Binary(both) => both.is_comparison() || ["and", "unless"].contains(&both.op),
                Self::Call { function, .. } => function.name.starts_with("absent"),
                _ => false,
            };
        });
        found
    }

    /// Itself, without the brackets around it.
    pub fn bare(&self) -> &Self {
        match self {
            Self::Paren(inner) => inner.bare(),
            _ => self,
        }
    }

    /// Calls `change` with every selector, in the order in which they are written.
    pub fn for_each_selector(&mut self, change: &mut impl FnMut(&mut VectorSelector)) {
        match self {
            Self::Number(_) | Self::Text(_) => {}
            Self::Selector(selector) => change(selector),
            Self::Call { args, .. } | Self::Aggregate { args, .. } => {
                args.iter_mut().for_each(|arg| arg.for_each_selector(change));
            }
            Self::Subquery { expr, .. } | Self::Negative(expr) | Self::Paren(expr) => expr.for_each_selector(change),
            Self::Binary(both) => {
                both.lhs.for_each_selector(change);
                both.rhs.for_each_selector(change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_anchored_and_know_go() {
        for (op, pattern, value, want) in [
            (MatchOp::Equal, "a", "a", Some(true)),
            (MatchOp::NotEqual, "a", "", Some(true)),
            (MatchOp::Regex, "a|b", "ab", Some(false)),
            (MatchOp::Regex, "a.*", "abc", Some(true)),
            (MatchOp::NotRegex, "a.*", "abc", Some(false)),
            (MatchOp::Regex, "a{2,3}", "aa", Some(true)),
            (MatchOp::Regex, "a{b}c{2}", "a{b}cc", Some(true)),
            (MatchOp::Regex, r"a\{{2}", "a{{", Some(true)),
            (MatchOp::Regex, "(", "", None),
        ] {
            assert_eq!(Matcher::new("x", op, pattern).accepts(value), want, "{pattern} {value}");
        }
    }
}
