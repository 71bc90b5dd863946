//! Every deployment that is known here: of liveops' own rollouts, of the journal of `changes record`, of ReplicaSets.

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::changes::record::{Entry, RECORDED, Recorded, journal};
use crate::changes::remote::{PodRevision, pod_revisions};
use crate::check::input::shown;
use crate::rollout::history::all_past;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::report::deployment::{
    Deployment, DeploymentKind, DeploymentOutcome, DeploymentSource, distinct, tag_of,
};
use liveops_domain::rollout::state::{Phase, Rollout};
use liveops_domain::status::source::Source;

/// What is known, by service and in the order of time.
pub struct Deployments {
    pub all: Vec<Deployment>,
    pub sources: Vec<Source>,
    pub warnings: Vec<String>,
}

impl Deployments {
    /// Those of each service.
    pub fn by_service(&self) -> BTreeMap<&str, Vec<Deployment>> {
        let mut by_service: BTreeMap<&str, Vec<Deployment>> = BTreeMap::new();
        for one in &self.all {
            by_service.entry(&one.service).or_default().push(one.clone());
        }
        by_service
    }
}

/// Asks everybody.
///
/// # Errors
/// Those of the configuration.
pub async fn gather(cx: &Session) -> Result<Deployments> {
    cx.environment()?;
    let mut warnings = Vec::new();
    let mut all = Vec::new();
    let mut sources = Vec::new();
    let mut take = |name: &str, began: Instant, answer: Result<Vec<Deployment>>| {
        sources.push(Source::asked(name, began.elapsed(), answer.as_ref()));
        all.extend(answer.unwrap_or_default());
    };
    let began = Instant::now();
    take("rollouts", began, rollouts(cx, &mut warnings));
    let began = Instant::now();
    take("deployments", began, recorded(cx, &mut warnings));
    let began = Instant::now();
    take("kubernetes", began, replica_sets(cx).await);
    Ok(Deployments { all: distinct(all), sources, warnings })
}

fn rollouts(cx: &Session, warnings: &mut Vec<String>) -> Result<Vec<Deployment>> {
    let (past, faults) = all_past(cx)?;
    warnings.extend(faults.iter().map(|error| format!("a past rollout cannot be read: {error}")));
    // A rollout over several regions is one deployment: it is over when its last region is, and failed where one failed.
    let mut fleets: BTreeMap<String, Deployment> = BTreeMap::new();
    for one in past.iter().filter_map(of_rollout) {
        let (id, one) = one;
        fleets
            .entry(id)
            .and_modify(|whole| {
                whole.started = whole.started.min(one.started);
                whole.finished = whole.finished.max(one.finished);
                whole.recovered = whole.recovered.max(one.recovered);
                if one.outcome == DeploymentOutcome::RolledBack || whole.outcome == DeploymentOutcome::Aborted {
                    whole.outcome = one.outcome;
                }
            })
            .or_insert(one);
    }
    Ok(fleets.into_values().collect())
}

/// A rollout that is over, by its id, or that of the one that it is a part of.
fn of_rollout(rollout: &Rollout) -> Option<(String, Deployment)> {
    let first = |is: &dyn Fn(Phase) -> bool| rollout.transitions.iter().find(|one| is(one.phase)).map(|one| one.at);
    let served = rollout.transitions.iter().find(|one| !one.phase.is_back() && one.weight > rollout.originals.weight);
    let promoted = first(&|phase| matches!(phase, Phase::Window | Phase::Finishing | Phase::Succeeded));
    let (outcome, finished, recovered) = match rollout.phase {
        Phase::Succeeded => (DeploymentOutcome::Succeeded, promoted.unwrap_or(rollout.since), None),
        Phase::RolledBack => match promoted.or(served.map(|one| one.at)) {
            Some(at) => (DeploymentOutcome::RolledBack, at, Some(rollout.since)),
            // The first transitions are not kept for ever; what wrote to the world may have had traffic.
            None if rollout.forgotten > 0 => (DeploymentOutcome::RolledBack, rollout.started_at, Some(rollout.since)),
            None => (DeploymentOutcome::Aborted, rollout.since, None),
        },
        _ => return None,
    };
    let id = rollout.fleet.as_ref().map_or(&rollout.id, |fleet| &fleet.id).clone();
    let deployment = Deployment {
        service: rollout.service.clone(),
        finished,
        source: DeploymentSource::Rollout,
        id: id.clone(),
        started: rollout.started_at,
        kind: DeploymentKind::Planned,
        outcome,
        version: Some(tag_of(&rollout.plan.image).unwrap_or(&rollout.plan.image).to_owned()),
        commit: None,
        incident: None,
        recovered,
    };
    Some((id, deployment))
}

fn recorded(cx: &Session, warnings: &mut Vec<String>) -> Result<Vec<Deployment>> {
    let environment = cx.environment()?;
    let journal = journal(cx)?;
    if !journal.path().exists() {
        return Err(Error::Unconfigured {
            what: "journal of deployments",
            environment: environment.to_owned(),
            hint: "let CI run `liveops changes record --kind deploy --service NAME --version VERSION`".into(),
        });
    }
    let reading = journal.read()?;
    if let Some(fault) = reading.faults.first() {
        warnings.push(format!("{}: line {} {}", shown(cx, journal.path()), fault.line, fault.what));
    }
    let deployment = |event: liveops_domain::change::journal::Event| {
        let entry: Entry = (event.kind == RECORDED).then(|| serde_json::from_value(event.data).ok())??;
        let kind = match entry.kind {
            Recorded::Deploy => DeploymentKind::Planned,
            Recorded::Hotfix => DeploymentKind::Hotfix,
            Recorded::Rollback => DeploymentKind::Rollback,
            _ => return None,
        };
        (entry.environment == environment).then_some(())?;
        let service = entry.service?;
        Some(Deployment {
            id: format!("{service}@{}", entry.version.clone().unwrap_or_else(|| stamp(entry.occurred_at))),
            service,
            finished: entry.occurred_at,
            source: DeploymentSource::Record,
            started: entry.occurred_at,
            kind,
            outcome: DeploymentOutcome::Succeeded,
            version: entry.version,
            commit: entry.commit,
            incident: entry.incident,
            recovered: None,
        })
    };
    let mut all: Vec<Deployment> = reading.events.into_iter().filter_map(deployment).collect();
    // A version can be deployed twice, and is another deployment then.
    all.sort();
    all.dedup();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for one in &mut all {
        let times = seen.entry(one.id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            one.id = format!("{}#{times}", one.id);
        }
    }
    Ok(all)
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%FT%TZ").to_string()
}

/// Those of services that are configured; where none is, of every Deployment.
async fn replica_sets(cx: &Session) -> Result<Vec<Deployment>> {
    let services = &cx.config()?.settings.services;
    let is_known = |name: &String| services.is_empty() || services.iter().any(|service| service.name == *name);
    let changed = |one: &PodRevision| one.before.as_ref() != Some(&one.images);
    let deployment = |(service, one): (String, PodRevision)| Deployment {
        id: format!("{}/{}", one.deployment, one.number),
        service,
        finished: one.at,
        source: DeploymentSource::Kubernetes,
        started: one.at,
        kind: DeploymentKind::Planned,
        outcome: DeploymentOutcome::Succeeded,
        version: tag_of(one.images.split(", ").next().unwrap_or_default()).map(ToOwned::to_owned),
        commit: None,
        incident: None,
        recovered: None,
    };
    let all = pod_revisions(cx).await?.into_iter();
    Ok(all.filter(|(service, one)| is_known(service) && changed(one)).map(deployment).collect())
}
