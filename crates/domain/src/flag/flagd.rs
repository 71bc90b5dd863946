//! Flags in flagd's schema, and back: the same answers for the same users, or a word about each that would differ.
//!
//! A definition there is `state`, boolean `variants` and JsonLogic (`targeting`); here it is a fixed order of steps. What
//! has no counterpart is [`Inexpressible`]; what has one that answers differently for some is carried with a loss, which
//! somebody must agree to. Sources: flagd.dev/schema/v0 (flags.json, targeting.json), flagd's `fractional.go`.

mod export;
mod import;
mod logic;
#[cfg(test)]
mod tests;

use std::fmt::Display;

use serde_json::{Value, json};

pub use crate::flag::flagd::export::export;
pub use crate::flag::flagd::import::import;

/// The schema that an export names.
pub const SCHEMA: &str = "https://flagd.dev/schema/v0/flags.json";

/// Who is asked about, in flagd's evaluation context.
const USER: &str = "targetingKey";

/// What is carried, and what of it is not the same on the other side.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted<T> {
    pub value: T,
    /// Users for whom the answer may differ, in words.
    pub losses: Vec<String>,
    /// What is left out and decides about nobody.
    pub notes: Vec<String>,
}

/// Why a flag has no counterpart at all on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Inexpressible(String);

impl Inexpressible {
    fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// Sentences, each once.
#[derive(Debug, Default)]
struct Losses(Vec<String>);

impl Losses {
    fn say(&mut self, loss: impl Into<String>) {
        let loss = loss.into();
        if !self.0.contains(&loss) {
            self.0.push(loss);
        }
    }

    fn blank(&mut self, name: &str) {
        self.say(format!("`{name}` is compared with a blank text, which flagd's `==` takes for false and 0"));
    }

    fn other_users(&mut self) {
        self.say(
            "the same share of users, but other users: flagd takes them by murmur3 of the flag's name and the id, the services here by their own hash of the id",
        );
    }

    fn without_id(&mut self) {
        self.say("users without an id: flagd takes them into no share, and gives them what comes after it; the services take them for `anonymous`");
    }

    fn number(&mut self, attribute: &str) {
        self.say(format!(
            "`{attribute}` is compared with a number: a text such as \"12.0\" equals 12 for the services, and not for flagd"
        ));
    }

    fn order(&mut self, attribute: &str) {
        self.say(format!(
            "`{attribute}` is compared as a number: flagd also takes true, false, blank text and what is missing for numbers, the services do not"
        ));
    }

    fn contains(&mut self, attribute: &str) {
        self.say(format!(
            "`{attribute}` is searched: where it is neither text nor a list of texts, flagd fails, and the caller's default holds"
        ));
    }

    fn version(&mut self, attribute: &str) {
        self.say(format!(
            "`{attribute}` is compared as a version: one that is written short, such as 1.4, may be none for flagd"
        ));
    }
}

fn var(name: impl Display) -> Value {
    json!({ "var": name.to_string() })
}

/// Whole numbers without a point.
fn number(number: f64) -> Value {
    // Doubles hold whole numbers up to 2^53 exactly.
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 { json!(number as i64) } else { json!(number) }
}

/// The id that is hashed: who has none is `anonymous`, as for the readers.
fn hashed_id() -> Value {
    json!({ "if": [var(USER), var(USER), crate::flag::bucket::ANONYMOUS] })
}
