//! Names and values that are a secret although they stand in a manifest.

use crate::text::redact::is_secret_name;

/// Words in a name that say what the value is.
const WORDS: [&str; 6] = ["password", "passwd", "token", "bearer", "secret", "private_key"];

/// What names end with that say where a secret is, or how it is called, and not what it is.
const ABOUT: [&str; 13] = [
    "_file", "_path", "_name", "_url", "_uri", "_dir", "_ttl", "_type", "_header", "_length", "_enabled", "_expiry",
    "_ref",
];

/// Does this name say that its value is a secret?
pub fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase().replace(['-', '.'], "_");
    if ABOUT.iter().any(|end| lower.ends_with(end)) {
        return false;
    }
    let cloud = lower == "aws_secret_access_key"
        || lower == "google_application_credentials"
        || lower == "oci_cli_key_content"
        || (lower.starts_with("azure_") && lower.ends_with("key"));
    cloud
        || is_secret_name(&lower) && lower != "session" && lower != "auth"
        || WORDS.iter().any(|word| lower.contains(word))
}

/// Is this value itself one?
pub fn is_value(value: &str) -> bool {
    let upper = value.to_uppercase();
    upper.find("-BEGIN ").is_some_and(|at| upper[at..].contains("PRIVATE KEY-"))
}

/// Could this value be a secret, where the name says so? Not a reference, a path, a number or a switch.
pub fn may_be(value: &str) -> bool {
    let value = value.trim();
    let is_reference =
        value.contains("$(") || value.contains("${") || value.starts_with('/') || value.starts_with("./");
    let is_plain = matches!(value.to_lowercase().as_str(), "true" | "false" | "none" | "null" | "changeit");
    !value.is_empty() && !is_reference && !is_plain && value.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_a_secret() {
        for (name, want) in [
            ("DB_PASSWORD", true),
            ("AWS_SECRET_ACCESS_KEY", true),
            ("AZURE_BATCH_KEY", true),
            ("apiToken", true),
            ("DB_PASSWORD_FILE", false),
            ("secret_name", false),
            ("PORT", false),
            ("KEYBOARD", false),
        ] {
            assert_eq!(is_secret(name), want, "{name}");
        }
        assert!(is_value("-----BEGIN RSA PRIVATE KEY-----\nabc"));
        for (value, want) in
            [("hunter2", true), ("$(OTHER)", false), ("/run/secret", false), ("", false), ("30", false)]
        {
            assert_eq!(may_be(value), want, "{value}");
        }
    }
}
