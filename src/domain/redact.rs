//! What must not show of a URL or a header. Pure text in, text out.

/// A URL without what only its owner may know: the password, and query values that look like keys.
pub(crate) fn redact_url(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else {
        return text.to_owned();
    };
    let mut changed = false;
    if url
        .password()
        .is_some_and(|password| !password.starts_with("$"))
    {
        changed = url.set_password(Some("***")).is_ok();
    }
    let secret = |name: &str| is_secret_name(name);
    if url.query_pairs().any(|(name, _)| secret(&name)) {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if secret(&name) {
                    "***".into()
                } else {
                    value.into_owned()
                };
                (name.into_owned(), value)
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        changed = true;
    }
    if changed {
        url.to_string()
    } else {
        text.to_owned()
    }
}

/// Does this header or parameter usually carry a secret?
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    [
        "authorization",
        "cookie",
        "token",
        "secret",
        "password",
        "api-key",
        "apikey",
        "api_key",
        "credential",
    ]
    .iter()
    .any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_keys_do_not_show() {
        assert_eq!(redact_url("redis://u:hunter2@h:1/0"), "redis://u:***@h:1/0");
        assert_eq!(
            redact_url("http://h/x?api_key=1&a=2"),
            "http://h/x?api_key=***&a=2"
        );
        assert_eq!(redact_url("http://h:9090/prom"), "http://h:9090/prom");
        assert_eq!(
            redact_url("redis://:${PASSWORD}@h:1/0"),
            "redis://:${PASSWORD}@h:1/0"
        );
    }
}
