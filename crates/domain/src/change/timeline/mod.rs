//! What changed, from whatever source, in one shape; the break in a KPI's series; and who is suspected of it. Pure.

pub mod breaks;
mod changepoint;
pub mod rank;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Another version of a service.
    Deploy,
    /// A feature flag.
    Flag,
    /// Configuration, or a secret.
    Config,
    /// A schema or data migration.
    Migration,
    /// Replicas.
    Scale,
    /// A process began anew.
    Restart,
    /// Alerting or recording rules.
    Rules,
    /// A git tag: a version that exists, not one that runs.
    Tag,
    Silence,
    Incident,
    /// Something else that was done through liveops.
    Other,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Flag => "flag",
            Self::Config => "config",
            Self::Migration => "migration",
            Self::Scale => "scale",
            Self::Restart => "restart",
            Self::Rules => "rules",
            Self::Tag => "tag",
            Self::Silence => "silence",
            Self::Incident => "incident",
            Self::Other => "other",
        }
    }
}

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub at: DateTime<Utc>,
    pub kind: Kind,
    /// Who told of it, such as `kubernetes`.
    pub source: &'static str,
    pub service: Option<String>,
    /// In words.
    pub what: String,
    pub by: Option<String>,
    /// Its id there.
    pub reference: Option<String>,
    /// The share of players that it reaches, in per cent, where that is known.
    pub share: Option<f64>,
    /// The command that takes it back.
    pub revert: Option<String>,
}

impl Change {
    /// A change without the rest.
    pub fn new(at: DateTime<Utc>, kind: Kind, source: &'static str, what: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            source,
            service: None,
            what: what.into(),
            by: None,
            reference: None,
            share: None,
            revert: None,
        }
    }
}

/// In the order of time, each once: what the audit log and a system itself tell of is one change.
pub fn timeline(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by(|a, b| (a.at, a.kind, a.source, &a.what).cmp(&(b.at, b.kind, b.source, &b.what)));
    let mut seen = std::collections::HashSet::new();
    // The system itself knows more than our log of having asked for it, and stands first.
    let own: std::collections::HashSet<String> = changes
        .iter()
        .filter(|change| change.source != "audit")
        .filter_map(|change| change.reference.clone())
        .collect();
    changes.retain(|change| match &change.reference {
        Some(id) if change.source == "audit" => !own.contains(id) && seen.insert(id.clone()),
        _ => true,
    });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_is_told_once() {
        let at = DateTime::default();
        let told = |source, kind, id: &str| Change { reference: Some(id.into()), ..Change::new(at, kind, source, "x") };
        let all = timeline(vec![
            told("audit", Kind::Flag, "c1"),
            told("flags", Kind::Flag, "c1"),
            told("audit", Kind::Other, "c2"),
        ]);
        let sources: Vec<_> = all.iter().map(|change| change.source).collect();
        assert_eq!(sources, ["flags", "audit"]);
    }
}
