//! Everything for one screen, at once: services, KPIs, alerts, targets. The slowest answer is the whole wait.

use std::time::{Duration, Instant};

use crate::commands::incident::pick;
use crate::commands::incident::view::Shown;
use crate::commands::rollout::overview::Seen;
use crate::commands::rollout::{ramps, rows};
use crate::commands::status::memory::Memory;
use crate::commands::status::prometheus::Said;
use crate::commands::status::scrape::Scraped;
use crate::commands::status::trends::with_trends;
use crate::commands::status::{StatusArgs, alerts, flags, prometheus, scrape, services};
use chrono::TimeDelta;

use crate::change::audit_log;
use crate::config::schema::Service;
use crate::context::Context;
use crate::domain::kpi::Kpi;
use crate::domain::record::{self, ChangeRecord};
use crate::domain::status::{KpiReading, Origin, Readings};
use crate::error::Result;
use crate::output::report::{Recommendation, Source, SourceState};
use crate::stores::cache::Cache;

/// Prometheus may be silent this long before the services are scraped beside it. A dead one then costs its own
/// timeout, and not one thing after the other.
const HEDGE: Duration = Duration::from_millis(700);
/// Everything that was gathered.
pub(crate) struct Gathered {
    pub(crate) readings: Readings,
    pub(crate) sources: Vec<Source>,
    pub(crate) warnings: Vec<String>,
    /// Somebody should know the alerts.
    pub(crate) alerts_expected: bool,
    /// Prometheus should know its targets, and does not answer.
    pub(crate) targets_expected: bool,
    /// The KPIs are presets, since none is configured: those without data are left out.
    pub(crate) presets: bool,
    /// What was changed in the last hour, through this liveops or, of flags, through any; the newest first.
    pub(crate) changes: Vec<ChangeRecord>,
    /// The incidents that are open, the worst first.
    pub(crate) incidents: Vec<Shown>,
    /// The postmortem that is due first, with its command.
    pub(crate) postmortem: Option<Recommendation>,
    /// Rollouts that are not over, and where it is not known whether there is one.
    pub(crate) rollouts: Seen,
    pub(crate) took: Duration,
}

/// The systems that will be asked, for the line that says what one waits for.
pub(crate) fn systems(cx: &Context) -> String {
    let Ok(config) = cx.config() else {
        return "nobody".into();
    };
    let settings = &config.settings;
    let mut names = Vec::new();
    names.extend(settings.prometheus.as_ref().map(|_| "Prometheus".to_owned()));
    names.extend(settings.alertmanager.as_ref().map(|_| "Alertmanager".to_owned()));
    names.extend(settings.flags.endpoint.as_ref().map(|_| "flags".to_owned()));
    match settings.services.len() {
        0 => {}
        1 => names.push(settings.services[0].name.clone()),
        n => names.push(format!("{n} services")),
    }
    names.join(", ")
}

/// The cache of this project and environment.
pub(crate) fn cache(cx: &Context) -> Result<Cache> {
    let config = cx.config()?;
    Ok(Cache::new(&cx.dirs.cache, &[&config.project_key(), &config.settings.environment]))
}

/// Asks everything at once.
pub(crate) async fn gather(args: &StatusArgs, cx: &Context, memory: &mut Memory) -> Result<Gathered> {
    let began = Instant::now();
    let settings = &cx.config()?.settings;
    cx.http()?.restart();
    let cache = cache(cx)?;
    let wanted = |name: &str| args.service.is_empty() || args.service.iter().any(|known| known == name);
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
    only_for(args, &mut readings);
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
fn incidents_of(cx: &Context, warnings: &mut Vec<String>) -> Result<Vec<Shown>> {
    let table = &cx.config()?.settings.incidents.severities;
    match pick::open_ones(cx) {
        Ok(open) => Ok(open.into_iter().map(|one| Shown::new(one, table, cx.clock.now())).collect()),
        Err(error) => {
            warnings.push(format!("open incidents are not known: {error}"));
            Ok(Vec::new())
        }
    }
}

/// The postmortem that is owed and due first. What cannot be read was said of the open ones.
fn postmortem_of(cx: &Context) -> Result<Option<Recommendation>> {
    let table = &cx.config()?.settings.incidents.severities;
    let over = pick::unwritten(cx).unwrap_or_default();
    let mut owed: Vec<Shown> = over.into_iter().map(|one| Shown::new(one, table, cx.clock.now())).collect();
    owed.sort_by_key(|one| one.incident.resolved.at());
    Ok(owed.iter().find_map(Shown::postmortem))
}

/// The audit log's last hour in this environment.
fn changes_of(cx: &Context) -> Result<Vec<ChangeRecord>> {
    let environment = cx.environment()?;
    let since = cx.clock.now() - TimeDelta::hours(1);
    let mut changes = record::changes(&audit_log(cx).recent(since));
    changes.retain(|change| change.environment == environment);
    changes.reverse();
    Ok(changes)
}

/// From Prometheus; from the services themselves where it is absent, down, or silent for long.
async fn kpis_of(cx: &Context, services: &[&Service], kpis: &[Kpi], cache: &Cache) -> (Option<Said>, Option<Scraped>) {
    let configured = cx.config().is_ok_and(|config| config.settings.prometheus.is_some());
    let can_scrape = services.iter().any(|service| !service.metrics.is_empty());
    let scraping = async { if can_scrape { Some(scrape::ask(cx, services, kpis, cache).await) } else { None } };
    if !configured {
        return (None, scraping.await);
    }
    let usable = |said: &Said| said.source.state != SourceState::Down;
    let mut asking = std::pin::pin!(prometheus::ask(cx, kpis));
    let (said, scraped) = match tokio::time::timeout(HEDGE, &mut asking).await {
        Ok(said) if usable(&said) => (said, None),
        Ok(said) => (said, scraping.await),
        Err(_) if can_scrape => tokio::join!(asking, scraping),
        Err(_) => (asking.await, None),
    };
    if usable(&said) {
        return (Some(said), None);
    }
    let unknown = |kpi: &Kpi| {
        let why = format!("prometheus: {}", said.source.error.as_deref().unwrap_or("down"));
        KpiReading::unknown(kpi.clone(), Origin::Prometheus, why)
    };
    let scraped = scraped.unwrap_or_else(|| Scraped { kpis: kpis.iter().map(unknown).collect(), sources: Vec::new() });
    (Some(said), Some(scraped))
}

/// With `--service`, alerts that name another service are counted, not shown.
fn only_for(args: &StatusArgs, readings: &mut Readings) {
    let Some(alerts) = readings.alerts.as_mut().filter(|_| !args.service.is_empty()) else {
        return;
    };
    let before = alerts.len();
    alerts.retain(|alert| {
        let names = ["service", "job", "app", "deployment"].iter().filter_map(|label| alert.labels.get(*label));
        // An alert that names no service may be about this one.
        let mut names = names.peekable();
        names.peek().is_none() || names.any(|name| args.service.contains(name))
    });
    readings.alerts_elsewhere = before - alerts.len();
}
