//! The health API of every service, all at once.

use futures_util::{StreamExt, stream};

use crate::clients::http::request::Effort;
use crate::clients::service;
use crate::config::service::Service;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::level::Level;
use liveops_domain::status::{ServiceReading, health};

/// How many services are asked at the same time: all of them in any fleet that one person watches.
const AT_ONCE: usize = 256;

/// Asks every service that has a health API, and returns their states in the order of the configuration.
pub async fn ask(cx: &Session, services: &[&Service]) -> Vec<ServiceReading> {
    let asked = services.iter().filter(|service| service.health.is_some());
    stream::iter(asked).map(|service| one(cx, service)).buffered(AT_ONCE).collect().await
}

async fn one(cx: &Session, service: &Service) -> ServiceReading {
    match answer(cx, service).await {
        Ok((reading, latency_ms)) => {
            let answered = ServiceReading {
                name: service.name.clone(),
                state: reading.state,
                latency_ms: Some(latency_ms),
                latency: Level::Ok,
                detail: reading.detail,
            };
            answered.late(latency_ms, service.latency.warn.as_ref(), service.latency.critical.as_ref())
        }
        Err(error) => ServiceReading {
            name: service.name.clone(),
            state: service::state_without_answer(&error),
            latency_ms: None,
            latency: Level::Ok,
            detail: error.reason(),
        },
    }
}

async fn answer(cx: &Session, service: &Service) -> Result<(health::Reading, u64)> {
    let endpoint = service.health.as_ref().ok_or_else(|| Error::internal("a service without health API was asked"))?;
    let target = cx.target(&service.name, endpoint)?;
    let answer = service::health(cx.http()?, &target, Effort::Quick).await?;
    let latency = u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX);
    Ok((health::read(answer.status, &answer.body), latency))
}
