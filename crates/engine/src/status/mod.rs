//! Everything for one screen, at once: services, KPIs, alerts, targets. The slowest answer is the whole wait.

mod headline;
pub mod judge;
pub mod report;

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::changes;
use crate::changes::suspects::{clearest, suspects};
use crate::clients::http::request::Effort;
use crate::incident::summary::IncidentSummary;
use crate::incident::{index, resolve};
use crate::observe::alerts::backends;
use crate::observe::last_good::LastGood;
use crate::observe::{flags, kpis, only_for, services};
use crate::rollout::overview::rows;
use crate::rollout::ramp::ramps;
use crate::session::{Session, store};
use crate::slo::status::SloStatus;
use crate::slo::{load, status as slo_status};
use liveops_domain::alert::Alert;
use liveops_domain::change::record;
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::change::timeline::rank::Suspect;
use liveops_domain::error::Result;
use liveops_domain::metric::level::Level;
use liveops_domain::rollout::overview::RolloutOverview;
use liveops_domain::status::source::{Recommendation, Source, SourceState};
use liveops_domain::status::{Readings, worst_level};
use liveops_domain::text::shell::word;

/// How far back a cause is looked for.
const BACK: TimeDelta = TimeDelta::hours(2);

/// How long the screen waits for who is suspected.
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// What may have done it, where something is wrong; as `triage` and `changes` have it.
    pub suspects: Vec<Suspect>,
    /// The incidents that are open, the worst first.
    pub incidents: Vec<IncidentSummary>,
    /// The postmortem that is due first, with its command.
    pub postmortem: Option<Recommendation>,
    /// Rollouts that are not over, and where it is not known whether there is one.
    pub rollouts: RolloutOverview,
    /// How the objectives stand.
    pub slos: Vec<SloStatus>,
    pub took: Duration,
}

/// Asks everything at once; of these services only, where any are named.
pub async fn gather(only: &[String], cx: &Session, memory: &mut LastGood) -> Result<Gathered> {
    let began = Instant::now();
    let settings = &cx.config()?.settings;
    cx.http()?.restart();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|known| known == name);
    let asked = cx.services(only)?;
    let (services, kpis, found, flags, rollouts, ramps, slos) = tokio::join!(
        services::ask(cx, &asked),
        kpis::ask(cx, only),
        alerts_of(cx),
        flags::ask(cx),
        rows(cx),
        ramps(cx),
        slos_of(cx, only)
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
    let slos = slos.unwrap_or_else(|error| {
        warnings.push(format!("SLOs cannot be read: {error}"));
        Vec::new()
    });

    warnings.extend(kpis.warnings);
    let targets_expected = kpis.prometheus.as_ref().is_some_and(|source| source.state != SourceState::Ok);
    let mut prometheus = kpis.prometheus;
    // It answers the KPIs, and not what fires.
    let failed = found.sources.iter().find(|source| source.name == "prometheus" && source.state == SourceState::Down);
    if let (Some(source), Some(failed)) = (prometheus.as_mut().filter(|one| one.state == SourceState::Ok), failed) {
        source.state = SourceState::Degraded;
        source.error.clone_from(&failed.error);
    }
    let alertmanager = found.sources.into_iter().filter(|source| source.name == "alertmanager");
    let mut sources: Vec<Source> =
        prometheus.into_iter().chain(alertmanager).chain(flags.source).chain(kpis.services).collect();
    warnings.extend(found.notes);
    let mut readings = Readings {
        services,
        kpis: kpis.readings,
        targets: kpis.targets,
        flags: flags.flags,
        alerts: found.alerts,
        alert_gaps: found.gaps,
        alert_faults: found.faults,
        ..Readings::default()
    };
    memory.fill(&mut readings, cx.clock.now());
    only_for(only, &mut readings);
    let suspects = suspects_of(cx, &readings).await;
    let (incidents, journals) = incidents_of(cx, &mut warnings)?;
    sources.extend(journals);
    let alerts_expected = settings.prometheus.is_some() || settings.alertmanager.is_some();
    Ok(Gathered {
        readings,
        sources,
        warnings,
        alerts_expected,
        targets_expected,
        presets: cx.are_kpis_presets()?,
        changes: flags::merge(changes_of(cx)?, flags.changes),
        suspects,
        incidents,
        postmortem: postmortem_of(cx)?,
        rollouts,
        slos,
        took: began.elapsed(),
    })
}

/// How the objectives of these services stand; of all, where none is named.
async fn slos_of(cx: &Session, only: &[String]) -> Result<Vec<SloStatus>> {
    if cx.config()?.settings.slos.is_empty() {
        return Ok(Vec::new());
    }
    let mut slos = load::all(cx)?;
    slos.retain(|slo| only.is_empty() || slo.service.as_ref().is_none_or(|name| only.contains(name)));
    if slos.is_empty() {
        return Ok(Vec::new());
    }
    Ok(slo_status::ask(cx, slos).await?.slos)
}

/// What fires, as a screen needs it that shows much else: nobody configured, and nobody who answers, are no errors.
#[derive(Default)]
struct Firing {
    alerts: Option<Vec<Alert>>,
    gaps: Vec<String>,
    faults: Vec<String>,
    notes: Vec<String>,
    sources: Vec<Source>,
}

async fn alerts_of(cx: &Session) -> Firing {
    let Ok(backends) = backends(cx, Effort::Quick) else {
        return Firing::default();
    };
    let asked = backends.query().await;
    let sources: Vec<Source> =
        asked.sources.iter().filter(|source| source.state != SourceState::Unconfigured).cloned().collect();
    match asked.join(cx.clock.now()) {
        Ok(found) => {
            Firing { alerts: Some(found.alerts), gaps: found.gaps, faults: found.faults, notes: found.notes, sources }
        }
        Err(_) => Firing { sources, ..Firing::default() },
    }
}

/// Who is suspected, where something is critical. Nobody waits long for it: the screen is needed now.
async fn suspects_of(cx: &Session, readings: &Readings) -> Vec<Suspect> {
    let is_bad = readings.kpis.iter().any(|reading| reading.level == Level::Critical)
        || readings.alerts.iter().flatten().any(|alert| worst_level::of_alert(alert) == Some(Level::Critical));
    if !is_bad {
        return Vec::new();
    }
    let now = cx.clock.now();
    let span = (now - BACK, now);
    let look = async { tokio::join!(changes::gather(cx, span.0, false), clearest(cx, span)) };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok((Ok(found), Some((kpi, broken)))) => suspects(&found.changes, &kpi, &broken, None),
        _ => Vec::new(),
    }
}

/// Everything that the status screen shows, of all services.
pub async fn gather_all(cx: &Session) -> Result<Gathered> {
    gather(&[], cx, &mut LastGood::default()).await
}

/// The open incidents, from their journals, and the journals as a source where some cannot be read: one of those may be
/// open. What cannot be read hides nothing else.
fn incidents_of(cx: &Session, warnings: &mut Vec<String>) -> Result<(Vec<IncidentSummary>, Option<Source>)> {
    let known = index(cx).and_then(|index| {
        warnings.extend(index.warnings());
        Ok((index.source(), resolve::open_incidents(cx)?))
    });
    match known {
        Ok((source, open)) => {
            Ok((open.into_iter().map(|one| IncidentSummary::of(cx, one)).collect::<Result<_>>()?, source))
        }
        Err(error) => {
            warnings.push(format!("open incidents are not known: {error}"));
            Ok((Vec::new(), Some(Source::asked("incidents", Duration::ZERO, Err::<(), _>(&error)))))
        }
    }
}

/// The postmortem that is owed and due first. What cannot be read was said of the open ones.
fn postmortem_of(cx: &Session) -> Result<Option<Recommendation>> {
    let over = resolve::without_postmortem(cx).unwrap_or_default().into_iter();
    let mut owed = over.map(|one| IncidentSummary::of(cx, one)).collect::<Result<Vec<_>>>()?;
    owed.sort_by_key(|one| one.incident.resolved.at());
    let Some((one, next)) = owed.iter().find_map(|one| Some((one, one.postmortem()?))) else {
        return Ok(None);
    };
    let id = &one.incident.id;
    if !store(cx)?.folder_of(id).join("postmortem.md").exists() {
        return Ok(Some(next));
    }
    let text = next.text.replacen("write the postmortem", "finish the postmortem", 1);
    Ok(Some(Recommendation::new(text, format!("liveops postmortem check {}", word(id)))))
}

/// The audit log's last hour in this environment.
fn changes_of(cx: &Session) -> Result<Vec<ChangeRecord>> {
    let since = cx.clock.now() - TimeDelta::hours(1);
    let mut changes = record::changes(&cx.audit_log().recent(since));
    cx.change_scope()?.keep_here(&mut changes);
    changes.reverse();
    Ok(changes)
}
