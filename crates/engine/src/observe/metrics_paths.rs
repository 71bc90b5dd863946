//! Metrics paths that were guessed and are not there. They are remembered for a while: a service without metrics is
//! not asked for them at every look, which would double the requests of a fleet and count as errors on its side.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::files::cache::Cache;

/// A service that gets metrics is seen after this long at the latest.
const FORGET: TimeDelta = TimeDelta::minutes(5);

const ENTRY: &str = "guesses that missed";

/// Paths, and when they were last found missing.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MissingPaths(BTreeMap<String, DateTime<Utc>>);

impl MissingPaths {
    /// Those that are still remembered.
    pub fn load(cache: &Cache, now: DateTime<Utc>) -> Self {
        let mut known: Self = cache.load(ENTRY).unwrap_or_default();
        // One of the future is left over from a clock that was wrong.
        known.0.retain(|_, at| *at <= now && now - *at < FORGET);
        known
    }

    /// Was it missing a short while ago?
    pub fn holds(&self, url: &str) -> bool {
        self.0.contains_key(url)
    }

    /// Adds those that this look found missing, and keeps them for the next.
    pub fn add(mut self, urls: impl Iterator<Item = String>, cache: &Cache, now: DateTime<Utc>) {
        let before = self.0.len();
        self.0.extend(urls.map(|url| (url, now)));
        if self.0.len() > before {
            cache.save(ENTRY, &self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_is_remembered_and_forgotten() {
        let folder = tempfile::tempdir().expect("temp dir");
        let cache = Cache::new(folder.path(), &["test"]);
        let then = DateTime::UNIX_EPOCH;
        let url = || std::iter::once("http://h/metrics".to_owned());
        assert!(!MissingPaths::load(&cache, then).holds("http://h/metrics"));
        MissingPaths::load(&cache, then).add(url(), &cache, then);
        for (later, held) in [(0, true), (299, true), (300, false), (-1, false)] {
            let now = then + TimeDelta::seconds(later);
            let known = MissingPaths::load(&cache, now);
            assert_eq!(known.holds("http://h/metrics"), held, "{later} s later");
        }
    }
}
