//! What is true now: a file a source, each with who answered.

pub mod alerts;
pub mod flags;
pub mod last_good;
pub mod metrics_paths;
pub mod prometheus;
pub mod scrape;
pub mod services;
pub mod trends;

use std::time::Duration;

use crate::config::service::Service;
use crate::files::cache::Cache;
use crate::observe::prometheus::Said;
use crate::observe::scrape::Scraped;
use crate::session::Session;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::status::source::SourceState;
use liveops_domain::status::{KpiReading, Origin, Readings};

/// Prometheus may be silent this long before the services are scraped beside it. A dead one then costs its own
/// timeout, and not one thing after the other.
const HEDGE: Duration = Duration::from_millis(700);

/// The systems that will be asked, for the line that says what one waits for.
pub fn systems(cx: &Session) -> String {
    let Ok(config) = cx.config() else {
        return "nobody".into();
    };
    let settings = &config.settings;
    let mut names = Vec::new();
    names.extend(settings.prometheus.as_ref().map(|_| "Prometheus".to_owned()));
    names.extend(settings.alertmanager.as_ref().map(|_| "Alertmanager".to_owned()));
    names.extend(settings.flags.endpoint.as_ref().map(|_| "flags".to_owned()));
    match settings.services.len() {
        0 => {}
        1 => names.push(settings.services[0].name.clone()),
        n => names.push(format!("{n} services")),
    }
    names.join(", ")
}

/// From Prometheus; from the services themselves where it is absent, down, or silent for long.
pub async fn kpis_of(
    cx: &Session,
    services: &[&Service],
    kpis: &[Kpi],
    cache: &Cache,
) -> (Option<Said>, Option<Scraped>) {
    let configured = cx.config().is_ok_and(|config| config.settings.prometheus.is_some());
    let can_scrape = services.iter().any(|service| !service.metrics.is_empty());
    let scraping = async { if can_scrape { Some(scrape::ask(cx, services, kpis, cache).await) } else { None } };
    if !configured {
        return (None, scraping.await);
    }
    let usable = |said: &Said| said.source.state != SourceState::Down;
    let mut asking = std::pin::pin!(prometheus::ask(cx, kpis));
    let (said, scraped) = match tokio::time::timeout(HEDGE, &mut asking).await {
        Ok(said) if usable(&said) => (said, None),
        Ok(said) => (said, scraping.await),
        Err(_) if can_scrape => tokio::join!(asking, scraping),
        Err(_) => (asking.await, None),
    };
    if usable(&said) {
        return (Some(said), None);
    }
    let unknown = |kpi: &Kpi| {
        let why = format!("prometheus: {}", said.source.error.as_deref().unwrap_or("down"));
        KpiReading::unknown(kpi.clone(), Origin::Prometheus, why)
    };
    let scraped = scraped.unwrap_or_else(|| Scraped { kpis: kpis.iter().map(unknown).collect(), sources: Vec::new() });
    (Some(said), Some(scraped))
}

/// Where services are named, alerts that name another service are counted, not shown.
pub fn only_for(only: &[String], readings: &mut Readings) {
    let Some(alerts) = readings.alerts.as_mut().filter(|_| !only.is_empty()) else {
        return;
    };
    let before = alerts.len();
    alerts.retain(|alert| {
        let names = ["service", "job", "app", "deployment"].iter().filter_map(|label| alert.labels.get(*label));
        // An alert that names no service may be about this one.
        let mut names = names.peekable();
        names.peek().is_none() || names.any(|name| only.contains(name))
    });
    readings.alerts_elsewhere = before - alerts.len();
}
