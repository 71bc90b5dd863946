//! The week of operations: what stands in each part, who said so, and what is not known.

use std::io::ErrorKind;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::future::join_all;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::changes::gather;
use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::config::trust::Place;
use crate::files::open::read_text;
use crate::flag::stale::{AFTER_DAYS, StaleFlag, stale_flags};
use crate::observe::kpis;
use crate::report::dora::{DoraRequest, measure};
use crate::report::incidents::IncidentsReport;
use crate::report::{Part, incidents, silence};
use crate::session::Session;
use crate::slo::budget::burn_down;
use crate::slo::load;
use crate::slo::status::{SloStatus, ask};
use liveops_domain::change::timeline::Change;
use liveops_domain::check::waiver::{FILE, Waived, Waiver, read};
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::level::Level;
use liveops_domain::metric::series::Answer;
use liveops_domain::report::Period;
use liveops_domain::report::course::{Course, PAST};
use liveops_domain::report::dora::ServiceDora;
use liveops_domain::report::incidents::{Actions, IncidentFigures};
use liveops_domain::status::KpiReading;
use liveops_domain::status::source::{Source, SourceState};

/// Days ahead in which a waiver's end is news.
const SOON: i64 = 14;

/// How far apart the moments of a figure's course are.
const EACH: Duration = Duration::from_secs(3600);

/// An objective, and how its budget went.
#[derive(Debug)]
pub struct WeeklySlo {
    pub status: SloStatus,
    /// The share that was left, over the window.
    pub burn_down: Vec<(DateTime<Utc>, f64)>,
}

impl Serialize for WeeklySlo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = self.status.json();
        all["burn_down"] = json!(self.burn_down);
        all.serialize(serializer)
    }
}

/// A figure that has thresholds, and its course, where Prometheus has one.
#[derive(Debug)]
pub struct Trigger(pub KpiReading, pub Option<Course>);

impl Serialize for Trigger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(one, course) = self;
        json!({
            "kpi": one.kpi.name,
            "level": one.level,
            "value": one.value.map(|value| value.value),
            "shown": one.value.map(|value| one.kpi.unit.show(value.value)),
            "warn": one.kpi.warn.as_ref().map(ToString::to_string),
            "critical": one.kpi.critical.as_ref().map(ToString::to_string),
            "note": one.note,
            "course": course,
        })
        .serialize(serializer)
    }
}

#[derive(Debug, Serialize)]
pub struct WeeklyFlags {
    pub total: usize,
    pub stale: Vec<StaleFlag>,
    /// The same for everybody for so many days.
    pub stale_after_days: u64,
    pub not_judged: usize,
}

/// What changed in the week.
#[derive(Debug, Serialize)]
pub struct WeeklyChanges {
    pub by_kind: Value,
    pub changes: Vec<Change>,
}

/// A waiver that ends within [`SOON`] days, or has ended.
#[derive(Debug, Serialize)]
pub struct EndingWaiver {
    pub id: String,
    pub subject: String,
    pub owner: String,
    pub reason: String,
    /// The last day.
    pub until: NaiveDate,
    /// Below zero: it has ended.
    pub days_left: i64,
}

#[derive(Debug, Serialize)]
pub struct WeeklyReport {
    #[serde(flatten)]
    pub period: Period,
    pub slos: Part<Vec<WeeklySlo>>,
    pub incidents: Part<IncidentFigures>,
    pub action_items: Part<Actions>,
    pub deployments: Part<Vec<ServiceDora>>,
    pub changes: Part<WeeklyChanges>,
    pub flags: Part<WeeklyFlags>,
    pub capacity: Part<Vec<Trigger>>,
    /// Those that end soon, or have ended.
    pub waivers: Part<Vec<EndingWaiver>>,
    /// Everything that this page cannot tell, each with its reason.
    pub unknowns: Vec<String>,
    #[serde(skip)]
    pub sources: Vec<Source>,
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Looks at everything.
///
/// # Errors
/// Those of the configuration.
pub async fn weekly(cx: &Session, period: Period) -> Result<WeeklyReport> {
    let now = cx.clock.now();
    let request =
        DoraRequest { period, services: Vec::new(), within: TimeDelta::days(1), explain: false, repository: None };
    let (slos, changes, flags, capacity, dora) = tokio::join!(
        slos(cx),
        gather(cx, period.since, false),
        flags(cx),
        capacity(cx, &period),
        measure(cx, &request)
    );
    let (slos, slo_sources) = slos?;
    let (capacity, capacity_sources) = capacity?;
    let (found, dora) = (changes?, dora?);
    let flags = flags?;
    let measured = incidents::measure(cx, period, None);
    let mut warnings = dora.warnings;
    let (figures, actions, reason) = match measured {
        Ok(IncidentsReport { mut figures, warnings: lost, .. }) => {
            let reason = (!lost.is_empty()).then(|| lost.join("; "));
            warnings.extend(lost);
            // What is left to do is a part of its own.
            let actions = std::mem::take(&mut figures.actions);
            (Some(figures), Some(actions), reason)
        }
        Err(error @ (Error::Io { .. } | Error::Damaged { .. })) => (None, None, Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let dora_down = reasons(&dora.sources);
    let changes_down = reasons(&found.sources);
    let mut by_kind = serde_json::Map::new();
    for change in &found.changes {
        let n = by_kind.get(change.kind.word()).and_then(Value::as_u64).unwrap_or(0);
        by_kind.insert(change.kind.word().to_owned(), json!(n + 1));
    }
    let heard: Vec<&str> =
        found.sources.iter().filter(|one| one.state == SourceState::Ok).map(|one| one.name.as_str()).collect();
    let changes = WeeklyChanges { by_kind: Value::Object(by_kind), changes: found.changes };
    let mut report = WeeklyReport {
        period,
        slos,
        incidents: Part::new("incidents", now, figures, reason.clone()),
        action_items: Part::new("postmortems", now, actions, reason),
        deployments: Part::new("rollouts, deployments, git", now, Some(dora.services), dora_down),
        changes: Part::new(heard.join(", "), now, Some(changes), changes_down),
        flags,
        capacity,
        waivers: waivers(cx)?,
        unknowns: Vec::new(),
        sources: Vec::new(),
        warnings,
    };
    report.unknowns = report.gaps();
    for source in slo_sources.into_iter().chain(capacity_sources).chain(found.sources).chain(dora.sources) {
        if report.sources.iter().all(|known| known.name != source.name) {
            report.sources.push(source);
        }
    }
    Ok(report)
}

/// What the sources that failed say; one that nobody set up is no failure.
fn reasons(sources: &[Source]) -> Option<String> {
    let failed = sources.iter().filter(|one| matches!(one.state, SourceState::Down | SourceState::Degraded));
    let failed: Vec<String> = failed.filter_map(silence).collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

async fn slos(cx: &Session) -> Result<(Part<Vec<WeeklySlo>>, Vec<Source>)> {
    let as_of = cx.clock.now();
    let defined = load::all(cx)?;
    if defined.is_empty() {
        let reason = Some("no objective is defined: `slos` in liveops.yaml".to_owned());
        return Ok((Part::new("configuration", as_of, None, reason), Vec::new()));
    }
    let found = ask(cx, defined).await?;
    let prometheus = cx.config()?.settings.prometheus.is_some() && found.source.state != SourceState::Down;
    let lines = join_all(found.slos.into_iter().map(async |status| {
        let points = if prometheus { burn_down(cx, &status.slo).await.unwrap_or_default() } else { Vec::new() };
        WeeklySlo { status, burn_down: points }
    }))
    .await;
    let part = Part::new(&found.source.name, as_of, Some(lines), silence(&found.source));
    Ok((part, vec![found.source]))
}

async fn flags(cx: &Session) -> Result<Part<WeeklyFlags>> {
    let as_of = cx.clock.now();
    let part = |data, reason| Part::new("flags", as_of, data, reason);
    Ok(match stale_flags(cx, AFTER_DAYS).await {
        Ok(found) => {
            let data = WeeklyFlags {
                total: found.catalog.flags.len(),
                stale: found.flags,
                stale_after_days: AFTER_DAYS,
                not_judged: found.untold,
            };
            part(Some(data), None)
        }
        Err(error @ Error::Config { .. }) => return Err(error),
        Err(error) => part(None, Some(error.to_string())),
    })
}

async fn capacity(cx: &Session, period: &Period) -> Result<(Part<Vec<Trigger>>, Vec<Source>)> {
    let found = kpis::ask(cx, &[]).await?;
    let sources = found.sources();
    let reason = reasons(&sources);
    let heard: Vec<&str> =
        sources.iter().filter(|one| one.state != SourceState::Down).map(|one| one.name.as_str()).collect();
    let judged = found.readings.into_iter().filter(|one| one.kpi.warn.is_some() || one.kpi.critical.is_some());
    let judged: Vec<KpiReading> = judged.collect();
    let kpis: Vec<&Kpi> = judged.iter().map(|one| &one.kpi).collect();
    let (courses, lost) = match courses(cx, &kpis, period).await {
        Ok(courses) => (courses, None),
        // What is scraped has no past to speak of.
        Err(Error::Unconfigured { .. }) => (vec![None; judged.len()], None),
        Err(error) => (vec![None; judged.len()], Some(format!("no course of the figures: {}", error.reason()))),
    };
    let all: Vec<Trigger> = judged.into_iter().zip(courses).map(|(one, course)| Trigger(one, course)).collect();
    let none = all.is_empty().then(|| "no figure with a threshold could be read".to_owned());
    let data = (!all.is_empty()).then_some(all);
    let part = Part::new(heard.join(", "), cx.clock.now(), data, reason.or(none).or(lost));
    Ok((part, sources))
}

/// How each went in the period, and where it goes; none of what has no series.
async fn courses(cx: &Session, kpis: &[&Kpi], period: &Period) -> Result<Vec<Option<Course>>> {
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let from = period.since.min(period.until - PAST);
    let asked = kpis.iter().map(async |kpi| {
        let queried = client.range(&kpi.promql(), from, period.until, EACH).await?;
        // A part of the course is none.
        let (None, Answer::Matrix(series)) = (queried.partial(), &queried.answer) else {
            return Ok(None);
        };
        let points = series.first().map(|one| one.points.as_slice()).unwrap_or_default();
        let points: Vec<_> = points.iter().filter_map(|point| Some((point.at, point.value.float()?))).collect();
        Ok((!points.is_empty()).then(|| Course::of(kpi, &points, period)))
    });
    join_all(asked).await.into_iter().collect()
}

fn waivers(cx: &Session) -> Result<Part<Vec<EndingWaiver>>> {
    let now = cx.clock.now();
    let part = |data, reason| Part::new(FILE, now, data, reason);
    let file = match cx.config()?.file_in(&Place::usual("waivers", ""), FILE) {
        Ok(file) => file,
        Err(error) => return Ok(part(None, Some(error.reason()))),
    };
    let text = match read_text(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(part(Some(Vec::new()), None)),
        Err(error) => return Ok(part(None, Some(error.to_string()))),
    };
    let (all, wrong) = match read(FILE, &text) {
        Ok(read) => read,
        Err(why) => return Ok(part(None, Some(format!("it is no list of waivers: {why}")))),
    };
    let ending = |one: Waiver| {
        let Waived { owner, reason, until } = one.waived;
        let days_left = (until - now.date_naive()).num_days();
        EndingWaiver { id: one.id, subject: one.subject, owner, reason, until, days_left }
    };
    let mut ending: Vec<EndingWaiver> = all.into_iter().map(ending).filter(|one| one.days_left <= SOON).collect();
    ending.sort_by(|a, b| (a.until, &a.id, &a.subject).cmp(&(b.until, &b.id, &b.subject)));
    let wrong = wrong.first().map(|one| format!("{}: {}", one.place().unwrap_or_default(), one.why));
    Ok(part(Some(ending), wrong))
}

impl WeeklyReport {
    fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        let mut note = |what: &str, reason: &Option<String>| {
            gaps.extend(reason.iter().map(|reason| format!("{what}: {reason}")));
        };
        note("SLOs", &self.slos.reason);
        note("incidents", &self.incidents.reason);
        note("deployments", &self.deployments.reason);
        note("changes", &self.changes.reason);
        note("flags", &self.flags.reason);
        note("capacity", &self.capacity.reason);
        note("waivers", &self.waivers.reason);
        for one in self.deployments.data.iter().flatten().filter(|one| one.change_fail_rate.n > 0) {
            let reason = one.lead_time.reason.iter();
            gaps.extend(reason.map(|reason| format!("lead time of {}: {reason}", one.service)));
        }
        for one in self.slos.data.iter().flatten().filter(|one| one.status.budget.level == Level::Unknown) {
            let why = one.status.budget.reason.as_deref().unwrap_or("no reason is known");
            // Of a source that is down, it stands there once for all of them.
            if self.slos.reason.as_deref() == Some(why) {
                continue;
            }
            gaps.push(format!("SLO {}: {why}", one.status.slo.name));
        }
        for Trigger(one, _) in self.capacity.data.iter().flatten().filter(|one| one.0.level == Level::Unknown) {
            gaps.push(format!("{}: {}", one.kpi.name, one.note.as_deref().unwrap_or("unknown")));
        }
        gaps
    }
}
