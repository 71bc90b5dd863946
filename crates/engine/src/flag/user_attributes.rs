//! What is said about a user on the command line: `--attr KEY=VALUE`.

use serde_json::Value;

/// One attribute that rules may ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    key: String,
    value: Value,
}

impl Attribute {
    /// As a member of the user's attributes.
    pub fn into_pair(self) -> (String, Value) {
        (self.key, self.value)
    }
}

/// Reads `KEY=VALUE`. What is JSON is what it says (`level=30`, `beta=true`, `name="30"`), everything else is text.
///
/// # Errors
/// Without a key.
pub fn attribute(text: &str) -> Result<Attribute, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Attribute {
            key: key.to_owned(),
            value: serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)),
        }),
        _ => Err(format!("`{text}` is no attribute; write KEY=VALUE, such as region=eu")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_json_where_they_are() {
        for (text, key, value) in [
            ("region=eu", "region", json!("eu")),
            ("level=30", "level", json!(30)),
            ("beta=true", "beta", json!(true)),
            ("build=\"30\"", "build", json!("30")),
            ("version=1.2.3", "version", json!("1.2.3")),
            ("query=a=b", "query", json!("a=b")),
            ("empty=", "empty", json!("")),
        ] {
            assert_eq!(attribute(text).map(Attribute::into_pair), Ok((key.to_owned(), value)));
        }
        assert!(attribute("region").is_err());
        assert!(attribute("=eu").is_err());
    }
}
