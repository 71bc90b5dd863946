//! Everything for one screen, at once: services, KPIs, alerts, targets. The slowest answer is the whole wait.

pub mod judge;
pub mod report;

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::config::service::Service;
use crate::incident::resolve;
use crate::incident::summary::Shown;
use crate::observe::last_good::Memory;
use crate::observe::trends::with_trends;
use crate::observe::{alerts, flags, kpis_of, only_for, services};
use crate::rollout::overview::rows;
use crate::rollout::ramp::ramps;
use crate::session::Session;
use crate::session::cache;
use liveops_domain::change::record;
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::error::Result;
use liveops_domain::metric::kpi::Kpi;
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
    let cache = cache(cx)?;
    let wanted = |name: &str| only.is_empty() || only.iter().any(|known| known == name);
    let asked: Vec<&Service> = settings.services.iter().filter(|service| wanted(&service.name)).collect();
    let presets = settings.kpis.is_empty();
    let kpis: Vec<Kpi> = if presets { crate::config::presets::kpis() } else { settings.kpis.clone() };
    let kpis: Vec<Kpi> = kpis.into_iter().filter(|kpi| kpi.service.as_deref().is_none_or(wanted)).collect();

    let (services, (said, scraped), found, flags, rollouts, ramps) = tokio::join!(
        services::ask(cx, &asked),
        kpis_of(cx, &asked, &kpis, &cache),
        alerts::ask(cx),
        flags::ask(cx),
        rows(cx),
        ramps(cx)
    );
    let mut warnings = Vec::new();
    let mut rollouts = rollouts?;
    rollouts.rollouts.retain(|row| wanted(&row.service));
    rollouts.unseen.retain(|row| wanted(&row.service));
    match ramps {
        Ok(ramps) => rollouts.rollouts.extend(ramps),
        Err(error) => warnings.push(format!("ramps of flags cannot be seen: {error}")),
    }
    let rollouts = rollouts.unfinished();

    let mut sources = Vec::new();
    let mut readings = Readings {
        services,
        kpis: Vec::new(),
        alerts: None,
        alerts_as_of: None,
        alerts_elsewhere: 0,
        targets: None,
        flags: flags.flags,
    };
    let mut targets_expected = false;
    if let Some(said) = said {
        targets_expected = said.source.state != SourceState::Ok;
        sources.push(said.source);
        warnings.extend(said.warnings);
        readings.kpis = said.kpis;
        readings.targets = said.targets;
    }
    sources.extend(found.source);
    sources.extend(flags.source);
    if let Some(scraped) = scraped {
        sources.extend(scraped.sources);
        readings.kpis = with_trends(scraped.kpis, &asked, &cache, cx.clock.now());
    }
    if presets {
        readings.kpis.retain(|reading| reading.value.is_some());
    }
    readings.alerts = found.alerts;
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
        presets,
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
