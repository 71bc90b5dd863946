//! The five metrics of software delivery as DORA defines them (dora.dev/guides/dora-metrics, 2026-01-05), of one service.
//! Each with the number that it rests on and the list behind it; a number that nothing is known of is null, with a reason.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::report::Period;
use crate::report::commits::Commit;
use crate::report::deployment::{Deployment, DeploymentKind, DeploymentOutcome};
use crate::report::failures::{Evidence, IncidentFact, failures};
use crate::report::statistics::{Spread, median};
use crate::text::count::count;

/// What is known of one service.
#[derive(Debug, Default)]
pub struct Facts {
    pub service: String,
    /// In the order of time, each once; also those before the period, which tell what the first one changed.
    pub deployments: Vec<Deployment>,
    pub incidents: Vec<IncidentFact>,
    /// What each deployment was the first to bring to production, by its id.
    pub commits: BTreeMap<String, Vec<Commit>>,
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
    /// Only where the list was asked for: git need not open the commits without it.
    pub reverts: Option<usize>,
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
    /// The first deployment that is known at all, where it lies within the period: what was before may be unknown.
    pub first_known: Option<DateTime<Utc>>,
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
    let days = count(usize::try_from((period.until - period.since).num_days()).unwrap_or(0), "day");
    let nothing = all.is_empty().then(|| {
        let none = format!("no deployment of {} is known in {days}", facts.service);
        facts.no_deployments.as_ref().map_or(none.clone(), |why| format!("{none}; {why}"))
    });
    let (lead_time, lead_times) = lead_time(facts, &all, nothing.clone(), explain);
    ServiceDora {
        service: facts.service.clone(),
        lead_time,
        lead_times,
        deployment_frequency: frequency(&all, facts, period, nothing.clone(), explain),
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
        for commit in commits {
            let taken = one.finished.timestamp() - commit.committed;
            if let Some(back) = commit.reverts() {
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
                    commit: commit.hash.clone(),
                    subject: commit.subject.clone(),
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
    (
        LeadTime {
            spread,
            reason,
            deployments_without_commits: without,
            negative,
            reverts: explain.then_some(reverts),
            items,
        },
        medians,
    )
}

fn frequency(all: &[&Deployment], facts: &Facts, period: &Period, nothing: Option<String>, explain: bool) -> Frequency {
    let good: Vec<&Deployment> =
        all.iter().copied().filter(|one| one.outcome == DeploymentOutcome::Succeeded).collect();
    let mut gaps: Vec<i64> = good.windows(2).map(|two| (two[1].finished - two[0].finished).num_seconds()).collect();
    gaps.sort_unstable();
    let none = || format!("none of {} succeeded", all.len());
    Frequency {
        n: good.len(),
        per_day: (!good.is_empty()).then(|| good.len() as f64 / period.days()),
        median_gap_s: median(&gaps),
        first_known: facts.deployments.first().map(|one| one.finished).filter(|at| *at > period.since),
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
mod tests;
