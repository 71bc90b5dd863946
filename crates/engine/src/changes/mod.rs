//! Every source of changes, asked at once; one that does not answer is named and never blanks the rest.

pub mod local;
pub mod record;
pub mod remote;
pub mod suspects;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::session::Session;
use liveops_domain::change::timeline::{Change, timeline};
use liveops_domain::error::{Error, Result};
use liveops_domain::status::source::Source;

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// Oldest first.
    pub changes: Vec<Change>,
    pub sources: Vec<Source>,
}

/// Asks everybody who may know of changes since a time. `everywhere` adds what this user did through liveops in other
/// places.
///
/// # Errors
/// Those of the configuration only.
pub async fn gather(cx: &Session, since: DateTime<Utc>, everywhere: bool) -> Result<Found> {
    cx.config()?;
    let (kubernetes, flags, prometheus, alertmanager, git) = tokio::join!(
        source("kubernetes", remote::kubernetes(cx, since)),
        source("flags", remote::flags(cx, since)),
        source("prometheus", remote::prometheus(cx, since)),
        source("alertmanager", remote::silences(cx, since)),
        source("git", local::tags(cx, since)),
    );
    let files = [
        source("audit", async { local::audit(cx, since, everywhere) }).await,
        source("incidents", async { local::incidents(cx, since, everywhere) }).await,
        source("deployments", async { local::deployments(cx, since, everywhere) }).await,
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
