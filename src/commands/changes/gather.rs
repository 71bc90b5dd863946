//! Every source of changes, asked at once; one that does not answer is named and never blanks the rest.

use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::commands::changes::{local, remote};
use crate::context::Context;
use crate::domain::changes::{Change, timeline};
use crate::error::{Error, Result};
use crate::output::report::{Source, SourceState};

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Oldest first.
    pub(crate) changes: Vec<Change>,
    pub(crate) sources: Vec<Source>,
}

/// Asks everybody who may know of changes since a time.
///
/// # Errors
/// Those of the configuration only.
pub(crate) async fn gather(cx: &Context, since: DateTime<Utc>) -> Result<Found> {
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
    let mut source = Source {
        name: name.to_owned(),
        state: SourceState::Ok,
        latency_ms: u64::try_from(began.elapsed().as_millis()).ok(),
        error: None,
    };
    match answer {
        Ok(changes) => (changes, source),
        Err(Error::Unconfigured { .. }) => {
            source.state = SourceState::Unconfigured;
            source.latency_ms = None;
            (Vec::new(), source)
        }
        Err(error) => {
            source.state = SourceState::Down;
            source.error = Some(error.to_string());
            (Vec::new(), source)
        }
    }
}
