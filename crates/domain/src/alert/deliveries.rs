//! Do notifications arrive? What Alertmanager has counted of them since it began, by integration (and by receiver, where
//! it tells them apart: feature flag `receiver-name-in-metrics`).
//! Source of the names: https://github.com/prometheus/alertmanager/blob/main/notify/notify.go.

use std::collections::BTreeMap;

use crate::metric::exposition::Sample;

/// The notifications of one integration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deliveries {
    pub integration: String,
    pub receiver: Option<String>,
    pub notifications: Counted,
    /// The requests of which notifications are made: a notification that is tried again and again has failed only
    /// when it is given up, which takes minutes.
    pub requests: Counted,
}

/// How many there were, and how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counted {
    pub all: f64,
    pub failed: f64,
}

impl Counted {
    /// At least half: single failures are tried again.
    fn fails(self, least: f64) -> bool {
        self.failed >= least && self.failed * 2.0 >= self.all
    }
}

const PREFIX: &str = "alertmanager_notification";

/// Is it one of the counters?
pub fn is_counter(metric: &str) -> bool {
    metric.starts_with(PREFIX) && metric.ends_with("_total")
}

/// Reads the counters, one entry an integration and receiver.
pub fn read(samples: &[Sample]) -> Vec<Deliveries> {
    let mut found: BTreeMap<(String, Option<String>), Deliveries> = BTreeMap::new();
    for sample in samples {
        let Some(integration) = sample.labels.get("integration") else {
            continue;
        };
        let receiver = sample.labels.get("receiver_name").cloned();
        let entry = found.entry((integration.clone(), receiver.clone())).or_insert_with(|| Deliveries {
            integration: integration.clone(),
            receiver,
            ..Deliveries::default()
        });
        match sample.name.strip_prefix(PREFIX) {
            Some("s_total") => entry.notifications.all += sample.value,
            Some("s_failed_total") => entry.notifications.failed += sample.value,
            Some("_requests_total") => entry.requests.all += sample.value,
            Some("_requests_failed_total") => entry.requests.failed += sample.value,
            _ => {}
        }
    }
    found.into_values().collect()
}

impl Deliveries {
    /// Do they fail?
    pub fn fails(&self) -> bool {
        self.notifications.fails(1.0) || self.requests.fails(2.0)
    }

    /// Is it about this integration of this receiver?
    pub fn is_of(&self, receiver: &str, integration: &str) -> bool {
        self.integration == integration && self.receiver.as_deref().is_none_or(|name| name == receiver)
    }

    /// `webhook: 6 of 7 notifications failed`.
    pub fn show(&self) -> String {
        let (counted, what) = match self.notifications.fails(1.0) {
            true => (self.notifications, "notifications"),
            false => (self.requests, "requests"),
        };
        let receiver = self.receiver.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        format!("{}{receiver}: {:.0} of {:.0} {what} failed", self.integration, counted.failed, counted.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::exposition::{Format, parse};

    #[test]
    fn counters_say_what_fails() {
        let body = "alertmanager_notifications_total{integration=\"webhook\"} 7\n\
            alertmanager_notifications_failed_total{integration=\"webhook\",reason=\"clientError\"} 4\n\
            alertmanager_notifications_failed_total{integration=\"webhook\",reason=\"other\"} 2\n\
            alertmanager_notifications_total{integration=\"email\"} 0\n\
            alertmanager_notifications_total{integration=\"slack\"} 100\n\
            alertmanager_notifications_failed_total{integration=\"slack\"} 3\n\
            alertmanager_notifications_total{integration=\"opsgenie\",receiver_name=\"night\"} 1\n\
            alertmanager_notification_requests_total{integration=\"opsgenie\",receiver_name=\"night\"} 4\n\
            alertmanager_notification_requests_failed_total{integration=\"opsgenie\",receiver_name=\"night\"} 4\n\
            alertmanager_alerts{state=\"active\"} 1\n";
        let samples = parse(body, Format::Text, is_counter).expect("sound").samples;
        let read = read(&samples);
        let bad: Vec<String> = read.iter().filter(|one| one.fails()).map(Deliveries::show).collect();
        assert_eq!(bad, ["opsgenie of night: 4 of 4 requests failed", "webhook: 6 of 7 notifications failed"]);
        assert!(
            read.iter().any(|one| one.is_of("night", "opsgenie"))
                && !read.iter().any(|one| one.is_of("day", "opsgenie"))
        );
    }
}
