//! Which project files may send the user's secrets to the hosts they name, or run commands to get secrets.
//!
//! A repository that somebody else wrote must not be able to point the user's token at another host.
//! `liveops config trust` remembers the file together with all that it asks for; when that changes, it asks anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::node::Layer;
use crate::config::schema::{Endpoint, Settings};
use crate::error::{Error, Result};

/// What a project file wants that only a trusted one may have, in words; empty when it wants nothing special.
pub(crate) fn wishes(settings: &Settings) -> Vec<String> {
    let mut wishes: Vec<String> = settings
        .endpoints()
        .into_iter()
        .flat_map(|(name, endpoint)| of(name, endpoint))
        .collect();
    wishes.sort();
    wishes.dedup();
    wishes
}

/// The wishes of one endpoint.
pub(crate) fn of(name: &str, endpoint: &Endpoint) -> Vec<String> {
    let mut wishes = Vec::new();
    let by_project = matches!(*endpoint.url.origin.layer, Layer::Project(_));
    for (header, value) in &endpoint.headers {
        if by_project && matches!(*value.origin.layer, Layer::User(_)) {
            wishes.push(format!(
                "send your secret header `{header}` to {} at {}",
                name,
                endpoint.url.show()
            ));
        }
        if value.needs_trust() {
            wishes.push(format!(
                "get header `{header}` for {name} at {} from {}",
                endpoint.url.show(),
                value.show()
            ));
        }
    }
    if endpoint.url.needs_trust() {
        wishes.push(format!(
            "get the URL of {name} from {}",
            endpoint.url.show()
        ));
    }
    wishes
}

/// The trust that the user gave: file → digests of what it asked for.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    path: PathBuf,
    given: BTreeMap<String, Vec<String>>,
}

impl Trust {
    /// Reads `trust.json` of the state folder; a missing or broken file trusts nobody.
    pub(crate) fn load(state: &Path) -> Self {
        let path = state.join("trust.json");
        let given = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self { path, given }
    }

    /// Did the user trust this file with this wish?
    pub(crate) fn allows(&self, file: &str, wish: &str) -> bool {
        self.given
            .get(file)
            .is_some_and(|given| given.contains(&digest(wish)))
    }

    /// Remembers the user's consent.
    ///
    /// # Errors
    /// When the state folder cannot be written.
    pub(crate) fn give(&mut self, file: &str, wishes: &[String]) -> Result<()> {
        self.given.insert(
            file.into(),
            wishes.iter().map(|wish| digest(wish)).collect(),
        );
        let io = |source| Error::Io {
            action: "write",
            path: self.path.clone(),
            source,
        };
        crate::stores::file::write_private(
            &self.path,
            serde_json::to_string_pretty(&self.given)?.as_bytes(),
        )
        .map_err(io)
    }
}

fn digest(wish: &str) -> String {
    Sha256::digest(wish.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
