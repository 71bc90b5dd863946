//! The five metrics of software delivery as DORA defines them (dora.dev/guides/dora-metrics, 2026-01-05), of one service.
//! Each with the number that it rests on and the list behind it; a number that nothing is known of is null, with a reason.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::report::Period;
use crate::report::deployment::{Deployment, DeploymentKind, DeploymentOutcome};
use crate::report::failures::{Evidence, IncidentFact, failures};
use crate::report::statistics::{Spread, median};

/// What a deployment brought: each commit's hash, subject, and seconds since 1970.
pub type Brought = Vec<(String, String, i64)>;

/// What is known of one service.
#[derive(Debug, Default)]
pub struct Facts {
    pub service: String,
    /// In the order of time, each once; also those before the period, which tell what the first one changed.
    pub deployments: Vec<Deployment>,
    pub incidents: Vec<IncidentFact>,
    /// What each deployment was the first to bring to production, by its id.
    pub commits: BTreeMap<String, Brought>,
    /// Why there is no commit, where nobody could be asked.
    pub no_commits: Option<String>,
    /// Why deployments may be missing.
    pub no_deployments: Option<String>,
    /// Why incidents may be missing: then that nothing failed is not known.
    pub no_incidents: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LeadTime {
    #[serde(flatten)]
    pub spread: Spread,
    pub reason: Option<String>,
    /// Deployments whose commits are not known.
    pub deployments_without_commits: usize,
    /// Commits that are younger than their deployment's end by a clock that is wrong: left out.
    pub negative: usize,
    pub reverts: usize,
    pub items: Option<Vec<LeadItem>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LeadItem {
    pub commit: String,
    pub subject: String,
    pub deployment: String,
    pub deployed: DateTime<Utc>,
    pub seconds: i64,
    /// Another commit of the period took it back.
    pub reverted: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Frequency {
    pub n: usize,
    pub per_day: Option<f64>,
    pub median_gap_s: Option<i64>,
    pub reason: Option<String>,
    pub items: Option<Vec<Deployment>>,
}

/// A share of all deployments of the period.
#[derive(Debug, Clone, Serialize)]
pub struct Share {
    /// All of them.
    pub n: usize,
    pub known: usize,
    pub inferred: usize,
    pub share: Option<f64>,
    pub share_with_inferred: Option<f64>,
    pub reason: Option<String>,
    pub items: Option<Vec<ShareItem>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ShareItem {
    pub deployment: String,
    pub version: Option<String>,
    pub finished: DateTime<Utc>,
    pub inferred: bool,
    pub because: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Recovery {
    #[serde(flatten)]
    pub spread: Spread,
    pub with_inferred: Spread,
    /// Failed, and nothing says that it was well again.
    pub open: usize,
    pub reason: Option<String>,
    pub items: Option<Vec<RecoveryItem>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RecoveryItem {
    pub deployment: String,
    pub failed: DateTime<Utc>,
    pub recovered: Option<DateTime<Utc>>,
    pub seconds: Option<i64>,
    pub inferred: bool,
}

/// One service's five metrics.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceDora {
    pub service: String,
    pub lead_time: LeadTime,
    pub deployment_frequency: Frequency,
    pub failed_deployment_recovery_time: Recovery,
    pub change_fail_rate: Share,
    pub deployment_rework_rate: Share,
    /// Never had production's traffic: neither deployments nor failures.
    pub aborted: usize,
    /// The same version again: no deployment.
    pub redeployed: usize,
    /// By weeks that begin on the period's weekday: deployments, and failed ones of them.
    pub weeks: Vec<Week>,
    /// The median lead time of each deployment that has one, in the order of time.
    pub lead_times: Vec<(DateTime<Utc>, i64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Week {
    pub from: DateTime<Utc>,
    pub deployments: usize,
    pub failed: usize,
}

/// The metrics of a service. `within`: see [`failures`]; `explain`: with the lists.
pub fn dora(facts: &Facts, period: &Period, within: TimeDelta, explain: bool) -> ServiceDora {
    let (counted, redeployed) = without_redeployments(&facts.deployments);
    let of_period = |one: &&Deployment| period.contains(one.finished);
    let is_aborted = |one: &&&Deployment| one.outcome == DeploymentOutcome::Aborted && of_period(one);
    let aborted = counted.iter().filter(is_aborted).count();
    let counted: Vec<&Deployment> =
        counted.into_iter().filter(|one| one.outcome != DeploymentOutcome::Aborted).collect();
    let failed = failures(&counted, &facts.incidents, within);
    let failed: Vec<(&Deployment, &Vec<Evidence>)> =
        failed.iter().map(|(place, evidence)| (counted[*place], evidence)).filter(|(one, _)| of_period(one)).collect();
    let all: Vec<&Deployment> = counted.iter().copied().filter(of_period).collect();
    let days = period.days().round();
    let nothing = all.is_empty().then(|| {
        let none = format!("no deployment of {} is known in {days} days", facts.service);
        facts.no_deployments.as_ref().map_or(none.clone(), |why| format!("{none}; {why}"))
    });
    let (lead_time, lead_times) = lead_time(facts, &all, nothing.clone(), explain);
    ServiceDora {
        service: facts.service.clone(),
        lead_time,
        lead_times,
        deployment_frequency: frequency(&all, period, nothing.clone(), explain),
        failed_deployment_recovery_time: recovery(&failed, facts, nothing.clone(), explain),
        change_fail_rate: fail_rate(&all, &failed, facts, nothing.clone(), explain),
        deployment_rework_rate: rework(&all, facts, nothing, explain),
        aborted,
        redeployed: redeployed.iter().filter(|one| of_period(one)).count(),
        weeks: weeks(&all, &failed, period),
    }
}

/// What was deployed, and what was the version that ran already.
fn without_redeployments(all: &[Deployment]) -> (Vec<&Deployment>, Vec<&Deployment>) {
    let mut running: Option<&str> = None;
    all.iter().partition(|one| {
        let version = one.version.as_deref();
        let again = one.kind == DeploymentKind::Planned
            && one.outcome == DeploymentOutcome::Succeeded
            && version.is_some()
            && version == running;
        if one.outcome == DeploymentOutcome::Succeeded {
            running = version;
        }
        !again
    })
}

fn lead_time(
    facts: &Facts,
    all: &[&Deployment],
    nothing: Option<String>,
    explain: bool,
) -> (LeadTime, Vec<(DateTime<Utc>, i64)>) {
    let mut items = Vec::new();
    let mut seconds = Vec::new();
    let mut medians = Vec::new();
    let (mut without, mut negative, mut reverts) = (0, 0, 0);
    let mut reverted: Vec<&str> = Vec::new();
    for one in all.iter().filter(|one| one.outcome == DeploymentOutcome::Succeeded) {
        let Some(commits) = facts.commits.get(&one.id) else {
            without += usize::from(one.kind != DeploymentKind::Rollback);
            continue;
        };
        let mut own = Vec::new();
        for (hash, subject, committed) in commits {
            let taken = one.finished.timestamp() - committed;
            if let Some(back) = subject.strip_prefix("Revert \"").and_then(|rest| rest.strip_suffix('"')) {
                reverts += 1;
                reverted.push(back);
            }
            if taken < 0 {
                negative += 1;
                continue;
            }
            own.push(taken);
            if explain {
                items.push(LeadItem {
                    commit: hash.clone(),
                    subject: subject.clone(),
                    deployment: one.id.clone(),
                    deployed: one.finished,
                    seconds: taken,
                    reverted: false,
                });
            }
        }
        seconds.extend_from_slice(&own);
        own.sort_unstable();
        medians.extend(median(&own).map(|middle| (one.finished, middle)));
    }
    for item in &mut items {
        item.reverted = reverted.contains(&item.subject.as_str());
    }
    let spread = Spread::of(seconds);
    let unknown = || match &facts.no_commits {
        Some(why) => why.clone(),
        None if without > 0 => "no deployment has a commit that git knows and one before it to compare with".into(),
        None => "no deployment brought a commit".to_owned(),
    };
    let reason = nothing.or_else(|| (spread.n == 0).then(unknown));
    let items = explain.then_some(items);
    (LeadTime { spread, reason, deployments_without_commits: without, negative, reverts, items }, medians)
}

fn frequency(all: &[&Deployment], period: &Period, nothing: Option<String>, explain: bool) -> Frequency {
    let good: Vec<&Deployment> =
        all.iter().copied().filter(|one| one.outcome == DeploymentOutcome::Succeeded).collect();
    let mut gaps: Vec<i64> = good.windows(2).map(|two| (two[1].finished - two[0].finished).num_seconds()).collect();
    gaps.sort_unstable();
    let none = || format!("none of {} succeeded", all.len());
    Frequency {
        n: good.len(),
        per_day: (!good.is_empty()).then(|| good.len() as f64 / period.days()),
        median_gap_s: median(&gaps),
        reason: nothing.or_else(|| good.is_empty().then(none)),
        items: explain.then(|| good.into_iter().cloned().collect()),
    }
}

fn is_known(evidence: &[Evidence]) -> bool {
    evidence.iter().any(|one| !one.inferred)
}

fn share(n: usize, items: Vec<ShareItem>, unsure: Option<&String>, nothing: Option<String>, explain: bool) -> Share {
    let known = items.iter().filter(|one| !one.inferred).count();
    let inferred = items.len() - known;
    // That there is nothing bad is not known where those who know of it were not heard.
    let reason = nothing.or_else(|| unsure.filter(|_| items.is_empty()).cloned());
    let of = |part: usize| reason.is_none().then(|| part as f64 / n as f64);
    Share {
        n,
        known,
        inferred,
        share: of(known),
        share_with_inferred: of(known + inferred),
        items: explain.then_some(items),
        reason,
    }
}

fn fail_rate(
    all: &[&Deployment],
    failed: &[(&Deployment, &Vec<Evidence>)],
    facts: &Facts,
    nothing: Option<String>,
    explain: bool,
) -> Share {
    let item = |(one, evidence): &(&Deployment, &Vec<Evidence>)| ShareItem {
        deployment: one.id.clone(),
        version: one.version.clone(),
        finished: one.finished,
        inferred: !is_known(evidence),
        because: evidence.iter().map(|one| format!("{} {}", one.why.word(), one.by)).collect(),
    };
    share(all.len(), failed.iter().map(item).collect(), facts.no_incidents.as_ref(), nothing, explain)
}

fn rework(all: &[&Deployment], facts: &Facts, nothing: Option<String>, explain: bool) -> Share {
    let item = |one: &&Deployment| {
        let open = facts.incidents.iter().filter(|incident| {
            incident.service.as_ref() == Some(&one.service)
                && incident.started <= one.started
                && incident.mitigated.is_none_or(|end| one.started < end)
        });
        let mut because: Vec<String> = match one.kind {
            DeploymentKind::Planned => Vec::new(),
            DeploymentKind::Hotfix => vec!["hotfix".into()],
            DeploymentKind::Rollback => vec!["rollback".into()],
        };
        because.extend(one.incident.iter().map(|id| format!("incident {id}")));
        let inferred = because.is_empty();
        if inferred {
            because.extend(open.map(|incident| format!("during incident {}", incident.id)));
        }
        (!because.is_empty()).then(|| ShareItem {
            deployment: one.id.clone(),
            version: one.version.clone(),
            finished: one.finished,
            inferred,
            because,
        })
    };
    share(all.len(), all.iter().filter_map(item).collect(), facts.no_incidents.as_ref(), nothing, explain)
}

fn recovery(
    failed: &[(&Deployment, &Vec<Evidence>)],
    facts: &Facts,
    nothing: Option<String>,
    explain: bool,
) -> Recovery {
    let item = |(one, evidence): &(&Deployment, &Vec<Evidence>)| {
        let inferred = !is_known(evidence);
        // What is known counts alone, where anything is.
        let counted = evidence.iter().filter(|one| inferred || !one.inferred);
        let recovered = counted.filter_map(|evidence| evidence.recovered).filter(|at| *at >= one.finished).min();
        RecoveryItem {
            deployment: one.id.clone(),
            failed: one.finished,
            recovered,
            seconds: recovered.map(|at| (at - one.finished).num_seconds()),
            inferred,
        }
    };
    let items: Vec<RecoveryItem> = failed.iter().map(item).collect();
    let lengths = |with: bool| {
        let counted = items.iter().filter(|one| with || !one.inferred);
        Spread::of(counted.filter_map(|one| one.seconds).collect())
    };
    let (spread, with_inferred) = (lengths(false), lengths(true));
    let why = || match (&facts.no_incidents, items.is_empty(), with_inferred.n) {
        (Some(why), true, _) => why.clone(),
        (_, true, _) => "no deployment is known to have failed".into(),
        (_, _, 0) => "nothing says when a failed deployment was well again".into(),
        _ => "failures are inferred only".to_owned(),
    };
    Recovery {
        reason: nothing.or_else(|| (spread.n == 0).then(why)),
        open: items.iter().filter(|one| one.seconds.is_none()).count(),
        spread,
        with_inferred,
        items: explain.then_some(items),
    }
}

fn weeks(all: &[&Deployment], failed: &[(&Deployment, &Vec<Evidence>)], period: &Period) -> Vec<Week> {
    let mut weeks = Vec::new();
    let mut from = period.since;
    while from < period.until {
        let to = from + TimeDelta::weeks(1);
        let within = |one: &Deployment| from <= one.finished && one.finished < to;
        weeks.push(Week {
            from,
            deployments: all.iter().filter(|one| within(one)).count(),
            failed: failed.iter().filter(|(one, evidence)| within(one) && is_known(evidence)).count(),
        });
        from = to;
    }
    weeks
}

#[cfg(test)]
mod tests {
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
        let committed = |minutes: i64| at(minutes).timestamp();
        let mut known = facts(vec![deployment("a", 0), deployment("b", 60), deployment("c", 120)]);
        known.commits = BTreeMap::from([(
            "b".to_owned(),
            vec![
                ("1".into(), "x".into(), committed(0)),
                ("2".into(), "Revert \"x\"".into(), committed(30)),
                ("3".into(), "y".into(), committed(61)),
            ],
        )]);
        let lead = dora(&known, &period(), DAY, true).lead_time;
        assert_eq!(lead.spread, Spread { n: 2, median_s: Some(45 * 60), p90_s: Some(3600) });
        assert_eq!((lead.negative, lead.reverts, lead.deployments_without_commits), (1, 1, 2));
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
        let incident = (0..14 * 24 * 60_i64, 0..600_i64, proptest::option::of(0..9_u8)).prop_map(|(from, length, cause)| {
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
                told
            };
            let moved = told(later.collect(), later_incidents.collect(), &shifted);
            prop_assert_eq!(numbers(moved), numbers(told(deployments, incidents, &period())));
        }
    }
}
