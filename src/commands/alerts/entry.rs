//! One alert and one group of them in JSON: the contract of every report that lists alerts.

use serde::{Serialize, Serializer};

use liveops_domain::alert::{Alert, AlertState, Delivery, Group};
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::level::Level;
use liveops_domain::status::source::Verdict;
use liveops_domain::status::worst_level;
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
    muted_by: Vec<String>,
    fingerprint: Option<String>,
    /// What both sources say of it; null where one was not asked.
    delivery: Option<Delivery>,
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
            muted_by: alert.muted_by.clone(),
            delivery: alert.delivery,
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
pub(crate) fn verdict<'a>(alerts: impl IntoIterator<Item = &'a Alert>, known: Level) -> Verdict {
    match worst_level::of_all(alerts.into_iter().filter_map(worst_level::of_alert).chain([known])) {
        Level::Critical => Verdict::Fail,
        Level::Unknown => Verdict::Unknown,
        Level::Warn => Verdict::Warn,
        Level::Ok => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(state: AlertState, severity: &str) -> Alert {
        Alert { name: "A".into(), state, severity: Some(severity.into()), ..Alert::default() }
    }

    #[test]
    fn only_what_fires_is_judged() {
        use AlertState::{Firing, Pending, Silenced};
        for (state, severity, known, want) in [
            (Firing, "critical", Level::Ok, Verdict::Fail),
            (Firing, "critical", Level::Unknown, Verdict::Fail),
            (Firing, "high", Level::Ok, Verdict::Warn),
            (Firing, "high", Level::Unknown, Verdict::Unknown),
            (Firing, "none", Level::Ok, Verdict::Pass),
            (Silenced, "critical", Level::Ok, Verdict::Pass),
            (Pending, "critical", Level::Ok, Verdict::Pass),
            (Pending, "critical", Level::Unknown, Verdict::Unknown),
        ] {
            let alerts = [alert(state, severity)];
            assert_eq!(verdict(&alerts, known), want, "{state:?} {severity} {known:?}");
        }
    }
}
