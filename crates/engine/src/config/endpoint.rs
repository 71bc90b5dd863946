//! Endpoints: URL and headers of an outside system, checked so that no secret stands in a file.

use crate::config::decode::{Problems, Section};
use crate::config::node::{Layer, Node, Origin};
use crate::config::secret::{Secret, Source};
use liveops_domain::text::redact::{is_reference, is_secret_name, redact_url};

/// What the rules of `http` systems allow.
pub const HTTP: &[&str] = &["http", "https"];

/// Where an HTTP system is and what it must be sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Base URL; may contain `${VAR}`.
    pub url: Secret,
    /// What is sent along: headers such as tenant and authorization; for Redis user name and password.
    pub headers: Vec<(String, Secret)>,
    /// A channel to people and its own credential, such as a routing key.
    pub is_channel: bool,
}

/// Members of an endpoint besides `url` and `headers`.
#[derive(Debug, Clone, Copy)]
pub enum Member {
    /// Text that the commands of this system read.
    Text(&'static str),
    /// What is sent as this header.
    Header(&'static str, &'static str),
}

/// The endpoint under a key of a mapping.
pub fn member(
    section: &mut Section<'_>,
    key: &'static str,
    schemes: &[&str],
    also: &[Member],
    problems: &mut Problems,
) -> Option<Endpoint> {
    let node = section.get(key)?;
    decode(node, &section.path(key), schemes, also, problems)
}

/// `{ url: …, headers: … }`, or short: only the URL.
pub fn decode(node: &Node, path: &str, schemes: &[&str], also: &[Member], problems: &mut Problems) -> Option<Endpoint> {
    if node.text().is_some() {
        let url = checked_url(node, path, schemes, problems)?;
        return Some(Endpoint { url, headers: Vec::new(), is_channel: false });
    }
    let mut section = Section::open(node, path, problems);
    let url = section.get("url").and_then(|node| checked_url(node, &format!("{path}.url"), schemes, problems));
    section.require("url", url.is_some(), problems);
    let mut headers: Vec<(String, Secret)> = section
        .entries("headers", problems)
        .into_iter()
        .filter_map(|(name, node)| {
            let key = format!("{path}.headers.{name}");
            Some((name.to_owned(), header(name, node, &key, problems)?))
        })
        .collect();
    for member in also {
        match *member {
            Member::Text(key) => {
                let _ = section.text(key, problems);
            }
            Member::Header(key, name) => {
                if let Some(node) = section.get(key) {
                    let path = section.path(key);
                    let value = header(key, node, &path, problems);
                    headers.extend(value.map(|value| (name.to_owned(), value)));
                }
            }
        }
    }
    section.finish(problems);
    Some(Endpoint { url: url?, headers, is_channel: false })
}

/// A value that is sent along; one whose name is that of a secret may only be a reference.
pub fn header(name: &str, node: &Node, key: &str, problems: &mut Problems) -> Option<Secret> {
    let value = Secret::decode(node, key, problems)?;
    if is_secret_name(name) && value.is_literal() {
        problems.error(&node.origin, key, "a secret must not stand in a file; write a reference such as `\"Bearer ${TOKEN}\"`, `{file: PATH}` or `{command: […]}`");
    }
    Some(value)
}

/// A URL of one of these schemes, without a secret in it.
pub fn checked_url(node: &Node, path: &str, schemes: &[&str], problems: &mut Problems) -> Option<Secret> {
    let url = Secret::decode(node, path, problems)?;
    let Source::Template(text) = &url.source else {
        return Some(url);
    };
    if is_reference(text) {
        // The whole URL comes from outside; it is checked when it is used.
        return Some(url);
    }
    // References are checked as if they were a word, which may stand in each part of a URL but the port.
    let stand_in = url.with_references_as("0")?;
    let parsed = match url::Url::parse(&stand_in) {
        Ok(parsed) if schemes.contains(&parsed.scheme()) => parsed,
        Ok(_) => {
            let allowed: Vec<String> = schemes.iter().map(|scheme| format!("`{scheme}:`")).collect();
            let message = format!("must begin with {}{}", allowed.join(" or "), fix(text, schemes));
            problems.error(&node.origin, path, message);
            return None;
        }
        Err(error) => {
            let message = format!("`{}` is not a URL: {error}{}", redact_url(text), fix(text, schemes));
            problems.error(&node.origin, path, message);
            return None;
        }
    };
    let written = url::Url::parse(text).unwrap_or_else(|_| parsed.clone());
    let is_literal = |value: &str| !value.is_empty() && !is_reference(value) && value != "0";
    let key = written
        .query_pairs()
        .find(|(name, value)| is_secret_name(name) && is_literal(value))
        .map(|(name, _)| format!("a secret (`{name}`)"));
    let password = written.password().is_some_and(is_literal);
    match key.or_else(|| password.then(|| "a password".to_owned())) {
        Some(what) if refuses_secret(&node.origin, path, &what, problems) => None,
        _ => Some(url),
    }
}

/// A file must not hold a secret; an environment variable may, and a flag had better not.
pub fn refuses_secret(origin: &Origin, path: &str, what: &str, problems: &mut Problems) -> bool {
    match &*origin.layer {
        Layer::Flag(by) if !by.starts_with("--") => false,
        Layer::Flag(by) => {
            let variable = format!("LIVEOPS_{}", by.trim_start_matches('-').to_uppercase());
            problems.warning(
                origin,
                path,
                format!("{what} in an argument can be seen by every user of this machine; set `{variable}` instead"),
            );
            false
        }
        Layer::Default | Layer::User(_) | Layer::Project(_) => {
            let message = format!("{what} must not stand in a file; write `${{VARIABLE}}` in its place");
            problems.error(origin, path, message);
            true
        }
    }
}

fn fix(text: &str, schemes: &[&str]) -> String {
    if text.contains("://") || text.contains('@') {
        String::new()
    } else {
        format!("; did you mean `{}://{text}`?", schemes[0])
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::yaml::parse;

    /// The problems of an endpoint, errors first.
    fn problems(yaml: &str, layer: Layer, schemes: &[&str]) -> Vec<String> {
        let root = parse(yaml, &Rc::new(layer)).expect("valid").root;
        let mut problems = Problems::default();
        let also = [Member::Header("password", "X-Key")];
        let _ = decode(root.get("e").expect("there"), "e", schemes, &also, &mut problems);
        problems.errors.iter().chain(&problems.warnings).map(|problem| problem.message.clone()).collect()
    }

    fn of_file(yaml: &str, schemes: &[&str]) -> Vec<String> {
        problems(yaml, Layer::Project("liveops.yaml".into()), schemes)
    }

    #[test]
    fn sound_endpoints() {
        for yaml in [
            "e: http://h:9090",
            "e: { url: 'https://h/prom', headers: { X-Scope-OrgID: game } }",
            "e: { url: '${PROM}' }",
            "e: { url: 'https://${HOST}/prom?token=${T}' }",
            "e: { url: 'https://u:${PW}@h' }",
            "e: { url: 'https://u:${PW}@${HOST}:${PORT}' }",
            "e: { url: { file: url.txt }, headers: { Authorization: { command: [get, token] } } }",
            "e: { url: 'http://h', password: '${PW}' }",
        ] {
            assert_eq!(of_file(yaml, HTTP), Vec::<String>::new(), "{yaml}");
        }
        assert!(of_file("e: redis://:${PW}@${HOST}/0", &["redis", "file"]).is_empty());
        assert!(of_file("e: file:flags.json", &["redis", "file"]).is_empty());
    }

    #[test]
    fn wrong_endpoints_say_what_is_wrong_and_never_the_secret() {
        for (yaml, needle) in [
            ("e: localhost:9090", "did you mean `http://localhost:9090`?"),
            ("e: ftp://h", "must begin with `http:` or `https:`"),
            ("e: { headers: {} }", "`url` is missing"),
            ("e: { url: http://h, header: {} }", "did you mean `headers`?"),
            ("e: http://u:canary@h", "a password must not stand in a file"),
            ("e: http://u:canary@${HOST}", "a password must not stand in a file"),
            ("e: http://u:canary@h h", "is not a URL"),
            ("e: http://h/?api_key=canary", "a secret (`api_key`)"),
            ("e: { url: http://h, headers: { Authorization: canary } }", "a secret must not stand"),
            ("e: { url: http://h, headers: { X-Api-Key: canary } }", "a secret must not stand"),
            ("e: { url: http://h, password: canary }", "a secret must not stand"),
            ("e: { url: 'http://${HOST' }", "`${` without `}`"),
            ("e: [http://h]", "must be a mapping"),
        ] {
            let found = of_file(yaml, HTTP).join("\n");
            assert!(found.contains(needle), "{yaml}: {found}");
            assert!(!found.contains("canary"), "{yaml}: {found}");
        }
    }

    #[test]
    fn the_command_line_may_hold_a_password_and_is_warned_about_it() {
        let redis: &[&str] = &["redis"];
        let yaml = "e: redis://:canary@h";
        let flag = problems(yaml, Layer::Flag("--redis".into()), redis);
        assert_eq!(flag.len(), 1, "{flag:?}");
        assert!(flag[0].contains("LIVEOPS_REDIS") && !flag[0].contains("canary"));
        assert!(problems(yaml, Layer::Flag("LIVEOPS_REDIS".into()), redis).is_empty());
    }
}
