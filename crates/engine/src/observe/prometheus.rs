//! What Prometheus says: every KPI with its last hour, the scrape targets, and its own alerts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::kpi::Kpi;
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

/// Asks everything at once.
pub async fn ask(cx: &Session, kpis: &[Kpi]) -> Said {
    let began = Instant::now();
    let client = cx.prometheus().and_then(|target| Ok(Prometheus::new(cx.http()?, target, Effort::Quick)));
    let client = match client {
        Ok(client) => client,
        Err(error) => return down(&error),
    };
    let now = cx.clock.now();
    let asked = join_all(kpis.iter().map(|kpi| one(&client, kpi, now)));
    let (asked, targets) = tokio::join!(asked, client.targets());
    let errors = || asked.iter().filter_map(|(_, error)| error.as_ref());
    let outage = errors().chain(targets.as_ref().err()).find(|error| error.is_outage());
    let answered = asked.iter().any(|(_, error)| error.as_ref().is_none_or(is_about_the_question)) || targets.is_ok();
    let first = errors().chain(targets.as_ref().err()).next();
    if let (false, Some(error)) = (answered, outage.or(first)) {
        return down(error);
    }
    let source = Source::asked("prometheus", began.elapsed(), Ok(())).partly(outage.map(Error::reason));
    let mut warnings = Vec::new();
    let kpis = asked
        .into_iter()
        .map(|((reading, said), _)| {
            warnings.extend(said);
            reading
        })
        .collect();
    warnings.sort();
    warnings.dedup();
    // Query front ends (Thanos, Mimir) scrape nothing, and say 404.
    Said { source, kpis, targets: targets.ok().as_deref().map(count), warnings }
}

/// Is this Prometheus' own no to one question? A 404 is somebody else's: it has no such API at this URL.
fn is_about_the_question(error: &Error) -> bool {
    matches!(error, Error::Rejected { status: 400 | 422, .. })
}

fn down(error: &Error) -> Said {
    let source =
        Source { state: SourceState::Down, ..Source::asked("prometheus", Duration::ZERO, Err::<(), _>(error)) };
    Said { source, kpis: Vec::new(), targets: None, warnings: Vec::new() }
}

type Asked = ((KpiReading, Vec<String>), Option<Error>);

/// What it is now, and the answer itself. Of an answer that is not whole, the value is shown and not judged.
pub async fn value(client: &Prometheus<'_>, kpi: &Kpi, now: DateTime<Utc>) -> (KpiReading, Result<Queried>) {
    let answer = client.instant(&kpi.promql(), None).await;
    let reading = match &answer {
        Ok(queried) => match queried.warnings.first() {
            None => read(kpi, queried, now),
            Some(warning) => read(kpi, queried, now).doubtful(warning),
        },
        Err(error) => KpiReading::unknown(kpi.clone(), Origin::Prometheus, error.reason()),
    };
    (reading, answer)
}

async fn one(client: &Prometheus<'_>, kpi: &Kpi, now: DateTime<Utc>) -> Asked {
    let query = kpi.promql();
    let trend = client.range(&query, now - HOUR, now, STEP);
    let by = async {
        match kpi.promql_by() {
            Some(query) => client.instant(&query, None).await.ok(),
            None => None,
        }
    };
    let ((mut reading, total), trend, by) = tokio::join!(value(client, kpi, now), trend, by);
    let answers = total.as_ref().ok().into_iter().chain(&by);
    let warnings = answers.flat_map(|queried| &queried.warnings);
    let warnings = warnings.map(|warning| format!("prometheus, on KPI `{}`: {warning}", kpi.name)).collect();
    if reading.value.is_some() {
        reading.by = by.map(|queried| parts(&queried, kpi)).unwrap_or_default();
    }
    reading.trend = trend.map(|queried| self::trend(&queried, now)).unwrap_or_default();
    ((reading, warnings), total.err())
}

/// Exactly one series is a value; none, several, or a histogram are not.
fn read(kpi: &Kpi, queried: &Queried, now: DateTime<Utc>) -> KpiReading {
    let by = BTreeMap::new;
    let unknown = |why: String| KpiReading::unknown(kpi.clone(), Origin::Prometheus, why);
    if let Some(at) = newest(&queried.answer).filter(|at| now - *at > STALE) {
        let why = format!("the newest value is from {}; is a cache in front of it?", relative(at, now));
        return unknown(why);
    }
    match &queried.answer {
        Answer::Scalar(point) => point.value.float().map_or_else(
            || unknown("a histogram instead of a number".into()),
            |value| KpiReading::known(kpi.clone(), Origin::Prometheus, value, by()),
        ),
        Answer::Vector(series) => match series.as_slice() {
            [] => unknown("no series; is the metric scraped?".into()),
            [only] => match last(only) {
                Some(value) => KpiReading::known(kpi.clone(), Origin::Prometheus, value, by()),
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

fn parts(queried: &Queried, kpi: &Kpi) -> BTreeMap<String, f64> {
    let (Answer::Vector(series), Some(label)) = (&queried.answer, &kpi.by) else {
        return BTreeMap::new();
    };
    let part = |series: &Series| Some((series.labels.get(label).cloned().unwrap_or_default(), last(series)?));
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
