//! URLs as a person gives them: checked before anything is asked, and without their secrets before they are written.

use crate::config::layers::{named_url, with_scheme};
use liveops_domain::error::{Error, Result};
use liveops_domain::text::redact::{is_reference, is_secret_name, redact_url};

/// A URL with its scheme; `system` is `prometheus`, `alertmanager`, `health`, or `flags`.
///
/// # Errors
/// `Usage`, when it is none.
pub fn url(text: &str, system: &str) -> Result<String> {
    let text = text.trim();
    let url = with_scheme(text, system);
    // A reference to a variable may stand anywhere; only what is written out can be checked.
    let sound = url.contains("${")
        || match system {
            "flags" => url.starts_with("file:") || liveops_domain::text::redis_url::RedisUrl::parse(&url).is_ok(),
            _ => url::Url::parse(&url)
                .is_ok_and(|parsed| ["http", "https"].contains(&parsed.scheme()) && parsed.has_host()),
        };
    if sound {
        return Ok(url);
    }
    let example = match system {
        "prometheus" => "http://127.0.0.1:9090",
        "alertmanager" => "http://127.0.0.1:9093",
        "flags" => "redis://127.0.0.1:6379/0",
        _ => "http://127.0.0.1:5050",
    };
    Err(Error::usage(format!("`{}` is not a URL of {system}", redact_url(text)), format!("write it like `{example}`")))
}

/// Name and URL of a service.
///
/// # Errors
/// As [`url`]; a name that is none.
pub fn service(text: &str) -> Result<(String, String)> {
    let (name, found) = named_url(text.trim());
    let found = url(&found, "health")?;
    let sound = !name.starts_with('-') && !name.chars().any(|c| c.is_whitespace() || c.is_control());
    if sound && !name.is_empty() {
        Ok((name, found))
    } else {
        Err(Error::usage(
            format!("`{name}` cannot be the name of a service"),
            "write it like `game=http://127.0.0.1:5050`: no spaces, and not beginning with `-`",
        ))
    }
}

/// The URL with a variable in the place of each secret, and the variables' names.
pub fn without_secrets(text: &str, system: &str) -> (String, Vec<String>) {
    /// Stands where the reference will: a URL would encode `${…}`.
    const MARK: &str = "LIVEOPS0REFERENCE";
    let Ok(mut url) = url::Url::parse(text) else {
        return several_hosts(text, system);
    };
    let mut variables = Vec::new();
    if url.password().is_some_and(|password| !is_reference(password)) {
        variables.push(format!("{system}_PASSWORD"));
        let _ = url.set_password(Some(MARK));
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let secret = |name: &str, value: &str| is_secret_name(name) && !is_reference(value);
    if pairs.iter().any(|(name, value)| secret(name, value)) {
        let written = pairs.iter().map(|(name, value)| {
            if secret(name, value) {
                variables.push(format!("{system}_KEY"));
                (name.as_str(), MARK)
            } else {
                (name.as_str(), value.as_str())
            }
        });
        let written: Vec<(&str, &str)> = written.collect();
        url.query_pairs_mut().clear().extend_pairs(written);
    }
    if variables.is_empty() {
        return (text.to_owned(), variables);
    }
    let out =
        variables.iter().fold(url.to_string(), |text, variable| text.replacen(MARK, &format!("${{{variable}}}"), 1));
    variables.dedup();
    (out, variables)
}

/// The same for a list of hosts, which is no URL to others than Redis.
fn several_hosts(text: &str, system: &str) -> (String, Vec<String>) {
    let login = text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
    match login.and_then(|(scheme, (login, rest))| Some((scheme, login.split_once(':')?, rest))) {
        Some((scheme, (user, password), rest)) if !is_reference(password) => {
            let variable = format!("{system}_PASSWORD");
            (format!("{scheme}://{user}:${{{variable}}}@{rest}"), vec![variable])
        }
        _ => (text.to_owned(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_completed_or_refused_without_their_password() {
        for (text, system, want) in [
            ("localhost:9090", "prometheus", "http://localhost:9090"),
            (" https://p/prom ", "prometheus", "https://p/prom"),
            ("127.0.0.1:6379/0", "flags", "redis://127.0.0.1:6379/0"),
            ("file:flags.json", "flags", "file:flags.json"),
            ("https://${HOST}", "prometheus", "https://${HOST}"),
        ] {
            assert_eq!(url(text, system).expect(text), want);
        }
        for (text, system) in [("ftp://h", "prometheus"), ("http://", "health"), ("http://u:canary@h h", "health")] {
            let error = url(text, system).expect_err(text).to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn services_have_a_name() {
        assert_eq!(service("game=localhost:5050").expect("sound"), ("game".into(), "http://localhost:5050".into()));
        assert_eq!(service("http://h:1/x").expect("sound").0, "h:1");
        assert!(service("-x=http://h").is_err());
    }

    #[test]
    fn secrets_become_references() {
        for (text, want, variables) in [
            ("http://h:1", "http://h:1", vec![]),
            ("redis://:canary@h:1/0", "redis://:${REDIS_PASSWORD}@h:1/0", vec!["REDIS_PASSWORD"]),
            ("http://u:${PW}@h/", "http://u:${PW}@h/", vec![]),
            ("http://h/?token=canary&a=1", "http://h/?token=${REDIS_KEY}&a=1", vec!["REDIS_KEY"]),
        ] {
            let (text, found) = without_secrets(text, "REDIS");
            assert_eq!((text.as_str(), found), (want, variables.iter().map(ToString::to_string).collect()));
        }
    }
}
