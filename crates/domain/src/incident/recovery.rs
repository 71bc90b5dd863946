//! Whether things have recovered when somebody says that it is over. What is not known is no recovery.

use crate::alert::{Alert, AlertState};
use crate::incident::state::Incident;
use crate::metric::estimate::Estimate;
use crate::metric::kpi::Kpi;
use crate::metric::level::Level;
use crate::metric::threshold::Threshold;
use crate::status::Readings;
use crate::status::health::ServiceState;
use crate::text::count::count;

/// What the metrics say to "it is over".
pub enum Recovery {
    Recovered(String),
    Not(String),
    Unknown(String),
}

impl Recovery {
    /// The line for journal and person.
    pub fn text(&self) -> String {
        match self {
            Self::Recovered(what) => format!("recovered: {what}"),
            Self::Not(what) => format!("NOT RECOVERED: {what}"),
            Self::Unknown(why) => format!("recovery unknown: {why}"),
        }
    }

    /// What a line of [`Recovery::text`] says: is it well again? None where that was not known.
    pub fn read(text: &str) -> Option<bool> {
        match text.split_once(':').map_or(text, |(word, _)| word) {
            "recovered" => Some(true),
            "NOT RECOVERED" => Some(false),
            _ => None,
        }
    }

    /// Have the KPIs and the alert of this incident recovered?
    pub fn of(incident: &Incident, readings: &Readings) -> Self {
        let concerns =
            |service: &Option<String>| incident.service.is_none() || service.is_none() || *service == incident.service;
        let kpis: Vec<_> = readings.kpis.iter().filter(|one| concerns(&one.kpi.service)).collect();
        let mut bad: Vec<String> = kpis
            .iter()
            .filter(|one| matches!(one.level, Level::Critical | Level::Warn))
            .map(|one| {
                let limit = if one.level == Level::Critical { &one.kpi.critical } else { &one.kpi.warn };
                over(&one.kpi, one.value, limit.as_ref())
            })
            .collect();
        let services: Vec<_> = readings.services.iter().filter(|one| concerns(&Some(one.name.clone()))).collect();
        let unwell = services.iter().filter(|one| matches!(one.state, ServiceState::Down | ServiceState::Degraded));
        bad.extend(unwell.map(|one| format!("{} is {}", one.name, one.state.word())));
        let of_incident = |alert: &&Alert| {
            let grouped = incident.signals.values().any(|signal| signal.alert == alert.name);
            alert.state == AlertState::Firing && (grouped || incident.alert.as_deref() == Some(&alert.name))
        };
        let firing = readings.alerts().filter(of_incident);
        let mut names: Vec<&str> = firing.map(|alert| alert.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        bad.extend(names.into_iter().map(|name| format!("`{name}` still fires")));
        if !bad.is_empty() {
            return Self::Not(bad.join("; "));
        }
        let known = kpis.iter().filter(|one| one.level == Level::Ok).count();
        let unasked = services.iter().filter(|one| one.state == ServiceState::Unknown).map(|one| one.name.as_str());
        let unmeasured = kpis.iter().filter(|one| one.level == Level::Unknown).map(|one| one.kpi.name.as_str());
        let unknown: Vec<&str> = unmeasured.chain(unasked).collect();
        let alert_unknown = incident.alert.is_some() && (readings.alerts.is_none() || !readings.alert_gaps.is_empty());
        match (known, unknown.len(), alert_unknown) {
            (0, 0, false) if incident.alert.is_some() => {
                Self::Recovered("its alert fires no more; no KPI is measured".into())
            }
            (0, 0, false) if !services.is_empty() => {
                Self::Recovered(format!("{} well; no KPI is measured", few(services.len())))
            }
            (0, 0, _) => Self::Unknown("nothing is measured".into()),
            (_, 0, true) => Self::Unknown("whether its alert still fires is not known".into()),
            (n, 0, false) => Self::Recovered(match n {
                1 => "the one KPI is normal".into(),
                n => format!("all {n} KPIs are normal"),
            }),
            (_, n, _) if n > 4 => Self::Unknown(format!("{} are unknown", count(n, "figure"))),
            _ => Self::Unknown(format!("{} unknown", unknown.join(", "))),
        }
    }
}

fn few(services: usize) -> String {
    match services {
        1 => "its service is".into(),
        n => format!("all {n} services are"),
    }
}

fn over(kpi: &Kpi, value: Option<Estimate>, limit: Option<&Threshold>) -> String {
    match (value, limit) {
        (Some(value), Some(limit)) => {
            let value = value.show(&kpi.unit);
            format!("{} is {value}, limit {}", kpi.name, limit.text)
        }
        _ => format!("{} is not normal", kpi.name),
    }
}
