//! Plausible answers of each backend API, with the few things that a fault changes: members, values, age, clock.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::http::Request;
use super::stub::Answer;

/// Which API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Backend {
    /// Query API v1.
    Prometheus,
    /// API v2.
    Alertmanager,
    /// The health API of a service.
    Health,
    /// A text exposition.
    Metrics,
}

impl Backend {
    /// Every backend.
    pub(crate) const ALL: &[Self] = &[Self::Prometheus, Self::Alertmanager, Self::Health, Self::Metrics];

    /// The media type of its answers.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
            _ => "application/json",
        }
    }
}

/// What is in the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Members {
    /// As documented.
    Good,
    /// The document of a backend that has nothing.
    None,
    /// Present, of other types.
    Wrong,
}

/// What a fault may change about the answers.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    clock: DateTime<Utc>,
    age: TimeDelta,
    values: &'static [&'static str],
    members: Members,
}

impl Content {
    /// One series of value 17, as of `now`.
    pub(crate) fn good(now: DateTime<Utc>) -> Self {
        Self { clock: now, age: TimeDelta::zero(), values: &["17"], members: Members::Good }
    }

    pub(crate) fn members(mut self, members: Members) -> Self {
        self.members = members;
        self
    }

    pub(crate) fn values(mut self, values: &'static [&'static str]) -> Self {
        self.values = values;
        self
    }

    pub(crate) fn aged(mut self, age: TimeDelta) -> Self {
        self.age = age;
        self
    }

    pub(crate) fn skewed(mut self, skew: TimeDelta) -> Self {
        self.clock += skew;
        self
    }

    /// When the newest data are from, by the backend's clock.
    fn at(&self) -> DateTime<Utc> {
        self.clock - self.age
    }
}

/// The answer to `request`; 404 for a path that the API does not have.
pub(crate) fn answer(kind: Backend, request: &Request, content: &Content) -> Answer {
    let body = match kind {
        Backend::Prometheus => prometheus(request, content).map(|value| value.to_string()),
        Backend::Alertmanager => alertmanager(request, content).map(|value| value.to_string()),
        Backend::Health => match request.path.as_str() {
            "/api/health/metrics" => Some(exposition(content)),
            path => health(path, content).map(|value| value.to_string()),
        },
        Backend::Metrics => Some(exposition(content)),
    };
    let answer = match body {
        Some(body) => Answer::new(200, kind.content_type(), body),
        None => Answer::new(404, "text/plain", "404 page not found\n"),
    };
    // RFC 9110, 5.6.7: the preferred format of `Date`.
    answer.header("Date", &content.clock.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn prometheus(request: &Request, content: &Content) -> Option<Value> {
    let call = match request.path.strip_prefix("/api/v1/") {
        Some(call) => call,
        None if request.path.starts_with("/-/") => {
            return Some(json!("Prometheus Server is Ready."));
        }
        None => return None,
    };
    let since = rfc3339(content.at() - TimeDelta::minutes(7));
    let labels = json!({"alertname": "GameServerDown", "severity": "critical", "instance": "127.0.0.1:5050"});
    let alert = json!({"labels": labels, "annotations": {"summary": "a game server does not answer"},
        "state": "firing", "activeAt": since, "value": "0e+00"});
    let data = match (call, content.members) {
        ("query", Members::Wrong) => {
            json!({"resultType": "vector", "result": [{"metric": "none", "value": {"at": 1}}]})
        }
        ("query_range", Members::Wrong) => {
            json!({"resultType": "matrix", "result": {"values": "many"}})
        }
        (_, Members::Wrong) => json!("seventeen"),
        ("query", _) => json!({"resultType": "vector", "result": series(content, |value| {
            ("value", json!([unix(content.at()), value]))
        })}),
        ("query_range", _) => json!({"resultType": "matrix", "result": series(content, |value| {
            ("values", range(request, content, value))
        })}),
        ("alerts", Members::None) => json!({"alerts": []}),
        ("alerts", Members::Good) => json!({"alerts": [alert]}),
        ("rules", Members::None) => json!({"groups": []}),
        ("rules", Members::Good) => {
            json!({"groups": [{"name": "availability", "file": "rules.yml", "interval": 15,
            "rules": [{"type": "alerting", "name": "GameServerDown", "query": "up == 0", "duration": 60,
                "labels": {"severity": "critical"}, "annotations": {}, "alerts": [alert], "health": "ok",
                "state": "firing", "lastEvaluation": rfc3339(content.at()), "evaluationTime": 0.001}],
            "lastEvaluation": rfc3339(content.at()), "evaluationTime": 0.001}]})
        }
        ("targets", Members::None) => json!({"activeTargets": [], "droppedTargets": []}),
        ("targets", Members::Good) => {
            json!({"droppedTargets": [], "activeTargets": [{"discoveredLabels": {},
            "labels": {"instance": "127.0.0.1:5050", "job": "game-servers"}, "scrapePool": "game-servers",
            "scrapeUrl": "http://127.0.0.1:5050/metrics", "globalUrl": "http://127.0.0.1:5050/metrics",
            "lastError": "", "lastScrape": rfc3339(content.at()), "lastScrapeDuration": 0.002, "health": "up",
            "scrapeInterval": "15s", "scrapeTimeout": "10s"}]})
        }
        ("alertmanagers", _) => {
            json!({"activeAlertmanagers": [{"url": "http://alertmanager/api/v2/alerts"}], "droppedAlertmanagers": []})
        }
        ("status/buildinfo", _) => {
            json!({"version": "2.42.0", "revision": "", "branch": "", "buildUser": "",
            "buildDate": "", "goVersion": "go1.19"})
        }
        ("metadata", _) => json!({}),
        _ => json!([]),
    };
    Some(json!({"status": "success", "data": data}))
}

/// One series a value; their `replica` labels differ.
fn series(content: &Content, samples: impl Fn(&str) -> (&'static str, Value)) -> Value {
    if content.members == Members::None {
        return json!([]);
    }
    let entry = |(replica, value): (usize, &&str)| {
        let (member, samples) = samples(value);
        json!({"metric": {"instance": "127.0.0.1:5050", "job": "game-servers", "replica": replica.to_string()},
            member: samples})
    };
    content.values.iter().enumerate().map(entry).collect()
}

/// A sample a step from the start asked for to the end, or to the newest data if that is earlier.
fn range(request: &Request, content: &Content, value: &str) -> Value {
    let seconds = |name: &str| {
        let text = request.param(name)?;
        let time = DateTime::parse_from_rfc3339(&text).map(|time| unix(time.into()));
        text.trim_end_matches('s').parse().ok().or(time.ok())
    };
    let newest = unix(content.at());
    let start: f64 = seconds("start").unwrap_or(newest - 3600.0);
    let end: f64 = seconds("end").map_or(newest, |end: f64| end.min(newest));
    let step: f64 = seconds("step").unwrap_or(60.0).max(1.0);
    let times = std::iter::successors(Some(start), |time| Some(time + step));
    times.take_while(|time| *time <= end).take(11_000).map(|time| json!([time, value])).collect()
}

fn alertmanager(request: &Request, content: &Content) -> Option<Value> {
    let call = match request.path.strip_prefix("/api/v2/") {
        Some(call) => call,
        None if request.path.starts_with("/-/") => return Some(json!("OK")),
        None => return None,
    };
    let at = content.at();
    let alert = json!({"labels": {"alertname": "GameServerDown", "severity": "critical", "instance": "127.0.0.1:5050"},
        "annotations": {"summary": "a game server does not answer"}, "fingerprint": "0123456789abcdef",
        "startsAt": rfc3339(at - TimeDelta::minutes(7)), "updatedAt": rfc3339(at),
        "endsAt": rfc3339(at + TimeDelta::minutes(4)), "generatorURL": "", "receivers": [{"name": "pager"}],
        "status": {"state": "active", "inhibitedBy": [], "silencedBy": []}});
    Some(match (request.method.as_str(), call, content.members) {
        ("POST", "silences", Members::Good) => {
            json!({"silenceID": "6f0c1b9e-24b8-4a2b-9d2c-1a7c5d3e9f10"})
        }
        (_, _, Members::Wrong) => {
            json!([{"labels": ["alertname"], "status": 17, "startsAt": false}])
        }
        (_, "status", _) => {
            json!({"cluster": {"status": "disabled", "peers": []}, "config": {"original": ""},
            "uptime": rfc3339(at - TimeDelta::hours(30)), "versionInfo": {"version": "0.25.0", "branch": "",
            "buildDate": "", "buildUser": "", "goVersion": "go1.19", "revision": ""}})
        }
        (_, "alerts", Members::Good) => json!([alert]),
        (_, "alerts/groups", Members::Good) => json!([{"labels": {"alertname": "GameServerDown"},
            "receiver": {"name": "pager"}, "alerts": [alert]}]),
        (_, "receivers", Members::Good) => json!([{"name": "default"}, {"name": "pager"}]),
        (_, "alerts" | "alerts/groups" | "receivers" | "silences", _) => json!([]),
        _ => return None,
    })
}

fn health(path: &str, content: &Content) -> Option<Value> {
    let at = rfc3339(content.at());
    let good = match path {
        "/api/health" => json!({"status": "healthy", "timestamp": at}),
        "/api/health/detailed" => {
            json!({"status": "healthy", "timestamp": at, "uptime": 86_400, "active_connections": 17,
            "cpu": {"usage_percent": 41.5}, "memory": {"usage_percent": 63.0}, "error_rate": 0.02,
            "components": {"database": {"status": "healthy"}, "redis": {"status": "healthy"}}})
        }
        "/api/system/stats" => {
            json!({"timestamp": at, "server": {"cpu_percent": 41.5, "memory_percent": 63.0},
            "connections": {"active": 17}, "rooms": {"active": 3}, "errors": {"total": 2}})
        }
        "/api/recovery/status" => {
            json!({"enabled": true, "recent_actions": [], "failed_attempts": 0, "stability_score": 98})
        }
        "/api/debug/room-stats" => {
            json!({"active_rooms": 3, "players": 17, "bots": 2, "average_duration_seconds": 412,
            "phases": {"playing": 2, "waiting": 1}})
        }
        "/api/event-store/stats" => {
            json!({"total_events": 4711, "by_game_type": {"duel": 4711}, "storage_bytes": 65_536})
        }
        _ => return None,
    };
    Some(match content.members {
        Members::Good => good,
        Members::None => json!({}),
        Members::Wrong => {
            json!({"status": {"code": 1}, "timestamp": false, "uptime": "long", "components": 7})
        }
    })
}

fn exposition(content: &Content) -> String {
    let values = match content.members {
        Members::None => return String::new(),
        Members::Wrong => {
            return "game_active_players{region=\"eu\"} many\ngame{region= 1\n".to_owned();
        }
        Members::Good => content.values,
    };
    // A timestamp is unusual in an exposition; it is there only where the samples are not from now.
    let stamp = if content.age.is_zero() { String::new() } else { format!(" {}", content.at().timestamp_millis()) };
    let mut text = String::new();
    for (name, labels) in [("game_active_players", "{region=\"eu\"}"), ("active_connections", "")] {
        text.push_str(&format!("# TYPE {name} gauge\n"));
        for value in values {
            text.push_str(&format!("{name}{labels} {value}{stamp}\n"));
        }
    }
    text
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Seconds since the epoch with milliseconds, as Prometheus writes timestamps.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of this century fit the mantissa")]
fn unix(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
