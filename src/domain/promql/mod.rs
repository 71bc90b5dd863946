//! PromQL as an operator types it: is it one, where is it not, and what will it give.
//!
//! The grammar is the `promql-parser` crate's; it says no without saying where, so `grammar` and
//! `meaning` find the place. What the crate may be wrong about (regular expressions, rare numbers,
//! huge expressions) passes: the server decides that, never we.

mod expression;
mod grammar;
mod meaning;
mod names;
mod narrow;
mod token;
mod wording;

use promql_parser::parser::{self, Expr};

pub(crate) use crate::domain::promql::expression::{Expression, Gives, inspect};
pub(crate) use crate::domain::promql::narrow::narrowed;
use crate::domain::promql::token::{Kind, Token, tokens};
use crate::domain::suggest::nearest;

/// Longer expressions are not looked at: the parser's trees are taken down recursively.
const MOST_TOKENS: usize = 3_000;

/// Deeper brackets are not looked at, for the same reason.
const DEEPEST: usize = 200;

/// A number that the parser crate cannot hold as a duration; it would panic.
const LONGEST_SECONDS: f64 = 1e18;

/// Why an expression is not PromQL, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// What is wrong, without the place.
    pub(crate) message: String,
    /// What to write instead, if that is known.
    pub(crate) hint: Option<String>,
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1; one past the end of the line when something is missing there.
    pub(crate) column: usize,
    /// How many characters are meant; at least 1.
    pub(crate) width: usize,
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
pub(crate) fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}

/// How the parser crate takes a text.
enum Outcome {
    /// It is PromQL.
    Good(Box<Expr>),
    /// It does not follow the grammar.
    NoGrammar,
    /// It does, and makes no sense: the crate's words.
    NoSense(String),
}

/// The crate's complaints about the grammar; all others are about types and names.
const GRAMMAR: [&str; 14] = [
    "unexpected",
    "unclosed",
    "unterminated",
    "bad number",
    "unknown escape",
    "escape sequence",
    "too many left",
    "'!'",
    "expect duration",
    "no expression",
    "invalid promql",
    "trailing commas",
    "missing unit",
    "invalid label matcher",
];

/// The crate's complaints that Prometheus may not share: Go's regular expressions, numbers and escapes.
const UNSURE: [&str; 7] = [
    "illegal regex",
    "ParseFloatError",
    "invalid syntax",
    "not a valid duration",
    "duration must be",
    "duration overflowed",
    "timestamp out",
];

fn parse(text: &str) -> Outcome {
    match parser::parse(text) {
        Ok(tree) => Outcome::Good(Box::new(tree)),
        Err(said) if GRAMMAR.iter().any(|start| said.starts_with(start)) => Outcome::NoGrammar,
        Err(said) if said.contains("is not valid label") => Outcome::NoGrammar,
        Err(said) => Outcome::NoSense(said),
    }
}

/// Says what is wrong with an expression, and where; nothing when it is PromQL, or when only the
/// server can tell.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn check(text: &str) -> Result<(), Syntax> {
    let found = tokens(text);
    if found.is_empty() {
        return Err(Syntax::at(text, text.len(), text.len(), "nothing to evaluate".into()));
    }
    if is_beyond(&found) || !matches!(parse(text), Outcome::NoGrammar | Outcome::NoSense(_)) {
        return Ok(());
    }
    let plain = plain(text, &found);
    let found = tokens(&plain);
    match parse(&plain) {
        Outcome::Good(_) => Ok(()),
        Outcome::NoGrammar => Err(ungrammatical(text, &found, &plain)),
        Outcome::NoSense(said) if UNSURE.iter().any(|start| said.starts_with(start)) => Ok(()),
        Outcome::NoSense(said) => meaning::explain(text, &plain, &found, &said),
    }
}

/// The place that Prometheus names in its own error, `2:5: parse error: …` (line and byte in the line,
/// from 1); nothing when it is another error.
pub(crate) fn from_server(text: &str, said: &str) -> Option<Syntax> {
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

/// Too long, too deep, or with a duration that the parser crate cannot hold.
fn is_beyond(found: &[Token<'_>]) -> bool {
    let mut depth = 0_usize;
    let mut deepest = 0;
    let mut in_window = false;
    for (index, token) in found.iter().enumerate() {
        match (token.kind, token.text) {
            (Kind::Open, text) => {
                depth += 1;
                in_window = text == "[";
            }
            (Kind::Close, _) => {
                depth = depth.saturating_sub(1);
                in_window = false;
            }
            (Kind::Number | Kind::Word, text) => {
                let offset = |back: usize| index.checked_sub(back).is_some_and(|at| found[at].is_word("offset"));
                let is_long =
                    text.parse::<f64>().is_ok_and(|seconds| seconds.is_nan() || seconds.abs() >= LONGEST_SECONDS);
                if is_long && (in_window || offset(1) || offset(2)) {
                    return true;
                }
            }
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    found.len() > MOST_TOKENS || deepest > DEEPEST
}

/// The text with another name of the same length for each word that the crate takes for a keyword and
/// Prometheus before 3 does not, and for what the crate stumbles over: a label `or`, and a backslash in
/// a string in backticks, where it means itself. All other places stay the same.
fn plain(text: &str, found: &[Token<'_>]) -> String {
    let mut plain = text.to_owned();
    let mut in_braces = false;
    for token in found {
        match token.text {
            "{" => in_braces = true,
            "}" => in_braces = false,
            _ => {}
        }
        let late = names::LATE_KEYWORDS.iter().any(|word| token.is_word(word));
        let raw = token.text.starts_with('`') && token.text.contains('\\') && token.text.len() > 1;
        if raw && token.text.ends_with('`') {
            plain.replace_range(token.start + 1..token.end() - 1, &"z".repeat(token.text.len() - 2));
        } else if late || (in_braces && token.is_word("or")) {
            plain.replace_range(token.start..token.end(), &"z".repeat(token.text.len()));
        }
    }
    plain
}

fn ungrammatical(text: &str, found: &[Token<'_>], plain: &str) -> Syntax {
    let fault = grammar::fault(plain, found);
    let expected = fault.expected.map_or_else(String::new, |what| format!(", expected {what}"));
    let Some(token) = fault.token.and_then(|index| found.get(index)) else {
        let end = found.last().map_or(0, Token::end);
        let message = match grammar::unclosed(found) {
            Some(open) => {
                let (line, column) = place(text, open.start);
                let line = if line > 1 { format!("line {line}, ") } else { String::new() };
                format!("`{}` of {line}column {column} is not closed", open.text)
            }
            None => format!("unexpected end{expected}"),
        };
        return Syntax::at(text, end, end, message);
    };
    let shown: String = text[token.start..token.end()].chars().take(40).collect();
    let is_open_ended = token.kind == Kind::Text && (token.text.len() < 2 || !token.text.ends_with(&token.text[..1]));
    let message = if is_open_ended {
        format!("the string that begins with {} is not ended", &token.text[..1])
    } else if token.kind == Kind::Number && matches!(parse(token.text), Outcome::NoGrammar) {
        format!("`{shown}` is neither a number nor a duration")
    } else {
        format!("unexpected `{shown}`{expected}")
    };
    let syntax = Syntax::at(text, token.start, token.end(), message);
    let is_call = |index: usize| found.get(index + 1).is_some_and(|next| next.text == "(");
    match fault.token {
        Some(index) if token.kind == Kind::Word && is_call(index) => match nearest(token.text, names::FUNCTIONS) {
            Some(near) if near != token.text => syntax.hint(format!("did you mean `{near}`?")),
            _ => syntax,
        },
        _ => syntax,
    }
}

#[cfg(test)]
mod tests;
