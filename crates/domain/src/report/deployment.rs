//! A deployment to production, whoever told of it, and what several tell of the same one.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// Observations that are no further apart may be of one deployment.
const SAME: TimeDelta = TimeDelta::minutes(30);

/// Why it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentKind {
    Planned,
    Hotfix,
    Rollback,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentOutcome {
    Succeeded,
    /// It had production's traffic, and was taken back.
    RolledBack,
    /// It never had any: no deployment, and no failed change.
    Aborted,
}

/// Who told of it; the first knows most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeploymentSource {
    Rollout,
    Record,
    /// A ReplicaSet: somebody changed the pods. Why, it does not say.
    Kubernetes,
}

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Deployment {
    pub service: String,
    /// When it was in production: promoted, or the first time that it had traffic where it was taken back.
    pub finished: DateTime<Utc>,
    pub source: DeploymentSource,
    pub id: String,
    pub started: DateTime<Utc>,
    pub kind: DeploymentKind,
    pub outcome: DeploymentOutcome,
    pub version: Option<String>,
    /// The commit, where it is known.
    pub commit: Option<String>,
    /// The incident that it answers, as was said.
    pub incident: Option<String>,
    /// When what it broke was well again, as far as it says itself.
    pub recovered: Option<DateTime<Utc>>,
}

impl Deployment {
    /// Does this name mean it: its id, its version, or a beginning of its commit?
    pub fn is_named(&self, name: &str) -> bool {
        let begins = |commit: &String| name.len() >= 7 && commit.starts_with(name);
        self.id == name || self.version.as_deref() == Some(name) || self.commit.as_ref().is_some_and(begins)
    }

    /// Does a worse informed source tell of this one? The pods of a canary are made when it begins.
    fn is_told_by(&self, other: &Self) -> bool {
        other.source > self.source
            && self.service == other.service
            && self.started - SAME <= other.finished
            && other.finished <= self.finished + SAME
            && (self.kind == other.kind || other.source == DeploymentSource::Kubernetes)
            && match (&self.version, &other.version) {
                (Some(mine), Some(other)) => mine == other,
                _ => true,
            }
    }
}

/// The version that an image is tagged with: `registry:5000/game:2.1@sha256:…` → `2.1`.
pub fn tag_of(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
    Some(tag)
}

/// Every deployment once, by service and time, however often and in whatever order it was told. Of two that tell of the
/// same one the better informed is kept, with the commit and the incident that the other knows.
pub fn distinct(all: Vec<Deployment>) -> Vec<Deployment> {
    let sorted: BTreeSet<Deployment> = all.into_iter().collect();
    let mut ids = BTreeSet::new();
    let mut sorted: Vec<Deployment> =
        sorted.into_iter().filter(|one| ids.insert((one.service.clone(), one.id.clone()))).collect();
    let mut dropped = vec![false; sorted.len()];
    for rank in [DeploymentSource::Rollout, DeploymentSource::Record] {
        for place in 0..sorted.len() {
            let one = &sorted[place];
            if one.source != rank || dropped[place] {
                continue;
            }
            let first = (one.service.as_str(), one.started - SAME);
            let from = sorted.partition_point(|other| (other.service.as_str(), other.finished) < first);
            let near = (from..sorted.len()).take_while(|near| {
                sorted[*near].service == one.service && sorted[*near].finished <= one.finished + SAME
            });
            let same: Vec<usize> = near.filter(|near| !dropped[*near] && one.is_told_by(&sorted[*near])).collect();
            for near in same {
                dropped[near] = true;
                let (commit, incident) = (sorted[near].commit.clone(), sorted[near].incident.clone());
                let kept = &mut sorted[place];
                kept.commit = kept.commit.take().or(commit);
                kept.incident = kept.incident.take().or(incident);
            }
        }
    }
    let mut dropped = dropped.into_iter();
    sorted.retain(|_| !dropped.next().unwrap_or(false));
    sorted
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn at(minutes: i64) -> DateTime<Utc> {
        "2026-01-15T10:00:00Z".parse::<DateTime<Utc>>().expect("a time") + TimeDelta::minutes(minutes)
    }

    pub(in crate::report) fn deployment(id: &str, minutes: i64) -> Deployment {
        Deployment {
            id: id.into(),
            service: "game".into(),
            started: at(minutes - 5),
            finished: at(minutes),
            kind: DeploymentKind::Planned,
            outcome: DeploymentOutcome::Succeeded,
            version: Some(id.into()),
            commit: None,
            incident: None,
            source: DeploymentSource::Record,
            recovered: None,
        }
    }

    #[test]
    fn what_three_tell_of_is_one_deployment() {
        let record = Deployment { commit: Some("abcdef0".into()), ..deployment("2.1", 3) };
        let rollout = Deployment { id: "r-1".into(), source: DeploymentSource::Rollout, ..deployment("2.1", 0) };
        let set = Deployment {
            id: "game/7".into(),
            version: None,
            source: DeploymentSource::Kubernetes,
            ..deployment("x", -4)
        };
        let later = deployment("2.2", 20);
        let all = vec![record.clone(), set, later.clone(), rollout.clone(), record];
        let kept = distinct(all.clone());
        assert_eq!(kept, [Deployment { commit: Some("abcdef0".into()), ..rollout }, later]);
        let mut other = all;
        other.reverse();
        assert_eq!(distinct(other), kept);
    }

    #[test]
    fn an_image_has_its_tag_as_version() {
        for (image, want) in [
            ("game:2.1", Some("2.1")),
            ("registry:5000/a/game:2.1@sha256:00", Some("2.1")),
            ("registry:5000/game", None),
            ("game@sha256:00", None),
        ] {
            assert_eq!(tag_of(image), want, "{image}");
        }
        assert!(Deployment { commit: Some("abcdef012".into()), ..deployment("1", 0) }.is_named("abcdef0"));
        assert!(!Deployment { commit: Some("abcdef012".into()), ..deployment("1", 0) }.is_named("abc"));
    }
}
