//! One alert and one group of them in JSON: the contract of every report that lists alerts.

use serde::{Serialize, Serializer};

use liveops_domain::alert::{Alert, AlertState, Group, Urgency, urgency};
use liveops_domain::metric::labels::Labels;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::time::rfc3339;

/// An alert.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AlertEntry {
    name: String,
    state: AlertState,
    severity: Option<String>,
    since: Option<String>,
    labels: Labels,
    annotations: Labels,
    runbook: Option<String>,
    receivers: Vec<String>,
    silenced_by: Vec<String>,
    inhibited_by: Vec<String>,
    fingerprint: Option<String>,
}

impl From<&Alert> for AlertEntry {
    fn from(alert: &Alert) -> Self {
        Self {
            name: alert.name.clone(),
            state: alert.state,
            severity: alert.severity.clone(),
            since: alert.since.map(rfc3339),
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            runbook: alert.runbook.clone(),
            receivers: alert.receivers.clone(),
            silenced_by: alert.silenced_by.clone(),
            inhibited_by: alert.inhibited_by.clone(),
            fingerprint: alert.fingerprint.clone(),
        }
    }
}

/// Alerts in the form of the contract.
pub(crate) fn entries<S: Serializer>(alerts: &[Alert], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(alerts.iter().map(AlertEntry::from))
}

/// Alerts of one name, severity and state.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GroupEntry {
    name: String,
    state: AlertState,
    severity: Option<String>,
    count: usize,
    /// When the first of them began.
    since: Option<String>,
    runbook: Option<String>,
}

impl From<&Group<'_>> for GroupEntry {
    fn from(group: &Group<'_>) -> Self {
        Self {
            name: group.name.to_owned(),
            state: group.state,
            severity: group.severity.map(ToOwned::to_owned),
            count: group.alerts.len(),
            since: group.since.map(rfc3339),
            runbook: group.runbook.map(ToOwned::to_owned),
        }
    }
}

/// Something critical that fires is bad; what is not known is worse than a warning; what is only for information
/// is good.
pub(crate) fn verdict<'a>(alerts: impl IntoIterator<Item = &'a Alert>, is_complete: bool) -> Verdict {
    let worst =
        alerts.into_iter().filter(|alert| alert.state.is_loud()).map(|alert| urgency(alert.severity.as_deref())).min();
    match (worst, is_complete) {
        (Some(Urgency::Page), _) => Verdict::Fail,
        (_, false) => Verdict::Unknown,
        (Some(Urgency::Notice), true) => Verdict::Warn,
        (Some(Urgency::Info) | None, true) => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(state: AlertState, severity: &str) -> Alert {
        Alert {
            name: "A".into(),
            state,
            severity: Some(severity.into()),
            labels: Labels::new(),
            annotations: Labels::new(),
            since: None,
            runbook: None,
            fingerprint: None,
            silenced_by: Vec::new(),
            inhibited_by: Vec::new(),
            receivers: Vec::new(),
        }
    }

    #[test]
    fn only_what_fires_is_judged() {
        use AlertState::{Firing, Pending, Silenced};
        for (state, severity, complete, want) in [
            (Firing, "critical", true, Verdict::Fail),
            (Firing, "critical", false, Verdict::Fail),
            (Firing, "high", true, Verdict::Warn),
            (Firing, "high", false, Verdict::Unknown),
            (Firing, "none", true, Verdict::Pass),
            (Silenced, "critical", true, Verdict::Pass),
            (Pending, "critical", true, Verdict::Pass),
            (Pending, "critical", false, Verdict::Unknown),
        ] {
            let alerts = [alert(state, severity)];
            assert_eq!(verdict(&alerts, complete), want, "{state:?} {severity} {complete}");
        }
    }
}
