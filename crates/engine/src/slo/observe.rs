//! What Prometheus knows of objectives now: the counts of each window, of the period, of what is excluded, and how far
//! back it all goes. A few queries for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use crate::slo::batch::{Answers, Batch, NO_SERIES, Value};
use crate::slo::scraped;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::labels::quote;
use liveops_domain::metric::promql::Span;
use liveops_domain::metric::series::Answer;
use liveops_domain::slo::Slo;
use liveops_domain::slo::budget::{Reading, Tallies, Tally};
use liveops_domain::slo::burn::WINDOWS;
use liveops_domain::slo::expression::{components, counts};
use liveops_domain::slo::indicator::{Counts, Indicator};
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::text::duration::to_promql;
use liveops_domain::text::suggest::nearest;

/// Objectives a query: large enough to be few, small enough that one is answered in time.
const CHUNK: usize = 10;

/// The step at which it is looked whether there was data at all.
const FINE: Duration = Duration::from_secs(300);

const FINE_WINDOW: Duration = Duration::from_secs(6 * 3_600);

/// So many looks over the whole period.
const LOOKS: u32 = 240;

/// What the rules record.
const RECORDED: Duration = Duration::from_secs(300);

/// Recorded counts stand in for raw ones where they cover so much of what the raw ones do.
const ENOUGH: f64 = 0.98;

/// Readings in the order of the objectives, and who answered.
#[derive(Debug)]
pub struct Observed {
    pub readings: Vec<Reading>,
    pub source: Source,
    pub queries: usize,
}

/// Reads objectives. Where Prometheus does not answer, everything is unknown, with its reason.
///
/// # Errors
/// Those of the configuration.
pub async fn ask(cx: &Session, slos: &[Slo]) -> Result<Observed> {
    let began = Instant::now();
    let now = cx.clock.now();
    let target = match cx.prometheus() {
        Ok(target) => target,
        Err(error @ Error::Unconfigured { .. }) => {
            if let Some(observed) = scraped::ask(cx, slos).await? {
                return Ok(observed);
            }
            return Ok(unknown(slos, &error, "prometheus is not configured"));
        }
        Err(error) => return Err(error),
    };
    let client = Prometheus::new(cx.http()?, target, Effort::Quick);
    let chunks = join_all(slos.chunks(CHUNK).map(|chunk| chunk_of(&client, chunk, now)));
    let (asked, unseen) = tokio::join!(chunks, unseen(&client, slos));
    let failed = asked.iter().find_map(|answer| answer.as_ref().err());
    let source = Source::asked("prometheus", began.elapsed(), failed.map_or(Ok(()), Err));
    let mut observed = Observed { readings: Vec::new(), source, queries: 0 };
    let whole = asked.iter().filter(|answer| answer.is_ok()).count();
    if whole > 0 && whole < asked.len() {
        observed.source.state = SourceState::Degraded;
    }
    for (chunk, answer) in slos.chunks(CHUNK).zip(asked) {
        match answer {
            Ok((readings, queries)) => {
                observed.readings.extend(readings);
                observed.queries += queries;
            }
            Err(error) => {
                let why = format!("prometheus: {}", error.reason());
                observed.readings.extend(chunk.iter().map(|_| nothing(&why)));
            }
        }
    }
    // A counter that nobody has ever seen is no counter that has stayed at zero.
    for (slo, reading) in slos.iter().zip(&mut observed.readings) {
        let mut wanted = slo.parts.iter().flat_map(|part| part.indicator.metrics());
        if let (Ok(_), Some(why)) = (&reading.period, wanted.find_map(|name| unseen.get(&name).cloned())) {
            *reading = nothing(&why);
        }
    }
    if observed.source.state == SourceState::Down
        && let Some(scraped) = scraped::ask(cx, slos).await?
    {
        observed.readings = scraped.readings;
    }
    Ok(observed)
}

/// The metrics that Prometheus has never had, each with what to say of it.
async fn unseen(client: &Prometheus<'_>, slos: &[Slo]) -> BTreeMap<String, String> {
    let parts = slos.iter().flat_map(|slo| &slo.parts);
    let wanted: BTreeSet<String> = parts.flat_map(|part| part.indicator.metrics()).collect();
    let wanted: Vec<String> = wanted.into_iter().collect();
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    let Ok(known) = client.metric_names(&wanted).await else {
        return BTreeMap::new();
    };
    let missing: Vec<&String> = wanted.iter().filter(|name| !known.contains(*name)).collect();
    if missing.is_empty() {
        return BTreeMap::new();
    }
    let all = client.metric_names(&[]).await.unwrap_or_default();
    let why = |name: &String| {
        let near = nearest(name, all.iter().map(String::as_str)).map(|near| format!("; did you mean `{near}`?"));
        (name.clone(), format!("there is no metric `{name}`{}", near.unwrap_or_default()))
    };
    missing.into_iter().map(why).collect()
}

fn unknown(slos: &[Slo], error: &Error, why: &str) -> Observed {
    Observed {
        readings: slos.iter().map(|_| nothing(why)).collect(),
        source: Source::asked("prometheus", Duration::ZERO, Err::<(), _>(error)),
        queries: 0,
    }
}

/// Nothing is known, and why.
fn nothing(why: &str) -> Reading {
    let windows = WINDOWS.iter().map(|_| Err(why.to_owned())).collect();
    Reading { windows, period: Err(why.to_owned()), excluded: None, covered: Err(why.to_owned()), doubt: None }
}

/// Ids of a component's bad and total.
type Ids = Vec<(usize, usize)>;

fn add(batch: &mut Batch, slo: &Slo, span: Span) -> std::result::Result<Ids, String> {
    let add = |counts: Counts| (batch.add(counts.bad), batch.add(counts.total));
    Ok(counts(slo, span)?.into_iter().map(add).collect())
}

async fn chunk_of(client: &Prometheus<'_>, slos: &[Slo], now: DateTime<Utc>) -> Result<(Vec<Reading>, usize)> {
    let (mut short, mut long, mut past, mut cover) = Default::default();
    let plans: Vec<Plan> =
        slos.iter().map(|slo| Plan::new(slo, now, &mut short, &mut long, &mut past, &mut cover)).collect();
    let (short, long, past, cover) = tokio::join!(
        ask_all(&short, client, now),
        ask_all(&long, client, now),
        ask_all(&past, client, now),
        ask_all(&cover, client, now)
    );
    let (short, long, past, cover) = (short?, long?, past?, cover?);
    let mut queries = short.queries + long.queries + past.queries + cover.queries;
    // Sums over a month of nothing cost as much as over something: only what is recorded is asked for.
    let mut month = Batch::default();
    let recorded: Vec<Recorded> = slos
        .iter()
        .zip(&plans)
        .map(|(slo, plan)| if plan.is_recorded(&cover) { recorded(slo, plan.elapsed, &mut month) } else { Vec::new() })
        .collect();
    let sums = ask_all(&month, client, now).await?;
    queries += sums.queries;
    let mut raw = Batch::default();
    let mut readings = Vec::new();
    let mut missing: Vec<Option<Ids>> = Vec::new();
    for ((slo, plan), recorded) in slos.iter().zip(&plans).zip(&recorded) {
        let mut reading = plan.reading(slo, &short, &long, &past, &cover);
        reading.period = from_records(recorded, &reading.covered, &sums);
        let needs = reading.period.is_err();
        missing.push(needs.then(|| add(&mut raw, slo, Span::last(plan.elapsed)).unwrap_or_default()));
        readings.push(reading);
    }
    if !raw.is_empty() {
        let answers = raw.ask(client, now).await?;
        queries += answers.queries;
        for ((reading, ids), slo) in readings.iter_mut().zip(&missing).zip(slos) {
            if let Some(ids) = ids {
                reading.period = tallies(slo, ids, &answers);
                reading.doubt = reading.doubt.take().or_else(|| answers.doubt.clone());
            }
        }
    }
    for (reading, slo) in readings.iter_mut().zip(slos) {
        if let Some(why) = bucket_hint(client, slo, reading).await {
            queries += 1;
            reading.period = Err(why.clone());
            reading.windows.iter_mut().for_each(|window| *window = Err(why.clone()));
        }
    }
    Ok((readings, queries))
}

async fn ask_all(batch: &Batch, client: &Prometheus<'_>, now: DateTime<Utc>) -> Result<Answers> {
    if batch.is_empty() { Ok(Answers::default()) } else { batch.ask(client, now).await }
}

/// Which answers are whose.
struct Plan {
    elapsed: Duration,
    windows: Vec<std::result::Result<Ids, String>>,
    /// Whether the rules record it: the newest count.
    recorded: Option<usize>,
    excluded: Vec<Ids>,
    fine: usize,
    coarse: usize,
    step: Duration,
}

impl Plan {
    fn new(
        slo: &Slo,
        now: DateTime<Utc>,
        short: &mut Batch,
        long: &mut Batch,
        past: &mut Batch,
        cover: &mut Batch,
    ) -> Self {
        let period = slo.window.elapsed(now);
        let elapsed = Duration::from_secs(period.length().as_secs().max(60));
        let slice = slo.method.slice().unwrap_or_default();
        let windows = WINDOWS.iter().map(|window| {
            if *window < slice {
                return Err(format!("a slice is {}", to_promql(slice)));
            }
            add(if *window <= FINE_WINDOW { short } else { long }, slo, Span::last(*window))
        });
        let windows = windows.collect();
        let presence: Vec<String> = slo.parts.iter().map(|part| part.indicator.presence()).collect();
        // All parts must be there: a product has a value only where each has.
        let presence = format!("({})", presence.join(" * "));
        let step = Duration::from_secs((elapsed / LOOKS).as_secs().max(60));
        let counted = |window: Duration, step: Duration| {
            format!("count_over_time({presence}[{}:{}])", to_promql(window), to_promql(step))
        };
        let fine = cover.add(counted(FINE_WINDOW, FINE));
        let coarse = cover.add(counted(elapsed, step));
        let newest = || format!("count(slo:total:increase5m{{slo={}}})", quote(&slo.name));
        let recorded = (slice <= RECORDED).then(|| cover.add(newest()));
        let excluded = slo.excluded(period.start, now).into_iter();
        let excluded = excluded.map(|(from, to)| {
            let length = Duration::from_secs((to - from).unsigned_abs());
            add(past, slo, Span { length, end: Some(to) }).unwrap_or_default()
        });
        Self { elapsed, windows, recorded, excluded: excluded.collect(), fine, coarse, step }
    }

    fn reading(&self, slo: &Slo, short: &Answers, long: &Answers, past: &Answers, cover: &Answers) -> Reading {
        let windows = WINDOWS.iter().zip(&self.windows).map(|(window, ids)| {
            tallies(slo, ids.as_ref().map_err(Clone::clone)?, if *window <= FINE_WINDOW { short } else { long })
        });
        let windows: Vec<Tallies> = windows.collect();
        let covered = self.covered(cover);
        let excluded = (!self.excluded.is_empty()).then(|| {
            let mut sum = vec![Tally { bad: 0.0, total: 0.0 }; components(slo).len()];
            for ids in &self.excluded {
                for (sum, (bad, total)) in sum.iter_mut().zip(ids) {
                    sum.bad += or_zero(past.value(*bad))?;
                    sum.total += or_zero(past.value(*total))?;
                }
            }
            Ok(sum)
        });
        let doubt = [short, long, past, cover].iter().find_map(|answers| answers.doubt.clone());
        Reading { windows, period: Err(NO_SERIES.into()), excluded, covered, doubt }
    }

    fn covered(&self, cover: &Answers) -> std::result::Result<Duration, String> {
        let looks = |id: usize, step: Duration, most: Duration| {
            or_zero(cover.value(id)).map(|n| Duration::from_secs_f64((n * step.as_secs_f64()).min(most.as_secs_f64())))
        };
        let fine = looks(self.fine, FINE, FINE_WINDOW)?;
        let coarse = looks(self.coarse, self.step, self.elapsed)?;
        // Of a young series a single look of an hour would count as the hour.
        Ok(if fine < FINE_WINDOW.mul_f64(0.9) && coarse < FINE_WINDOW * 2 { fine.min(self.elapsed) } else { coarse })
    }

    fn is_recorded(&self, cover: &Answers) -> bool {
        self.recorded.is_some_and(|id| cover.value(id).is_ok())
    }
}

/// Of the recorded counts of each component: bad, total, and how many there are.
type Recorded = Vec<(usize, usize, usize)>;

/// The period from what the rules recorded, where that goes back as far as the data.
fn from_records(recorded: &Recorded, covered: &std::result::Result<Duration, String>, sums: &Answers) -> Tallies {
    let covered = covered.clone()?;
    let whole = |(bad, total, n): &(usize, usize, usize)| {
        let n = sums.value(*n)?;
        if n * RECORDED.as_secs_f64() < covered.as_secs_f64() * ENOUGH || covered.is_zero() {
            return Err(NO_SERIES.to_owned());
        }
        Tally { bad: sums.value(*bad)?, total: sums.value(*total)? }.check()
    };
    if recorded.is_empty() {
        return Err(NO_SERIES.into());
    }
    recorded.iter().map(whole).collect()
}

fn recorded(slo: &Slo, elapsed: Duration, past: &mut Batch) -> Recorded {
    let window = to_promql(elapsed);
    let mut one = |part: &str| {
        let part = if part.is_empty() { String::new() } else { format!(",part={}", quote(part)) };
        let mut add = |function: &str, side: &str| {
            let series = format!("slo:{side}:increase5m{{slo={}{part}}}", quote(&slo.name));
            past.add(format!("{function}({series}[{window}:5m])"))
        };
        (add("sum_over_time", "bad"), add("sum_over_time", "total"), add("count_over_time", "total"))
    };
    components(slo).iter().map(|component| one(&component.name)).collect()
}

fn or_zero(value: Value) -> Value {
    match value {
        Err(why) if why == NO_SERIES => Ok(0.0),
        value => value,
    }
}

/// The tally of each component.
fn tallies(slo: &Slo, ids: &Ids, answers: &Answers) -> Tallies {
    let one = |(bad, total): &(usize, usize)| {
        let named = |why: String| if why == NO_SERIES { missing(slo) } else { why };
        let total = answers.value(*total).map_err(named)?;
        let bad = answers.value(*bad).map_err(|why| if why == NO_SERIES { NO_BAD.into() } else { why })?;
        Tally { bad, total }.check()
    };
    ids.iter().map(one).collect()
}

/// All events are known, and the bad ones are not.
const NO_BAD: &str = "no series for the bad events";

fn missing(slo: &Slo) -> String {
    let names: Vec<String> = slo.parts.iter().filter_map(|part| part.indicator.metrics().into_iter().next()).collect();
    format!("no data of {}", names.join(", "))
}

/// A latency whose bound is no bucket: the buckets next to it.
async fn bucket_hint(client: &Prometheus<'_>, slo: &Slo, reading: &Reading) -> Option<String> {
    if reading.period.as_ref().err()? != NO_BAD {
        return None;
    }
    let bounded = slo.parts.iter().find_map(|part| match &part.indicator {
        Indicator::Latency { histogram, below, native: false } => Some((histogram, *below)),
        _ => None,
    });
    let (histogram, below) = bounded?;
    let buckets = histogram.with_suffix("_bucket");
    let answer = client.instant(&format!("count by (le) ({buckets})"), None).await.ok()?;
    let Answer::Vector(series) = answer.answer else {
        return None;
    };
    let mut bounds: Vec<f64> =
        series.iter().filter_map(|one| one.labels.get("le")?.parse().ok()).filter(|le: &f64| le.is_finite()).collect();
    bounds.sort_by(f64::total_cmp);
    let unit = liveops_domain::slo::indicator::latency_unit(histogram);
    let under = bounds.iter().rev().find(|bound| **bound < below);
    let over = bounds.iter().find(|bound| **bound > below);
    let near: Vec<String> = under.into_iter().chain(over).map(|bound| unit.show(*bound)).collect();
    Some(format!("{} has no bucket at {}; the next are {}", buckets.name(), unit.show(below), near.join(" and ")))
}
