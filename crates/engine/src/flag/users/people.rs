//! Users as files write them: an id, and attributes where there are any.

use serde_json::Value;

use liveops_domain::flag::js::number_to_text;
use liveops_domain::flag::user::User;

/// What the id may be called, the likeliest first.
const ID_NAMES: [&str; 9] =
    ["id", "user_id", "userId", "player_id", "playerId", "targetingKey", "user", "player", "key"];

/// So many of them are ids and nothing else.
const SURE: usize = 6;

/// Whole numbers up to here are what they are in JavaScript too.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// The place of the id among these names, however they are written (`User ID`, `USER_ID`).
///
/// # Errors
/// What is wrong: none is one, or two are.
pub fn place_of_id(names: &[&str]) -> Result<usize, String> {
    let plain = |name: &str| name.trim().replace(['_', '-', ' '], "").to_lowercase();
    let is_id = |name: &str| ID_NAMES.iter().position(|id| plain(id) == plain(name));
    let mut found: Vec<(usize, usize)> =
        names.iter().enumerate().filter_map(|(place, name)| Some((is_id(name)?, place))).collect();
    found.sort_unstable();
    match found.as_slice() {
        [] => Err(format!("has no id among {}: name one of them {}", names.join(", "), ID_NAMES[..3].join(", "))),
        // The number of a row and the id of a user may both be called ids.
        [(first, one), (second, other), ..] if (*first < SURE) == (*second < SURE) => {
            Err(format!("has two ids, {} and {}: which one is meant? take the other out", names[*one], names[*other]))
        }
        [(_, place), ..] => Ok(*place),
    }
}

/// A line of JSON: an object with the id and the attributes beside it, or the id alone.
pub fn from_json(line: &str) -> Result<User, String> {
    let value = serde_json::from_str(line).map_err(|error| format!("is no JSON: {error}"))?;
    let Value::Object(mut attributes) = value else {
        return id(&value).map(User::new).ok_or_else(|| "is neither an object nor an id".into());
    };
    let names: Vec<&str> = attributes.keys().map(String::as_str).collect();
    if names.is_empty() {
        return Err("has no id".into());
    }
    let name = names[place_of_id(&names)?].to_owned();
    let value = attributes.shift_remove(&name).unwrap_or_default();
    match id(&value) {
        Some(id) => Ok(User { id, attributes }),
        None if value.is_number() => Err(format!("has an `{name}` that no reader keeps as it is: write it as text")),
        None => Err(format!("has an `{name}` that is neither text nor a number")),
    }
}

/// Ids that are numbers are taken for the text that JavaScript makes of them; `null` is nobody's.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => id.as_f64().filter(|id| id.abs() <= EXACT).map(number_to_text),
        Value::Null => Some(String::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_and_bare_ids() {
        let user = from_json(r#"{"region":"eu","userId":"u1","level":7}"#).unwrap();
        assert_eq!(user.id, "u1");
        assert_eq!(Value::Object(user.attributes), json!({ "region": "eu", "level": 7 }));
        assert_eq!(from_json("\"u1\"").unwrap(), User::new("u1"));
        assert_eq!(from_json("12345").unwrap(), User::new("12345"));
        assert_eq!(from_json(r#"{"id":null}"#).unwrap(), User::new(""));
        for (number, id) in [("12345", "12345"), ("1e3", "1000"), ("12345.0", "12345"), ("1.5", "1.5"), ("-0", "0")] {
            assert_eq!(from_json(&format!("{{\"id\":{number}}}")).unwrap().id, id);
        }
        assert_eq!(from_json(r#"{"User ID":"u1","key":"k"}"#).unwrap().id, "u1");
        assert_eq!(from_json(r#"{"id":"u1","key":"k"}"#).unwrap().id, "u1");
        for (line, error) in [
            ("[1]", "is neither"),
            ("{}", "has no id"),
            (r#"{"a":1}"#, "has no id among a"),
            (r#"{"id":12345678901234567890}"#, "has an `id` that no reader"),
            (r#"{"id":1,"user_id":2}"#, "has two ids, id and user_id"),
            ("{", "is no JSON"),
            (r#"{"id":[]}"#, "has an `id`"),
        ] {
            assert!(from_json(line).unwrap_err().starts_with(error), "{line}");
        }
    }
}
