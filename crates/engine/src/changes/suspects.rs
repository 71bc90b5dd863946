//! Who is suspected: the break of a KPI, and the changes that may have made it. One answer for `status`, `triage` and
//! `changes`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::observe::trends::scraped_points;
use crate::session::Session;
use liveops_domain::change::timeline::Change;
use liveops_domain::change::timeline::breaks::{Break, TooYoung, Uncovered, find, too_young, uncovered};
use liveops_domain::change::timeline::rank::{Suspect, rank};
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::series::Answer;
use liveops_domain::text::count::count;
use liveops_domain::text::duration;

/// Points of a KPI's series that a break is looked for in.
const POINTS: u32 = 720;

/// The step where Prometheus does not say how often it scrapes.
const USUAL: Duration = Duration::from_secs(15);

/// Fewer points have no break.
const LEAST: usize = 10;

/// A value and its time.
type Point = (DateTime<Utc>, f64);

/// A stretch of time.
pub type Span = (DateTime<Utc>, DateTime<Utc>);

/// What the series of a KPI says.
#[derive(Debug, Clone)]
pub struct BreakLook {
    pub broken: Option<Break>,
    /// The end of the series, of which nothing can be said yet.
    pub young: TooYoung,
    pub uncovered: Uncovered,
    /// Why the series is not whole: who did not answer Prometheus' front end.
    pub partial: Option<String>,
}

/// How often Prometheus scrapes: a finer step sees each sample several times, a coarser one sees late.
async fn scrape_interval(cx: &Session) -> Result<Duration> {
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let targets = client.targets().await.unwrap_or_default();
    let interval = |text: &String| duration::parse(text).ok().filter(|interval| !interval.is_zero());
    Ok(targets.iter().filter_map(|target| target.interval.as_ref().and_then(interval)).min().unwrap_or(USUAL))
}

/// The series of a KPI, as Prometheus has it.
///
/// # Errors
/// Those of Prometheus.
pub async fn series(cx: &Session, kpi: &Kpi, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Point>> {
    Ok(measured(cx, kpi, (from, to), scrape_interval(cx).await?).await?.0)
}

/// The points, and why they are not all.
async fn measured(
    cx: &Session,
    kpi: &Kpi,
    (from, to): Span,
    interval: Duration,
) -> Result<(Vec<Point>, Option<String>)> {
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let span = (to - from).to_std().unwrap_or_default();
    let step = Duration::from_secs((span / POINTS).max(interval).as_secs().max(1));
    let queried = client.range(&kpi.promql(), from, to, step).await?;
    let partial = queried.partial().map(str::to_owned);
    let Answer::Matrix(series) = queried.answer else {
        return Ok((Vec::new(), partial));
    };
    // A KPI is one series; a user's own PromQL may give several, of which the first is looked at.
    let points = series.into_iter().next().map(|series| series.points);
    let points = points.into_iter().flatten().filter_map(|point| Some((point.at, point.value.float()?)));
    Ok((points.collect(), partial))
}

/// Looks for the break of a KPI.
///
/// # Errors
/// Those of Prometheus; `Malformed` when there are too few points.
pub async fn look(cx: &Session, kpi: &Kpi, span: Span) -> Result<BreakLook> {
    look_at(cx, kpi, span, &scrape_interval(cx).await).await
}

async fn look_at(cx: &Session, kpi: &Kpi, span: Span, interval: &Result<Duration>) -> Result<BreakLook> {
    let asked = match interval {
        Ok(interval) => measured(cx, kpi, span, *interval).await,
        Err(_) => Ok((Vec::new(), None)),
    };
    // Without Prometheus, what looks at the services themselves have left.
    let (points, partial) = match &asked {
        Ok((points, partial)) if points.len() >= LEAST => (points.clone(), partial.clone()),
        _ => (scraped_points(cx, &kpi.name, span), None),
    };
    if points.len() < LEAST {
        return Err(match (asked, cx.prometheus()) {
            (Err(error), _) | (_, Err(error)) => error,
            (Ok((points, _)), Ok(prometheus)) => Error::Malformed {
                system: "prometheus".into(),
                url: prometheus.url(),
                what: format!("{} of `{}`: too few to find a break in", count(points.len(), "point"), kpi.name),
            },
        });
    }
    let broken = find(&points, kpi.worse());
    Ok(BreakLook { broken, young: too_young(&points), uncovered: uncovered(&points, span), partial })
}

/// The clearest break to the worse among the KPIs that have thresholds, of those that are not over: nobody undoes a
/// change for what is well again.
pub async fn clearest(cx: &Session, span: Span) -> Option<(Kpi, Break)> {
    let kpis = cx.kpis().ok()?;
    let interval = scrape_interval(cx).await;
    let judged = kpis.iter().filter(|kpi| kpi.critical.is_some() || kpi.warn.is_some());
    let asked = judged.map(async |kpi| {
        let broken = look_at(cx, kpi, span, &interval).await.ok()?.broken?;
        (broken.hurts != Some(false) && !broken.over).then(|| (kpi.clone(), broken))
    });
    let found = join_all(asked).await.into_iter().flatten();
    found.max_by(|a, b| a.1.sigmas.total_cmp(&b.1.sigmas))
}

/// The changes that may have made a break, the likeliest first; `service` is the one that it is about, else the KPI's.
pub fn suspects(changes: &[Change], kpi: &Kpi, broken: &Break, service: Option<&str>) -> Vec<Suspect> {
    rank(changes, broken, service.or(kpi.service.as_deref()))
}
