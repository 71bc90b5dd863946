//! The KPIs as they are now: from Prometheus; from the services' own metrics where it is absent, down, or silent for a
//! moment.

use std::time::Duration;

use crate::config::service::Service;
use crate::observe::prometheus::Said;
use crate::observe::scrape::Scraped;
use crate::observe::trends::with_trends;
use crate::observe::{prometheus, scrape};
use crate::session::{Session, cache};
use liveops_domain::error::Result;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::status::source::{Source, SourceState};
use liveops_domain::status::{KpiReading, Origin, Targets};

/// Prometheus may be silent this long before the services are scraped beside it. A dead one then costs its own
/// timeout, and not one thing after the other.
const HEDGE: Duration = Duration::from_millis(700);

/// What was read, and who answered.
#[derive(Debug, Clone, Default)]
pub struct Kpis {
    /// In the order of the configuration; of presets, those that have data.
    pub readings: Vec<KpiReading>,
    /// Prometheus, where it is configured.
    pub prometheus: Option<Source>,
    /// The services whose own metrics were asked.
    pub services: Vec<Source>,
    /// What Prometheus scrapes, as far as it says.
    pub targets: Option<Targets>,
    pub warnings: Vec<String>,
}

impl Kpis {
    /// Everybody who was asked.
    pub fn sources(&self) -> Vec<Source> {
        self.prometheus.iter().chain(&self.services).cloned().collect()
    }
}

/// Reads every KPI; those of these services only, where any are named.
///
/// # Errors
/// Those of the configuration.
pub async fn ask(cx: &Session, only: &[String]) -> Result<Kpis> {
    let services = cx.services(only)?;
    let concerns = |kpi: &&Kpi| only.is_empty() || kpi.service.as_ref().is_none_or(|name| only.contains(name));
    let kpis: Vec<Kpi> = cx.kpis()?.iter().filter(concerns).cloned().collect();
    let (said, scraped) = either(cx, &services, &kpis).await?;
    let mut found = Kpis::default();
    if let Some(said) = said {
        let Said { source, kpis, targets, warnings } = said;
        found = Kpis { readings: kpis, prometheus: Some(source), services: Vec::new(), targets, warnings };
    }
    if let Some(scraped) = scraped {
        found.services = scraped.sources;
        found.readings = with_trends(scraped.kpis, &services, &cache(cx)?, cx.clock.now());
    }
    if cx.are_kpis_presets()? {
        found.readings.retain(|reading| reading.value.is_some());
    }
    Ok(found)
}

async fn either(cx: &Session, services: &[&Service], kpis: &[Kpi]) -> Result<(Option<Said>, Option<Scraped>)> {
    let cache = cache(cx)?;
    let can_scrape = services.iter().any(|service| !service.metrics.is_empty());
    let scraping = async { if can_scrape { Some(scrape::ask(cx, services, kpis, &cache).await) } else { None } };
    if cx.config()?.settings.prometheus.is_none() {
        return Ok((None, scraping.await));
    }
    let usable = |said: &Said| said.source.state != SourceState::Down;
    let mut asking = std::pin::pin!(prometheus::ask(cx, kpis, None));
    let (said, scraped) = match tokio::time::timeout(HEDGE, &mut asking).await {
        Ok(said) if usable(&said) => (said, None),
        Ok(said) => (said, scraping.await),
        Err(_) if can_scrape => tokio::join!(asking, scraping),
        Err(_) => (asking.await, None),
    };
    if usable(&said) {
        return Ok((Some(said), None));
    }
    let unknown = |kpi: &Kpi| {
        let why = format!("prometheus: {}", said.source.error.as_deref().unwrap_or("down"));
        KpiReading::unknown(kpi.clone(), Origin::Prometheus, why)
    };
    let scraped = scraped.unwrap_or_else(|| Scraped { kpis: kpis.iter().map(unknown).collect(), sources: Vec::new() });
    Ok((Some(said), Some(scraped)))
}
