//! What is true now: a file a source, each with who answered.

pub mod age;
pub mod alerts;
pub mod flags;
pub mod gone_flags;
pub mod kpis;
pub mod last_good;
pub mod metrics_paths;
pub mod names;
pub mod prometheus;
pub mod quantile;
pub mod scrape;
pub mod services;
pub mod trends;

use std::sync::Arc;

use crate::session::Session;
use liveops_domain::status::Readings;
use liveops_domain::text::count::count;

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
        n => names.push(count(n, "service")),
    }
    names.join(", ")
}

/// Where services are named, alerts that name another service are counted, not shown.
pub fn only_for(only: &[String], readings: &mut Readings) {
    let Some(alerts) = readings.alerts.as_mut().filter(|_| !only.is_empty()) else {
        return;
    };
    let alerts = Arc::make_mut(alerts);
    let before = alerts.len();
    alerts.retain(|alert| {
        let names = ["service", "job", "app", "deployment"].iter().filter_map(|label| alert.labels.get(*label));
        // An alert that names no service may be about this one.
        let mut names = names.peekable();
        names.peek().is_none() || names.any(|name| only.contains(name))
    });
    readings.alerts_elsewhere = before - alerts.len();
}
