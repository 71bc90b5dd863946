//! A baseline: the set of findings that are known, by fingerprint. The set counts, not its size: a fixed one and a new one
//! are not the same.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::check::finding::Findings;

/// The file: written by `--write-baseline`, read by `--baseline`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Baseline {
    /// `liveops.baseline/1`.
    schema: String,
    pub fingerprints: BTreeSet<String>,
}

const SCHEMA: &str = "liveops.baseline/1";

/// What a baseline did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BaselineCount {
    /// Findings that it knows.
    pub known: usize,
    /// What it knows and nobody finds any more.
    pub gone: usize,
}

impl Baseline {
    /// Of everything that was found and is not waived.
    pub fn of<'a>(fingerprints: impl IntoIterator<Item = &'a str>) -> Self {
        Self { schema: SCHEMA.into(), fingerprints: fingerprints.into_iter().map(ToOwned::to_owned).collect() }
    }

    /// # Errors
    /// The text is no baseline.
    pub fn read(text: &str) -> Result<Self, String> {
        let baseline: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match baseline.schema == SCHEMA {
            true => Ok(baseline),
            false => Err(format!("its schema is `{}`, not `{SCHEMA}`", baseline.schema)),
        }
    }

    /// Marks what is known.
    pub fn apply(&self, found: &mut Findings) -> BaselineCount {
        let mut met = BTreeSet::new();
        for finding in &mut found.findings {
            // What is wrong with a waiver is never old news.
            if !finding.id.starts_with("WAIVER-") && self.fingerprints.contains(&finding.fingerprint) {
                finding.known = true;
                met.insert(finding.fingerprint.clone());
            }
        }
        BaselineCount { known: met.len(), gone: self.fingerprints.len() - met.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::{Finding, Level};

    fn found(subjects: &[&str]) -> Findings {
        let mut all = Findings::default();
        for subject in subjects {
            all.add(Finding::new("A01", Level::High, *subject, "w"));
        }
        all.settle();
        all
    }

    #[test]
    fn a_fixed_one_does_not_make_room_for_a_new_one() {
        let before = found(&["a", "b"]);
        let baseline = Baseline::of(before.findings.iter().map(|one| one.fingerprint.as_str()));
        let baseline = Baseline::read(&serde_json::to_string(&baseline).unwrap()).unwrap();
        let mut after = found(&["b", "c"]);
        assert_eq!(baseline.apply(&mut after), BaselineCount { known: 1, gone: 1 });
        let new: Vec<_> = after.findings.iter().filter(|one| one.counts()).map(|one| &*one.subject).collect();
        assert_eq!(new, ["c"]);
    }

    #[test]
    fn what_is_no_baseline_is_refused() {
        assert!(Baseline::read("{}").is_err());
        assert!(Baseline::read(r#"{"schema":"other/1","fingerprints":[]}"#).unwrap_err().contains("other/1"));
    }
}
