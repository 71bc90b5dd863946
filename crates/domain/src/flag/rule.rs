//! The rules of a flag: conditions on a user's attributes, in the shape of the contract. A rule of another shape is kept,
//! and nothing is claimed about it.

pub mod condition;
mod pattern;
#[cfg(test)]
mod tests;
pub mod version;

use crate::flag::js::Js;
use crate::flag::user::User;

pub use crate::flag::rule::condition::Condition;

/// Members that change nothing, which people write beside the others.
const REMARKS: [&str; 4] = ["id", "name", "description", "comment"];

#[derive(Debug, Clone, PartialEq)]
pub enum Rules {
    /// An array; missing and `null` are an empty one.
    List(Vec<Rule>),
    /// Something else, with its kind.
    Broken(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// All conditions hold: the flag is `enabled`.
    Known { all: Vec<Condition>, enabled: bool },
    /// Another shape, with what is strange about it.
    Strange(String),
}

/// What a rule says of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    Yes,
    No,
    CannotTell,
}

impl Rules {
    /// Reads the member.
    pub fn of(value: Option<&Js>) -> Self {
        match value {
            None | Some(Js::Null) => Self::List(Vec::new()),
            Some(Js::Array(rules)) => Self::List(rules.iter().map(Rule::of).collect()),
            Some(other) => Self::Broken(other.kind()),
        }
    }

    /// The rules; none when it is no array.
    pub fn list(&self) -> &[Rule] {
        match self {
            Self::List(rules) => rules,
            Self::Broken(_) => &[],
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::List(rules) if rules.is_empty())
    }
}

impl Rule {
    /// Reads a rule: `{"attribute", "operator", "values" | "value", "enabled"}` or `{"all": [condition…], "enabled"}`.
    pub fn of(value: &Js) -> Self {
        match known(value) {
            Ok(rule) => rule,
            Err(why) => Self::Strange(why),
        }
    }

    pub fn matches(&self, user: &User) -> Match {
        let Self::Known { all, .. } = self else {
            return Match::CannotTell;
        };
        let mut found = Match::Yes;
        for condition in all {
            match condition.matches(user) {
                Match::No => return Match::No,
                Match::CannotTell => found = Match::CannotTell,
                Match::Yes => {}
            }
        }
        found
    }
}

fn known(value: &Js) -> Result<Rule, String> {
    let Js::Object(members) = value else {
        return Err(format!("it is {}, not an object", value.kind()));
    };
    let enabled = match value.get("enabled") {
        Some(Js::Bool(enabled)) => *enabled,
        Some(_) => return Err("`enabled` is not true or false".into()),
        None => return Err("it has no `enabled`".into()),
    };
    let (all, names): (Vec<Condition>, &[&str]) = match value.get("all") {
        Some(Js::Array(conditions)) => {
            let inner: Result<_, String> = conditions
                .iter()
                .map(|inner| {
                    only(inner, &condition::MEMBERS)?;
                    Condition::of(inner)
                })
                .collect();
            (inner?, &["all"])
        }
        Some(_) => return Err("`all` is not an array".into()),
        None => (vec![Condition::of(value)?], &condition::MEMBERS),
    };
    for (name, _) in members {
        if name != "enabled" && !names.contains(&name.as_str()) && !REMARKS.contains(&name.as_str()) {
            return Err(format!("`{name}` is not known"));
        }
    }
    Ok(Rule::Known { all, enabled })
}

/// Has one of these rules a member that changes nothing?
pub fn has_remarks(rules: &Js) -> bool {
    let remarked = |rule: &Js| REMARKS.iter().any(|name| rule.get(name).is_some());
    matches!(rules, Js::Array(rules) if rules.iter().any(remarked))
}

fn only(value: &Js, names: &[&str]) -> Result<(), String> {
    let Js::Object(members) = value else {
        return Ok(());
    };
    let strange = members.iter().find(|(name, _)| !names.contains(&name.as_str()) && !REMARKS.contains(&name.as_str()));
    strange.map_or(Ok(()), |(name, _)| Err(format!("`{name}` is not known")))
}
