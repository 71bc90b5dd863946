//! Where an expression stops being PromQL: the parser does not say, so it is asked about beginnings.
//!
//! A beginning is good when something can be written after it that makes a whole expression. The
//! first token that no good beginning holds is the fault. Good beginnings are the shorter ones, so
//! it is found by halving.

use crate::domain::promql::token::{Kind, Token};
use crate::domain::promql::{Outcome, parse};

/// What can follow, and how it is called in `expected …`. In the order in which it is named.
const FILLERS: [(&str, &str); 9] = [
    ("", ""),
    (" x", "an expression"),
    ("=\"x\"", "`=`, `!=`, `=~` or `!~`"),
    (" \"x\"", "a quoted value"),
    (" 5m", "a duration such as `5m`"),
    (" 1", "a number"),
    (" (x)", "`(`"),
    (" ()", "`(`"),
    (" (x) (x)", "labels such as `(job)`"),
];

/// What can follow the innermost bracket when it held labels: `by (x)` wants `(x)`, `on (x)` wants `x`.
const AFTER_LABELS: [&str; 3] = ["", " (x)", " x"];

/// The fault of an expression that does not parse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The token that cannot stand where it stands; `None` for the end of the expression.
    pub(super) token: Option<usize>,
    /// What could stand there instead, when that is one thing.
    pub(super) expected: Option<&'static str>,
}

/// Finds the fault.
pub(super) fn fault(text: &str, tokens: &[Token<'_>]) -> Fault {
    let good = |count: usize| continuation(text, &tokens[..count]);
    let (mut low, mut high) = (0, tokens.len() + 1);
    // `low` tokens are good, `high` are not (or are one more than there are).
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if good(middle).is_some() {
            low = middle;
        } else {
            high = middle;
        }
    }
    let expected = match low {
        0 => Some("an expression"),
        _ => good(low).filter(|what| !what.is_empty()),
    };
    Fault { token: (low < tokens.len()).then_some(low), expected }
}

/// What can be written after a beginning, so that it becomes a whole; `None` when nothing can.
pub(super) fn continuation(text: &str, tokens: &[Token<'_>]) -> Option<&'static str> {
    let Some(last) = tokens.last() else {
        return Some("an expression");
    };
    let beginning = &text[..last.end()];
    let mut closers = closers(tokens)?;
    let innermost = closers.pop().map_or(String::new(), String::from);
    // Labels stand in brackets.
    let afters = if innermost == ")" { 3 } else { 1 };
    let outer: String = closers.iter().rev().collect();
    // Outside of braces, `=` would make another operator of the sign before it.
    let fits = |(filler, _): &&(&str, &str)| !filler.starts_with('=') || innermost == "}";
    FILLERS.iter().filter(fits).find_map(|(filler, name)| {
        let whole = |after: &str| {
            let text = format!("{beginning}{filler}{innermost}{after}{outer}");
            !matches!(parse(&text), Outcome::NoGrammar)
        };
        let name = match (*name, last.text) {
            (_, "@") => "a time such as `1700000000`",
            (name, _) => name,
        };
        AFTER_LABELS[..afters].iter().any(|after| whole(after)).then_some(name)
    })
}

/// The brackets that are still open, as what closes them, outermost first; `None` when one closes another.
fn closers(tokens: &[Token<'_>]) -> Option<Vec<char>> {
    let mut open = Vec::new();
    for token in tokens {
        match (token.kind, token.text) {
            (Kind::Open, "(") => open.push(')'),
            (Kind::Open, "{") => open.push('}'),
            (Kind::Open, _) => open.push(']'),
            (Kind::Close, text) => {
                let closed = open.pop()?;
                if !text.starts_with(closed) {
                    return None;
                }
            }
            _ => {}
        }
    }
    Some(open)
}

/// The innermost bracket that is open at the end.
pub(super) fn unclosed<'a, 't>(tokens: &'a [Token<'t>]) -> Option<&'a Token<'t>> {
    let mut open = Vec::new();
    for token in tokens {
        match token.kind {
            Kind::Open => open.push(token),
            Kind::Close => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}
