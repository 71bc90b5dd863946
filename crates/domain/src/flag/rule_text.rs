//! A rule as people type it: `region in eu,us and level gte 10 : off`, or the JSON that goes into the flag.

use serde_json::{Map, Value, json};

use crate::flag::js::Js;
use crate::flag::rule::Rule;
use crate::flag::rule::condition::Operator;
use crate::text::suggest::nearest;

/// Signs that people type for the words.
const SIGNS: [(&str, &str); 7] =
    [("=", "eq"), ("==", "eq"), ("!=", "ne"), ("<", "lt"), ("<=", "lte"), (">", "gt"), (">=", "gte")];

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("the rule is not valid JSON: {0}")]
    Json(String),
    #[error("no reader understands this rule: {0}")]
    Strange(String),
    #[error("`{0}` is no condition; write ATTRIBUTE OPERATOR VALUE[,VALUE…], such as `region in eu,us`")]
    Condition(String),
    #[error("there is no operator `{word}`{}", .near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Operator { word: String, near: Option<String> },
    #[error("after `:` a rule says `on` or `off`, not `{0}`")]
    Outcome(String),
}

/// Reads a rule in either form, as the JSON for the flag.
pub fn parse(text: &str) -> Result<Value, RuleError> {
    let rule = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| RuleError::Json(error.to_string()))?
    } else {
        short(text)?
    };
    match Rule::of(&Js::read(&rule.to_string())) {
        Rule::Strange(why) => Err(RuleError::Strange(why)),
        Rule::Known { .. } => Ok(rule),
    }
}

fn short(text: &str) -> Result<Value, RuleError> {
    let (conditions, enabled) = match text.rsplit_once(" : ") {
        None => (text, true),
        Some((conditions, outcome)) => match outcome.trim() {
            "on" => (conditions, true),
            "off" => (conditions, false),
            other => return Err(RuleError::Outcome(other.to_owned())),
        },
    };
    let mut all: Vec<Map<String, Value>> = conditions.split(" and ").map(condition).collect::<Result<_, _>>()?;
    if let [_] = all.as_slice() {
        let mut only = all.remove(0);
        only.insert("enabled".into(), enabled.into());
        return Ok(only.into());
    }
    Ok(json!({ "all": all, "enabled": enabled }))
}

fn condition(text: &str) -> Result<Map<String, Value>, RuleError> {
    let shape = || RuleError::Condition(text.trim().to_owned());
    let (attribute, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(shape)?;
    let (word, values) = rest.trim().split_once(char::is_whitespace).ok_or_else(shape)?;
    let sign = SIGNS.iter().find(|(sign, _)| *sign == word);
    let word = sign.map_or(word, |(_, word)| word);
    if Operator::from_word(word).is_none() {
        return Err(RuleError::Operator {
            word: word.to_owned(),
            near: nearest(word, Operator::words()).map(ToOwned::to_owned),
        });
    }
    // A pattern may hold commas.
    let values: Vec<Value> = match word {
        "matches" => vec![values.trim().into()],
        _ => values.split(',').map(|value| scalar(value.trim())).collect(),
    };
    if values.iter().any(|value| value == "") {
        return Err(shape());
    }
    let mut condition = Map::new();
    condition.insert("attribute".into(), attribute.into());
    condition.insert("operator".into(), word.into());
    condition.insert("values".into(), values.into());
    Ok(condition)
}

/// `true` and `10` are what they look like; `007` and everything else is text.
fn scalar(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => value,
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_the_rule_that_readers_know() {
        for (text, want) in [
            (
                "region in eu,us",
                json!({ "attribute": "region", "operator": "in", "values": ["eu", "us"], "enabled": true }),
            ),
            ("level >= 10 : off", json!({ "attribute": "level", "operator": "gte", "values": [10], "enabled": false })),
            (
                "region = eu and beta eq true and zip eq 007",
                json!({ "all": [
                    { "attribute": "region", "operator": "eq", "values": ["eu"] },
                    { "attribute": "beta", "operator": "eq", "values": [true] },
                    { "attribute": "zip", "operator": "eq", "values": ["007"] },
                ], "enabled": true }),
            ),
            (
                "name matches ^a{1,3}$",
                json!({ "attribute": "name", "operator": "matches", "values": ["^a{1,3}$"], "enabled": true }),
            ),
        ] {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
        let json = r#"{"attribute":"region","operator":"in","values":["eu"],"enabled":true}"#;
        assert_eq!(parse(json).map(|rule| rule.to_string()), Ok(json.to_owned()));
    }

    #[test]
    fn what_is_no_rule_is_told_apart() {
        assert!(matches!(parse("{"), Err(RuleError::Json(_))));
        assert!(matches!(parse("{\"variant\":\"a\"}"), Err(RuleError::Strange(_))));
        assert!(matches!(parse("region"), Err(RuleError::Condition(_))));
        assert!(matches!(parse("region in eu,,us"), Err(RuleError::Condition(_))));
        assert!(matches!(parse("region in eu : maybe"), Err(RuleError::Outcome(_))));
        assert_eq!(
            parse("region start_with e").map_err(|error| error.to_string()),
            Err("there is no operator `start_with`; did you mean `starts_with`?".into())
        );
    }
}
