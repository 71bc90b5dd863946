//! What Prometheus says: every KPI with its last hour, the scrape targets, and its own alerts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::clients::prometheus::joined::is_about_the_question;
use crate::observe::age;
use crate::observe::age::{Intervals, KpiAges};
use crate::observe::quantile::beyond;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::estimate::Estimate;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::{Answer, Queried, ScrapeTarget, Series};
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::status::{KpiReading, Origin, Targets};
use liveops_domain::text::time::relative;

/// The sparkline's window and resolution.
const HOUR: TimeDelta = TimeDelta::hours(1);

const STEP: Duration = Duration::from_secs(60);

/// An instant answer is of now. One that is older than clocks are usually apart comes out of a cache.
const STALE: TimeDelta = TimeDelta::minutes(15);

/// Everything that one Prometheus said.
pub struct Said {
    pub source: Source,
    /// One reading a KPI, in order; empty when it is down.
    pub kpis: Vec<KpiReading>,
    pub targets: Option<Targets>,
    pub warnings: Vec<String>,
}

/// Asks everything at once, as it is now or was at that time.
pub async fn ask(cx: &Session, kpis: &[Kpi], at: Option<DateTime<Utc>>) -> Said {
    let began = Instant::now();
    let client = cx.prometheus().and_then(|target| Ok(Prometheus::new(cx.http()?, target, Effort::Quick)));
    let client = match client {
        Ok(client) => client,
        Err(error) => return down(&error),
    };
    let now = at.unwrap_or_else(|| cx.clock.now());
    let asked = join_all(kpis.iter().map(|kpi| one(&client, kpi, at, now)));
    let all: Vec<&Kpi> = kpis.iter().collect();
    let (asked, ages, targets) = tokio::join!(asked, age::ask(&client, &all, at), client.targets());
    let errors = || asked.iter().filter_map(|one| one.total.as_ref().err());
    let outage = errors().chain(targets.as_ref().err()).find(|error| error.is_outage());
    let answered =
        asked.iter().any(|one| one.total.as_ref().err().is_none_or(is_about_the_question)) || targets.is_ok();
    let first = errors().chain(targets.as_ref().err()).next();
    if let (false, Some(error)) = (answered, outage.or(first)) {
        return down(error);
    }
    let source = Source::asked("prometheus", began.elapsed(), Ok(())).partly(outage.map(Error::reason));
    let said = |one: &KpiAnswer| -> Vec<String> {
        let on = |text: &String| format!("prometheus, on KPI `{}`: {text}", one.reading.kpi.name);
        one.warnings.iter().map(on).collect()
    };
    let mut warnings: Vec<String> = asked.iter().flat_map(said).collect();
    let intervals = targets.as_deref().map(Intervals::of).unwrap_or_default();
    let aged = asked.into_iter().zip(&ages).map(|(one, ages)| one.aged(&client, ages, &intervals, now));
    let aged = join_all(aged).await;
    let kpis = aged.into_iter().map(|one| one.reading).collect();
    warnings.sort();
    warnings.dedup();
    // Query front ends (Thanos, Mimir) scrape nothing, and say 404.
    Said { source, kpis, targets: targets.ok().as_deref().map(count), warnings }
}

fn down(error: &Error) -> Said {
    let source =
        Source { state: SourceState::Down, ..Source::asked("prometheus", Duration::ZERO, Err::<(), _>(error)) };
    Said { source, kpis: Vec::new(), targets: None, warnings: Vec::new() }
}

/// What was answered for one KPI.
pub struct KpiAnswer {
    pub reading: KpiReading,
    /// The answer for the whole.
    pub total: Result<Queried>,
    pub warnings: Vec<String>,
}

/// A KPI as it is now, or was at that time.
pub async fn value(client: &Prometheus<'_>, kpi: &Kpi, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> KpiAnswer {
    let only = [kpi];
    let (asked, ages, targets) =
        tokio::join!(current(client, kpi, at, now), age::ask(client, &only, at), client.targets());
    let intervals = targets.as_deref().map(Intervals::of).unwrap_or_default();
    asked.aged(client, &ages[0], &intervals, at.unwrap_or(now)).await
}

async fn current(client: &Prometheus<'_>, kpi: &Kpi, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> KpiAnswer {
    let query = kpi.promql();
    let total = async { tokio::join!(client.instant(&query, at), beyond(client, &query, at)) };
    let by = async {
        let query = kpi.promql_by()?;
        Some(tokio::join!(client.instant(&query, at), beyond(client, &query, at)))
    };
    let ((total, is_beyond), by) = tokio::join!(total, by);
    let mut warnings = total.as_ref().map(|total| total.warnings.clone()).unwrap_or_default();
    let mut reading = match &total {
        Ok(queried) => read(kpi, queried, !is_beyond.is_empty(), at.is_some(), at.unwrap_or(now)),
        Err(error) => KpiReading::unknown(kpi.clone(), Origin::Prometheus, error.reason()),
    };
    match by {
        Some((Ok(by), beyond)) => {
            if reading.value.is_some() {
                reading.by = parts(&by, kpi, &beyond);
            }
            warnings.extend(by.warnings);
        }
        // The whole has failed as well, then, or will be said to.
        Some((Err(error), _)) if total.is_ok() => warnings.push(format!("no breakdown: {error}")),
        _ => {}
    }
    // Of an answer that is not whole, the value is shown and not judged.
    if let Some(warning) = total.as_ref().ok().and_then(Queried::partial) {
        reading = reading.doubtful(warning);
    }
    KpiAnswer { reading, total, warnings }
}

async fn one(client: &Prometheus<'_>, kpi: &Kpi, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> KpiAnswer {
    let query = kpi.promql();
    let (mut asked, trend) = tokio::join!(current(client, kpi, at, now), client.range(&query, now - HOUR, now, STEP));
    asked.reading.trend = trend.map(|queried| self::trend(&queried, now)).unwrap_or_default();
    asked
}

impl KpiAnswer {
    /// The reading with its age at that time, and with what is gone as it was. By Prometheus' own clock, where it tells:
    /// ours may be off.
    async fn aged(
        mut self,
        client: &Prometheus<'_>,
        ages: &KpiAges,
        intervals: &Intervals,
        now: DateTime<Utc>,
    ) -> Self {
        let now = self.total.as_ref().ok().and_then(|total| newest(&total.answer)).unwrap_or(now);
        let kpi = &self.reading.kpi;
        let Some(freshness) = ages.freshness(kpi, intervals) else {
            return self;
        };
        let mut gone = ages.gone(&freshness, now);
        if let (Some(query), Some(last)) = (kpi.promql_by(), gone.iter().map(|member| member.last_seen).max())
            && let Ok(then) = client.instant(&query, Some(last)).await
        {
            let then = parts(&then, kpi, &[]);
            for member in &mut gone {
                member.was = then.get(&member.name).map(|was| was.value).filter(|was| was.is_finite());
            }
        }
        // Of a part whose samples ended, only what it was is true.
        self.reading.by.retain(|name, _| !gone.iter().any(|member| member.name == *name));
        self.reading = self.reading.aged(freshness, gone, now);
        self
    }
}

/// Exactly one series is a value; none, several, or a histogram are not.
fn read(kpi: &Kpi, queried: &Queried, is_lower_bound: bool, is_past: bool, now: DateTime<Utc>) -> KpiReading {
    let by = BTreeMap::new;
    let estimate = |value: f64| Estimate { value, is_lower_bound };
    let unknown = |why: String| KpiReading::unknown(kpi.clone(), Origin::Prometheus, why);
    if let Some(at) = newest(&queried.answer).filter(|at| now - *at > STALE) {
        let why = format!("the newest value is from {}; is a cache in front of it?", relative(at, now));
        return unknown(why);
    }
    match &queried.answer {
        Answer::Scalar(point) => point.value.float().map_or_else(
            || unknown("a histogram instead of a number".into()),
            |value| KpiReading::known(kpi.clone(), Origin::Prometheus, value.into(), by()),
        ),
        Answer::Vector(series) => match series.as_slice() {
            // Of an earlier time nobody can scrape any more.
            [] if is_past => unknown("no samples of that time".into()),
            [] => unknown("no series; is the metric scraped?".into()),
            [only] => match last(only) {
                Some(value) => KpiReading::known(kpi.clone(), Origin::Prometheus, estimate(value), by()),
                None => unknown("a native histogram instead of a number; use histogram_quantile()".into()),
            },
            several => {
                unknown(format!("{} series where one is expected; aggregate with sum() or the like", several.len()))
            }
        },
        Answer::Matrix(_) => unknown("a range vector where one value is expected".into()),
        Answer::String { .. } => unknown("a string where a number is expected".into()),
    }
}

/// The numbers of an instant answer, of now.
///
/// # Errors
/// As every question; `Malformed` where they are of another time.
pub async fn numbers(cx: &Session, query: &str) -> Result<Vec<f64>> {
    let target = cx.prometheus()?;
    let url = target.url();
    let now = cx.clock.now();
    let answer = Prometheus::new(cx.http()?, target, Effort::Quick).instant(query, None).await?.answer;
    if let Some(at) = newest(&answer).filter(|at| (now - *at).abs() > STALE) {
        let what = format!("with a value from {}; is a cache in front of it, or a clock wrong?", relative(at, now));
        return Err(Error::Malformed { system: "prometheus".into(), url, what });
    }
    Ok(match &answer {
        Answer::Vector(series) => series.iter().filter_map(last).collect(),
        Answer::Scalar(point) => point.value.float().into_iter().collect(),
        Answer::Matrix(_) | Answer::String { .. } => Vec::new(),
    })
}

/// The time of an instant answer.
fn newest(answer: &Answer) -> Option<DateTime<Utc>> {
    match answer {
        Answer::Scalar(point) => Some(point.at),
        Answer::Vector(series) => series.iter().filter_map(|series| Some(series.points.last()?.at)).max(),
        Answer::Matrix(_) | Answer::String { .. } => None,
    }
}

fn last(series: &Series) -> Option<f64> {
    series.points.last()?.value.float()
}

fn parts(queried: &Queried, kpi: &Kpi, beyond: &[Labels]) -> BTreeMap<String, Estimate> {
    let (Answer::Vector(series), Some(label)) = (&queried.answer, &kpi.by) else {
        return BTreeMap::new();
    };
    let part = |series: &Series| {
        let estimate = Estimate { value: last(series)?, is_lower_bound: beyond.contains(&series.labels) };
        Some((series.labels.get(label).cloned().unwrap_or_default(), estimate))
    };
    series.iter().filter_map(part).collect()
}

/// The points of the only series on an even grid, so that gaps stay gaps.
fn trend(queried: &Queried, now: DateTime<Utc>) -> Vec<Option<f64>> {
    let Answer::Matrix(series) = &queried.answer else {
        return Vec::new();
    };
    let [only] = series.as_slice() else {
        return Vec::new();
    };
    let start = now - HOUR;
    let steps = HOUR.num_seconds() / 60 + 1;
    let mut grid = vec![None; usize::try_from(steps).unwrap_or(61)];
    for point in &only.points {
        let index = usize::try_from((point.at - start).num_seconds() / 60).unwrap_or(usize::MAX);
        if let (Some(slot), Some(value)) = (grid.get_mut(index), point.value.float()) {
            *slot = Some(value).filter(|value| value.is_finite());
        }
    }
    grid
}

fn count(targets: &[ScrapeTarget]) -> Targets {
    let mut counted = Targets::default();
    for target in targets {
        match target.health.as_str() {
            "up" => counted.up += 1,
            "down" => {
                let label = |name: &str| target.labels.get(name).map_or("?", String::as_str);
                let name = format!("{} {}", label("job"), label("instance"));
                counted.down.push((name, target.last_error.clone()));
            }
            _ => counted.unknown += 1,
        }
    }
    counted.down.sort();
    counted
}
