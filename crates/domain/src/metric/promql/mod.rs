//! PromQL as an operator types it: is it one, where is it not, and what will it give.
//!
//! What we may be wrong about (Go's regular expressions, rare numbers, huge expressions) passes: the server decides
//! that, never we.

mod ast;
mod check;
mod expression;
mod functions;
pub(crate) mod literal;
mod narrow;
mod parser;
mod print;
mod token;
mod windowed;

use crate::metric::labels;
pub use crate::metric::promql::ast::{BinaryExpr, Expr, Gives, MatchOp, Matcher, VectorSelector};
use crate::metric::promql::check::Complaint;
pub use crate::metric::promql::expression::{Expression, inspect, quantile, selectors};
pub use crate::metric::promql::narrow::narrowed;
use crate::metric::promql::parser::Stop;
use crate::metric::promql::token::{Kind, Token, tokens};
pub use crate::metric::promql::windowed::{Span, first_selector, windowed};
use crate::text::suggest::nearest;

/// Longer expressions are not looked at: their trees are taken down recursively.
const MOST_TOKENS: usize = 3_000;

/// Why an expression is not PromQL, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    /// What is wrong, without the place.
    pub message: String,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1; one past the end of the line when something is missing there.
    pub column: usize,
    /// How many characters are meant; at least 1.
    pub width: usize,
}

impl Syntax {
    /// A fault at bytes `start..end` of `text`.
    fn at(text: &str, start: usize, end: usize, message: String) -> Self {
        let (line, column) = place(text, start);
        let meant = text.get(start..end).unwrap_or_default();
        let first = meant.lines().next().unwrap_or_default();
        Self { message, hint: None, line, column, width: first.chars().count().max(1) }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl std::fmt::Display for Syntax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}: {}", self.column, self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

/// Line and column (characters), both from 1, of a byte of the text.
pub fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}

/// What can be made of a text.
enum Outcome {
    /// It is PromQL.
    Good(Expr),
    /// It is not.
    Wrong(Syntax),
    /// Only the server can tell.
    Unsure,
}

fn parse(text: &str) -> Outcome {
    let found = tokens(text);
    if found.is_empty() {
        return Outcome::Wrong(Syntax::at(text, text.len(), text.len(), "nothing to evaluate".into()));
    }
    if found.len() > MOST_TOKENS {
        return Outcome::Unsure;
    }
    match parser::read(&found) {
        Ok((expr, None)) => Outcome::Good(expr),
        Ok((_, Some(Complaint::Unsure))) | Err(Stop::TooDeep) => Outcome::Unsure,
        Ok((_, Some(Complaint::Nonsense { span: (first, last), message, hint }))) => {
            let syntax = Syntax::at(text, found[first].start, found[last].end(), message);
            Outcome::Wrong(Syntax { hint, ..syntax })
        }
        Err(Stop::Unexpected { token, expected }) => {
            let syntax = unexpected(text, &found, token, expected);
            Outcome::Wrong(Syntax { hint: syntax.hint.clone().or_else(|| quoted_name(text)), ..syntax })
        }
    }
}

/// What is meant by a name with dots, as OpenTelemetry has them.
fn quoted_name(text: &str) -> Option<String> {
    let name = text.trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.contains('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'-'));
    is_name.then(|| format!("Prometheus 3 takes such a name in quotes: `{{{}}}`", labels::quote(name)))
}

/// The tree of an expression.
///
/// # Errors
/// Why there is none.
pub fn tree(text: &str) -> Result<Expr, String> {
    match parse(text) {
        Outcome::Good(expr) => Ok(expr),
        Outcome::Wrong(syntax) => Err(syntax.to_string()),
        Outcome::Unsure => Err("a number, a string or its size is beyond what can be read here".into()),
    }
}

/// Says what is wrong with an expression, and where; nothing when it is PromQL, or when only the
/// server can tell.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(text: &str) -> Result<(), Syntax> {
    checked(text).map(|_| ())
}

/// Both at once: the tree where there is one, and what is wrong with the expression where something is.
///
/// # Errors
/// As [`check`].
pub fn checked(text: &str) -> Result<Option<Expr>, Syntax> {
    match parse(text) {
        Outcome::Good(expr) => Ok(Some(expr)),
        Outcome::Unsure => Ok(None),
        Outcome::Wrong(syntax) => Err(syntax),
    }
}

/// The place that Prometheus names in its own error, `2:5: parse error: …` (line and byte in the line,
/// from 1); nothing when it is another error.
pub fn from_server(text: &str, said: &str) -> Option<Syntax> {
    let (before, message) = said.split_once(": parse error: ")?;
    let mut numbers = before.rsplit([':', ' ']);
    let column: usize = numbers.next()?.parse().ok()?;
    let line: usize = numbers.next()?.parse().ok()?;
    let begin: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let mut byte = (begin + column.checked_sub(1)?).min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let end = tokens(text).iter().find(|token| token.start == byte).map_or(byte, Token::end);
    Some(Syntax::at(text, byte, end, message.to_owned()))
}

/// A token that cannot stand where it stands, or the end that comes too early.
fn unexpected(text: &str, found: &[Token<'_>], index: usize, expected: Option<&str>) -> Syntax {
    let expected = expected.map_or_else(String::new, |what| format!(", expected {what}"));
    let Some(token) = found.get(index) else {
        let end = found.last().map_or(0, Token::end);
        let message = match unclosed(found) {
            Some(open) => {
                let (line, column) = place(text, open.start);
                let line = if line > 1 { format!("line {line}, ") } else { String::new() };
                format!("`{}` of {line}column {column} is not closed", open.text)
            }
            None => format!("unexpected end{expected}"),
        };
        return Syntax::at(text, end, end, message);
    };
    let shown: String = token.text.chars().take(40).collect();
    let message = if token.kind == Kind::Text && !literal::is_ended(token.text) {
        format!("the string that begins with {} is not ended", &token.text[..1])
    } else if token.kind == Kind::Number && literal::quantity(token.text).is_none() {
        format!("`{shown}` is neither a number nor a duration")
    } else {
        format!("unexpected `{shown}`{expected}")
    };
    let syntax = Syntax::at(text, token.start, token.end(), message);
    let is_call = token.kind == Kind::Word && found.get(index + 1).is_some_and(|next| next.text == "(");
    match nearest(token.text, functions::names()).filter(|near| is_call && *near != token.text) {
        Some(near) => syntax.hint(format!("did you mean `{near}`?")),
        None => syntax,
    }
}

/// The innermost bracket that is open at the end.
fn unclosed<'a, 't>(tokens: &'a [Token<'t>]) -> Option<&'a Token<'t>> {
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

#[cfg(test)]
mod tests;
