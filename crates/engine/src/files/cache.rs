//! What the last run saw: previous scrapes and an hour of KPI values. May be lost at any time without harm.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::files::file::write_cache;
use crate::files::open;

/// The cache of one project and environment.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache below `root` that belongs to `scope`, such as the path of the project's file and the environment.
    pub fn new(root: &Path, scope: &[&str]) -> Self {
        Self { folder: root.join(name(&scope.join("\n"))) }
    }

    /// The entry of this key; a broken one is as good as none.
    pub fn load<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_slice(&open::read(&self.path(key)).ok()?).ok()
    }

    /// Replaces the entry. A cache that cannot be written is no error: the next run is only less quick.
    pub fn save<T: Serialize>(&self, key: &str, entry: &T) {
        let written = serde_json::to_vec(entry).map(|bytes| write_cache(&self.path(key), &bytes));
        if let Ok(Err(error)) = written {
            tracing::info!(path = %self.path(key).display(), %error, "the cache cannot be written");
        }
    }

    /// Removes everything: the demo's throw-away project.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{}.json", name(key)))
    }
}

/// A file name that any text has.
pub fn name(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_broken_ones_do_not() {
        let dir = tempfile::tempdir().expect("temp dir");
        let cache = Cache::new(dir.path(), &["a", "b"]);
        assert_eq!(cache.load::<Vec<u8>>("k"), None);
        cache.save("k", &vec![1, 2]);
        assert_eq!(cache.load::<Vec<u8>>("k"), Some(vec![1, 2]));
        fs::write(cache.path("k"), "{").expect("write");
        assert_eq!(cache.load::<Vec<u8>>("k"), None);
        assert_eq!(Cache::new(dir.path(), &["a", "c"]).load::<Vec<u8>>("k"), None);
    }
}
