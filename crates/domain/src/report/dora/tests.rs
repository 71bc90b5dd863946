//! What the metrics come to, and what changes none of them.

use proptest::prelude::*;

use super::*;
use crate::report::deployment::distinct;
use crate::report::deployment::tests::{at, deployment};

const DAY: TimeDelta = TimeDelta::hours(24);

fn period() -> Period {
    Period { since: at(0), until: at(7 * 24 * 60) }
}

fn facts(deployments: Vec<Deployment>) -> Facts {
    Facts { service: "game".into(), deployments, ..Facts::default() }
}

#[test]
fn nothing_is_no_grade() {
    let none = dora(&facts(Vec::new()), &period(), DAY, true);
    let why = Some("no deployment of game is known in 7 days".to_owned());
    assert_eq!((none.change_fail_rate.share, none.change_fail_rate.reason), (None, why.clone()));
    assert_eq!((none.lead_time.spread.median_s, none.lead_time.reason), (None, why.clone()));
    assert_eq!((none.deployment_frequency.per_day, none.deployment_frequency.reason), (None, why.clone()));
    assert_eq!((none.deployment_rework_rate.share, none.deployment_rework_rate.reason), (None, why.clone()));
    assert_eq!(none.failed_deployment_recovery_time.reason, why);
    // Where incidents cannot be read, that none failed is not known.
    let blind = Facts { no_incidents: Some("unreadable".into()), ..facts(vec![deployment("a", 1)]) };
    let blind = dora(&blind, &period(), DAY, true);
    assert_eq!((blind.change_fail_rate.share, blind.change_fail_rate.n), (None, 1));
    assert_eq!(blind.change_fail_rate.reason.as_deref(), Some("unreadable"));
}

#[test]
fn the_period_is_half_open_and_a_version_is_deployed_once() {
    let edge = 7 * 24 * 60;
    let all = vec![deployment("a", -1), deployment("b", 0), deployment("b", 50), deployment("c", edge)];
    let all = all.into_iter().enumerate().map(|(n, one)| Deployment { id: n.to_string(), ..one }).collect();
    let found = dora(&facts(all), &period(), DAY, true);
    assert_eq!((found.deployment_frequency.n, found.redeployed), (1, 1));
    assert_eq!(found.weeks.iter().map(|week| week.deployments).sum::<usize>(), 1);
}

#[test]
fn lead_times_are_of_commits_and_a_wrong_clock_is_counted() {
    let commit = |hash: &str, subject: &str, minutes: i64| Commit {
        hash: hash.into(),
        subject: subject.into(),
        committed: at(minutes).timestamp(),
        parents: Vec::new(),
    };
    let mut known = facts(vec![deployment("a", 0), deployment("b", 60), deployment("c", 120)]);
    known.commits = BTreeMap::from([(
        "b".to_owned(),
        vec![commit("1", "x", 0), commit("2", "Revert \"x\"", 30), commit("3", "y", 61)],
    )]);
    let lead = dora(&known, &period(), DAY, true).lead_time;
    assert_eq!(lead.spread, Spread { n: 2, median_s: Some(45 * 60), p90_s: Some(3600) });
    assert_eq!((lead.negative, lead.reverts, lead.deployments_without_commits), (1, Some(1), 2));
    let items = lead.items.expect("explained");
    assert_eq!(items.iter().map(|one| one.reverted).collect::<Vec<_>>(), [true, false]);
}

fn some_facts() -> impl Strategy<Value = (Vec<Deployment>, Vec<IncidentFact>)> {
    let deployment = (0..14 * 24 * 60_i64, 0..3_u8, 0..3_u8, 0..9_u8).prop_map(|(minutes, kind, outcome, version)| {
        let outcomes = [DeploymentOutcome::Succeeded, DeploymentOutcome::RolledBack, DeploymentOutcome::Aborted];
        let kinds = [DeploymentKind::Planned, DeploymentKind::Hotfix, DeploymentKind::Rollback];
        Deployment {
            id: format!("{minutes}-{kind}-{outcome}-{version}"),
            version: Some(version.to_string()),
            kind: kinds[usize::from(kind)],
            outcome: outcomes[usize::from(outcome)],
            ..deployment("x", minutes - 3 * 24 * 60)
        }
    });
    let incident =
        (0..14 * 24 * 60_i64, 0..600_i64, proptest::option::of(0..9_u8)).prop_map(|(from, length, cause)| {
            IncidentFact {
                id: format!("i{from}"),
                service: Some("game".into()),
                started: at(from - 3 * 24 * 60),
                mitigated: Some(at(from - 3 * 24 * 60 + length)),
                cause: cause.map(|version| version.to_string()),
            }
        });
    (proptest::collection::vec(deployment, 0..40), proptest::collection::vec(incident, 0..20))
}

fn told(deployments: Vec<Deployment>, mut incidents: Vec<IncidentFact>, period: &Period) -> serde_json::Value {
    incidents.sort();
    incidents.dedup();
    let facts = Facts { incidents, ..facts(distinct(deployments)) };
    serde_json::to_value(dora(&facts, period, DAY, true)).expect("a value")
}

proptest! {
    #[test]
    fn duplicates_and_order_change_nothing_and_shares_stay_below_one(
        (deployments, incidents) in some_facts(), turn in 0..40_usize,
    ) {
        let once = told(deployments.clone(), incidents.clone(), &period());
        let mut twice: Vec<Deployment> = deployments.iter().rev().chain(&deployments).cloned().collect();
        let by = turn % twice.len().max(1);
        twice.rotate_left(by);
        let other: Vec<IncidentFact> = incidents.iter().rev().chain(&incidents).cloned().collect();
        prop_assert_eq!(&told(twice, other, &period()), &once);
        for key in ["change_fail_rate", "deployment_rework_rate"] {
            let share = &once[key];
            if let Some(value) = share["share_with_inferred"].as_f64() {
                prop_assert!((0.0..=1.0).contains(&value));
                prop_assert!(share["share"].as_f64().expect("known, too") <= value);
            } else {
                prop_assert!(share["reason"].is_string());
            }
            let items = share["items"].as_array().expect("a list").len();
            let counted = share["known"].as_u64().unwrap_or(9) + share["inferred"].as_u64().unwrap_or(9);
            prop_assert_eq!(items as u64, counted);
        }
        let recovery = &once["failed_deployment_recovery_time"];
        let items = recovery["items"].as_array().expect("a list").len() as u64;
        prop_assert_eq!(items, recovery["open"].as_u64().unwrap() + recovery["with_inferred"]["n"].as_u64().unwrap());
    }

    #[test]
    fn a_shift_of_everything_changes_no_number((deployments, incidents) in some_facts(), minutes in 0..1_000_000_i64) {
        let by = TimeDelta::minutes(minutes);
        let later = deployments.iter().map(|one| Deployment {
            started: one.started + by, finished: one.finished + by, ..one.clone()
        });
        let later_incidents = incidents.iter().map(|one| IncidentFact {
            started: one.started + by, mitigated: one.mitigated.map(|at| at + by), ..one.clone()
        });
        let shifted = Period { since: period().since + by, until: period().until + by };
        let numbers = |mut told: serde_json::Value| {
            for key in ["deployment_frequency", "change_fail_rate", "deployment_rework_rate", "failed_deployment_recovery_time"] {
                told[key]["items"] = serde_json::Value::Null;
            }
            told["weeks"] = serde_json::Value::Null;
                told["deployment_frequency"]["first_known"] = serde_json::Value::Null;
            told
        };
        let moved = told(later.collect(), later_incidents.collect(), &shifted);
        prop_assert_eq!(numbers(moved), numbers(told(deployments, incidents, &period())));
    }
}
