//! One condition: an attribute, an operator, the values. A condition with several values holds when one of them fits; the
//! negative operators (`ne`, `not_in`) hold when none does, so also for a user who does not have the attribute.

use regex::Regex;
use serde_json::Value;

use crate::flag::js::{Js, numeral};
use crate::flag::rule::{Match, pattern, version};
use crate::flag::user::User;

pub(super) const MEMBERS: [&str; 4] = ["attribute", "operator", "values", "value"];

/// What is compared how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    In,
    NotIn,
    Lt,
    Lte,
    Gt,
    Gte,
    StartsWith,
    EndsWith,
    Contains,
    Matches,
    SemverLt,
    SemverGte,
}

const WORDS: [(&str, Operator); 14] = [
    ("eq", Operator::Eq),
    ("ne", Operator::Ne),
    ("in", Operator::In),
    ("not_in", Operator::NotIn),
    ("lt", Operator::Lt),
    ("lte", Operator::Lte),
    ("gt", Operator::Gt),
    ("gte", Operator::Gte),
    ("starts_with", Operator::StartsWith),
    ("ends_with", Operator::EndsWith),
    ("contains", Operator::Contains),
    ("matches", Operator::Matches),
    ("semver_lt", Operator::SemverLt),
    ("semver_gte", Operator::SemverGte),
];

impl Operator {
    pub fn from_word(word: &str) -> Option<Self> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, operator)| *operator)
    }

    pub fn word(self) -> &'static str {
        let found = WORDS.iter().find(|(_, known)| *known == self);
        found.map(|(word, _)| *word).unwrap_or_default()
    }

    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _)| *word)
    }
}

#[derive(Debug, Clone)]
pub struct Condition {
    pub attribute: String,
    pub operator: Operator,
    /// Strings, numbers and booleans.
    pub values: Vec<Js>,
    /// With `matches`, what each value compiles to; none where it does not, or not to what JavaScript means by it.
    patterns: Vec<Option<Regex>>,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.attribute == other.attribute && self.operator == other.operator && self.values == other.values
    }
}

impl Condition {
    /// Reads it.
    pub(super) fn of(value: &Js) -> Result<Self, String> {
        let Some(Js::Text(attribute)) = value.get("attribute") else {
            return Err("it has no `attribute`".into());
        };
        let Some(Js::Text(word)) = value.get("operator") else {
            return Err("it has no `operator`".into());
        };
        let operator = Operator::from_word(word).ok_or_else(|| format!("the operator `{word}` is not known"))?;
        let values = match (value.get("values"), value.get("value")) {
            (Some(Js::Array(values)), None) => values.clone(),
            (None, Some(value)) => vec![value.clone()],
            (Some(_), Some(_)) => return Err("it has both `value` and `values`".into()),
            (Some(_), None) => return Err("`values` is not an array".into()),
            (None, None) => return Err("it has no `values`".into()),
        };
        let scalar = |value: &Js| matches!(value, Js::Text(_) | Js::Number(_) | Js::Bool(_));
        if !values.iter().all(scalar) {
            return Err("a value is neither text, number nor boolean".into());
        }
        let patterns =
            if operator == Operator::Matches { values.iter().map(pattern::compile).collect() } else { Vec::new() };
        Ok(Self { attribute: attribute.clone(), operator, values, patterns })
    }

    /// Can it be told for every user? Not with a pattern that JavaScript may read differently.
    pub fn is_sure(&self) -> bool {
        self.patterns.iter().all(Option::is_some)
    }

    /// Does it hold for this user?
    pub(super) fn matches(&self, user: &User) -> Match {
        let attribute = user.attributes.get(&self.attribute);
        let any = |fits: &dyn Fn(&Value, &Js) -> bool| {
            attribute.is_some_and(|attribute| self.values.iter().any(|value| fits(attribute, value)))
        };
        let holds = match self.operator {
            Operator::Eq | Operator::In => any(&same),
            Operator::Ne | Operator::NotIn => !any(&same),
            Operator::Lt => any(&|a, b| compared(a, b, |a, b| a < b)),
            Operator::Lte => any(&|a, b| compared(a, b, |a, b| a <= b)),
            Operator::Gt => any(&|a, b| compared(a, b, |a, b| a > b)),
            Operator::Gte => any(&|a, b| compared(a, b, |a, b| a >= b)),
            Operator::StartsWith => any(&|a, b| texts(a, b, |a, b| a.starts_with(b))),
            Operator::EndsWith => any(&|a, b| texts(a, b, |a, b| a.ends_with(b))),
            Operator::Contains => any(&contains),
            Operator::SemverLt => {
                any(&|a, b| texts(a, b, |a, b| version::order(a, b).is_some_and(std::cmp::Ordering::is_lt)))
            }
            Operator::SemverGte => {
                any(&|a, b| texts(a, b, |a, b| version::order(a, b).is_some_and(std::cmp::Ordering::is_ge)))
            }
            Operator::Matches => return self.matches_pattern(attribute),
        };
        if holds { Match::Yes } else { Match::No }
    }

    fn matches_pattern(&self, attribute: Option<&Value>) -> Match {
        let Some(Value::String(text)) = attribute else {
            return Match::No;
        };
        let mut found = Match::No;
        for pattern in &self.patterns {
            match pattern {
                Some(pattern) if pattern::agrees(pattern, text) => {
                    if pattern.is_match(text) {
                        return Match::Yes;
                    }
                }
                _ => found = Match::CannotTell,
            }
        }
        found
    }
}

/// Equal, with a text that is written as a number or a boolean taken for it: attributes come from headers, tables and
/// command lines too.
fn same(attribute: &Value, value: &Js) -> bool {
    match (attribute, value) {
        (Value::String(a), Js::Text(b)) => a == b,
        (Value::Bool(a), Js::Bool(b)) => a == b,
        (Value::Bool(a), Js::Text(b)) => b == if *a { "true" } else { "false" },
        (Value::String(a), Js::Bool(b)) => a == if *b { "true" } else { "false" },
        (Value::Number(_), Js::Number(_) | Js::Text(_)) | (Value::String(_), Js::Number(_)) => {
            compared(attribute, value, |a, b| a == b)
        }
        _ => false,
    }
}

/// As numbers, where both are.
fn compared(attribute: &Value, value: &Js, test: impl Fn(f64, f64) -> bool) -> bool {
    let attribute = match attribute {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => numeral(text),
        _ => None,
    };
    let value = match value {
        Js::Number(number) => Some(*number),
        Js::Text(text) => numeral(text),
        _ => None,
    };
    matches!((attribute, value), (Some(a), Some(b)) if test(a, b))
}

fn texts(attribute: &Value, value: &Js, test: impl Fn(&str, &str) -> bool) -> bool {
    matches!((attribute, value), (Value::String(a), Js::Text(b)) if test(a, b))
}

/// Part of a text, or an element of an array.
fn contains(attribute: &Value, value: &Js) -> bool {
    match attribute {
        Value::Array(elements) => elements.iter().any(|element| same(element, value)),
        _ => texts(attribute, value, |a, b| a.contains(b)),
    }
}
