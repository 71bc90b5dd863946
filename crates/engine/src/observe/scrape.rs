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
use liveops_domain::metric::kpi::{Kpi, KpiKind};
use liveops_domain::metric::scrape::{KpiValue, NoValue, STARTED, Snapshot, Window, evaluate, keep};
use liveops_domain::metric::selector::Selector;
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::status::{KpiReading, Origin};
use liveops_domain::text::time::compact;

/// A sample that carries an older time is no answer any more: Prometheus' lookback.
const LOOKBACK: TimeDelta = TimeDelta::minutes(5);

/// Endpoints that are scraped at the same time: as many as services are asked for their health, so that a fleet of
/// slow ones costs one wait and not several.
const AT_ONCE: usize = 256;

/// Between the two scrapes of a first status.
const PAUSE: Duration = Duration::from_secs(1);

/// Scrapes are kept this far apart, for as long as the longest window.
const SPACING: TimeDelta = TimeDelta::seconds(15);

const KEPT: usize = 24;

/// What the scrapes gave.
pub struct Scraped {
    pub kpis: Vec<KpiReading>,
    /// One a service whose metrics were asked for.
    pub sources: Vec<Source>,
}

/// One metrics endpoint with the scrapes that are known of it, oldest first.
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
            if place.current.is_err() {
                place.history = again.history;
            }
            let first = std::mem::replace(&mut place.current, again.current);
            // The first becomes the earlier one, whatever the cache held: that was too old, or nothing.
            place.history.extend(first.ok());
            place.stale = again.stale;
            place.took = again.took;
        }
    }
    for place in &places {
        remember(place, kpis, cache);
    }
    let missed = places.iter().filter(|place| is_guess_that_missed(place));
    let missed = missed.map(|place| place.endpoint.url.show());
    misses.add(missed, cache, cx.clock.now());
    let readings = kpis.iter().map(|kpi| reading(kpi, &places)).collect();
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
            let history = match &current {
                Ok(_) => cache.load(&key(endpoint, kpis)).unwrap_or_default(),
                Err(_) => Vec::new(),
            };
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
    let wanted = |name: &str| name == STARTED || selectors.iter().any(|selector| selector.name() == name);
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

/// The KPI over the endpoints that answered, each against its own earlier scrape.
fn compute(kpi: &Kpi, places: &[Place<'_>]) -> Result<KpiValue, NoValue> {
    let of_service = |place: &&Place<'_>| kpi.service.as_ref().is_none_or(|name| *name == place.service.name);
    let windows: Vec<Window<'_>> = places
        .iter()
        .filter(of_service)
        .filter_map(|place| {
            let current = place.current.as_ref().ok()?;
            Some(Window { earlier: earlier(kpi, &place.history, current.at), current })
        })
        .collect();
    evaluate(kpi, &windows)
}

/// The scrapes that are inside the KPI's window, the oldest first: the longer the base, the steadier the rate.
fn earlier<'a>(kpi: &Kpi, history: &'a [Snapshot], now: DateTime<Utc>) -> Vec<&'a Snapshot> {
    let window = match &kpi.kind {
        KpiKind::Rate { window, .. } | KpiKind::Ratio { window, .. } | KpiKind::Quantile { window, .. } => *window,
        KpiKind::Gauge { .. } | KpiKind::PromQl(_) => return Vec::new(),
    };
    let window = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
    let inside =
        |snapshot: &&Snapshot| now - snapshot.at <= window && now - snapshot.at >= TimeDelta::milliseconds(500);
    history.iter().filter(inside).collect()
}

fn reading(kpi: &Kpi, places: &[Place<'_>]) -> KpiReading {
    let failed: Vec<(&str, &Error)> = places
        .iter()
        .filter(|place| kpi.service.as_ref().is_none_or(|name| *name == place.service.name))
        .filter(|place| !is_guess_that_missed(place))
        .filter_map(|place| Some((place.service.name.as_str(), place.current.as_ref().err()?)))
        .collect();
    match (compute(kpi, places), failed.first()) {
        (Ok(value), None) => KpiReading::known(kpi.clone(), Origin::Scrape, value.total, value.by),
        (Ok(_), Some((name, error))) => {
            // A sum over some of the servers would look like a fall, and a quantile like health.
            let why =
                format!("{} of {} endpoints did not answer; {name}: {}", failed.len(), places.len(), error.reason());
            KpiReading::unknown(kpi.clone(), Origin::Scrape, why)
        }
        (Err(NoValue::NeedsPrometheus), _) => {
            KpiReading::unknown(kpi.clone(), Origin::Scrape, NoValue::NeedsPrometheus.to_string())
        }
        (Err(_), Some((name, error))) => {
            KpiReading::unknown(kpi.clone(), Origin::Scrape, format!("{name}'s metrics: {}", error.reason()))
        }
        (Err(why), None) => {
            let stale = places.iter().filter_map(|place| place.stale).min();
            let why = match (stale, &why) {
                (Some(age), NoValue::NoSeries { .. }) => {
                    format!("{why} but such that are {} old", old(age))
                }
                _ => why.to_string(),
            };
            KpiReading::unknown(kpi.clone(), Origin::Scrape, why)
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

fn remember(place: &Place<'_>, kpis: &[Kpi], cache: &Cache) {
    let Ok(current) = &place.current else { return };
    let longest = kpis.iter().filter_map(|kpi| match &kpi.kind {
        KpiKind::Rate { window, .. } | KpiKind::Ratio { window, .. } | KpiKind::Quantile { window, .. } => {
            Some(*window)
        }
        KpiKind::Gauge { .. } | KpiKind::PromQl(_) => None,
    });
    let Some(longest) = longest.max().and_then(|window| TimeDelta::from_std(window).ok()) else {
        return;
    };
    // A scrape of the future is left over from a clock that was wrong.
    let mut history: Vec<&Snapshot> =
        place.history.iter().filter(|old| current.at - old.at <= longest && old.at <= current.at).collect();
    // Close ones are thinned out, and of too many the oldest goes: the file stays small however often one looks.
    if history.len() >= 2 && current.at - history[history.len() - 2].at < SPACING {
        history.pop();
    }
    history.push(current);
    let surplus = history.len().saturating_sub(KEPT);
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
