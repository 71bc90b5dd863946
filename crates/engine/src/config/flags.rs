//! Where the flags are kept and how the services read them: `environments.<env>.flags`.

use std::time::Duration;

use crate::config::decode::{Problems, Section};
use crate::config::endpoint;
use crate::config::endpoint::Endpoint;
use crate::config::node::Node;
use crate::config::secret::{Secret, Source};
use crate::config::trust::Place;
use liveops_domain::flag::reader::Reader;
use liveops_domain::text::duration;
use liveops_domain::text::redact::{is_reference, redact_url};
use liveops_domain::text::redis_url::{RedisUrl, SCHEMES};

/// The hash that the services read.
/// What is kept in a file of flags.
pub const FILE: &str = "flags";

const KEY: &str = "feature_flags";

/// How long the services' readers keep a flag.
const CACHE_TTL: Duration = Duration::from_secs(30);

/// The names under which an endpoint carries Redis' credentials, where HTTP has its headers.
pub const USERNAME: &str = "username";

/// See [`USERNAME`].
const PASSWORD: &str = "password";

/// As [`USERNAME`], of the Sentinels, where they have users of their own.
pub const SENTINEL_USERNAME: &str = "sentinel_username";

/// See [`SENTINEL_USERNAME`].
pub const SENTINEL_PASSWORD: &str = "sentinel_password";

/// The flags of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagSettings {
    /// Redis or a file; without one the file `flags.json` beside the configuration.
    pub endpoint: Option<Endpoint>,
    /// The Redis key of the hash.
    pub key: String,
    /// How the services read a flag.
    pub reader: Reader,
    /// For how long a reader may still have the flag as it was.
    pub cache_ttl: Duration,
    /// Who vouches for the server's certificate, in PEM, in the place of the system's authorities.
    pub ca: Option<Place>,
    /// The certificate that liveops shows, and its key, in PEM.
    pub cert: Option<Place>,
    pub key_file: Option<Place>,
}

impl FlagSettings {
    /// The file that the flags are in, where they are in one and it is known without a secret.
    pub fn file(&self) -> Option<Place> {
        let path = |url: &str| url.strip_prefix("file:").map(|path| path.trim_start_matches("//").to_owned());
        match &self.endpoint {
            None => Some(Place::usual(FILE, "flags.json")),
            Some(Endpoint { url: Secret { source: Source::Template(text), origin }, .. }) if !text.contains("${") => {
                Some(Place { what: FILE, path: path(text)?.into(), origin: origin.clone() })
            }
            Some(_) => None,
        }
    }
}

impl Default for FlagSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            key: KEY.into(),
            reader: Reader::default(),
            cache_ttl: CACHE_TTL,
            ca: None,
            cert: None,
            key_file: None,
        }
    }
}

/// `{ url: …, key: …, reader: … }`, or short: only the URL.
pub fn decode(node: &Node, path: &str, problems: &mut Problems) -> FlagSettings {
    let mut settings = FlagSettings::default();
    if node.text().is_some() {
        let url = checked_url(node, path, problems);
        settings.endpoint = url.map(|url| Endpoint { url, headers: Vec::new(), is_channel: false });
        return settings;
    }
    let mut section = Section::open(node, path, problems);
    let url = section.get("url").and_then(|node| checked_url(node, &format!("{path}.url"), problems));
    let mut credentials = Vec::new();
    for name in [USERNAME, PASSWORD, SENTINEL_USERNAME, SENTINEL_PASSWORD] {
        if let Some(node) = section.get(name) {
            let key = section.path(name);
            let value = endpoint::header(name, node, &key, problems);
            credentials.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
    if let Some(key) = section.parse("key", problems, hash_key) {
        settings.key = key;
    }
    if let Some(reader) = section.parse("reader", problems, reader) {
        settings.reader = reader;
    }
    if let Some(ttl) = section.parse("cache_ttl", problems, duration::parse) {
        settings.cache_ttl = ttl;
    }
    for (name, what, file) in [
        ("ca", "the authority of Redis", &mut settings.ca),
        ("cert", "your certificate for Redis", &mut settings.cert),
        ("key_file", "the key of your certificate for Redis", &mut settings.key_file),
    ] {
        *file = section.place(name, what, problems);
    }
    section.require("cert", settings.key_file.is_none(), problems);
    section.require("key_file", settings.cert.is_none(), problems);
    let has_files = settings.ca.is_some() || settings.cert.is_some();
    let without = (!credentials.is_empty() || has_files) && section.get("url").is_none();
    section.require("url", !without, problems);
    section.finish(problems);
    settings.endpoint = url.map(|url| Endpoint { url, headers: credentials, is_channel: false });
    settings
}

fn reader(word: &str) -> Result<Reader, String> {
    Reader::from_word(word).ok_or_else(|| format!("must be `legacy-v1` or `v2`, not `{word}`"))
}

/// The history of a key lies in its slot, which is what stands in its braces, or all of it.
fn hash_key(text: &str) -> Result<String, String> {
    let braces = text.matches(['{', '}']).collect::<String>();
    if text.is_empty() || text.chars().any(char::is_control) {
        Err("must be the name of a Redis key".into())
    } else if !matches!(braces.as_str(), "" | "{}") || text.contains("{}") {
        Err(format!("`{text}` has braces that are no hash tag such as `{{game}}:flags`"))
    } else {
        Ok(text.into())
    }
}

/// `file:PATH`, or one of the forms that Redis has.
fn checked_url(node: &Node, path: &str, problems: &mut Problems) -> Option<Secret> {
    let url = Secret::decode(node, path, problems)?;
    let Source::Template(text) = &url.source else {
        return Some(url);
    };
    // The whole URL may come from outside; it is checked when it is used.
    if is_reference(text) || text.strip_prefix("file:").is_some_and(|path| !path.is_empty()) {
        return Some(url);
    }
    // References are checked as if they were a word, which may stand in each part of a URL but the port.
    let stand_in = url.with_references_as("0")?;
    let known = stand_in.split_once("://").is_some_and(|(scheme, _)| SCHEMES.contains(&scheme));
    if !known {
        let near = if text.contains("://") || text.contains('@') {
            String::new()
        } else if text.ends_with(".json") {
            format!("; did you mean `file:{text}`?")
        } else {
            format!("; did you mean `redis://{text}`?")
        };
        let message = format!(
            "must begin with `file:`, `redis://`, `redis+cluster://` or `redis+sentinel://` (with TLS `rediss`){near}"
        );
        problems.error(&node.origin, path, message);
        return None;
    }
    let parsed = match RedisUrl::parse(&stand_in) {
        Ok(parsed) => parsed,
        Err(error) => {
            let message = format!("`{}` is not a URL of Redis: {error}", redact_url(text));
            problems.error(&node.origin, path, message);
            return None;
        }
    };
    // What is a reference became the stand-in.
    let literal = parsed.password.is_some_and(|password| password != "0");
    if literal && endpoint::refuses_secret(&node.origin, path, "a password", problems) {
        return None;
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::yaml::parse;

    fn read(yaml: &str) -> (FlagSettings, Vec<String>) {
        let layer = Layer::Project("liveops.yaml".into());
        let root = parse(yaml, &Rc::new(layer)).expect("valid").root;
        let mut problems = Problems::default();
        let settings = decode(root.get("f").expect("there"), "f", &mut problems);
        let errors = problems.errors.into_iter().map(|problem| problem.message);
        (settings, errors.collect())
    }

    #[test]
    fn sound_settings() {
        for yaml in [
            "f: redis://127.0.0.1:6379/0",
            "f: 'redis://:${PW}@${HOST}:${PORT}/0'",
            "f: 'redis+cluster://a:1,b:2'",
            "f: 'rediss+sentinel://u:${PW}@a,b/main'",
            "f: file:flags.json",
            "f: '${FLAGS}'",
            "f: { url: { file: url.txt } }",
            "f: { url: 'rediss://h', username: ops, password: { command: [pass, redis] }, ca: ca.pem }",
        ] {
            let (settings, errors) = read(yaml);
            assert_eq!(errors, Vec::<String>::new(), "{yaml}");
            assert!(settings.endpoint.is_some(), "{yaml}");
            assert_eq!(settings.key, "feature_flags");
        }
        let (settings, errors) = read("f: { key: '{game}:flags', reader: v2, cache_ttl: 5s }");
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!((settings.endpoint, settings.reader), (None, Reader::V2));
        assert_eq!(settings.cache_ttl, Duration::from_secs(5));
        assert_eq!(settings.key, "{game}:flags");
    }

    #[test]
    fn every_slip_says_what_is_meant_and_never_the_secret() {
        for (yaml, want) in [
            ("f: 127.0.0.1:6379", "did you mean `redis://127.0.0.1:6379`?"),
            ("f: flags.json", "did you mean `file:flags.json`?"),
            ("f: http://h", "must begin with `file:`"),
            ("f: redis://u:canary@h", "a password must not stand in a file"),
            ("f: 'redis+cluster://u:canary@h:1,h:2'", "a password must not stand in a file"),
            ("f: redis://h?password=canary", "takes no parameters"),
            ("f: redis+sentinel://h", "the name of the primary is missing"),
            ("f: { url: redis://h, password: canary }", "a secret must not stand"),
            ("f: { password: '${P}' }", "`url` is missing"),
            ("f: { url: redis://h, headers: {} }", "unknown key"),
            ("f: { url: rediss://h, cert: me.pem }", "`key_file` is missing"),
            ("f: { url: rediss://h, key_file: me.key }", "`cert` is missing"),
            ("f: { url: redis+sentinel://h/m, sentinel_password: canary }", "a secret must not stand"),
            ("f: { url: redis://h, reader: v3 }", "must be `legacy-v1` or `v2`, not `v3`"),
            ("f: { url: redis://h, key: 'a{b' }", "no hash tag"),
        ] {
            let found = read(yaml).1.join("\n");
            assert!(found.contains(want), "{yaml}: {found}");
            assert!(!found.contains("canary"), "{yaml}: {found}");
        }
    }
}
