//! What Alertmanager's webhook says (its version 4), and what that comes to for an incident. Pure.
//! Shape: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::alert::rank;
use crate::incident::event::{Opened, Signal};
use crate::incident::severity::Severity;
use crate::incident::state::Incident;
use crate::metric::labels::Labels;
use crate::runbook::link_of;

/// A delivery that was made before somebody resolved the incident has come by then: Alertmanager's usual
/// `group_interval`.
const UNDER_WAY: TimeDelta = TimeDelta::minutes(5);

/// Characters of a title; what a label says is not bounded.
const TITLE: usize = 200;

/// At most so many characters, the last of them `…`.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// One delivery: the alerts of a group, as they are now. The same may come again at any time.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    pub group_key: String,
    pub alerts: Vec<WebhookAlert>,
    /// Alerts that the sender left out.
    pub truncated: u64,
    /// Alerts that cannot be read, in words with what was sent; they take no others along.
    pub unread: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct WebhookAlert {
    pub status: String,
    pub labels: Labels,
    pub annotations: Labels,
    /// `None` where it is missing, zero, or no time.
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    pub fingerprint: String,
}

/// Text, or what stands where text should: a number, a truth value. Null is none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn labels(value: &Value) -> Labels {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

/// Alertmanager writes the year 1 where there is no time.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse::<DateTime<Utc>>().ok().filter(|at| at.timestamp() > 0)
}

impl WebhookAlert {
    fn read(value: &Value) -> Option<Self> {
        value.as_object()?;
        Some(Self {
            status: text(&value["status"]).unwrap_or_default(),
            labels: labels(&value["labels"]),
            annotations: labels(&value["annotations"]),
            starts_at: time(&value["startsAt"]),
            ends_at: time(&value["endsAt"]),
            fingerprint: text(&value["fingerprint"]).unwrap_or_default(),
        })
    }
}

impl WebhookAlert {
    fn name(&self) -> &str {
        self.labels.get("alertname").filter(|name| !name.trim().is_empty()).map_or("alert", String::as_str)
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
            severity: self.severity().map(|severity| Severity::of_alert(Some(severity))),
            firing,
            starts_at: self.starts_at.unwrap_or(Signal::UNKNOWN),
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
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("this is not the JSON of Alertmanager's webhook: {error}"))?;
        let sent = value["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let alerts: Vec<WebhookAlert> = sent.iter().filter_map(WebhookAlert::read).collect();
        let unread = sent.iter().filter(|value| !value.is_object());
        let unread = unread.map(|value| format!("an alert cannot be read: {}", cut(&value.to_string(), 200))).collect();
        let Some(first) = alerts.first() else {
            return Err("this is not the JSON of Alertmanager's webhook: it names no alerts".into());
        };
        let group_key = text(&value["groupKey"]).filter(|key| !key.is_empty());
        let group_key = group_key.unwrap_or_else(|| format!("{{}}:{:?}", first.labels));
        let truncated = value["truncatedAlerts"].as_u64().unwrap_or(0);
        Ok(Self { group_key, alerts, truncated, unread })
    }

    /// What it comes to now, given the incidents of the environment. A delivery that comes twice means nothing new, and
    /// what a person has just ended is not opened again by an alert that still fires. One that is told long after is.
    pub fn meaning<'a>(
        &self,
        incidents: impl IntoIterator<Item = &'a Incident>,
        environment: &str,
        now: DateTime<Utc>,
    ) -> Meaning {
        let signals: Vec<Signal> = self.alerts.iter().map(WebhookAlert::signal).collect();
        let of_group = incidents
            .into_iter()
            .filter(|one| self.is_of_group(one, environment))
            .max_by_key(|one| (one.phase.is_open(), one.detected.recorded));
        let mut over = None;
        if let Some(one) = of_group {
            let news: Vec<Signal> = signals.iter().filter(|signal| one.is_news(signal)).cloned().collect();
            over = one.resolved.recorded;
            let goes_on = over.is_some_and(|over| now - over > UNDER_WAY);
            let again = if goes_on { &signals } else { &news }.iter().any(|signal| signal.firing);
            if one.phase.is_open() || !again {
                return Meaning::Update(one.id.clone(), news);
            }
        }
        if signals.iter().any(|signal| signal.firing) {
            let signals = signals.into_iter().filter(|signal| signal.firing);
            let mut opened = self.opened(environment);
            // What was before belongs to the incident that is over.
            opened.started_at = opened.started_at.max(over.filter(|_| opened.started_at.is_some()));
            Meaning::Open(Box::new(opened), signals.collect())
        } else {
            Meaning::Nothing
        }
    }

    /// Is this an incident of its group?
    pub fn is_of_group(&self, incident: &Incident, environment: &str) -> bool {
        incident.environment == environment && incident.group_key.as_ref() == Some(&self.group_key)
    }

    /// The incident that its worst alert makes.
    fn opened(&self, environment: &str) -> Opened {
        let firing = self.alerts.iter().filter(|alert| alert.is_firing());
        let worst = firing.clone().min_by_key(|alert| rank(alert.severity()));
        let label = |name: &str| worst?.labels.get(name).cloned();
        let service = label("service").or_else(|| label("job"));
        let name = worst.map_or("alert", WebhookAlert::name).to_owned();
        let title = match &service {
            Some(service) => format!("{name} on {service}"),
            None => name.clone(),
        };
        Opened {
            severity: Severity::of_alert(worst.and_then(WebhookAlert::severity)),
            title: cut(&title, TITLE),
            environment: environment.to_owned(),
            service,
            alert: Some(name),
            runbook: worst.and_then(|alert| link_of(&alert.annotations, &alert.labels)).map(ToOwned::to_owned),
            started_at: firing.filter_map(|alert| alert.starts_at).min(),
            group_key: Some(self.group_key.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        let Meaning::Open(opened, signals) = webhook.meaning(&[], "prod", NOW) else {
            panic!("it opens one");
        };
        let event = |n: u64, kind: &str, data: Value| Event {
            seq: n,
            id: Some(format!("{n:08}")),
            at: opened.started_at.unwrap_or_default(),
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

    /// Shortly after T1.
    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_795_316_460, 0).unwrap();
    const T1: &str = "2026-11-22T03:00:00Z";
    const T2: &str = "2026-11-22T04:00:00Z";

    #[test]
    fn the_worst_alert_makes_the_incident() {
        let Meaning::Open(opened, signals) = webhook(&[("a", "firing", T1)]).meaning(&[], "prod", NOW) else {
            panic!("it opens one");
        };
        assert_eq!((opened.severity, signals.len()), (Severity::P1, 1));
        assert_eq!(opened.runbook.as_deref(), Some("https://wiki/ServerDown"));
        assert_eq!(signals[0].ends_at, None, "a zero time is none");
        let over = webhook(&[("a", "resolved", T1)]);
        assert_eq!(over.meaning(&[], "prod", NOW), Meaning::Nothing);
    }

    #[test]
    fn a_second_delivery_is_no_news_and_an_end_is() {
        let first = webhook(&[("a", "firing", T1)]);
        let open = incident(&first, false);
        let news = |webhook: &Webhook| match webhook.meaning(std::slice::from_ref(&open), "prod", NOW) {
            Meaning::Update(_, news) => news.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(news(&first), 0);
        assert_eq!(news(&webhook(&[("a", "resolved", T1)])), 1);
        assert_eq!(news(&webhook(&[("a", "firing", T1), ("b", "firing", T1)])), 1);
        assert!(matches!(first.meaning(&[open], "staging", NOW), Meaning::Open(..)), "another environment");
    }

    #[test]
    fn what_a_person_has_ended_is_opened_again_only_by_a_new_start() {
        let first = webhook(&[("a", "firing", T1)]);
        let over = [incident(&first, true)];
        assert!(matches!(first.meaning(&over, "prod", NOW), Meaning::Update(_, news) if news.is_empty()));
        let again = webhook(&[("a", "firing", T2)]);
        assert!(matches!(again.meaning(&over, "prod", NOW), Meaning::Open(..)));
        // The same alert, hours after: it never stopped, and who called it over was wrong.
        let later = NOW + TimeDelta::hours(4);
        let Meaning::Open(opened, signals) = first.meaning(&over, "prod", later) else { panic!("it goes on") };
        assert_eq!((opened.started_at, signals.len()), (over[0].resolved.recorded, 1));
        let ended = webhook(&[("a", "resolved", T1)]);
        assert!(
            matches!(ended.meaning(&[incident(&first, true)], "prod", later), Meaning::Update(_, news) if news.len() == 1)
        );
    }

    #[test]
    fn other_json_is_refused_in_words() {
        for text in ["", "{}", "[]", "{\"groupKey\":\"x\",\"alerts\":[]}", "{\"alerts\":[null]}"] {
            assert!(Webhook::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn one_odd_member_takes_nothing_else_along() {
        let with = |member: &str, value: Value| {
            let mut alert =
                json!({ "status": "firing", "labels": { "alertname": "A", "severity": "critical" }, "startsAt": T1 });
            alert[member] = value;
            let text =
                json!({ "groupKey": "g", "truncatedAlerts": null, "new": 1, "alerts": [alert, null, "x"] }).to_string();
            Webhook::parse(format!("\u{feff}{text}").as_bytes()).expect("readable")
        };
        for (member, value) in [
            ("annotations", Value::Null),
            ("fingerprint", Value::Null),
            ("fingerprint", json!(7)),
            ("endsAt", json!("")),
            ("startsAt", Value::Null),
            ("status", Value::Null),
            ("labels", json!({ "alertname": "A", "severity": "critical", "shard": 3, "odd": null, "odder": [] })),
        ] {
            let webhook = with(member, value.clone());
            assert_eq!((webhook.alerts.len(), webhook.unread.len()), (1, 2), "{member}: {value}");
            assert!(
                matches!(webhook.meaning(&[], "prod", NOW), Meaning::Open(opened, _) if opened.severity == Severity::P1)
            );
        }
        let nameless = with("labels", json!({ "alertname": " ", "severity": "critical" }));
        assert!(matches!(nameless.meaning(&[], "prod", NOW), Meaning::Open(opened, _) if opened.title == "alert"));
        let unknown = with("startsAt", json!("0001-01-01T00:00:00Z"));
        let Meaning::Open(opened, signals) = unknown.meaning(&[], "prod", NOW) else { panic!("it opens one") };
        assert_eq!((opened.started_at, signals[0].starts_at), (None, Signal::UNKNOWN));
    }

    #[test]
    fn an_alert_whose_start_is_unknown_can_end_and_fire_again() {
        let of = |status: &str| webhook(&[("a", status, "0001-01-01T00:00:00Z")]);
        let mut open = incident(&of("firing"), false);
        let news = |webhook: &Webhook, open: &Incident| match webhook.meaning([open], "prod", NOW) {
            Meaning::Update(_, news) => news,
            other => panic!("{other:?}"),
        };
        assert!(news(&of("firing"), &open).is_empty());
        let ended = news(&of("resolved"), &open).remove(0);
        open.signals.insert(ended.fingerprint.clone(), ended);
        assert!(news(&of("resolved"), &open).is_empty());
        assert_eq!(news(&of("firing"), &open).len(), 1);
    }
}
