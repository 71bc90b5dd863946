//! KPIs without Prometheus: the services' own metrics, scraped directly. What grows is measured between two scrapes;
//! the earlier one comes from the cache, so that only the very first status has to wait for a second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};

use crate::clients::http::request::Effort;
use crate::clients::service::scrape;
use crate::config::endpoint::Endpoint;
use crate::config::service::Service;
use crate::files::cache::Cache;
use crate::observe::metrics_paths::MissingPaths;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::exposition::{Exposition, Sample};
use liveops_domain::metric::freshness::{Freshness, GoneMember};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::scrape::gone::gone;
use liveops_domain::metric::scrape::{KpiValue, NoValue, STARTED, Snapshot, Window, created_name, evaluate, keep};
use liveops_domain::metric::selector::Selector;
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::status::{KpiReading, Origin};
use liveops_domain::text::count::count;
use liveops_domain::text::time::compact;

/// A sample that carries an older time is no answer any more: Prometheus' lookback.
const LOOKBACK: TimeDelta = TimeDelta::minutes(5);

/// Endpoints that are scraped at the same time: as many as services are asked for their health, so that a fleet of
/// slow ones costs one wait and not several.
const AT_ONCE: usize = 256;

/// Between the two scrapes of a first status.
const PAUSE: Duration = Duration::from_secs(1);

/// Scrapes are kept this far apart, and farther where the longest window needs it, for as long as that window.
const SPACING: TimeDelta = TimeDelta::seconds(15);

const KEPT: i32 = 24;

/// Of those that cannot be thinned out, since something was born or restarted at each, so many are kept.
const MOST_KEPT: usize = 96;

/// What the scrapes gave.
pub struct Scraped {
    pub kpis: Vec<KpiReading>,
    /// One a service whose metrics were asked for.
    pub sources: Vec<Source>,
}

/// One metrics endpoint with the scrapes that are known of it, oldest first. One that failed is an empty one.
struct Place<'a> {
    service: &'a Service,
    endpoint: &'a Endpoint,
    history: Vec<Snapshot>,
    current: Result<Snapshot>,
    /// The age of samples that were left out for it.
    stale: Option<TimeDelta>,
    took: Duration,
}

/// Scrapes every endpoint and computes every KPI.
pub async fn ask(cx: &Session, services: &[&Service], kpis: &[Kpi], cache: &Cache) -> Scraped {
    let misses = MissingPaths::load(cache, cx.clock.now());
    let mut places = scrape_all(cx, services, kpis, cache, &misses).await;
    let immature = |places: &[Place<'_>]| {
        kpis.iter().any(|kpi| matches!(compute(kpi, places), Err(why) if why.is_cured_by_scraping_again()))
    };
    if immature(&places) {
        tokio::time::sleep(PAUSE).await;
        let again = scrape_all(cx, services, kpis, cache, &misses).await;
        for (place, again) in places.iter_mut().zip(again) {
            let first = std::mem::replace(&mut place.current, again.current);
            // The first becomes the earlier one, whatever the cache held: that was too old, or nothing.
            place.history.extend(first.ok());
            place.stale = again.stale;
            place.took = again.took;
        }
    }
    for place in &places {
        remember(place, kpis, cache, cx.clock.now());
    }
    let missed = places.iter().filter(|place| is_guess_that_missed(place));
    let missed = missed.map(|place| place.endpoint.url.show());
    misses.add(missed, cache, cx.clock.now());
    let now = cx.clock.now();
    for place in places.iter_mut().filter(|place| place.current.is_err()) {
        place.history.push(Snapshot::new(now, Vec::new()));
    }
    let readings = kpis.iter().map(|kpi| reading(kpi, &places, now)).collect();
    Scraped { kpis: readings, sources: sources(&places) }
}

/// Scrapes that were kept for other KPIs lack series that were there: these would seem born since.
fn key(endpoint: &Endpoint, kpis: &[Kpi]) -> String {
    let mut wanted: Vec<String> = kpis.iter().flat_map(Kpi::selectors).map(|selector| selector.show()).collect();
    wanted.sort();
    format!("scrape {} {}", endpoint.url.show(), wanted.join(" "))
}

async fn scrape_all<'a>(
    cx: &Session,
    services: &[&'a Service],
    kpis: &[Kpi],
    cache: &Cache,
    misses: &MissingPaths,
) -> Vec<Place<'a>> {
    let selectors: Vec<Selector> = kpis.iter().flat_map(Kpi::selectors).collect();
    let selectors = &selectors;
    let endpoints = services.iter().flat_map(|service| {
        let asked = |endpoint: &&Endpoint| !(service.metrics_guessed && misses.holds(&endpoint.url.show()));
        let asked = service.metrics.iter().filter(asked);
        asked.map(move |endpoint| (*service, endpoint))
    });
    stream::iter(endpoints)
        .map(|(service, endpoint)| async move {
            let began = Instant::now();
            let (current, stale) = match one(cx, service, endpoint, kpis, selectors).await {
                Ok((snapshot, stale)) => (Ok(snapshot), stale),
                Err(error) => (Err(error), None),
            };
            let history = cache.load(&key(endpoint, kpis)).unwrap_or_default();
            Place { service, endpoint, history, current, stale, took: began.elapsed() }
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}

async fn one(
    cx: &Session,
    service: &Service,
    endpoint: &Endpoint,
    kpis: &[Kpi],
    selectors: &[Selector],
) -> Result<(Snapshot, Option<TimeDelta>)> {
    let target = cx.target(&service.name, endpoint)?;
    let created: Vec<String> = selectors.iter().map(|selector| created_name(selector.name())).collect();
    let wanted = |name: &str| {
        name == STARTED
            || selectors.iter().any(|selector| selector.name() == name)
            || created.iter().any(|one| one == name)
    };
    let (exposition, answer) = scrape(cx.http()?, &target, "", Effort::Quick, wanted).await?;
    let at = cx.clock.now();
    // By the endpoint's own clock, where it tells: ours may be off.
    let (samples, stale) = fresh(exposition, answer.date.unwrap_or(at));
    Ok((keep(Snapshot::new(at, samples), kpis), stale))
}

/// The samples that are of now, and the age of the youngest that is not.
fn fresh(exposition: Exposition, now: DateTime<Utc>) -> (Vec<Sample>, Option<TimeDelta>) {
    let age = |stamp: Option<f64>| {
        // A time that is none is as old as can be.
        stamp.map(|millis| DateTime::from_timestamp_millis(millis as i64).map_or(TimeDelta::MAX, |at| now - at))
    };
    let mut stale: Option<TimeDelta> = None;
    let mut samples = exposition.samples;
    let mut ages = exposition.stamps.into_iter().map(age);
    samples.retain(|_| match ages.next().flatten() {
        Some(age) if age > LOOKBACK => {
            stale = Some(stale.map_or(age, |known| known.min(age)));
            false
        }
        _ => true,
    });
    (samples, stale)
}

/// The KPI over the endpoints that answered, each against its own earlier scrapes.
fn compute(kpi: &Kpi, places: &[Place<'_>]) -> Result<KpiValue, NoValue> {
    let windows: Vec<Window<'_>> =
        concerned(kpi, places).filter_map(|place| Some(window(&place.history, place.current.as_ref().ok()?))).collect();
    evaluate(kpi, &windows)
}

/// Of two scrapes at nearly one time, the clock's error is most of what is measured between them.
fn window<'a>(history: &'a [Snapshot], current: &'a Snapshot) -> Window<'a> {
    let earlier = history.iter().filter(|earlier| current.at - earlier.at >= TimeDelta::milliseconds(500));
    Window { earlier: earlier.collect(), current }
}

fn concerned<'a>(kpi: &'a Kpi, places: &'a [Place<'a>]) -> impl Iterator<Item = &'a Place<'a>> {
    places.iter().filter(|place| kpi.service.as_ref().is_none_or(|name| *name == place.service.name))
}

/// The parts of the KPI that are gone: of an endpoint that does not answer, all that it had.
fn lost(kpi: &Kpi, places: &[Place<'_>]) -> Vec<GoneMember> {
    let windows = concerned(kpi, places).filter_map(|place| {
        Some(match (&place.current, place.history.split_last()) {
            (Ok(current), _) => window(&place.history, current),
            (Err(_), failed) => window(&place.history, failed?.0),
        })
    });
    gone(kpi, &windows.collect::<Vec<_>>())
}

fn reading(kpi: &Kpi, places: &[Place<'_>], now: DateTime<Utc>) -> KpiReading {
    let asked = || concerned(kpi, places).filter(|place| !is_guess_that_missed(place));
    let failed: Vec<(&str, &Error)> =
        asked().filter_map(|place| Some((place.service.name.as_str(), place.current.as_ref().err()?))).collect();
    let unknown = |why: String| KpiReading::unknown(kpi.clone(), Origin::Scrape, why);
    let lost = lost(kpi, places);
    match (compute(kpi, places), failed.first()) {
        (Ok(value), None) => {
            // What the latest scrape does not have is gone: there is none to wait for, but for the slowest endpoint.
            let first = asked().filter_map(|place| Some(place.current.as_ref().ok()?.at)).min();
            let freshness = Freshness { interval: first.map(|first| now - first), ..value.freshness };
            let mut reading = KpiReading::known(kpi.clone(), Origin::Scrape, value.total, value.by);
            if value.counts_newborn {
                reading.note = Some("counts series that are new since the last scrape from 0".into());
            }
            reading.aged(freshness, lost, now)
        }
        (Ok(_), Some((name, error))) => {
            // A sum over some of the servers would look like a fall, and a quantile like health.
            let endpoints = count(asked().count(), "endpoint");
            let why = format!("{} of {endpoints} did not answer; {name} metrics: {}", failed.len(), error.reason());
            KpiReading { gone: lost, ..unknown(why) }
        }
        (Err(NoValue::NeedsPrometheus), _) => unknown(NoValue::NeedsPrometheus.to_string()),
        (Err(_), Some((name, error))) => {
            KpiReading { gone: lost, ..unknown(format!("{name} metrics: {}", error.reason())) }
        }
        (Err(why), None) => {
            let stale = places.iter().filter_map(|place| place.stale).min();
            let why = match (stale, &why) {
                (Some(age), NoValue::NoSeries { .. }) => {
                    format!("{why} but such that are {} old", old(age))
                }
                _ => why.to_string(),
            };
            KpiReading { gone: lost, ..unknown(why) }
        }
    }
}

fn old(age: TimeDelta) -> String {
    compact(age.num_seconds().max(0).unsigned_abs())
}

/// The metrics path was our guess, and the service does not have it: nobody's fault.
fn is_guess_that_missed(place: &Place<'_>) -> bool {
    place.service.metrics_guessed && matches!(&place.current, Err(Error::Rejected { status: 404 | 405, .. }))
}

/// Keeps this scrape for the next looks; of one that failed, that it was looked.
fn remember(place: &Place<'_>, kpis: &[Kpi], cache: &Cache, now: DateTime<Utc>) {
    let failed = Snapshot::new(now, Vec::new());
    let current = match &place.current {
        Ok(current) => current,
        Err(_) if place.history.is_empty() => return,
        Err(_) => &failed,
    };
    let windows = kpis.iter().filter_map(|kpi| TimeDelta::from_std(kpi.window()?).ok());
    let longest = windows.max().unwrap_or(LOOKBACK).max(LOOKBACK);
    // A scrape of the future is left over from a clock that was wrong.
    let mut history: Vec<&Snapshot> =
        place.history.iter().filter(|old| current.at - old.at <= longest && old.at <= current.at).collect();
    // Close ones are thinned out, and of too many the oldest goes: the file stays small however often one looks.
    let spacing = SPACING.max(longest / (KEPT - 4));
    if let [.., before, last] = history.as_slice()
        && current.at - before.at < spacing
    {
        let counters: Vec<Selector> =
            kpis.iter().filter(|kpi| kpi.window().is_some()).flat_map(Kpi::selectors).collect();
        if last.is_implied(before, current, &counters) {
            history.pop();
        }
    }
    history.push(current);
    let surplus = history.len().saturating_sub(MOST_KEPT);
    cache.save(&key(place.endpoint, kpis), &history[surplus..].to_vec());
}

fn sources(places: &[Place<'_>]) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for place in places.iter().filter(|place| !is_guess_that_missed(place)) {
        let name = place.service.name.as_str();
        let asked = Source::asked(format!("{name} metrics"), place.took, place.current.as_ref());
        match index.get(name).map(|at| &mut sources[*at]) {
            None => {
                index.insert(name, sources.len());
                sources.push(asked);
            }
            Some(known) => {
                if known.state != asked.state {
                    known.state = SourceState::Degraded;
                }
                known.latency_ms = known.latency_ms.max(asked.latency_ms);
                known.error = known.error.take().or(asked.error);
            }
        }
    }
    sources
}
