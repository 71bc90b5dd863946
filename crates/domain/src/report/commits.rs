//! Which commits a deployment brought to production for the first time. Pure: the log comes from `git`.

use std::collections::HashMap;

/// A commit, as far as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub hash: String,
    /// Seconds since 1970, of the committer: a rebase moves it.
    pub committed: i64,
    pub subject: String,
    pub(super) parents: Vec<String>,
}

impl Commit {
    /// Does it join others, and bring nothing of its own?
    fn is_merge(&self) -> bool {
        self.parents.len() > 1
    }

    /// The subject of the commit that it takes back.
    pub fn reverts(&self) -> Option<&str> {
        self.subject.strip_prefix("Revert \"")?.strip_suffix('"')
    }
}

/// Commits by their hash.
#[derive(Debug, Default)]
pub struct CommitLog {
    commits: Vec<Commit>,
    places: HashMap<String, usize>,
}

impl CommitLog {
    /// What `git rev-list --timestamp --parents` writes, and the subject behind a unit separator.
    pub const FORMAT: &str = "%ct %H %P%x1f%s";

    /// Reads what git wrote, a commit a line, with its subject or without.
    pub fn read(text: &str) -> Self {
        let commit = |line: &str| {
            let (names, subject) = line.split_once('\u{1f}').unwrap_or((line, ""));
            let mut names = names.split_ascii_whitespace();
            let (committed, hash) = (names.next()?.parse().ok()?, names.next()?);
            Some(Commit {
                hash: hash.to_owned(),
                committed,
                parents: names.map(ToOwned::to_owned).collect(),
                subject: subject.to_owned(),
            })
        };
        let commits: Vec<Commit> = text.lines().filter_map(commit).collect();
        let places = commits.iter().enumerate().map(|(place, commit)| (commit.hash.clone(), place)).collect();
        Self { commits, places }
    }

    /// For each of these commits, in the order in which they were deployed: what came to production with it, and with
    /// none before it. Merges are passed over. `None`: the log does not have the commit.
    pub fn first_deployed(&self, tips: &[&str]) -> Vec<Option<Vec<&Commit>>> {
        let mut known = vec![false; self.commits.len()];
        let mut walk = |tip: &&str| {
            let mut waiting = vec![*self.places.get(*tip)?];
            let mut found = Vec::new();
            while let Some(place) = waiting.pop() {
                if std::mem::replace(&mut known[place], true) {
                    continue;
                }
                let commit = &self.commits[place];
                waiting.extend(commit.parents.iter().filter_map(|parent| self.places.get(parent)));
                if !commit.is_merge() {
                    found.push(commit);
                }
            }
            found.sort_by(|a, b| (a.committed, &a.hash).cmp(&(b.committed, &b.hash)));
            Some(found)
        };
        tips.iter().map(&mut walk).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hash parents time`, newest first as git has them.
    fn log(lines: &[(&str, &str, i64)]) -> CommitLog {
        let line = |(hash, parents, at): &(&str, &str, i64)| format!("{at} {hash} {parents}\u{1f}subject of {hash}");
        CommitLog::read(&lines.iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    fn names(found: &[Option<Vec<&Commit>>]) -> Vec<String> {
        let one = |found: &Option<Vec<&Commit>>| match found {
            None => "?".to_owned(),
            Some(found) => found.iter().map(|commit| commit.hash.as_str()).collect(),
        };
        found.iter().map(one).collect()
    }

    #[test]
    fn each_commit_counts_with_the_deployment_that_brought_it_first() {
        // a is deployed before the log begins; m merges the branch x y.
        let log = log(&[("d", "m", 6), ("m", "b y", 5), ("y", "x", 4), ("b", "a", 3), ("x", "a", 2)]);
        assert_eq!(names(&log.first_deployed(&["b", "m", "d"])), ["b", "xy", "d"]);
        assert_eq!(names(&log.first_deployed(&["d"])), ["xbyd"]);
        // Back to an older one and forward again: nothing is counted twice.
        assert_eq!(names(&log.first_deployed(&["m", "b", "d", "d"])), ["xby", "", "d", ""]);
        assert_eq!(names(&log.first_deployed(&["nowhere", "b"])), ["?", "b"]);
    }

    #[test]
    fn what_is_no_commit_is_passed_over_and_reverts_are_known() {
        let log = CommitLog::read("nonsense\n\n9 r\u{1f}Revert \"subject of b\"\nsoon z\u{1f}x");
        assert_eq!(log.commits.len(), 1);
        assert_eq!(log.commits[0].reverts(), Some("subject of b"));
    }
}
