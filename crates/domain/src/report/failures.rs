//! Which deployments failed, by what it is known, and when what they broke was well again.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::report::deployment::{Deployment, DeploymentKind, DeploymentOutcome};

/// An incident, as far as deployments are judged by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IncidentFact {
    pub id: String,
    pub service: Option<String>,
    /// Users began to feel it.
    pub started: DateTime<Utc>,
    /// Users were well again.
    pub mitigated: Option<DateTime<Utc>>,
    /// What made it, in a word of the team, or the name of a deployment.
    pub cause: Option<String>,
}

/// Why a deployment counts as failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// Nobody said so: it was the last deployment before an incident, or before a hotfix.
    pub inferred: bool,
    pub why: EvidenceKind,
    /// The rollout, the deployment or the incident that shows it.
    pub by: String,
    pub recovered: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The rollout itself was rolled back, while it had traffic.
    RolledBack,
    /// A later deployment took it back.
    Rollback,
    /// A hotfix followed.
    Hotfix,
    Incident,
}

impl EvidenceKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled back",
            Self::Rollback => "rolled back by",
            Self::Hotfix => "hotfix",
            Self::Incident => "incident",
        }
    }
}

/// The evidence against each deployment of one service, by its place; `deployments` are in the order of time, and `within`
/// is how long after a deployment an incident is put down to it where nobody says what made it.
pub fn failures(
    deployments: &[&Deployment],
    incidents: &[IncidentFact],
    within: TimeDelta,
) -> BTreeMap<usize, Vec<Evidence>> {
    let mut found: BTreeMap<usize, Vec<Evidence>> = BTreeMap::new();
    let mut note = |place: Option<usize>, evidence: Evidence| {
        if let Some(place) = place {
            found.entry(place).or_default().push(evidence);
        }
    };
    // The last that was in production before then.
    let last_before = |at: DateTime<Utc>, end: usize| {
        let end = deployments[..end].partition_point(|one| one.finished <= at);
        let kept = |place: &usize| {
            deployments[*place].kind != DeploymentKind::Rollback
                && deployments[*place].outcome == DeploymentOutcome::Succeeded
        };
        (0..end).rev().find(kept)
    };
    for (place, one) in deployments.iter().enumerate() {
        let evidence = |inferred, why, recovered| Evidence { inferred, why, by: one.id.clone(), recovered };
        if one.outcome == DeploymentOutcome::RolledBack {
            note(Some(place), evidence(false, EvidenceKind::RolledBack, one.recovered));
        }
        match one.kind {
            DeploymentKind::Planned => {}
            DeploymentKind::Rollback => {
                note(last_before(one.started, place), evidence(false, EvidenceKind::Rollback, Some(one.finished)));
            }
            // A hotfix that answers an incident is judged with the incident.
            DeploymentKind::Hotfix if one.incident.is_none() => {
                let before = last_before(one.started, place);
                let near = before.filter(|before| one.started - deployments[*before].finished <= within);
                note(near, evidence(true, EvidenceKind::Hotfix, Some(one.finished)));
            }
            DeploymentKind::Hotfix => {}
        }
    }
    for incident in incidents {
        let fixed = deployments.iter().filter(|one| one.incident.as_ref() == Some(&incident.id));
        let fixed = fixed.map(|one| one.finished).filter(|at| *at >= incident.started).min();
        let recovered = incident.mitigated.into_iter().chain(fixed).min();
        let evidence =
            |inferred| Evidence { inferred, why: EvidenceKind::Incident, by: incident.id.clone(), recovered };
        match &incident.cause {
            // The latest of that name which was there by then.
            Some(cause) => {
                let named = deployments.iter().rposition(|one| one.is_named(cause) && one.started <= incident.started);
                note(named, evidence(false));
            }
            None if incident.service.is_some() => {
                let before = last_before(incident.started, deployments.len());
                let near = before.filter(|before| incident.started - deployments[*before].finished <= within);
                note(near, evidence(true));
            }
            None => {}
        }
    }
    found.values_mut().for_each(|all| all.sort());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::deployment::tests::{at, deployment};

    fn incident(id: &str, minutes: i64, cause: Option<&str>) -> IncidentFact {
        IncidentFact {
            id: id.into(),
            service: Some("game".into()),
            started: at(minutes),
            mitigated: Some(at(minutes + 20)),
            cause: cause.map(ToOwned::to_owned),
        }
    }

    /// The incidents and deployments of a test of Apache DevLake (`backend/plugins/dora/e2e`, v1.0), and what it puts
    /// down to which pipeline: always the last success in production, however long ago.
    #[test]
    fn by_devlakes_definition_its_snapshot_and_by_ours_what_is_near() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let pipelines = [
            ("pipeline1", "2022-09-11T22:51:47Z"),
            ("pipeline2", "2022-09-14T22:51:47Z"),
            ("pipeline4", "2022-09-16T22:51:47Z"),
            ("pipeline6", "2022-09-20T22:51:47Z"),
            ("pipeline7", "2022-09-23T22:51:47Z"),
        ];
        let deployments = pipelines.map(|(id, finished)| Deployment {
            started: time(finished),
            finished: time(finished),
            ..deployment(id, 0)
        });
        let incidents = [
            ("1367714738", "2022-11-13T23:37:21Z", "pipeline7"),
            ("1370816458", "2022-11-13T01:07:21Z", "pipeline7"),
            ("1371320153", "2022-11-02T08:21:09Z", "pipeline7"),
            ("1372381019", "2022-11-28T01:46:47Z", "pipeline7"),
            ("1372644519", "2022-11-16T21:34:01Z", "pipeline7"),
            ("1373792477", "2022-09-15T01:56:06Z", "pipeline2"),
        ];
        let facts = incidents.map(|(id, started, _)| IncidentFact {
            started: time(started),
            mitigated: None,
            ..incident(id, 0, None)
        });
        let all: Vec<&Deployment> = deployments.iter().collect();
        let linked = |within| -> Vec<(String, String)> {
            let found = failures(&all, &facts, within);
            let pairs = found.iter().flat_map(|(place, evidence)| {
                evidence.iter().map(|one| (one.by.clone(), deployments[*place].id.clone()))
            });
            let mut pairs: Vec<_> = pairs.collect();
            pairs.sort();
            pairs
        };
        let snapshot = incidents.map(|(id, _, pipeline)| (id.to_owned(), pipeline.to_owned()));
        assert_eq!(linked(TimeDelta::MAX), snapshot);
        // Six incidents of five deployments are 120 % there; two failed deployments are 40 % here.
        assert_eq!(failures(&all, &facts, TimeDelta::MAX).len(), 2);
        // Within a day, one incident is near a deployment; the others are weeks away from any.
        assert_eq!(linked(TimeDelta::hours(24)), [("1373792477".to_owned(), "pipeline2".to_owned())]);
    }

    fn told(deployments: &[Deployment], incidents: &[IncidentFact]) -> Vec<String> {
        let refs: Vec<&Deployment> = deployments.iter().collect();
        let found = failures(&refs, incidents, TimeDelta::hours(24));
        let line = |(place, all): (&usize, &Vec<Evidence>)| {
            let all: Vec<String> = all
                .iter()
                .map(|one| format!("{}{} {}", if one.inferred { "~" } else { "" }, one.why.word(), one.by))
                .collect();
            format!("{}: {}", deployments[*place].id, all.join(", "))
        };
        found.iter().map(line).collect()
    }

    #[test]
    fn a_deployment_failed_by_what_is_known_and_apart_from_it_by_what_is_guessed() {
        let (a, b) = (deployment("a", 0), deployment("b", 60));
        let back = Deployment { kind: DeploymentKind::Rollback, ..deployment("a-again", 90) };
        let fix = Deployment { kind: DeploymentKind::Hotfix, ..deployment("c", 90) };
        let gone = Deployment { outcome: DeploymentOutcome::RolledBack, ..deployment("b", 60) };
        let both = [a.clone(), b.clone()];
        for (deployments, incidents, want) in [
            (vec![a.clone(), b.clone(), back], vec![], vec!["b: rolled back by a-again"]),
            (vec![a.clone(), b.clone(), fix.clone()], vec![], vec!["b: ~hotfix c"]),
            (vec![a.clone(), gone], vec![], vec!["b: rolled back b"]),
            (both.to_vec(), vec![incident("i", 70, None)], vec!["b: ~incident i"]),
            (both.to_vec(), vec![incident("i", 70, Some("a"))], vec!["a: incident i"]),
            // Said to be something else: no deployment is blamed.
            (both.to_vec(), vec![incident("i", 70, Some("capacity"))], vec![]),
            // Too long after.
            (both.to_vec(), vec![incident("i", 60 + 24 * 60 + 1, None)], vec![]),
            // Before any.
            (both.to_vec(), vec![incident("i", -1, None)], vec![]),
            // Three incidents of one deployment are one failure.
            (
                both.to_vec(),
                vec![incident("i", 70, None), incident("j", 71, None), incident("k", 72, Some("b"))],
                vec!["b: incident k, ~incident i, ~incident j"],
            ),
        ] {
            assert_eq!(told(&deployments, &incidents), want);
        }
        // The fix of an incident ends it, where that is earlier than what people wrote.
        let fix = Deployment { incident: Some("i".into()), ..fix };
        let all = [&a, &b, &fix];
        let found = failures(&all, &[incident("i", 75, Some("b"))], TimeDelta::hours(24));
        assert_eq!(found[&1][0].recovered, Some(at(90)));
    }
}
