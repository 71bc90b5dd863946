//! Where an expression that follows the grammar makes no sense: unknown functions, wrong types.
//!
//! The parser crate names what is wrong, not where. The smallest call, selector or parenthesis that
//! is wrong in the same words on its own is the place; within it, the words tell which token is meant.

use promql_parser::parser::value::ValueType;

use crate::domain::promql::names::FUNCTIONS;
use crate::domain::promql::token::{Kind, Token};
use crate::domain::promql::wording::reword;
use crate::domain::promql::{Outcome, Syntax, parse};
use crate::domain::suggest::nearest;

/// Signs that compare.
const COMPARISONS: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];

/// A part of the expression: from the token of its name to its last.
#[derive(Debug, Clone, Copy)]
struct Part {
    first: usize,
    /// The opening bracket, if it has one.
    open: Option<usize>,
    last: usize,
}

struct Reader<'a> {
    original: &'a str,
    text: &'a str,
    tokens: &'a [Token<'a>],
    said: &'a str,
}

/// The error in `original` for what the parser crate said of `text`, which has the same places; none when it
/// said that of a function that it is too old for.
pub(super) fn explain(original: &str, text: &str, tokens: &[Token<'_>], said: &str) -> Result<(), Syntax> {
    let reader = Reader { original, text, tokens, said };
    if let Some(name) = said.strip_prefix("unknown function with name ") {
        return reader.unknown_function(name.trim_matches('\''));
    }
    let part = reader.part();
    let (first, last) = reader.point(part);
    let (message, hint) = reword(said);
    let syntax = Syntax::at(original, tokens[first].start, tokens[last].end(), message);
    Err(Syntax { hint, ..syntax })
}

impl Reader<'_> {
    fn unknown_function(&self, name: &str) -> Result<(), Syntax> {
        if FUNCTIONS.contains(&name) {
            return Ok(());
        }
        let called = |pair: &[Token<'_>]| pair[0].text == name && pair[1].text == "(";
        let index = self.tokens.windows(2).position(called).unwrap_or(0);
        let token = self.tokens[index];
        let message = format!("unknown function `{name}`");
        let syntax = Syntax::at(self.original, token.start, token.end(), message);
        Err(match nearest(name, FUNCTIONS) {
            Some(near) => syntax.hint(format!("did you mean `{near}`?")),
            None => syntax,
        })
    }

    /// Is this text wrong in the same words?
    fn is_wrong(&self, text: &str) -> bool {
        matches!(parse(text), Outcome::NoSense(said) if said == self.said)
    }

    fn slice(&self, first: usize, last: usize) -> &str {
        &self.text[self.tokens[first].start..self.tokens[last].end()]
    }

    /// The innermost part that is wrong on its own, else the whole.
    fn part(&self) -> Part {
        let mut open = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => open.push(index),
                Kind::Close => {
                    let Some(opened) = open.pop() else { continue };
                    let wrong = [self.name_of(opened), opened]
                        .into_iter()
                        .find(|first| self.is_wrong(self.slice(*first, index)));
                    if let Some(first) = wrong {
                        return Part { first, open: Some(opened), last: index };
                    }
                }
                _ => {}
            }
        }
        Part { first: 0, open: None, last: self.tokens.len() - 1 }
    }

    /// The token that names what a bracket belongs to: `sum` of `sum by (a) (`, `x` of `x{`.
    fn name_of(&self, open: usize) -> usize {
        let Some(before) = open.checked_sub(1) else {
            return open;
        };
        match self.tokens[before] {
            token if token.kind == Kind::Word => before,
            token if token.text == ")" => {
                // The labels of `by (…)`, which hold no further brackets.
                let labels = (0..before).rev().find(|index| self.tokens[*index].text == "(");
                let by = labels.and_then(|labels| labels.checked_sub(2));
                by.filter(|by| self.tokens[by + 1].is_word("by") || self.tokens[by + 1].is_word("without"))
                    .unwrap_or(open)
            }
            _ => open,
        }
    }

    /// The tokens of the part that are in no bracket of their own.
    fn level(&self, part: Part) -> Vec<usize> {
        let inside = match part.open {
            Some(open) => open + 1..part.last,
            None => part.first..part.last + 1,
        };
        let mut depth = 0_usize;
        let mut level = Vec::new();
        for index in inside {
            match self.tokens[index].kind {
                Kind::Open => {
                    if depth == 0 {
                        level.push(index);
                    }
                    depth += 1;
                }
                Kind::Close => depth = depth.saturating_sub(1),
                _ if depth == 0 => level.push(index),
                _ => {}
            }
        }
        level
    }

    /// First and last token of what is meant.
    fn point(&self, part: Part) -> (usize, usize) {
        let level = self.level(part);
        let said = |start: &str| self.said.starts_with(start);
        let one = |found: Option<usize>| found.map(|index| (index, index));
        let word = |words: &[&str]| {
            let is_one = |index: &&usize| words.iter().any(|word| self.tokens[**index].is_word(word));
            level.iter().find(is_one).copied()
        };
        let sign = |text: &str| {
            let is_it = |index: &&usize| self.tokens[**index].text == text;
            level.iter().rev().find(is_it).copied()
        };
        let found = if said("comparisons") {
            one(self.comparison(&level))
        } else if said("set operator") {
            one(word(&["and", "or", "unless"]))
        } else if said("no grouping") || said("label '") {
            one(word(&["group_left", "group_right"]))
        } else if said("bool modifier") {
            one(word(&["bool"]))
        } else if said("vector matching") {
            one(word(&["on", "ignoring"]))
        } else if said("offset") || said("no offset") {
            one(level.iter().rev().find(|i| self.tokens[**i].is_word("offset")).copied())
        } else if said("@") || said("no @") || said("timestamp") {
            one(sign("@"))
        } else if said("ranges only") || said("subquery") {
            one(sign("["))
        } else if said("unary") {
            one(level.iter().find(|i| matches!(self.tokens[**i].text, "+" | "-")).copied())
        } else if said("binary") {
            self.operand(&level)
        } else if said("expected type") {
            self.argument(part)
        } else {
            None
        };
        found.unwrap_or_else(|| {
            let is_named = part.open.is_some_and(|open| open > part.first);
            (part.first, if is_named { part.first } else { part.last })
        })
    }

    /// The comparison that is cured by `bool`.
    fn comparison(&self, level: &[usize]) -> Option<usize> {
        let signs = || level.iter().copied().filter(|i| COMPARISONS.contains(&self.tokens[*i].text));
        let cured = |index: &usize| {
            let end = self.tokens[*index].end();
            !self.is_wrong(&format!("{} bool {}", &self.text[..end], &self.text[end..]))
        };
        signs().find(cured).or_else(|| signs().next())
    }

    /// The operand of a binary operator that is neither a number nor an instant vector.
    fn operand(&self, level: &[usize]) -> Option<(usize, usize)> {
        let is_operator = |index: &usize| {
            let token = self.tokens[*index];
            matches!(token.text, "+" | "-" | "*" | "/" | "%" | "^")
                || COMPARISONS.contains(&token.text)
                || ["and", "or", "unless", "atan2"].iter().any(|word| token.is_word(word))
        };
        let begin = *level.first()?;
        let end = self.end_of(*level.last()?);
        let mut first = begin;
        for operator in level.iter().copied().filter(is_operator).chain([end + 1]) {
            if operator > first {
                let operand = self.slice(first, operator - 1);
                if let Outcome::Good(tree) = parse(operand)
                    && matches!(tree.value_type(), ValueType::Matrix | ValueType::String)
                {
                    return Some((first, operator - 1));
                }
            }
            first = operator + 1;
        }
        None
    }

    /// The last token of what begins at a token: the closing bracket of an opening one.
    fn end_of(&self, index: usize) -> usize {
        let mut depth = 0_usize;
        for (place, token) in self.tokens.iter().enumerate().skip(index) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return place;
            }
        }
        self.tokens.len() - 1
    }

    /// The argument that is cured by one of the type that was expected.
    fn argument(&self, part: Part) -> Option<(usize, usize)> {
        let open = part.open?;
        let sample = match self.said.split(' ').nth(2)? {
            "matrix" => "x[1m]",
            "scalar" => "1",
            "string" => "\"x\"",
            _ => "x",
        };
        let level = self.level(part);
        let commas = level.iter().copied().filter(|i| self.tokens[*i].text == ",");
        let mut first = open + 1;
        let mut changed = None;
        for end in commas.chain([part.last]) {
            if end > first {
                let before = &self.text[self.tokens[part.first].start..self.tokens[first].start];
                let after = &self.text[self.tokens[end].start..self.tokens[part.last].end()];
                match parse(&format!("{before}{sample}{after}")) {
                    Outcome::NoSense(said) if said == self.said => {}
                    // Wrong in other words: another argument is wrong too, or this one was right.
                    Outcome::NoSense(_) => changed = changed.or(Some((first, end - 1))),
                    _ => return Some((first, end - 1)),
                }
            }
            first = end + 1;
        }
        changed
    }
}
