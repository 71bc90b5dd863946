//! What must not show of a URL or a header. Pure text in, text out.

use crate::text::secret::looks_secret;

/// A URL without what only its owner may know: the password, and query values that look like keys. References such
/// as `${PASSWORD}` stay, since they are no secret. What is not a URL loses all that stands where a password would.
pub fn redact_url(text: &str) -> String {
    // `user:password@host` parses, too: as a scheme and a path.
    let parsed = url::Url::parse(text).ok();
    let Some(mut url) = parsed.filter(|url| !url.cannot_be_a_base()) else {
        return redact_text(text);
    };
    let mut changed = false;
    if url.password().is_some_and(|password| !is_reference(password)) {
        changed = url.set_password(Some("***")).is_ok();
    }
    // A token that stands alone before the host.
    if url.password().is_none() && looks_secret(url.username()) {
        changed |= url.set_username("***").is_ok();
    }
    let secret = |name: &str, value: &str| (is_secret_name(name) || looks_secret(value)) && !is_reference(value);
    if url.query_pairs().any(|(name, value)| secret(&name, &value)) {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if secret(&name, &value) { "***".into() } else { value.into_owned() };
                (name.into_owned(), value)
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        changed = true;
    }
    if changed { url.to_string() } else { text.to_owned() }
}

/// The same for text that does not parse: `scheme://user:password@rest`.
fn redact_text(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let Some(end) = text[start..].rfind('@').map(|at| start + at) else {
        return text.to_owned();
    };
    match text[start..end].split_once(':') {
        Some((user, password)) if !is_reference(password) => {
            format!("{}{user}:***{}", &text[..start], &text[end..])
        }
        _ => text.to_owned(),
    }
}

/// Is the text one `${VARIABLE}`, perhaps percent-encoded?
pub fn is_reference(text: &str) -> bool {
    let inner = text
        .strip_prefix("${")
        .or_else(|| text.strip_prefix("$%7B"))
        .and_then(|rest| rest.strip_suffix('}').or_else(|| rest.strip_suffix("%7D")));
    inner.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// Does this header or parameter usually carry a secret?
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    ["authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "api_key", "credential"]
        .iter()
        .any(|part| name.contains(part))
        || ["key", "sig", "signature", "auth", "pw", "pass", "pwd", "passwd", "access_key", "jwt", "session"]
            .contains(&&*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_keys_do_not_show() {
        assert_eq!(redact_url("redis://u:hunter2@h:1/0"), "redis://u:***@h:1/0");
        assert_eq!(redact_url("http://h/x?api_key=1&a=2"), "http://h/x?api_key=***&a=2");
        assert_eq!(redact_url("http://h:9090/prom"), "http://h:9090/prom");
        assert_eq!(redact_url("http://u@h/"), "http://u@h/");
        assert_eq!(redact_url("http://T0kenWithout@h/"), "http://***@h/");
        assert_eq!(redact_url("http://h/?key=a&sig=b&x=T0kenWithout&y=1"), "http://h/?key=***&sig=***&x=***&y=1");
        assert_eq!(redact_url("redis://:${PASSWORD}@h:1/0"), "redis://:${PASSWORD}@h:1/0");
        assert_eq!(redact_url("redis://:$ecret@h:1/0"), "redis://:***@h:1/0");
        assert_eq!(redact_url("http://h/x?token=${T}"), "http://h/x?token=${T}");
        assert_eq!(redact_url("http://u:hunter2@h h/"), "http://u:***@h h/");
        assert_eq!(redact_url("u:hunter2@h"), "u:***@h");
    }
}
