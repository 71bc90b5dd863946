//! Everything that a small game runs, as stubs: a service with health API and metrics, Prometheus, Alertmanager.
//! All is well until a test says otherwise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::fault::{Backend, healthy};
use super::http::Request;
use super::stub::{Answer, Stub};

/// The moment at which tests with a fixed clock live.
pub(crate) const NOW: &str = "2026-01-15T10:30:00Z";

/// A healthy service, Prometheus and Alertmanager; no alert fires.
#[derive(Debug)]
pub(crate) struct Backends {
    /// Health API, and its metrics at `/api/health/metrics`.
    pub(crate) service: Stub,
    /// Answers every query with one series of value 17, now.
    pub(crate) prometheus: Stub,
    /// Holds no alerts.
    pub(crate) alertmanager: Stub,
}

impl Backends {
    /// Starts the three.
    pub(crate) fn start() -> Self {
        let quiet = Answer::json(json!({"status": "success", "data": {"alerts": []}}));
        let rule = json!({"type": "alerting", "name": "GameServerDown", "query": "up == 0", "duration": 60, "labels": {},
            "annotations": {}, "alerts": [], "health": "ok", "state": "inactive", "evaluationTime": 0.001});
        let rules = json!({"status": "success", "data": {"groups": [{"name": "g", "interval": 15, "rules": [rule]}]}});
        Self {
            service: of(Backend::Health),
            prometheus: of(Backend::Prometheus).on("GET", "/api/v1/alerts", quiet).on(
                "GET",
                "/api/v1/rules",
                Answer::json(rules),
            ),
            alertmanager: of(Backend::Alertmanager).on("GET", "/api/v2/alerts", Answer::json(json!([]))),
        }
    }

    /// A `liveops.yaml` with all three and these lines under `kpis:` (each such as `- { name: … }`).
    pub(crate) fn config(&self, kpis: &str) -> String {
        format!(
            "version: 1\nproject: starfall\ndefault_env: staging\nenvironments:\n  staging:\n    prometheus: {}\n    alertmanager: {}\n{}",
            self.prometheus.url(),
            self.alertmanager.url(),
            self.services(kpis)
        )
    }

    /// The same without Prometheus and Alertmanager: KPIs come from the service's own metrics.
    pub(crate) fn scrape_config(&self, kpis: &str) -> String {
        format!(
            "version: 1\nproject: starfall\ndefault_env: staging\nenvironments:\n  staging: {{}}\n{}",
            self.services(kpis)
        )
    }

    fn services(&self, kpis: &str) -> String {
        let url = self.service.url();
        let kpis = if kpis.is_empty() {
            String::new()
        } else {
            let lines: String = kpis.lines().map(|line| format!("  {}\n", line.trim())).collect();
            format!("kpis:\n{lines}")
        };
        format!(
            "services:\n  - name: game-backend\n    health: {{ url: \"{url}\" }}\n    metrics: [ \"{url}/api/health/metrics\" ]\n{kpis}"
        )
    }

    /// Makes the service expose this text.
    pub(crate) fn expose(&self, exposition: &str) {
        self.service.set("GET", "/api/health/metrics", Answer::text(exposition));
    }

    /// Makes the service's exposition a function of how often it has been scraped, from 0.
    pub(crate) fn expose_each(&self, exposition: impl Fn(u32) -> String + Send + Sync + 'static) {
        let scrapes = Arc::new(Mutex::new(0));
        self.service.set_fn("GET", "/api/health/metrics", move |_| {
            let mut scrapes = scrapes.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = Answer::text(exposition(*scrapes));
            *scrapes += 1;
            answer
        });
    }

    /// Makes the service's basic health answer this.
    pub(crate) fn health(&self, answer: Answer) {
        self.service.set("GET", "/api/health", answer);
    }

    /// Makes Prometheus answer instant queries by `answer` (label sets with values), and ranges by an hour that
    /// leads up to the first of them. Times are those of [`NOW`].
    pub(crate) fn prometheus_answers(&self, answer: impl Fn(&str) -> Vec<(Value, f64)> + Send + Sync + 'static) {
        let answer = Arc::new(answer);
        let instant = Arc::clone(&answer);
        self.prometheus.set_fn("POST", "/api/v1/query", move |request| {
            let series: Vec<Value> = instant(&query(request))
                .into_iter()
                .map(|(labels, value)| json!({"metric": labels, "value": [unix(now()), value.to_string()]}))
                .collect();
            vector("vector", &series)
        });
        self.prometheus.set_fn("POST", "/api/v1/query_range", move |request| {
            let series: Vec<Value> = answer(&query(request))
                .into_iter()
                .take(1)
                .map(|(labels, value)| json!({"metric": labels, "values": hour(value)}))
                .collect();
            vector("matrix", &series)
        });
    }

    /// Makes Alertmanager hold these alerts (the shape of its API v2).
    pub(crate) fn alerts(&self, alerts: Value) {
        self.alertmanager.set("GET", "/api/v2/alerts", Answer::json(alerts));
    }
}

/// Of expressions that were joined in one query, each with its id; none of any other query.
pub(crate) fn joined(query: &str) -> Vec<(&str, &str)> {
    let one = |line: &'_ str| -> Option<(usize, usize)> {
        let begin = line.find("label_replace(")? + "label_replace(".len();
        Some((begin, line.find(", \"liveops_id\", ")?))
    };
    query
        .lines()
        .filter_map(|line| {
            let (begin, end) = one(line)?;
            Some((&line[begin..end], line[end..].split('"').nth(3)?))
        })
        .collect()
}

/// Answers how old samples are, where that is asked: `newest` has the time of each expression's samples, in seconds since
/// 1970, or none.
pub(crate) fn ages(query: &str, at: f64, newest: impl Fn(&str) -> Option<f64>) -> Option<Answer> {
    let asked = joined(query);
    if !asked.iter().any(|(expression, _)| expression.contains("timestamp(")) {
        return None;
    }
    let series = |(expression, id): &(&str, &str)| {
        let time = newest(expression)?;
        let value = if expression.starts_with("count ") { 1.0 } else { time };
        Some(json!({"metric": {"liveops_id": id, "job": "game"}, "value": [at, value.to_string()]}))
    };
    Some(vector("vector", &asked.iter().filter_map(series).collect::<Vec<_>>()))
}

/// A stub of one healthy backend, as `support::answers` has it.
pub(crate) fn of(kind: Backend) -> Stub {
    Stub::new().on_fn("*", "/*", move |request| healthy(kind, request))
}

/// An alert of Alertmanager that began `minutes` before [`NOW`].
#[allow(clippy::needless_pass_by_value, reason = "reads well with json!({…}) in place")]
pub(crate) fn alert(labels: Value, minutes: i64, state: &str) -> Value {
    let runbook = format!("docs/runbooks/alerts/{}.md", labels["alertname"].as_str().unwrap_or_default());
    let silenced: Vec<&str> = (state == "suppressed").then_some("6f0c1b9e").into_iter().collect();
    json!({"labels": labels, "annotations": {"runbook_url": runbook}, "fingerprint": labels.to_string(),
        "startsAt": (now() - TimeDelta::minutes(minutes)).to_rfc3339(), "updatedAt": now().to_rfc3339(),
        "endsAt": (now() + TimeDelta::minutes(4)).to_rfc3339(), "generatorURL": "", "receivers": [{"name": "pager"}],
        "status": {"state": state, "inhibitedBy": [], "silencedBy": silenced}})
}

/// [`NOW`] as a time.
pub(crate) fn now() -> DateTime<Utc> {
    NOW.parse().expect("a constant in RFC 3339")
}

/// The real time, for tests that cannot fix it.
pub(crate) fn real_now() -> DateTime<Utc> {
    SystemTime::now().into()
}

fn query(request: &Request) -> String {
    request.param("query").unwrap_or_default()
}

fn vector(kind: &str, series: &[Value]) -> Answer {
    Answer::json(json!({"status": "success", "data": {"resultType": kind, "result": series}}))
}

/// A sample a minute, rising to `value` in eight steps.
fn hour(value: f64) -> Vec<Value> {
    (0..=60)
        .map(|minute| {
            let share = f64::from(minute / 8 + 1) / 8.0;
            let at = now() - TimeDelta::minutes(i64::from(60 - minute));
            json!([unix(at), (value * share).to_string()])
        })
        .collect()
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of this century fit the mantissa")]
fn unix(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
