//! The shapes of Alertmanager's answers, and their way to domain types. Nothing else knows them.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::clients::loose;
use crate::clients::prometheus::wire::{name, or_empty};
use liveops_domain::alert::matcher::Matcher;
use liveops_domain::alert::paging::Routing;
use liveops_domain::alert::silence::{Draft, Silence, SilenceState};
use liveops_domain::alert::{Alert, AlertState};
use liveops_domain::metric::labels::Labels;
use liveops_domain::runbook::link_of;
use liveops_domain::text::duration::parse;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertWire {
    #[serde(deserialize_with = "loose::labels")]
    labels: Labels,
    #[serde(default, deserialize_with = "loose::labels")]
    annotations: Labels,
    #[serde(default, deserialize_with = "loose::time")]
    starts_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "loose::text")]
    fingerprint: String,
    #[serde(default, deserialize_with = "or_empty")]
    status: StatusWire,
    #[serde(default, deserialize_with = "loose::names")]
    receivers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusWire {
    #[serde(default, deserialize_with = "loose::text")]
    state: String,
    #[serde(default, deserialize_with = "or_empty")]
    silenced_by: Vec<String>,
    #[serde(default, deserialize_with = "or_empty")]
    inhibited_by: Vec<String>,
    /// Since 0.28.
    #[serde(default, deserialize_with = "or_empty")]
    muted_by: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ReceiverWire {
    name: String,
}

/// A group of one receiver: what its route's time intervals mute is said here only.
#[derive(Debug, Deserialize)]
pub struct GroupWire {
    receiver: ReceiverWire,
    alerts: Vec<GroupedWire>,
}

#[derive(Debug, Deserialize)]
struct GroupedWire {
    fingerprint: String,
    status: StatusWire,
}

/// Of each alert by its fingerprint: the receivers that are told, and the time intervals that keep others from it.
pub fn muted(groups: Vec<GroupWire>) -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let mut found: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for group in groups {
        for alert in group.alerts {
            let (told, by) = found.entry(alert.fingerprint).or_default();
            if alert.status.muted_by.is_empty() {
                told.push(group.receiver.name.clone());
            }
            by.extend(alert.status.muted_by);
        }
    }
    found.retain(|_, (_, by)| !by.is_empty());
    found
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SilenceWire {
    id: String,
    status: SilenceStatusWire,
    matchers: Vec<Matcher>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    #[serde(default, deserialize_with = "loose::text")]
    created_by: String,
    #[serde(default, deserialize_with = "loose::text")]
    comment: String,
    #[serde(flatten)]
    other: serde_json::Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct SilenceStatusWire {
    state: String,
}

impl AlertWire {
    pub fn into_domain(self) -> Alert {
        let state = if !self.status.silenced_by.is_empty() {
            AlertState::Silenced
        } else if !self.status.inhibited_by.is_empty() {
            AlertState::Inhibited
        } else if !self.status.muted_by.is_empty() {
            AlertState::Muted
        } else if ["suppressed", ""].contains(&self.status.state.as_str()) {
            // By whom is not said, or nothing is.
            AlertState::Unknown
        } else {
            AlertState::Firing
        };
        Alert {
            name: name(&self.labels),
            state,
            severity: self.labels.get("severity").cloned(),
            runbook: link_of(&self.annotations, &self.labels).map(ToOwned::to_owned),
            since: self.starts_at,
            labels: self.labels,
            annotations: self.annotations,
            // It holds it, whatever else it says.
            fingerprint: Some(if self.fingerprint.is_empty() { "?".into() } else { self.fingerprint }),
            silenced_by: self.status.silenced_by,
            inhibited_by: self.status.inhibited_by,
            muted_by: self.status.muted_by,
            delivery: None,
            receivers: self.receivers,
        }
    }
}

impl SilenceWire {
    pub fn into_domain(self) -> Silence {
        let state = match self.status.state.as_str() {
            "pending" => SilenceState::Pending,
            "expired" => SilenceState::Expired,
            _ => SilenceState::Active,
        };
        let mut other = self.other;
        // Alertmanager's own.
        other.remove("updatedAt");
        let draft = Draft {
            matchers: self.matchers,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            created_by: self.created_by,
            comment: self.comment,
            other,
        };
        Silence { id: self.id, state, draft }
    }
}

/// Reads the status for what it says about who is told. A configuration that is not shown (hosted services hide it)
/// says nothing.
pub fn routing(status: &Value) -> Routing {
    #[derive(Deserialize)]
    struct ConfigWire {
        route: Value,
        receivers: Vec<BTreeMap<String, Value>>,
    }
    let text = |path: &str| status.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let numbers: Vec<u32> = text("/versionInfo/version").split('.').map_while(|part| part.parse().ok()).collect();
    let config: Option<ConfigWire> = serde_yaml::from_str(text("/config/original")).ok();
    let integrations = |receiver: &BTreeMap<String, Value>| {
        let given = receiver.iter().filter(|(_, value)| value.as_array().is_some_and(|list| !list.is_empty()));
        let names = given.filter_map(|(key, _)| Some(key.strip_suffix("_configs")?.to_owned())).collect();
        Some((receiver.get("name")?.as_str()?.to_owned(), names))
    };
    let mut group_wait = BTreeMap::new();
    if let Some(config) = &config {
        waits(&config.route, "", DEFAULT_WAIT, &mut group_wait);
    }
    Routing {
        reports_muting: numbers.as_slice() >= &[0, 28][..],
        has_intervals: config.as_ref().map(|config| config.route.to_string().contains("_time_intervals\"")),
        integrations: config.map(|config| config.receivers.iter().filter_map(integrations).collect()),
        group_wait,
        since: text("/uptime").parse().ok(),
    }
}

/// `group_wait`, where no route says another.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// The longest wait of each receiver; a route that says none has its parent's.
fn waits(route: &Value, receiver: &str, wait: Duration, found: &mut BTreeMap<String, Duration>) {
    let text = |key: &str| route.get(key).and_then(Value::as_str);
    let receiver = text("receiver").unwrap_or(receiver);
    let wait = text("group_wait").and_then(|text| parse(text).ok()).unwrap_or(wait);
    let known = found.entry(receiver.to_owned()).or_default();
    *known = wait.max(*known);
    for child in route.get("routes").and_then(Value::as_array).into_iter().flatten() {
        waits(child, receiver, wait, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_configuration_says_who_is_told_nothing() {
        let status = |version: &str, config: &str| {
            routing(&json!({ "versionInfo": { "version": version }, "config": { "original": config } }))
        };
        let config = "route:\n  receiver: a\n  group_wait: 1m\n  routes:\n  - receiver: b\n    mute_time_intervals: [night]\n\
                      receivers:\n- name: a\n- name: b\n  webhook_configs:\n  - url: <secret>\n";
        let read = status("0.25.0", config);
        assert!(!read.reports_muting);
        assert_eq!(read.has_intervals, Some(true));
        assert!(read.is_empty("a") && !read.is_empty("b"));
        assert_eq!(read.group_wait.get("b"), Some(&Duration::from_secs(60)));
        let hidden = status("0.28.1", "");
        assert!(hidden.reports_muting && hidden.has_intervals.is_none());
        assert!(status("1.0.0", "").reports_muting);
    }

    #[test]
    fn an_alert_is_muted_for_a_receiver() {
        let alert = |by: Value| json!({ "fingerprint": "f", "status": { "state": "active", "mutedBy": by } });
        let group = |name: &str, by: Value| json!({ "receiver": { "name": name }, "alerts": [alert(by)] });
        let groups = json!([group("a", json!(["night"])), group("b", json!([]))]);
        let found = muted(serde_json::from_value(groups).expect("groups"));
        assert_eq!(found["f"], (vec!["b".to_owned()], vec!["night".to_owned()]));
    }
}
