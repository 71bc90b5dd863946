//! Users as files write them: an id, and attributes where there are any.

use serde_json::Value;

use liveops_domain::flag::user::User;

/// What the id may be called, the likeliest first.
pub const ID_NAMES: [&str; 6] = ["id", "user", "user_id", "userId", "targetingKey", "key"];

/// A line of JSON: an object with the id and the attributes beside it, or the id alone.
pub fn from_json(line: &str) -> Result<User, String> {
    let value = serde_json::from_str(line).map_err(|error| format!("is no JSON: {error}"))?;
    let Value::Object(mut attributes) = value else {
        return id(&value).map(User::new).ok_or_else(|| "is neither an object nor an id".into());
    };
    let name = ID_NAMES
        .into_iter()
        .find(|name| attributes.contains_key(*name))
        .ok_or_else(|| format!("has no id: one of {}", ID_NAMES.join(", ")))?;
    let value = attributes.shift_remove(name).unwrap_or_default();
    let id = id(&value).ok_or_else(|| format!("has an `{name}` that is neither text nor a number"))?;
    Ok(User { id, attributes })
}

/// Ids that are numbers are taken for their text; `null` is nobody's.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
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
        for (line, error) in
            [("[1]", "is neither"), ("{}", "has no id"), ("{", "is no JSON"), (r#"{"id":[]}"#, "has an `id`")]
        {
            assert!(from_json(line).unwrap_err().starts_with(error), "{line}");
        }
    }
}
