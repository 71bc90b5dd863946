//! Everything for one screen, at once: services, KPIs, alerts, targets. The slowest answer is the whole wait.

pub mod judge;
pub mod report;

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::incident::resolve;
use crate::incident::summary::Shown;
use crate::observe::last_good::Memory;
use crate::observe::{alerts, flags, kpis, only_for, services};
use crate::rollout::overview::rows;
use crate::rollout::ramp::ramps;
use crate::session::Session;
use liveops_domain::change::record;
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::error::Result;
use liveops_domain::rollout::overview::Seen;
use liveops_domain::status::Readings;
use liveops_domain::status::source::{Recommendation, Source, SourceState};

/// Everything that was gathered.
pub struct Gathered {
    pub readings: Readings,
    pub sources: Vec<Source>,
    pub warnings: Vec<String>,
    /// Somebody should know the alerts.
    pub alerts_expected: bool,
    /// Prometheus should know its targets, and does not answer.
    pub targets_expected: bool,
    /// The KPIs are presets, since none is configured: those without data are left out.
    pub presets: bool,
    /// What was changed in the last hour, through this liveops or, of flags, through any; the newest first.
    pub changes: Vec<ChangeRecord>,
    /// The incidents that are open, the worst first.
    pub incidents: Vec<Shown>,
    /// The postmortem that is due first, with its command.
    pub postmortem: Option<Recommendation>,
    /// Rollouts that are not over, and where it is not known whether there is one.
    pub rollouts: Seen,
    pub took: Duration,
}

/// Asks everything at once; of these services only, where any are named.
///
/// # Errors
/// Those of the configuration.
pub async fn gather(only: &[String], cx: &Session, memory: &mut Memory) -> Result<Gathered> {
    let began = Instant::now();
    let settings = &cx.config()?.settings;
    cx.http()?.restart();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|known| known == name);
    let asked = cx.services(only)?;
    let (services, kpis, found, flags, rollouts, ramps) = tokio::join!(
        services::ask(cx, &asked),
        kpis::ask(cx, only),
        alerts::ask(cx),
        flags::ask(cx),
        rows(cx),
        ramps(cx)
    );
    let kpis = kpis?;
    let mut warnings = Vec::new();
    let mut rollouts = rollouts?;
    rollouts.rollouts.retain(|row| wanted(&row.service));
    rollouts.unseen.retain(|row| wanted(&row.service));
    match ramps {
        Ok(ramps) => rollouts.rollouts.extend(ramps),
        Err(error) => warnings.push(format!("ramps of flags cannot be seen: {error}")),
    }
    let rollouts = rollouts.unfinished();

    warnings.extend(kpis.warnings);
    let targets_expected = kpis.prometheus.as_ref().is_some_and(|source| source.state != SourceState::Ok);
    let sources: Vec<Source> =
        kpis.prometheus.into_iter().chain(found.source).chain(flags.source).chain(kpis.services).collect();
    let mut readings = Readings {
        services,
        kpis: kpis.readings,
        alerts: found.alerts,
        alerts_as_of: None,
        alerts_elsewhere: 0,
        targets: kpis.targets,
        flags: flags.flags,
    };
    memory.fill(&mut readings, cx.clock.now());
    only_for(only, &mut readings);
    let incidents = incidents_of(cx, &mut warnings)?;
    let alerts_expected = settings.prometheus.is_some() || settings.alertmanager.is_some();
    Ok(Gathered {
        readings,
        sources,
        warnings,
        alerts_expected,
        targets_expected,
        presets: cx.are_kpis_presets()?,
        changes: flags::merge(changes_of(cx)?, flags.changes),
        incidents,
        postmortem: postmortem_of(cx)?,
        rollouts,
        took: began.elapsed(),
    })
}

/// The open incidents, from their journals. What cannot be read hides nothing else.
fn incidents_of(cx: &Session, warnings: &mut Vec<String>) -> Result<Vec<Shown>> {
    let table = &cx.config()?.settings.incidents.severities;
    match resolve::open_ones(cx) {
        Ok(open) => Ok(open.into_iter().map(|one| Shown::new(one, table, cx.clock.now())).collect()),
        Err(error) => {
            warnings.push(format!("open incidents are not known: {error}"));
            Ok(Vec::new())
        }
    }
}

/// The postmortem that is owed and due first. What cannot be read was said of the open ones.
fn postmortem_of(cx: &Session) -> Result<Option<Recommendation>> {
    let table = &cx.config()?.settings.incidents.severities;
    let over = resolve::unwritten(cx).unwrap_or_default();
    let mut owed: Vec<Shown> = over.into_iter().map(|one| Shown::new(one, table, cx.clock.now())).collect();
    owed.sort_by_key(|one| one.incident.resolved.at());
    Ok(owed.iter().find_map(Shown::postmortem))
}

/// The audit log's last hour in this environment.
fn changes_of(cx: &Session) -> Result<Vec<ChangeRecord>> {
    let environment = cx.environment()?;
    let since = cx.clock.now() - TimeDelta::hours(1);
    let mut changes = record::changes(&cx.audit_log().recent(since));
    changes.retain(|change| change.environment == environment);
    changes.reverse();
    Ok(changes)
}
