//! The alerts: from Alertmanager, or from Prometheus where there is none or it is down.

use std::time::Instant;

use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::Effort;
use crate::clients::prometheus::Prometheus;
use crate::context::Context;
use crate::domain::alert::{Alert, AlertState};
use crate::error::{Error, Result};
use crate::output::report::{Source, SourceState};

/// What could be learnt about alerts.
pub(crate) struct Found {
    /// None when nobody could say.
    pub(crate) alerts: Option<Vec<Alert>>,
    /// Alertmanager as a source, when it is configured.
    pub(crate) source: Option<Source>,
}

/// Asks Alertmanager and, in the same moment, Prometheus, so that its answer is there when it is needed.
pub(crate) async fn ask(cx: &Context) -> Found {
    let (from_alertmanager, from_prometheus) = tokio::join!(alertmanager(cx), prometheus(cx));
    let fallback = from_prometheus.and_then(Result::ok);
    match from_alertmanager {
        None => Found { alerts: fallback, source: None },
        Some((Ok(alerts), latency_ms)) => {
            let source = Source {
                name: "alertmanager".into(),
                state: SourceState::Ok,
                latency_ms: Some(latency_ms),
                error: None,
            };
            Found { alerts: Some(alerts), source: Some(source) }
        }
        Some((Err(error), _)) => {
            let source = Source {
                name: "alertmanager".into(),
                state: SourceState::Down,
                latency_ms: None,
                error: Some(error.reason()),
            };
            Found { alerts: fallback, source: Some(source) }
        }
    }
}

async fn alertmanager(cx: &Context) -> Option<(Result<Vec<Alert>>, u64)> {
    let began = Instant::now();
    let target = match cx.alertmanager() {
        Err(Error::Unconfigured { .. }) => return None,
        target => target,
    };
    let asked = async { Alertmanager::new(cx.http()?, target?, Effort::Quick).alerts(&[]).await }.await;
    Some((asked, u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)))
}

async fn prometheus(cx: &Context) -> Option<Result<Vec<Alert>>> {
    let target = match cx.prometheus() {
        Err(Error::Unconfigured { .. }) => return None,
        target => target,
    };
    let asked = async { Prometheus::new(cx.http()?, target?, Effort::Quick).alerts().await }.await;
    Some(asked.map(|alerts| alerts.into_iter().filter(|alert| alert.state == AlertState::Firing).collect()))
}
