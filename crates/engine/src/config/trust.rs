//! Which project files may send the user's secrets to the hosts they name, or run commands to get secrets.
//!
//! A repository that somebody else wrote must not be able to point the user's token at another host.
//! `liveops config trust` remembers the file together with all that it asks for; when that changes, it asks anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::endpoint::Endpoint;
use crate::config::node::Layer;
use crate::config::notify::Channel;
use crate::config::schema::Settings;
use liveops_domain::error::Result;

/// What a project file wants that only a trusted one may have, in words; empty when it wants nothing special.
pub fn wishes(settings: &Settings) -> Vec<String> {
    let mut wishes: Vec<String> = settings
        .endpoints()
        .into_iter()
        .flat_map(|(name, endpoint)| of(name, endpoint))
        .chain(settings.notify.channels.iter().filter_map(Channel::wish))
        .collect();
    wishes.sort();
    wishes.dedup();
    wishes
}

/// The wishes of one endpoint.
pub fn of(name: &str, endpoint: &Endpoint) -> Vec<String> {
    let mut wishes = Vec::new();
    let by_project = matches!(*endpoint.url.origin.layer, Layer::Project(_));
    for (header, value) in &endpoint.headers {
        let header = match name {
            "flags" => format!("`{header}`"),
            _ => format!("header `{header}`"),
        };
        if by_project && matches!(*value.origin.layer, Layer::User(_)) {
            wishes.push(format!("send your secret {header} to {} at {}", name, endpoint.url.show()));
        }
        if value.needs_trust() {
            wishes.push(format!("get {header} for {name} at {} from {}", endpoint.url.show(), value.show()));
        }
    }
    if endpoint.url.needs_trust() {
        wishes.push(format!("get the URL of {name} from {}", endpoint.url.show()));
    }
    wishes
}

/// The trust that the user gave: file → digests of what it asked for.
#[derive(Debug, Default)]
pub struct Trust {
    path: PathBuf,
    given: BTreeMap<String, Vec<String>>,
}

impl Trust {
    /// Reads `trust.json` of the state folder; a missing or broken file trusts nobody.
    pub fn load(state: &Path) -> Self {
        let path = state.join("trust.json");
        let given = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, given }
    }

    /// Did the user trust this file with this wish?
    pub fn allows(&self, file: &str, wish: &str) -> bool {
        self.given.get(file).is_some_and(|given| given.contains(&digest(wish)))
    }

    /// How many wishes of this file the user trusts.
    pub fn count(&self, file: &str) -> usize {
        self.given.get(file).map_or(0, Vec::len)
    }

    /// Where the consent is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content of that file once the user has trusted this project file with exactly these wishes; without
    /// any, it is trusted no more.
    ///
    /// # Errors
    /// When it cannot be serialised, which is a bug.
    pub fn with(&self, file: &str, wishes: &[String]) -> Result<String> {
        let mut given = self.given.clone();
        given.insert(file.into(), wishes.iter().map(|wish| digest(wish)).collect());
        given.retain(|_, wishes| !wishes.is_empty());
        Ok(serde_json::to_string_pretty(&given)?)
    }
}

fn digest(wish: &str) -> String {
    Sha256::digest(wish.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::decode::Problems;
    use crate::config::node::Node;
    use crate::config::schema;
    use crate::config::yaml::parse;

    fn settings(user: &str, project: &str) -> Settings {
        let read = |text: &str, layer: Layer| -> Node { parse(text, &std::rc::Rc::new(layer)).expect("valid").root };
        let mut root = read(user, Layer::User("config.yaml".into()));
        root.merge(read(project, Layer::Project("liveops.yaml".into())));
        let mut problems = Problems::default();
        let settings = schema::decode(&root, "prod", &mut problems);
        assert!(problems.errors.is_empty(), "{:?}", problems.errors);
        settings
    }

    const USER: &str = "environments: { prod: { prometheus: { url: 'https://prom.example', headers: { Authorization: 'Bearer ${T}' } } } }";

    #[test]
    fn only_what_could_leak_or_run_is_a_wish() {
        for (project, want) in [
            ("project: x", vec![]),
            (
                "environments: { prod: { prometheus: { url: 'https://evil.example' } } }",
                vec!["send your secret header `Authorization` to prometheus at https://evil.example"],
            ),
            ("environments: { prod: { prometheus: 'https://other.example' } }", vec![]),
            (
                "environments: { prod: { prometheus: { headers: { X-Key: { file: /etc/shadow } } } } }",
                vec!["get header `X-Key` for prometheus at https://prom.example from {file: /etc/shadow}"],
            ),
            (
                "services: [{ name: a, health: { url: { command: [sh, run.sh] } } }]",
                vec!["get the URL of a from {command: [sh, run.sh]}"],
            ),
            ("services: [{ name: a, health: { url: 'http://a', headers: { Authorization: '${T}' } } }]", vec![]),
        ] {
            assert_eq!(wishes(&settings(USER, project)), want, "{project}");
        }
    }

    #[test]
    fn trust_is_for_one_file_and_exactly_what_it_asked_for() {
        let dir = tempfile::tempdir().expect("temp dir");
        let none = Trust::load(dir.path());
        let text = none.with("/a", &["send x to h1".into()]).expect("json");
        fs::write(none.path(), text).expect("write");
        let trust = Trust::load(dir.path());
        assert!(trust.allows("/a", "send x to h1"));
        assert!(!trust.allows("/a", "send x to h2"));
        assert!(!trust.allows("/b", "send x to h1"));
        assert_eq!((trust.count("/a"), trust.count("/b")), (1, 0));
        assert_eq!(trust.with("/a", &[]).expect("json"), "{}");
        fs::write(none.path(), "{ broken").expect("write");
        assert!(!Trust::load(dir.path()).allows("/a", "send x to h1"));
    }
}
