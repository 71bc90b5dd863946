//! Every source of changes, asked at once; one that does not answer is named and never blanks the rest.

pub mod local;
pub mod record;
pub mod remote;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use liveops_domain::change::timeline::{Change, timeline};
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::series::Answer;
use liveops_domain::status::source::Source;

/// Points of a KPI's series that a break is looked for in.
const POINTS: u32 = 240;

/// The finest step that is asked for.
const FINEST: Duration = Duration::from_secs(15);

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// Oldest first.
    pub changes: Vec<Change>,
    pub sources: Vec<Source>,
}

/// Asks everybody who may know of changes since a time.
///
/// # Errors
/// Those of the configuration only.
pub async fn gather(cx: &Session, since: DateTime<Utc>) -> Result<Found> {
    cx.config()?;
    let (kubernetes, flags, prometheus, alertmanager, git) = tokio::join!(
        source("kubernetes", remote::kubernetes(cx, since)),
        source("flags", remote::flags(cx, since)),
        source("prometheus", remote::prometheus(cx, since)),
        source("alertmanager", remote::silences(cx, since)),
        source("git", local::tags(cx, since)),
    );
    let files = [
        source("audit", async { local::audit(cx, since) }).await,
        source("incidents", async { local::incidents(cx, since) }).await,
        source("deployments", async { local::deployments(cx, since) }).await,
    ];
    let mut changes = Vec::new();
    let mut sources = Vec::new();
    for (found, source) in [kubernetes, flags, prometheus, alertmanager, git].into_iter().chain(files) {
        changes.extend(found);
        sources.push(source);
    }
    let now = cx.clock.now();
    changes.retain(|change| change.at >= since && change.at <= now);
    Ok(Found { changes: timeline(changes), sources })
}

async fn source(name: &'static str, asked: impl Future<Output = Result<Vec<Change>>>) -> (Vec<Change>, Source) {
    let began = Instant::now();
    let answer = asked.await;
    let mut source = Source::asked(name, began.elapsed(), answer.as_ref());
    // Whose it is stands nowhere else on the screen.
    source.error = source.error.and(answer.as_ref().err().map(ToString::to_string));
    (answer.unwrap_or_default(), source)
}

/// So far back.
///
/// # Errors
/// `Usage`, when there was no time then.
pub fn back(now: DateTime<Utc>, length: Duration) -> Result<DateTime<Utc>> {
    TimeDelta::from_std(length)
        .ok()
        .and_then(|length| now.checked_sub_signed(length))
        .ok_or_else(|| Error::usage("that is before time began", "take a shorter `--since`"))
}

/// The series of a KPI.
///
/// # Errors
/// Those of Prometheus; `Malformed` when there is no such series.
pub async fn series(
    cx: &Session,
    kpi: &Kpi,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, f64)>> {
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let span = (to - from).to_std().unwrap_or_default();
    let step = (span / POINTS).max(FINEST);
    let step = Duration::from_secs(step.as_secs());
    let queried = client.range(&kpi.promql(), from, to, step).await?;
    let Answer::Matrix(series) = queried.answer else {
        return Ok(Vec::new());
    };
    // A KPI is one series; a user's own PromQL may give several, of which the first is looked at.
    let points = series.into_iter().next().map(|series| series.points);
    Ok(points.into_iter().flatten().filter_map(|point| Some((point.at, point.value.float()?))).collect())
}
