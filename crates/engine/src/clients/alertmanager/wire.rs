//! The shapes of Alertmanager's answers, and their way to domain types. Nothing else knows them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::clients::prometheus::wire::{or_empty, runbook};
use liveops_domain::alert::matcher::Matcher;
use liveops_domain::alert::paging::Routing;
use liveops_domain::alert::silence::{Draft, Silence, SilenceState};
use liveops_domain::alert::{Alert, AlertState};
use liveops_domain::metric::labels::Labels;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertWire {
    labels: Labels,
    #[serde(default, deserialize_with = "or_empty")]
    annotations: Labels,
    starts_at: DateTime<Utc>,
    fingerprint: String,
    status: StatusWire,
    #[serde(default, deserialize_with = "or_empty")]
    receivers: Vec<ReceiverWire>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusWire {
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SilenceWire {
    id: String,
    status: SilenceStatusWire,
    matchers: Vec<Matcher>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    created_by: String,
    comment: String,
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
        } else {
            AlertState::Firing
        };
        Alert {
            name: self.labels.get("alertname").cloned().unwrap_or_default(),
            state,
            severity: self.labels.get("severity").cloned(),
            runbook: runbook(&self.annotations),
            since: Some(self.starts_at),
            labels: self.labels,
            annotations: self.annotations,
            fingerprint: Some(self.fingerprint),
            silenced_by: self.status.silenced_by,
            inhibited_by: self.status.inhibited_by,
            receivers: self.receivers.into_iter().map(|receiver| receiver.name).collect(),
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
        let draft = Draft {
            matchers: self.matchers,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            created_by: self.created_by,
            comment: self.comment,
        };
        Silence { id: self.id, state, draft }
    }
}

/// Reads version and configuration for what they say about who is told. A configuration that is not shown (hosted
/// services hide it) says nothing.
pub fn routing(version: &str, config: &str) -> Routing {
    #[derive(Deserialize)]
    struct ConfigWire {
        route: Value,
        receivers: Vec<BTreeMap<String, Value>>,
    }
    let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    let config: Option<ConfigWire> = serde_yaml::from_str(config).ok();
    let name = |receiver: &BTreeMap<String, Value>| Some(receiver.get("name")?.as_str()?.to_owned());
    let tells = |receiver: &BTreeMap<String, Value>| {
        receiver
            .iter()
            .any(|(key, value)| key.ends_with("_configs") && value.as_array().is_some_and(|list| !list.is_empty()))
    };
    Routing {
        reports_muting: numbers.as_slice() >= &[0, 28][..],
        has_intervals: config.as_ref().map(|config| config.route.to_string().contains("_time_intervals\"")),
        empty_receivers: config.map(|config| {
            let silent = config.receivers.iter().filter(|receiver| !tells(receiver));
            silent.filter_map(name).collect()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_who_is_told_nothing() {
        let config = "route:\n  receiver: a\n  routes:\n  - receiver: b\n    mute_time_intervals: [night]\n\
                      receivers:\n- name: a\n- name: b\n  webhook_configs:\n  - url: <secret>\n";
        let read = routing("0.25.0", config);
        assert!(!read.reports_muting);
        assert_eq!(read.has_intervals, Some(true));
        assert_eq!(read.empty_receivers, Some(vec!["a".to_owned()]));
        let hidden = routing("0.28.1", "");
        assert!(hidden.reports_muting && hidden.has_intervals.is_none());
        assert!(routing("1.0.0", "").reports_muting);
    }
}
