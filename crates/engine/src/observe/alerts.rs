//! The alerts: from Alertmanager, or from Prometheus where there is none or it is down.

use std::time::Instant;

use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::session::Session;
use liveops_domain::alert::{Alert, AlertState};
use liveops_domain::error::{Error, Result};
use liveops_domain::status::source::{Source, SourceState};

/// What could be learnt about alerts.
pub struct Found {
    /// None when nobody could say.
    pub alerts: Option<Vec<Alert>>,
    /// Alertmanager as a source, when it is configured.
    pub source: Option<Source>,
}

/// Asks Alertmanager and, in the same moment, Prometheus, so that its answer is there when it is needed.
pub async fn ask(cx: &Session) -> Found {
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

async fn alertmanager(cx: &Session) -> Option<(Result<Vec<Alert>>, u64)> {
    let began = Instant::now();
    let target = match cx.alertmanager() {
        Err(Error::Unconfigured { .. }) => return None,
        target => target,
    };
    let asked = async { Alertmanager::new(cx.http()?, target?, Effort::Quick).alerts(&[]).await }.await;
    Some((asked, u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)))
}

async fn prometheus(cx: &Session) -> Option<Result<Vec<Alert>>> {
    let target = match cx.prometheus() {
        Err(Error::Unconfigured { .. }) => return None,
        target => target,
    };
    let asked = async { Prometheus::new(cx.http()?, target?, Effort::Quick).alerts().await }.await;
    Some(asked.map(|alerts| alerts.into_iter().filter(|alert| alert.state == AlertState::Firing).collect()))
}
