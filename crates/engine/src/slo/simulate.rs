//! What the alerts would have done in the past: the counts of each minute, replayed, beside the incidents on record.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::{Session, store};
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::promql::{Span, first_selector};
use liveops_domain::metric::series::{Answer, Series};
use liveops_domain::slo::Slo;
use liveops_domain::slo::expression::{components, counts};
use liveops_domain::slo::objective::Objective;
use liveops_domain::slo::replay::{Episode, History, Incident, Matched, Policy, matched, replay};
use liveops_domain::status::source::Source;

/// Prometheus gives no more points of a series in one answer.
const MOST_POINTS: usize = 11_000;

/// The step of the replay, where the scrapes allow it.
const STEP: u64 = 60;

/// What is tried instead of what is defined.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Proposal {
    pub objective: Option<Objective>,
    pub min_bad: Option<u32>,
}

/// The replay of one objective.
#[derive(Debug)]
pub struct Simulated {
    pub slo: Slo,
    pub step: Duration,
    /// How much of the time had data, 0 to 1; or why nothing is known.
    pub covered: Result<f64, String>,
    pub today: Run,
    pub proposed: Option<Run>,
}

/// What one set of rules would have done.
#[derive(Debug, Default)]
pub struct Run {
    pub episodes: Vec<Episode>,
    pub matched: Matched,
}

/// Everything that was replayed.
#[derive(Debug)]
pub struct Simulation {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub slos: Vec<Simulated>,
    pub incidents: usize,
    pub source: Source,
}

/// Replays objectives over the last days.
///
/// # Errors
/// Those of the configuration; where Prometheus is not configured.
pub async fn simulate(cx: &Session, slos: Vec<Slo>, days: u32, proposal: Proposal) -> Result<Simulation> {
    let began = Instant::now();
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Full);
    let end = cx.clock.now();
    let start = end - TimeDelta::days(days.into());
    let incidents = incidents(cx, start, end)?;
    let asked = join_all(slos.iter().map(|slo| history(&client, slo, start, end))).await;
    let failed = asked.iter().find_map(|history| history.as_ref().err().filter(|error| error.is_outage()));
    let source = Source::asked("prometheus", began.elapsed(), failed.map_or(Ok(()), Err));
    let simulated = slos.into_iter().zip(asked).map(|(slo, history)| {
        let concerned: Vec<Incident> = incidents
            .iter()
            .filter(|(service, _)| service.is_none() || slo.service.is_none() || *service == slo.service)
            .map(|(_, incident)| incident.clone())
            .collect();
        let history = history.map_err(|error| error.reason());
        let run = |objective: Objective, min_bad: u32| match &history {
            Ok(history) => run(&slo, history, objective, min_bad, &concerned),
            Err(_) => Run::default(),
        };
        let today = run(slo.objective, slo.min_bad());
        let proposed = (proposal != Proposal::default())
            .then(|| run(proposal.objective.unwrap_or(slo.objective), proposal.min_bad.unwrap_or(slo.min_bad())));
        Simulated {
            step: history.as_ref().map_or(Duration::ZERO, |history| history.step),
            covered: history.as_ref().map(covered).map_err(Clone::clone).and_then(|share| match share {
                share if share > 0.0 => Ok(share),
                _ => Err("no data in that time".into()),
            }),
            today,
            proposed,
            slo,
        }
    });
    Ok(Simulation { start, end, slos: simulated.collect(), incidents: incidents.len(), source })
}

fn run(slo: &Slo, history: &History, objective: Objective, min_bad: u32, incidents: &[Incident]) -> Run {
    let mut components = components(slo);
    if objective != slo.objective {
        components.iter_mut().for_each(|component| component.objective = objective);
    }
    let policy = Policy { components, objective, window: slo.window.nominal(), min_bad };
    let episodes = replay(history, &policy);
    Run { matched: matched(&episodes, incidents), episodes }
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand steps")]
fn covered(history: &History) -> f64 {
    let steps = history.counts.first().map_or(0, Vec::len);
    let known = (0..steps).filter(|step| history.counts.iter().all(|counts| counts[*step].is_some())).count();
    known as f64 / steps.max(1) as f64
}

/// Recorded incidents of that time, with their service.
fn incidents(cx: &Session, start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Vec<(Option<String>, Incident)>> {
    let store = store(cx)?;
    let mut all = Vec::new();
    for id in store.ids()? {
        let Ok(stored) = store.summary(&id) else {
            cx.voice.warn(&format!("incident {id} cannot be read, and is left out"));
            continue;
        };
        let incident = stored.incident;
        let Some(from) = incident.started.at().or(incident.detected.at()) else {
            continue;
        };
        let until = incident.mitigated.at().or(incident.resolved.at()).unwrap_or(end);
        if until < start || from > end || incident.environment != cx.environment()? {
            continue;
        }
        let seen = Incident { id, start: from, end: until, detected: incident.detected.at() };
        all.push((incident.service, seen));
    }
    Ok(all)
}

/// The counts of each step.
async fn history(client: &Prometheus<'_>, slo: &Slo, start: DateTime<Utc>, end: DateTime<Utc>) -> Result<History> {
    let step = step(client, slo).await?;
    let length = TimeDelta::from_std(step).unwrap_or(TimeDelta::minutes(1));
    let steps = usize::try_from((end - start).num_seconds() / length.num_seconds().max(1)).unwrap_or(0);
    let counted = counts(slo, Span::last(step)).map_err(|why| Error::usage(why, format!("see {}", slo.place)))?;
    let at = |n: usize| start + length * i32::try_from(n + 1).unwrap_or(i32::MAX);
    let mut all = Vec::new();
    for counted in &counted {
        let mut grid: Vec<Option<(f64, f64)>> = vec![None; steps];
        let chunks = (0..steps).step_by(MOST_POINTS).map(|from| (from, (from + MOST_POINTS).min(steps) - 1));
        let asked = chunks.map(|(from, to)| async move {
            let range = |query: &str| {
                let query = query.to_owned();
                async move { client.range(&query, at(from), at(to), step).await }
            };
            tokio::try_join!(range(&counted.bad), range(&counted.total))
        });
        for answer in join_all(asked).await {
            let (bad, total) = answer?;
            if let Some(warning) = bad.partial().or(total.partial()) {
                return Err(Error::Malformed {
                    system: "prometheus".into(),
                    url: client.url(),
                    what: format!("not everything: {warning}"),
                });
            }
            let place = |when: DateTime<Utc>| {
                usize::try_from((when - start).num_seconds() / length.num_seconds().max(1)).ok()?.checked_sub(1)
            };
            for (when, value) in points(&total.answer, client)? {
                if let Some(slot) = place(when).and_then(|place| grid.get_mut(place)) {
                    *slot = Some((0.0, value));
                }
            }
            for (when, value) in points(&bad.answer, client)? {
                if let Some(Some((bad, _))) = place(when).and_then(|place| grid.get_mut(place)) {
                    *bad = value.max(0.0);
                }
            }
        }
        all.push(grid);
    }
    Ok(History { start: at(0), step, counts: all })
}

fn points(answer: &Answer, client: &Prometheus<'_>) -> Result<Vec<(DateTime<Utc>, f64)>> {
    let one = |series: &Series| {
        let finite = |value: &f64| value.is_finite();
        series.points.iter().filter_map(|point| Some((point.at, point.value.float().filter(finite)?))).collect()
    };
    match answer {
        Answer::Matrix(series) if series.len() <= 1 => Ok(series.first().map(one).unwrap_or_default()),
        Answer::Matrix(series) => Err(Error::Malformed {
            system: "prometheus".into(),
            url: client.url(),
            what: format!("{} series where one is expected", series.len()),
        }),
        _ => Ok(Vec::new()),
    }
}

/// A minute, or as many as hold three scrapes: a shorter step would see no growth.
async fn step(client: &Prometheus<'_>, slo: &Slo) -> Result<Duration> {
    let presence = slo.parts.first().map(|part| part.indicator.presence()).unwrap_or_default();
    let slice = slo.method.slice().map_or(0, |slice| slice.as_secs());
    let Some(selector) = first_selector(&presence) else {
        return Ok(Duration::from_secs(STEP.max(slice)));
    };
    let query = format!("max(count_over_time({selector}[30m]))");
    let scrapes = match client.instant(&query, None).await?.answer {
        Answer::Vector(series) => series.first().and_then(|one| one.points.last()?.value.float()),
        _ => None,
    };
    let every = scrapes.map_or(15.0, |n| 1_800.0 / n.max(1.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most half an hour")]
    let least = (every * 2.5).ceil() as u64;
    Ok(Duration::from_secs(STEP.max(slice).max(least.div_ceil(STEP) * STEP)))
}
