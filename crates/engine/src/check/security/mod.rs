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
    let config = cx.config()?;
    let configured = config.layers.project.is_some() || config.layers.user.is_some();
    gaps(&mut outcomes.found, !request.manifests.is_empty(), configured);
    Ok(Security { outcomes, sources: source.into_iter().chain(prometheus).collect() })
}

/// A part that nobody set up passes nothing: it is unknown, unless only manifests were asked about. Where nothing is set
/// up at all, liveops' own files are nothing to look at either.
fn gaps(found: &mut Findings, manifests_alone: bool, configured: bool) {
    let parts = [
        ("objects", "S01", "manifests", "none were named, and no cluster is configured: `--manifests FOLDER`"),
        ("endpoints", "T01", "endpoints", "none is configured, so no certificate was looked at"),
        ("signals", "G01", "signals", "none is configured: `security.signals` in liveops.yaml"),
    ];
    let looked = |found: &Findings, kind: &str| found.checked.get(kind).is_some_and(|n| *n > 0);
    let looked_at_any = parts.iter().any(|(kind, ..)| looked(found, kind));
    if !looked_at_any && !configured && found.findings.is_empty() {
        found.checked.remove("settings");
        return;
    }
    for (kind, id, subject, why) in parts {
        let failed = found.unknown.iter().any(|one| kind == "objects" && one.id == "K01");
        if !manifests_alone && !looked(found, kind) && !failed {
            found.unknown(id, subject, why);
        }
    }
}
