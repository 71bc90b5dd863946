//! `check readiness`: the manifests of a service, and what liveops knows beside them.

mod answers;
mod facts;

use std::path::{Path, PathBuf};

use crate::check::manifests::{Gathered, gather};
use crate::files::file::write_shared;
use crate::files::open::read_text;
use crate::session::Session;
use liveops_domain::check::finding::Findings;
use liveops_domain::check::manifest::links::{Scene, only};
use liveops_domain::check::manifest::outcome::Outcomes;
use liveops_domain::check::readiness::review::{MARK, document};
use liveops_domain::check::readiness::score::Score;
use liveops_domain::check::readiness::{self, Settings};
use liveops_domain::error::{Error, Result};
use liveops_domain::status::source::Source;
use liveops_domain::text::count::count;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub service: Option<String>,
    pub manifests: Vec<PathBuf>,
    /// 1.x of the cluster that the manifests are for.
    pub minor: Option<u32>,
    /// Annotations in manifests that are under review do not count.
    pub ignore_annotations: bool,
    /// Ask the person what nobody knows.
    pub ask: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Readiness {
    /// The service, or what was looked at.
    pub subject: String,
    pub outcomes: Outcomes,
    pub score: Option<Score>,
    pub sources: Vec<Source>,
}

/// Gathers and judges.
///
/// # Errors
/// Those of the configuration and of what was named.
pub async fn check(cx: &Session, request: &Request) -> Result<Readiness> {
    let mut found = Findings::default();
    let Gathered { mut all, minor, source } = gather(cx, &request.manifests, &mut found).await?;
    if let Some(service) = &request.service {
        let name = workload(cx, service)?;
        let chosen = only(&all, &name);
        if chosen.objects.is_empty() && !all.objects.is_empty() {
            let workloads = Scene::of(&all).workloads;
            if workloads.is_empty() {
                let what = format!("none of {} is a workload", count(all.objects.len(), "object"));
                return Err(Error::usage(what, "a workload is a Deployment, or another kind, with a pod template"));
            }
            let candidates = workloads.iter().map(|workload| workload.object.name.clone()).collect();
            return Err(Error::NotFound { what: "workload", name, candidates });
        }
        all = chosen;
    }
    let mut outcomes = Outcomes { found, ..Outcomes::default() };
    if !request.ignore_annotations {
        outcomes.today = Some(cx.clock.now().date_naive());
    }
    let settings = Settings { minor: request.minor.or(minor), ..settings(cx)? };
    readiness::manifests(&all, &settings, &mut outcomes);
    let mut sources: Vec<Source> = source.into_iter().collect();
    let service = match &request.service {
        Some(service) => Some(service.clone()),
        // Where there is one service, it is that.
        None => match &cx.config()?.settings.services[..] {
            [only] => Some(only.name.clone()),
            _ => None,
        },
    };
    if let Some(service) = &service {
        let (facts, asked) = facts::gather(cx, service).await?;
        sources.extend(asked);
        facts.judge(service, &mut outcomes);
        let today = cx.clock.now().date_naive();
        let mut said = answers::read(cx, service)?;
        if request.ask {
            answers::ask(cx, service, &outcomes, &mut said, today)?;
        }
        said.judge(service, &answers::file(service), today, &mut outcomes);
        outcomes.found.checked("services", 1);
    }
    let score = Score::of(&outcomes);
    let subject = service.unwrap_or_else(|| "all workloads".into());
    Ok(Readiness { subject, outcomes, score, sources })
}

/// Writes the document of the review. Only such a document is written over.
///
/// # Errors
/// `Refused`: something else stands there. `Io`.
pub fn write(cx: &Session, readiness: &Readiness, path: &Path) -> Result<()> {
    let full = cx.dirs.work.join(path);
    let before = read_text(&full).unwrap_or_default();
    if full.exists() && !before.starts_with(MARK) {
        return Err(Error::Refused {
            why: format!("{} is no review that liveops wrote", path.display()),
            hint: "name another file".into(),
        });
    }
    let text = document(&readiness.subject, &readiness.outcomes, readiness.score.as_ref(), cx.clock.now());
    write_shared(&full, &text, full.exists())
}

/// The workload of a service: what its configuration names, or its own name.
fn workload(cx: &Session, service: &str) -> Result<String> {
    cx.check_service(service)?;
    Ok(cx.service(service).map_or_else(|_| service.to_owned(), |service| service.deployment().to_owned()))
}

/// What the configuration knows of the workloads.
fn settings(cx: &Session) -> Result<Settings> {
    let config = cx.config()?;
    let mut settings = Settings { protected: config.settings.protected, ..Settings::default() };
    for service in &config.settings.services {
        let name = service.workload.as_ref().and_then(|workload| workload.deployment.as_ref()).unwrap_or(&service.name);
        if service.rollout.is_some() {
            settings.canaries.push(name.clone());
        }
        if let Some(health) = &service.health
            && let Ok(url) = url::Url::parse(&health.url.show())
        {
            let path = format!("{}/api/health", url.path().trim_end_matches('/'));
            settings.health.push((name.clone(), path));
        }
    }
    Ok(settings)
}
