//! `check security`: manifests, certificates, liveops' own configuration, the audit log, signals.

mod endpoints;
mod own;
mod signals;

use std::path::PathBuf;

use crate::check::manifests::{Gathered, gather};
use crate::session::Session;
use liveops_domain::check::finding::Findings;
use liveops_domain::check::manifest::outcome::Outcomes;
use liveops_domain::check::security;
use liveops_domain::error::Result;
use liveops_domain::status::source::Source;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub manifests: Vec<PathBuf>,
    /// Annotations in manifests that are under review do not count.
    pub ignore_annotations: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Security {
    pub outcomes: Outcomes,
    pub sources: Vec<Source>,
}

/// Gathers and judges.
///
/// # Errors
/// Those of the configuration and of what was named.
pub async fn check(cx: &Session, request: &Request) -> Result<Security> {
    let mut found = Findings::default();
    let now = cx.clock.now();
    let Gathered { all, source, .. } = gather(cx, &request.manifests, &mut found).await?;
    let mut outcomes = Outcomes { found, ..Outcomes::default() };
    if !request.ignore_annotations {
        outcomes.today = Some(now.date_naive());
    }
    security::manifests(&all, &mut outcomes);
    security::certificates(&all, now, &mut outcomes);
    own::judge(cx, &mut outcomes.found)?;
    let (endpoints, (signals, prometheus)) = tokio::join!(endpoints::judge(cx, now), signals::judge(cx));
    outcomes.found.merge(endpoints?);
    outcomes.found.merge(signals);
    Ok(Security { outcomes, sources: source.into_iter().chain(prometheus).collect() })
}
