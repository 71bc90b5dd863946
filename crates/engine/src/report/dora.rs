//! The five metrics of each service: deployments, what they brought by git, what they broke by the incidents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use serde::Serialize;

use crate::check::input::shown;
use crate::clients::git;
use crate::incident::index;
use crate::report::deployments::{Deployments, gather};
use crate::report::silence;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::report::Period;
use liveops_domain::report::commits::Commit;
use liveops_domain::report::deployment::{Deployment, DeploymentKind, DeploymentOutcome};
use liveops_domain::report::dora::{Facts, ServiceDora, dora};
use liveops_domain::report::failures::IncidentFact;
use liveops_domain::status::source::{Source, SourceState};

/// What is asked for.
pub struct DoraRequest {
    pub period: Period,
    /// Those of these services; of all where none is named.
    pub services: Vec<String>,
    /// How long after a deployment an incident is put down to it, where nobody says what made it.
    pub within: TimeDelta,
    pub explain: bool,
    /// The repository of the services, where it is not that of the project.
    pub repository: Option<PathBuf>,
}

/// The metrics, and who was asked.
#[derive(Debug, Serialize)]
pub struct DoraReport {
    #[serde(flatten)]
    pub period: Period,
    pub services: Vec<ServiceDora>,
    #[serde(skip)]
    pub sources: Vec<Source>,
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Measures every service.
///
/// # Errors
/// Those of the configuration; `NotFound` for a service that is not configured.
pub async fn measure(cx: &Session, request: &DoraRequest) -> Result<DoraReport> {
    for name in &request.services {
        cx.check_service(name)?;
    }
    let deployments = gather(cx).await?;
    let (incidents, broken) = incident_facts(cx)?;
    let folder = request.repository.clone().unwrap_or(cx.config()?.folder());
    let limit = cx.config()?.settings.call_timeout;
    let by_service = deployments.by_service();
    let configured = cx.config()?.settings.services.iter().map(|service| service.name.as_str());
    let mut names: BTreeSet<&str> = configured.chain(by_service.keys().copied()).collect();
    if !request.services.is_empty() {
        names.retain(|name| request.services.iter().any(|wanted| wanted == name));
        names.extend(request.services.iter().map(String::as_str));
    }
    let missing = missing(&deployments);
    let mut tags = git::tagged(&folder, limit).await;
    let began = std::time::Instant::now();
    let mut services = Vec::new();
    for name in names {
        let mut facts = Facts {
            service: name.to_owned(),
            deployments: by_service.get(name).cloned().unwrap_or_default(),
            no_deployments: missing.clone(),
            no_incidents: broken.clone(),
            ..Facts::default()
        };
        let concerns = |one: &&IncidentFact| {
            one.service.as_deref() == Some(name)
                || one.cause.as_ref().is_some_and(|cause| facts.deployments.iter().any(|of| of.is_named(cause)))
        };
        facts.incidents = incidents.iter().filter(concerns).cloned().collect();
        match &tags {
            Ok(Some(known)) => {
                match brought(&folder, limit, known, &mut facts.deployments, (&request.period, request.explain)).await {
                    Ok(commits) => facts.commits = commits,
                    Err(error) => {
                        facts.no_commits = Some(error.to_string());
                        tags = Err(error);
                    }
                }
            }
            Ok(None) => {
                let place = request.repository.as_ref().map(|folder| shown(cx, folder));
                let place = place.unwrap_or_else(|| "the project's folder".into());
                facts.no_commits = Some(format!("{place} is in no git repository"));
            }
            Err(error) => facts.no_commits = Some(error.to_string()),
        }
        services.push(dora(&facts, &request.period, request.within, request.explain));
    }
    let mut sources = deployments.sources;
    sources.push(Source::asked("git", began.elapsed(), tags.as_ref()));
    sources.push(Source {
        name: "incidents".into(),
        state: if broken.is_some() { SourceState::Degraded } else { SourceState::Ok },
        latency_ms: None,
        error: broken,
    });
    Ok(DoraReport { period: request.period, services, sources, warnings: deployments.warnings })
}

/// Why deployments may be missing, where a source that is configured did not answer.
fn missing(deployments: &Deployments) -> Option<String> {
    let down = deployments.sources.iter().filter(|source| source.state == SourceState::Down);
    let down: Vec<String> = down.filter_map(silence).collect();
    (!down.is_empty()).then(|| down.join("; "))
}

/// The incidents of this environment, and why not all of them are known.
fn incident_facts(cx: &Session) -> Result<(Vec<IncidentFact>, Option<String>)> {
    let environment = cx.environment()?;
    let index = match index(cx) {
        Ok(index) => index,
        Err(error @ (Error::Io { .. } | Error::Damaged { .. })) => return Ok((Vec::new(), Some(error.to_string()))),
        Err(error) => return Err(error),
    };
    let broken = index.source().and_then(|source| source.error);
    let fact = |one: liveops_domain::incident::state::Incident| {
        Some(IncidentFact {
            started: one.started.at().or(one.detected.at())?,
            mitigated: one.mitigated.at(),
            id: one.id,
            service: one.service,
            cause: one.cause,
        })
    };
    let mut all: Vec<IncidentFact> =
        index.incidents().filter(|one| one.environment == environment).filter_map(fact).collect();
    all.sort();
    Ok((all, broken))
}

/// What each deployment of the period brought first, by its id. Deployments learn their commits.
async fn brought(
    folder: &std::path::Path,
    limit: Duration,
    tags: &BTreeMap<String, String>,
    deployments: &mut [Deployment],
    (period, explain): (&Period, bool),
) -> Result<BTreeMap<String, Vec<Commit>>> {
    let names: BTreeSet<&str> =
        deployments.iter().filter_map(|one| one.commit.as_deref().or(one.version.as_deref())).collect();
    let hashes = git::commits_named(folder, &names.into_iter().collect::<Vec<_>>(), limit).await?;
    for one in deployments.iter_mut() {
        let tagged = |version: &String| {
            let ways = [
                version.clone(),
                format!("v{version}"),
                format!("{}-{version}", one.service),
                format!("{}/v{version}", one.service),
            ];
            ways.iter().find_map(|way| tags.get(way)).or_else(|| hashes.get(version)).cloned()
        };
        one.commit = match &one.commit {
            Some(commit) => hashes.get(commit).or_else(|| tags.get(commit)).cloned(),
            None => one.version.as_ref().and_then(tagged),
        };
    }
    let is_forward = |one: &&Deployment| {
        one.outcome == DeploymentOutcome::Succeeded && one.kind != DeploymentKind::Rollback && one.commit.is_some()
    };
    let known: Vec<&Deployment> = deployments.iter().filter(is_forward).collect();
    // What the last one before the period had is deployed already; without one, what the first one had.
    let first = known.partition_point(|one| one.finished < period.since).saturating_sub(1);
    let end = known.partition_point(|one| one.finished < period.until);
    let (Some(base), true) = (known.get(first), first + 1 < end) else {
        return Ok(BTreeMap::new());
    };
    let base = base.commit.as_deref().unwrap_or_default();
    let tips: Vec<(&str, &str)> =
        known[first + 1..end].iter().filter_map(|one| Some((one.id.as_str(), one.commit.as_deref()?))).collect();
    let hashes: Vec<&str> = tips.iter().map(|(_, hash)| *hash).collect();
    let log = git::log(folder, (&hashes, base), explain, limit).await?;
    let found = log.first_deployed(&hashes);
    let mut all = BTreeMap::new();
    for ((id, _), commits) in tips.iter().zip(found) {
        // What the log leaves out was deployed before.
        let commits = commits.unwrap_or_default();
        all.insert((*id).to_owned(), commits.into_iter().cloned().collect());
    }
    Ok(all)
}
