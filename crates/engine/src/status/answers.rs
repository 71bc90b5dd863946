//! The answers that a screen is made of, each with its own time: the slowest keeps back nobody else's.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use crate::changes;
use crate::changes::suspects::{clearest, suspects};
use crate::clients::http::request::Effort;
use crate::observe::alerts::backends;
use crate::observe::flags::FlagsAnswer;
use crate::observe::kpis::Kpis;
use crate::observe::last_good::LastGood;
use crate::observe::{flags, kpis, only_for, services};
use crate::rollout::overview::rows;
use crate::rollout::ramp::ramps;
use crate::session::Session;
use crate::slo::status::SloStatus;
use crate::slo::{load, status as slo_status};
use crate::status::Gathered;
use crate::status::records;
use crate::status::records::Records;
use liveops_domain::alert::Alert;
use liveops_domain::change::timeline::rank::Suspect;
use liveops_domain::error::Result;
use liveops_domain::metric::level::Level;
use liveops_domain::rollout::overview::RolloutOverview;
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::status::{Readings, ServiceReading, worst_level};

/// How far back a cause is looked for.
const BACK: TimeDelta = TimeDelta::hours(2);

/// How long the screen waits for who is suspected.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is asked by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Services,
    Kpis,
    Alerts,
    Flags,
    Rollouts,
    Objectives,
    /// This machine's own journals.
    Records,
    /// Who is suspected, where something is critical: asked after the rest.
    Suspects,
}

impl Part {
    /// Those that are asked at any rate.
    pub const ALL: [Self; 7] =
        [Self::Services, Self::Kpis, Self::Alerts, Self::Flags, Self::Rollouts, Self::Objectives, Self::Records];

    pub fn label(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Kpis => "KPIs",
            Self::Alerts => "alerts",
            Self::Flags => "flags",
            Self::Rollouts => "rollouts",
            Self::Objectives => "SLOs",
            Self::Records => "journals",
            Self::Suspects => "suspects",
        }
    }
}

/// What one part answered.
pub struct Answer(Content);

enum Content {
    Services(Vec<ServiceReading>),
    Kpis(Kpis),
    Alerts(Firing),
    Flags(FlagsAnswer),
    Rollouts(RolloutOverview, Vec<String>),
    Objectives(Vec<SloStatus>, Vec<String>),
    Records(Records),
    Suspects(Vec<Suspect>),
}

/// Asks one part; of these services only, where any are named. Each is on the heap by itself: together they are large.
pub fn ask<'a>(part: Part, only: &'a [String], cx: &'a Session) -> LocalBoxFuture<'a, Result<Answer>> {
    match part {
        Part::Services => {
            async move { Ok(Content::Services(services::ask(cx, &cx.services(only)?).await).into()) }.boxed_local()
        }
        Part::Kpis => async move { Ok(Content::Kpis(kpis::ask(cx, only).await?).into()) }.boxed_local(),
        Part::Alerts => async move { Ok(Content::Alerts(alerts_of(cx).await).into()) }.boxed_local(),
        Part::Flags => async move { Ok(Content::Flags(flags::ask(cx).await).into()) }.boxed_local(),
        Part::Rollouts => async move { Ok(rollouts_of(cx, only).await?.into()) }.boxed_local(),
        Part::Objectives => async move {
            Ok(Answer(match slos_of(cx, only).await {
                Ok(slos) => Content::Objectives(slos, Vec::new()),
                Err(error) => Content::Objectives(Vec::new(), vec![format!("SLOs cannot be read: {error}")]),
            }))
        }
        .boxed_local(),
        Part::Records => async move { Ok(Content::Records(records::read(cx)?).into()) }.boxed_local(),
        Part::Suspects => async move { Ok(Content::Suspects(suspects_of(cx).await).into()) }.boxed_local(),
    }
}

impl From<Content> for Answer {
    fn from(content: Content) -> Self {
        Self(content)
    }
}

/// The newest answer of each part, and the last good values of those that fail.
#[derive(Default)]
pub struct Answers {
    services: Vec<ServiceReading>,
    kpis: Kpis,
    alerts: Firing,
    flags: FlagsAnswer,
    rollouts: (RolloutOverview, Vec<String>),
    slos: (Vec<SloStatus>, Vec<String>),
    records: Records,
    suspects: Vec<Suspect>,
    times: Vec<(Part, DateTime<Utc>)>,
    memory: LastGood,
}

impl Answers {
    /// Takes an answer.
    pub fn put(&mut self, answer: Answer, now: DateTime<Utc>) {
        let part = match answer.0 {
            Content::Services(found) => {
                self.services = found;
                Part::Services
            }
            Content::Kpis(mut found) => {
                self.memory.fill_kpis(&mut found.readings, now);
                self.kpis = found;
                Part::Kpis
            }
            Content::Alerts(mut found) => {
                found.as_of = self.memory.fill_alerts(&mut found.alerts, now);
                self.alerts = found;
                Part::Alerts
            }
            Content::Flags(found) => {
                self.flags = found;
                Part::Flags
            }
            Content::Rollouts(found, warnings) => {
                self.rollouts = (found, warnings);
                Part::Rollouts
            }
            Content::Objectives(found, warnings) => {
                self.slos = (found, warnings);
                Part::Objectives
            }
            Content::Records(found) => {
                self.records = found;
                Part::Records
            }
            Content::Suspects(found) => {
                self.suspects = found;
                Part::Suspects
            }
        };
        self.times.retain(|(known, _)| *known != part);
        self.times.push((part, now));
    }

    /// When this part answered last.
    pub fn time(&self, part: Part) -> Option<DateTime<Utc>> {
        self.times.iter().find(|(known, _)| *known == part).map(|(_, at)| *at)
    }

    /// Who has not answered yet.
    pub fn missing(&self) -> Vec<Part> {
        Part::ALL.into_iter().filter(|part| self.time(*part).is_none()).collect()
    }

    /// Is anything critical, so that somebody is suspected?
    pub fn is_bad(&self) -> bool {
        self.kpis.readings.iter().any(|reading| reading.level == Level::Critical)
            || self
                .alerts
                .alerts
                .iter()
                .flat_map(|all| all.iter())
                .any(|alert| worst_level::of_alert(alert) == Some(Level::Critical))
    }

    /// All of it together. What has not been answered yet is neither good nor bad.
    pub fn gathered(&self, only: &[String], cx: &Session) -> Result<Gathered> {
        let settings = &cx.config()?.settings;
        let found = &self.alerts;
        let kpis = self.kpis.clone();
        let mut warnings = self.rollouts.1.clone();
        warnings.extend(self.slos.1.iter().cloned());
        warnings.extend(kpis.warnings);
        warnings.extend(found.notes.iter().cloned());
        warnings.extend(self.records.warnings.iter().cloned());
        let targets_expected = kpis.prometheus.as_ref().is_some_and(|source| source.state != SourceState::Ok);
        let mut prometheus = kpis.prometheus;
        // It answers the KPIs, and not what fires.
        let failed =
            found.sources.iter().find(|source| source.name == "prometheus" && source.state == SourceState::Down);
        if let (Some(source), Some(failed)) = (prometheus.as_mut().filter(|one| one.state == SourceState::Ok), failed) {
            source.state = SourceState::Degraded;
            source.error.clone_from(&failed.error);
        }
        let alertmanager = found.sources.iter().filter(|source| source.name == "alertmanager").cloned();
        let mut sources: Vec<Source> =
            prometheus.into_iter().chain(alertmanager).chain(self.flags.source.clone()).chain(kpis.services).collect();
        sources.extend(self.records.journals.clone());
        let mut readings = Readings {
            services: self.services.clone(),
            kpis: kpis.readings,
            targets: kpis.targets,
            flags: self.flags.flags.clone(),
            alerts: found.alerts.clone(),
            alert_gaps: found.gaps.clone(),
            alert_faults: found.faults.clone(),
            alerts_as_of: found.as_of,
            ..Readings::default()
        };
        only_for(only, &mut readings);
        let alerts_expected = settings.prometheus.is_some() || settings.alertmanager.is_some();
        Ok(Gathered {
            readings,
            sources,
            warnings,
            alerts_expected: alerts_expected && self.time(Part::Alerts).is_some(),
            targets_expected,
            presets: cx.are_kpis_presets()?,
            changes: flags::merge(self.records.changes.clone(), self.flags.changes.clone()),
            suspects: if self.is_bad() { self.suspects.clone() } else { Vec::new() },
            incidents: self.records.incidents.clone(),
            postmortem: self.records.postmortem.clone(),
            rollouts: self.rollouts.0.clone(),
            slos: self.slos.0.clone(),
            took: Duration::ZERO,
        })
    }
}

/// The rollouts and ramps that are not over.
async fn rollouts_of(cx: &Session, only: &[String]) -> Result<Content> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|known| known == name);
    let (rollouts, ramps) = tokio::join!(rows(cx), ramps(cx));
    let (mut rollouts, mut warnings) = (rollouts?, Vec::new());
    rollouts.rollouts.retain(|row| wanted(&row.service));
    rollouts.unseen.retain(|row| wanted(&row.service));
    match ramps {
        Ok(ramps) => rollouts.rollouts.extend(ramps),
        Err(error) => warnings.push(format!("ramps of flags cannot be seen: {error}")),
    }
    Ok(Content::Rollouts(rollouts.unfinished(), warnings))
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
    alerts: Option<Arc<Vec<Alert>>>,
    /// When these alerts fired, if that is not now.
    as_of: Option<DateTime<Utc>>,
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
        Ok(found) => Firing {
            alerts: Some(Arc::new(found.alerts)),
            as_of: None,
            gaps: found.gaps,
            faults: found.faults,
            notes: found.notes,
            sources,
        },
        Err(_) => Firing { sources, ..Firing::default() },
    }
}

/// Nobody waits long for it: the screen is needed now.
async fn suspects_of(cx: &Session) -> Vec<Suspect> {
    let now = cx.clock.now();
    let span = (now - BACK, now);
    let look = async { tokio::join!(changes::gather(cx, span.0, false), clearest(cx, span)) };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok((Ok(found), Some((kpi, broken)))) => suspects(&found.changes, &kpi, &broken, None),
        _ => Vec::new(),
    }
}
