//! What a health answer means: real services use other words, other members, and 503 with a body.

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    Healthy,
    Degraded,
    Down,
    /// Could not be asked, or answered in words that we do not know.
    Unknown,
}

impl ServiceState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Unknown => 1,
            Self::Degraded => 2,
            Self::Down => 3,
        }
    }

    fn worst(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }
}

/// The state and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub state: ServiceState,
    pub detail: String,
}

fn reading(state: ServiceState, detail: impl Into<String>) -> Reading {
    Reading { state, detail: detail.into() }
}

/// The state that a word stands for, in any case.
pub fn word(text: &str) -> Option<ServiceState> {
    Some(match text.trim().trim_matches('"').to_lowercase().as_str() {
        "healthy" | "ok" | "okay" | "up" | "pass" | "passing" | "alive" | "green" | "serving" | "ready" | "running"
        | "good" | "operational" | "true" | "connected" | "available" | "active" | "online" | "success" | "started" => {
            ServiceState::Healthy
        }
        "degraded" | "warn" | "warning" | "yellow" | "partial" | "partially_degraded" | "impaired" | "starting" => {
            ServiceState::Degraded
        }
        "unhealthy" | "down" | "fail" | "failed" | "failing" | "error" | "critical" | "red" | "dead"
        | "not_serving" | "out_of_service" | "outage" | "false" | "disconnected" | "unavailable" | "offline"
        | "unreachable" | "stopped" | "timeout" | "crashed" => ServiceState::Down,
        _ => return None,
    })
}

/// Reads a health answer: HTTP status, and body as far as it says something (also Spring's `components`,
/// RFC-draft `checks`, plain `OK`).
pub fn read(status: u16, body: &[u8]) -> Reading {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    match status {
        401 | 403 => {
            return reading(ServiceState::Unknown, format!("answers {status}: the credentials are not accepted"));
        }
        404 | 405 | 410 => {
            return reading(ServiceState::Unknown, format!("answers {status}: no health API at this URL"));
        }
        429 => {
            return reading(ServiceState::Unknown, "answers 429: asks for fewer requests");
        }
        // Nothing to say is what it says.
        204 => return reading(ServiceState::Healthy, "answers 204"),
        _ => {}
    }
    let said = said(text);
    if status >= 400 {
        return match said {
            // 503 with a body: the service speaks for itself, but never better than its status.
            Some(said) if said.state == ServiceState::Degraded => {
                reading(ServiceState::Degraded, format!("{} (status {status})", said.detail))
            }
            Some(said) if status >= 500 => reading(ServiceState::Down, format!("{} (status {status})", said.detail)),
            None if status >= 500 => reading(ServiceState::Down, format!("answers {status}")),
            _ => reading(ServiceState::Unknown, format!("answers {status}")),
        };
    }
    said.unwrap_or_else(|| {
        let what = match text.chars().next() {
            None => "an empty body".to_owned(),
            Some('<') => "a web page; is this the health API?".to_owned(),
            Some('{' | '[') => "JSON without a status that liveops knows".to_owned(),
            Some(_) => format!("`{}`", text.chars().take(40).collect::<String>()),
        };
        reading(ServiceState::Unknown, format!("answers {what}"))
    })
}

/// What the body says, if it says anything.
fn said(text: &str) -> Option<Reading> {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return word(text).map(|state| reading(state, state.word()));
    };
    let own_text = own_word(&value).or_else(|| plain_word(&value));
    let broken = broken_components(&value);
    let worst = broken.iter().map(|(_, state)| *state).fold(ServiceState::Healthy, ServiceState::worst);
    let names = broken.iter().map(|(name, state)| format!("{name} {}", state.word())).collect::<Vec<_>>().join(", ");
    match own_text {
        None if broken.is_empty() => None,
        None => Some(reading(worst, names)),
        Some(text) => match word(&text) {
            None => Some(reading(
                ServiceState::Unknown,
                format!("says `{}`, a word that liveops does not know", text.chars().take(40).collect::<String>()),
            )),
            // A part that nobody can tell of leaves the whole unknown.
            Some(ServiceState::Healthy) if worst == ServiceState::Unknown => {
                Some(reading(ServiceState::Unknown, format!("says `{text}`, but {names}")))
            }
            // A part that is down makes a whole that says `ok` at best degraded.
            Some(ServiceState::Healthy) if worst != ServiceState::Healthy => {
                Some(reading(ServiceState::Degraded, format!("says `{text}`, but {names}")))
            }
            Some(state) if broken.is_empty() => Some(reading(state, text.to_lowercase())),
            Some(state) => Some(reading(state, format!("{}: {}", text.to_lowercase(), names))),
        },
    }
}

/// The members that a whole or a part says its state in.
const OWN: [&str; 10] = ["status", "state", "health", "healthy", "ok", "up", "isHealthy", "ready", "live", "alive"];

/// The members that hold parts: ours, Spring's, .NET's, the RFC draft's, NestJS'.
const PARTS: [&str; 8] = ["components", "checks", "details", "dependencies", "services", "entries", "results", "info"];

/// The members that hold what fails, and are empty or not there where nothing does.
const FAILURES: [&str; 4] = ["failures", "errors", "error", "unhealthy"];

/// The members that name a part in a list.
const NAMES: [&str; 5] = ["name", "id", "component", "service", "key"];

/// Parts of parts of parts are the last that are looked at.
const DEEPEST: usize = 4;

fn plain_word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// What it says of itself; a `false` beside a good word counts.
fn own_word(value: &Value) -> Option<String> {
    let mut words = OWN.iter().filter_map(|key| plain_word(value.get(key)?));
    let first = words.next()?;
    let is_good = word(&first) == Some(ServiceState::Healthy);
    Some(words.find(|other| is_good && other == "false").unwrap_or(first))
}

/// The parts that are not healthy, in `PARTS`, as a map or a list, and the parts of these.
fn broken_components(value: &Value) -> Vec<(String, ServiceState)> {
    let mut found = Vec::new();
    collect_broken(value, "", DEEPEST, &mut found);
    found
}

fn collect_broken(value: &Value, above: &str, depth: usize, found: &mut Vec<(String, ServiceState)>) {
    if depth == 0 {
        return;
    }
    let mut look = |name: &str, part: &Value| {
        let name = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        let before = found.len();
        collect_broken(part, &name, depth - 1, found);
        let own = match own_word(part) {
            // A part of whose state Spring does not know counts for nothing there, too.
            Some(text) if text.eq_ignore_ascii_case("unknown") => None,
            // It says how it is, in a word that may mean anything.
            Some(text) => Some(word(&text).unwrap_or(ServiceState::Unknown)),
            None => plain_word(part).and_then(|text| word(&text)),
        };
        // What a part of it says is said already.
        if let Some(state) = own.filter(|state| *state != ServiceState::Healthy && found.len() == before) {
            found.push((name, state));
        }
    };
    for key in PARTS {
        match value.get(key) {
            Some(Value::Object(parts)) => {
                for (name, part) in parts {
                    match part {
                        // The RFC draft gives a list of measurements for each name: the worst of them counts.
                        Value::Array(entries) => {
                            let state = |entry: &Value| own_word(entry).and_then(|text| word(&text));
                            let worst =
                                entries.iter().filter_map(state).fold(ServiceState::Healthy, ServiceState::worst);
                            look(name, &Value::String(worst.word().to_owned()));
                        }
                        part => look(name, part),
                    }
                }
            }
            Some(Value::Array(parts)) => {
                for (index, part) in parts.iter().enumerate() {
                    let name = NAMES.iter().find_map(|key| part.get(key).and_then(Value::as_str));
                    look(name.map_or_else(|| format!("{key} {}", index + 1), ToOwned::to_owned).as_str(), part);
                }
            }
            _ => {}
        }
    }
    // A part may stand beside the whole by its own name. Only a word that liveops knows makes it one.
    let is_listed = |key: &str| PARTS.contains(&key) || FAILURES.contains(&key) || OWN.contains(&key);
    for (name, part) in
        value.as_object().into_iter().flatten().filter(|(key, _)| above.is_empty() && !is_listed(key.as_str()))
    {
        let state = part.as_object().and_then(|_| word(&own_word(part)?));
        if let Some(state) = state.filter(|state| [ServiceState::Degraded, ServiceState::Down].contains(state)) {
            found.push((name.clone(), state));
        }
    }
    for key in FAILURES.iter().filter(|_| above.is_empty()) {
        match value.get(key) {
            Some(Value::Object(failed)) => {
                let missing = |name: &&String| !found.iter().any(|(known, _)| known == *name);
                let names: Vec<String> = failed.keys().filter(missing).cloned().collect();
                found.extend(names.into_iter().map(|name| (name, ServiceState::Down)));
            }
            Some(Value::Array(failed)) if !failed.is_empty() => found.push(((*key).to_owned(), ServiceState::Down)),
            Some(Value::String(text)) if !text.is_empty() => {
                found.push((format!("{key} `{}`", text.chars().take(60).collect::<String>()), ServiceState::Down));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_answers_are_understood() {
        use ServiceState::{Degraded, Down, Healthy, Unknown};
        for (status, body, want, needle) in [
            (200, r#"{"status":"healthy","timestamp":"2024-01-15T10:30:00Z"}"#, Healthy, "healthy"),
            (200, r#"{"status":"UP"}"#, Healthy, "up"),
            (200, "OK", Healthy, "healthy"),
            (200, r#""ok""#, Healthy, ""),
            (200, r#"{"ok":true}"#, Healthy, "true"),
            (
                200,
                r#"{"status":"degraded","components":{"redis":{"status":"down"},"db":"ok"}}"#,
                Degraded,
                "redis down",
            ),
            (200, r#"{"status":"ok","checks":[{"name":"db","status":"fail"}]}"#, Degraded, "db down"),
            (200, r#"{"ok":false}"#, Down, "false"),
            (200, r#"{"status":"ok","healthy":false}"#, Down, "false"),
            (200, r#"{"status":"ok","components":{"db":{"healthy":false}}}"#, Degraded, "db down"),
            (
                200,
                r#"{"status":"UP","components":{"db":{"status":"UP","components":{"replica":{"status":"DOWN"}}}}}"#,
                Degraded,
                "db/replica down",
            ),
            (
                200,
                r#"{"status":"pass","checks":{"db:time":[{"status":"pass"},{"status":"fail"}]}}"#,
                Degraded,
                "db:time down",
            ),
            (200, r#"{"status":"Healthy","results":{"redis":{"status":"Unhealthy"}}}"#, Degraded, "redis down"),
            (200, r#"{"status":"UP","components":{"db":{"status":"UP","details":{"database":"H2"}}}}"#, Healthy, "up"),
            (
                200,
                r#"{"status":"ok","info":{"docs":{"status":"down"}},"error":{},"details":{}}"#,
                Degraded,
                "docs down",
            ),
            (200, r#"{"status":"OK","failures":{"redis":"dial tcp: refused"}}"#, Degraded, "redis down"),
            (200, r#"{"status":"ok","errors":["db: timeout"]}"#, Degraded, "errors down"),
            (200, r#"{"status":"ok","error":null,"errors":[],"failures":{}}"#, Healthy, "ok"),
            (200, r#"{"status":"ok","checks":[{"id":"a","up":true},{"up":false}]}"#, Degraded, "checks 2 down"),
            (200, r#"{"status":"ok","checks":{"db":{"status":"purple"}}}"#, Unknown, "db unknown"),
            (200, r#"{"status":"UP","components":{"discovery":{"status":"UNKNOWN"}}}"#, Healthy, "up"),
            (200, r#"{"status":"ok","services":{"db":"connected","cache":"disconnected"}}"#, Degraded, "cache down"),
            (200, r#"{"status":"purple"}"#, Unknown, "purple"),
            (200, r#"{"status":true,"db":{"status":false},"build":{"state":"purple"}}"#, Degraded, "db down"),
            (200, r#"{"live":true,"ready":false}"#, Down, "false"),
            (204, "", Healthy, "204"),
            (200, r#"{"uptime":3}"#, Unknown, "without a status"),
            (200, "<html>", Unknown, "web page"),
            (200, "", Unknown, "empty"),
            (503, r#"{"status":"degraded"}"#, Degraded, "503"),
            (503, r#"{"status":"healthy"}"#, Down, "503"),
            (503, "", Down, "503"),
            (500, "<html>", Down, "500"),
            (401, "", Unknown, "credentials"),
            (404, "", Unknown, "no health API"),
            (418, "", Unknown, "418"),
        ] {
            let found = read(status, body.as_bytes());
            assert_eq!(found.state, want, "{status} {body}: {found:?}");
            assert!(found.detail.contains(needle), "{status} {body}: {found:?}");
        }
    }
}
