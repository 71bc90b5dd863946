//! Objectives without Prometheus: counters are read from the services' own metrics. Each look is kept, so that the next
//! ones see how much they grew within a window; what has grown since the process started stands for the period.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::clients::http::request::Effort;
use crate::clients::service::scrape;
use crate::config::service::Service;
use crate::files::cache::Cache;
use crate::session::{Session, cache};
use crate::slo::observe::Observed;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::exposition::Sample;
use liveops_domain::metric::scrape::STARTED;
use liveops_domain::slo::budget::{NO_EARLIER, Reading, Tallies, Tally};
use liveops_domain::slo::burn::WINDOWS;
use liveops_domain::slo::{Method, Slo};
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::text::duration::to_promql;

/// Looks are kept this far apart, and as many of them.
const SPACING: TimeDelta = TimeDelta::seconds(60);

const KEPT: usize = 600;

/// A look may be off the begin of a window by this part of it.
const OFF: f64 = 0.25;

/// The counters at one moment: bad and all events of each component, by objective.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Look {
    at: DateTime<Utc>,
    /// When the youngest process started, where it says.
    started: Option<DateTime<Utc>>,
    counts: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Look {
    /// Counts what objectives need in the samples of a moment.
    pub fn new(at: DateTime<Utc>, slos: &[Slo], samples: &[Sample]) -> Self {
        let counted = |slo: &Slo| {
            if slo.method != Method::Occurrences {
                return None;
            }
            let counts = slo.parts.iter().map(|part| part.indicator.counted(samples)).collect::<Option<Vec<_>>>();
            Some((slo.name.clone(), counts?))
        };
        let starts = samples.iter().filter(|sample| sample.name == STARTED).map(|sample| sample.value);
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a time")]
        let started = starts.reduce(f64::max).and_then(|at| DateTime::from_timestamp(at as i64, 0));
        Self { at, started, counts: slos.iter().filter_map(counted).collect() }
    }
}

/// Reads objectives from the services that have metrics of their own; none where there is no such service.
pub async fn ask(cx: &Session, slos: &[Slo]) -> Result<Option<Observed>> {
    let services: Vec<&Service> =
        cx.config()?.settings.services.iter().filter(|service| !service.metrics.is_empty()).collect();
    if services.is_empty() {
        return Ok(None);
    }
    let began = Instant::now();
    let now = cx.clock.now();
    let names: Vec<String> = slos.iter().flat_map(|slo| &slo.parts).flat_map(|part| part.indicator.metrics()).collect();
    let endpoints =
        services.iter().flat_map(|service| service.metrics.iter().map(move |endpoint| (*service, endpoint)));
    let asked = join_all(endpoints.map(|(service, endpoint)| {
        let names = &names;
        async move {
            let target = cx.target(&service.name, endpoint)?;
            let wanted = |name: &str| name == STARTED || names.iter().any(|known| known == name);
            let (exposition, _) = scrape(cx.http()?, &target, "", Effort::Quick, wanted).await?;
            Ok::<_, Error>(exposition.samples)
        }
    }))
    .await;
    let failed = asked.iter().find_map(|answer| answer.as_ref().err());
    let source = Source::asked("service metrics", began.elapsed(), failed.map_or(Ok(()), Err));
    if let Some(error) = failed {
        // A sum over some of the servers would look like a fall.
        let why = error.reason();
        let readings = slos.iter().map(|_| nothing(&why)).collect();
        return Ok(Some(Observed { readings, source, queries: 0 }));
    }
    let samples: Vec<Sample> = asked.into_iter().flatten().flatten().collect();
    let cache = cache(cx)?;
    let look = Look::new(now, slos, &samples);
    let mut looks: Vec<Look> = cache.load(KEY).unwrap_or_default();
    let readings = slos.iter().map(|slo| reading(slo, &look, &looks)).collect();
    if looks.last().is_none_or(|last| now - last.at >= SPACING || now < last.at) {
        looks.retain(|old| old.at <= now && now - old.at <= TimeDelta::days(4));
        looks.push(look);
        let surplus = looks.len().saturating_sub(KEPT);
        cache.save(KEY, &looks[surplus..].to_vec());
    }
    let source = Source { state: SourceState::Ok, ..source };
    Ok(Some(Observed { readings, source, queries: 0 }))
}

const KEY: &str = "slo looks";

/// Writes looks of past moments into the cache: the demo's days before it began.
pub fn seed(cache: &Cache, looks: &[Look]) {
    cache.save(KEY, &looks);
}

fn nothing(why: &str) -> Reading {
    let windows = WINDOWS.iter().map(|_| Err(why.to_owned())).collect();
    Reading { windows, period: Err(why.to_owned()), excluded: None, covered: Err(why.to_owned()), doubt: None }
}

fn reading(slo: &Slo, look: &Look, looks: &[Look]) -> Reading {
    let Some(counts) = look.counts.get(&slo.name) else {
        return nothing("only Prometheus can measure it, or its metrics are not exposed");
    };
    let since = |length: Duration| -> Tallies {
        let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        if look.started.is_some_and(|started| look.at - started <= length) {
            return counts.iter().map(|(bad, total)| Tally { bad: *bad, total: *total }.check()).collect();
        }
        let seconds = |old: &Look| (look.at - old.at).as_seconds_f64() / length.as_seconds_f64();
        let near = looks.iter().filter(|old| (seconds(old) - 1.0).abs() <= OFF);
        let near = near.min_by(|a, b| (seconds(a) - 1.0).abs().total_cmp(&(seconds(b) - 1.0).abs()));
        let before = near.and_then(|old| old.counts.get(&slo.name));
        let before = before.ok_or_else(|| NO_EARLIER.to_owned())?;
        // A counter that fell was reset: all of it is since.
        let grown = |now: f64, before: f64| if now < before { now } else { now - before };
        let pairs = counts.iter().zip(before);
        pairs.map(|(now, old)| Tally { bad: grown(now.0, old.0), total: grown(now.1, old.1) }.check()).collect()
    };
    let period = slo.window.elapsed(look.at).length();
    let age = look.started.and_then(|started| (look.at - started).to_std().ok());
    let covered = age.map(|age| age.min(period)).ok_or_else(|| "no process says when it started".to_owned());
    let whole = match age {
        Some(_) => since(period).map_err(|why| format!("the {} are unknown: {why}", to_promql(period))),
        None => Err("no process says when it started".into()),
    };
    Reading {
        windows: WINDOWS.iter().map(|window| since(*window)).collect(),
        period: whole,
        excluded: None,
        covered,
        doubt: None,
    }
}
