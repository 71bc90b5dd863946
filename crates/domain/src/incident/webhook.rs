//! What Alertmanager's webhook says (its version 4), and what that comes to for an incident. Pure.
//! Shape: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::alert::rank;
use crate::incident::event::{Opened, Signal};
use crate::incident::severity::Severity;
use crate::incident::state::Incident;
use crate::metric::labels::Labels;

/// One delivery: the alerts of a group, as they are now. The same may come again at any time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    pub group_key: String,
    #[serde(default)]
    pub truncated_alerts: u64,
    pub alerts: Vec<WebhookAlert>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookAlert {
    pub status: String,
    #[serde(default)]
    pub labels: Labels,
    #[serde(default)]
    pub annotations: Labels,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub fingerprint: String,
}

impl WebhookAlert {
    fn name(&self) -> &str {
        self.labels.get("alertname").map_or("alert", String::as_str)
    }

    fn severity(&self) -> Option<&str> {
        self.labels.get("severity").map(String::as_str)
    }

    fn is_firing(&self) -> bool {
        self.status != "resolved"
    }

    /// As an event. The end of an alert that fires is a zero time, which is none.
    fn signal(&self) -> Signal {
        let firing = self.is_firing();
        let name = self.name();
        let fingerprint =
            if self.fingerprint.is_empty() { format!("{:?}", self.labels) } else { self.fingerprint.clone() };
        let place: Vec<&str> = ["instance", "pod", "region", "service"]
            .iter()
            .filter_map(|label| self.labels.get(*label).map(String::as_str))
            .take(1)
            .collect();
        let verb = if firing { "fires" } else { "has ended" };
        let place = place.first().map_or_else(String::new, |place| format!(" on {place}"));
        Signal {
            fingerprint,
            alert: name.to_owned(),
            firing,
            starts_at: self.starts_at,
            ends_at: self.ends_at.filter(|_| !firing),
            text: format!("alert {name}{place} {verb}"),
        }
    }
}

/// What a delivery comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// Nothing is known of it yet.
    Open(Box<Opened>, Vec<Signal>),
    /// It belongs to this incident, and these signals are news to it; there may be none.
    Update(String, Vec<Signal>),
    /// It ends what no incident tells of.
    Nothing,
}

impl Webhook {
    /// Reads a delivery.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let webhook: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("this is not the JSON of Alertmanager's webhook: {error}"))?;
        if webhook.group_key.is_empty() || webhook.alerts.is_empty() {
            return Err("it names no group, or no alerts".into());
        }
        Ok(webhook)
    }

    /// What it comes to, given the incidents of the environment. A delivery that comes twice means nothing new, and
    /// what a person has ended is not opened again by an alert that still fires.
    pub fn meaning(&self, incidents: &[Incident], environment: &str) -> Meaning {
        let signals: Vec<Signal> = self.alerts.iter().map(WebhookAlert::signal).collect();
        let of_group = incidents
            .iter()
            .filter(|one| one.environment == environment && one.group_key.as_ref() == Some(&self.group_key))
            .max_by_key(|one| (one.phase.is_open(), one.detected.recorded));
        let is_news = |known: &Incident, signal: &Signal| {
            // An alert that has ended begins anew with a later start: the old one comes only out of order.
            known.signals.get(&signal.fingerprint).is_none_or(|known| {
                known.starts_at < signal.starts_at
                    || (known.starts_at == signal.starts_at && known.firing && !signal.firing)
            })
        };
        if let Some(one) = of_group {
            let news: Vec<Signal> = signals.iter().filter(|signal| is_news(one, signal)).cloned().collect();
            let again = news.iter().any(|signal| signal.firing);
            if one.phase.is_open() || !again {
                return Meaning::Update(one.id.clone(), news);
            }
        }
        if signals.iter().any(|signal| signal.firing) {
            let signals = signals.into_iter().filter(|signal| signal.firing);
            Meaning::Open(Box::new(self.opened(environment)), signals.collect())
        } else {
            Meaning::Nothing
        }
    }

    /// The incident that its worst alert makes.
    fn opened(&self, environment: &str) -> Opened {
        let firing = self.alerts.iter().filter(|alert| alert.is_firing());
        let worst = firing.clone().min_by_key(|alert| rank(alert.severity()));
        let label = |name: &str| worst?.labels.get(name).cloned();
        let note = |name: &str| worst?.annotations.get(name).cloned();
        let service = label("service").or_else(|| label("job"));
        let name = worst.map_or("alert", WebhookAlert::name).to_owned();
        let title = match &service {
            Some(service) => format!("{name} on {service}"),
            None => name.clone(),
        };
        Opened {
            severity: Severity::of_alert(worst.and_then(WebhookAlert::severity)),
            title,
            environment: environment.to_owned(),
            service,
            alert: Some(name),
            runbook: note("runbook_url").or_else(|| note("runbook")),
            started_at: firing.map(|alert| alert.starts_at).min(),
            group_key: Some(self.group_key.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::change::journal::Event;
    use crate::incident::event::kind;
    use crate::incident::state::replay;

    fn webhook(alerts: &[(&str, &str, &str)]) -> Webhook {
        let alerts: Vec<Value> = alerts
            .iter()
            .map(|(fingerprint, status, starts)| {
                json!({
                    "status": status,
                    "labels": { "alertname": "ServerDown", "severity": "critical", "instance": fingerprint },
                    "annotations": { "runbook_url": "https://wiki/ServerDown" },
                    "startsAt": starts,
                    "endsAt": "0001-01-01T00:00:00Z",
                    "fingerprint": fingerprint,
                })
            })
            .collect();
        let text = json!({ "version": "4", "groupKey": "{}:{alertname=\"ServerDown\"}", "status": "firing", "alerts": alerts });
        Webhook::parse(text.to_string().as_bytes()).expect("valid")
    }

    fn incident(webhook: &Webhook, ended: bool) -> Incident {
        let Meaning::Open(opened, signals) = webhook.meaning(&[], "prod") else {
            panic!("it opens one");
        };
        let event = |n: u64, kind: &str, data: Value| Event {
            seq: n,
            id: Some(format!("{n:08}")),
            at: opened.started_at.expect("a start"),
            by: "alertmanager".into(),
            kind: kind.into(),
            data,
            hash: String::new(),
        };
        let mut events = vec![event(1, kind::OPENED, json!(opened))];
        for signal in signals {
            events.push(event(2, kind::SIGNAL, json!(signal)));
        }
        if ended {
            events.push(event(3, kind::RESOLVED, json!({})));
        }
        replay("i", &events).expect("opened")
    }

    const T1: &str = "2026-11-22T03:00:00Z";
    const T2: &str = "2026-11-22T04:00:00Z";

    #[test]
    fn the_worst_alert_makes_the_incident() {
        let Meaning::Open(opened, signals) = webhook(&[("a", "firing", T1)]).meaning(&[], "prod") else {
            panic!("it opens one");
        };
        assert_eq!((opened.severity, signals.len()), (Severity::P1, 1));
        assert_eq!(opened.runbook.as_deref(), Some("https://wiki/ServerDown"));
        assert_eq!(signals[0].ends_at, None, "a zero time is none");
        let over = webhook(&[("a", "resolved", T1)]);
        assert_eq!(over.meaning(&[], "prod"), Meaning::Nothing);
    }

    #[test]
    fn a_second_delivery_is_no_news_and_an_end_is() {
        let first = webhook(&[("a", "firing", T1)]);
        let open = incident(&first, false);
        let news = |webhook: &Webhook| match webhook.meaning(std::slice::from_ref(&open), "prod") {
            Meaning::Update(_, news) => news.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(news(&first), 0);
        assert_eq!(news(&webhook(&[("a", "resolved", T1)])), 1);
        assert_eq!(news(&webhook(&[("a", "firing", T1), ("b", "firing", T1)])), 1);
        assert!(matches!(first.meaning(&[open], "staging"), Meaning::Open(..)), "another environment");
    }

    #[test]
    fn what_a_person_has_ended_is_opened_again_only_by_a_new_start() {
        let first = webhook(&[("a", "firing", T1)]);
        let over = [incident(&first, true)];
        assert!(matches!(first.meaning(&over, "prod"), Meaning::Update(_, news) if news.is_empty()));
        let again = webhook(&[("a", "firing", T2)]);
        assert!(matches!(again.meaning(&over, "prod"), Meaning::Open(..)));
    }

    #[test]
    fn other_json_is_refused_in_words() {
        for text in ["", "{}", "[]", "{\"groupKey\":\"x\",\"alerts\":[]}"] {
            assert!(Webhook::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
