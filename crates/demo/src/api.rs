//! The JSON documents of the service's own health API, from the same snapshots as the metrics.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::histogram::Histogram;
use crate::sim::Sim;
use crate::snapshot::{Snapshot, rounded};
use crate::world::{CPU_CORES, DB_CONNECTIONS_MAX, MEMORY_LIMIT_BYTES, MODES, ROUTES};

/// "Recent" is the last five minutes, as in the usual alert rules.
const RECENT: TimeDelta = TimeDelta::minutes(5);

const VERSION: &str = "4.12.1";

/// The tick p99 from which the service calls its own game loop degraded, in milliseconds.
const TICK_LIMIT_MS: f64 = 20.0;

/// `GET /api/health`.
pub fn health(at: DateTime<Utc>) -> Value {
    json!({ "status": "healthy", "timestamp": timestamp(at) })
}

/// `GET /api/health/detailed`.
pub fn detailed(sim: &Sim, at: DateTime<Utc>) -> Value {
    let recent = Recent::until(sim, at);
    let now = &recent.now;
    let tick = recent.tick_p99_ms();
    let tick_healthy = tick.is_none_or(|tick| tick <= TICK_LIMIT_MS);
    json!({
        "status": word(tick_healthy),
        "timestamp": timestamp(at),
        "version": VERSION,
        "uptime_seconds": now.uptime,
        "cpu": cpu(now),
        "memory": memory(now),
        "active_connections": now.connections,
        "errors": recent.errors(),
        "components": {
            "game_loop": { "status": word(tick_healthy), "tick_p99_ms": tick, "limit_ms": TICK_LIMIT_MS },
            "matchmaking": { "status": "healthy", "queue_p95_seconds": recent.queue_p95() },
            "websocket": { "status": "healthy", "round_trip_p95_ms": recent.websocket_p95() },
            "database": { "status": "healthy", "connections": now.db_connections, "max": DB_CONNECTIONS_MAX },
            "redis": { "status": "healthy", "hit_ratio": recent.cache_hits() },
            "event_store": { "status": "healthy", "events_per_second": recent.per_second(|now| now.events.iter().sum()) },
        },
    })
}

/// `GET /api/system/stats`.
pub fn system_stats(sim: &Sim, at: DateTime<Utc>) -> Value {
    let recent = Recent::until(sim, at);
    let now = &recent.now;
    let matches = (MODES.iter().zip(now.matches)).map(|(mode, count)| (mode.name.to_owned(), json!(count)));
    json!({
        "timestamp": timestamp(at),
        "server": {
            "version": VERSION,
            "uptime_seconds": now.uptime,
            "cpu": cpu(now),
            "memory": memory(now),
        },
        "connections": {
            "active": now.connections,
            "players": now.population(),
            "messages_per_second": recent.per_second(|now| now.messages.iter().sum()),
            "queue_depth": now.queued_messages,
        },
        "rooms": {
            "active": now.rooms_active,
            "matches_in_progress": now.matches.iter().sum::<u64>(),
            "matches_by_game_mode": matches.collect::<Map<_, _>>(),
        },
        "performance": {
            "tick_p99_ms": recent.tick_p99_ms(),
            "request_p95_ms": recent.request_p95(),
            "requests_per_second": recent.per_second(Snapshot::all_requests),
            "websocket_p95_ms": recent.websocket_p95(),
            "queue_p95_seconds": recent.queue_p95(),
        },
        "errors": recent.errors(),
    })
}

/// `GET /api/event-store/stats`.
pub fn event_store(sim: &Sim, at: DateTime<Utc>) -> Value {
    /// The mean size of a stored event before and after compression, in bytes.
    const SIZES: (f64, f64) = (412.0, 96.0);
    let recent = Recent::until(sim, at);
    let by_type = (MODES.iter().zip(&recent.now.events)).map(|(mode, count)| (mode.name.to_owned(), json!(count)));
    let total: u64 = recent.now.events.iter().sum();
    json!({
        "timestamp": timestamp(at),
        "events_stored": total,
        "by_game_type": by_type.collect::<Map<_, _>>(),
        "events_per_second": recent.per_second(|now| now.events.iter().sum()),
        "storage": {
            "bytes": (total as f64 * SIZES.1) as u64,
            "uncompressed_bytes": (total as f64 * SIZES.0) as u64,
        },
        "compression_ratio": rounded(SIZES.0 / SIZES.1, 2),
    })
}

/// What a path without a document answers, with status 404 or 405.
pub fn refusal(error: &str, message: &str) -> Value {
    json!({ "error": error, "message": message })
}

/// RFC 3339 in UTC, to the millisecond where there is one.
pub fn timestamp(at: DateTime<Utc>) -> String {
    let precision = match at.timestamp_subsec_millis() {
        0 => SecondsFormat::Secs,
        _ => SecondsFormat::Millis,
    };
    at.to_rfc3339_opts(precision, true)
}

/// What changed in the last five minutes. Figures are `None`, and `null` in JSON, when nothing did.
struct Recent {
    before: Snapshot,
    now: Snapshot,
}

impl Recent {
    fn until(sim: &Sim, at: DateTime<Utc>) -> Self {
        Self { before: sim.snapshot(at - RECENT), now: sim.snapshot(at) }
    }

    fn grown(&self, count: impl Fn(&Snapshot) -> u64) -> u64 {
        count(&self.now).saturating_sub(count(&self.before))
    }

    fn per_second(&self, count: impl Fn(&Snapshot) -> u64) -> f64 {
        rounded(self.grown(count) as f64 / RECENT.as_seconds_f64(), 2)
    }

    fn quantile(&self, q: f64, of: impl Fn(&Snapshot) -> Option<Histogram>) -> Option<f64> {
        of(&self.now)?.since(&of(&self.before)?).quantile(q)
    }

    fn tick_p99_ms(&self) -> Option<f64> {
        let seconds = self.quantile(0.99, |now| Some(now.ticks.clone()))?;
        Some(rounded(seconds * 1_000.0, 2))
    }

    fn queue_p95(&self) -> Option<f64> {
        let seconds = self.quantile(0.95, |now| Some(now.queue.clone()))?;
        Some(rounded(seconds, 1))
    }

    fn websocket_p95(&self) -> Option<f64> {
        let millis = self.quantile(0.95, |now| Some(now.websocket.clone()))?;
        Some(rounded(millis, 1))
    }

    fn request_p95(&self) -> Option<f64> {
        let millis = self.quantile(0.95, Snapshot::durations)?;
        Some(rounded(millis, 1))
    }

    fn cache_hits(&self) -> Option<f64> {
        let [hits, all] = [self.grown(|now| now.cache[0]), self.grown(|now| now.cache.iter().sum())];
        (all > 0).then(|| rounded(hits as f64 / all as f64, 4))
    }

    fn errors(&self) -> Value {
        let requests = self.grown(Snapshot::all_requests);
        let server = self.grown(|now| now.requests_in(5));
        let client = self.grown(|now| now.requests_in(4));
        let share = |count: u64| (requests > 0).then(|| rounded(count as f64 / requests as f64, 6));
        json!({
            "window_seconds": RECENT.num_seconds(),
            "requests": requests,
            "server_errors": server,
            "server_error_ratio": share(server),
            "client_errors": client,
            "client_error_ratio": share(client),
            "by_route": self.failing_routes(),
        })
    }

    /// The server errors of each route and status that had any.
    fn failing_routes(&self) -> Vec<Value> {
        let mut failing = Vec::new();
        for (index, route) in ROUTES.iter().enumerate() {
            let answered = self.now.tracks.iter().flat_map(|track| &track.routes[index].0);
            let failures: BTreeSet<u16> = answered.map(|(status, _)| *status).filter(|status| *status >= 500).collect();
            for status in failures {
                let count = self.grown(|now| now.requests_of(index, status));
                if count > 0 {
                    failing.push(json!({
                        "method": route.method, "route": route.path, "status": status, "count": count,
                    }));
                }
            }
        }
        failing
    }
}

fn cpu(now: &Snapshot) -> Value {
    json!({ "usage_percent": rounded(now.cpu * 100.0, 2), "cores": CPU_CORES as u64 })
}

fn memory(now: &Snapshot) -> Value {
    json!({
        "usage_percent": rounded(now.memory * 100.0, 2),
        "resident_bytes": now.memory_bytes,
        "limit_bytes": MEMORY_LIMIT_BYTES as u64,
    })
}

fn word(healthy: bool) -> &'static str {
    if healthy { "healthy" } else { "degraded" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of the samples whose line starts so.
    fn sum(exposition: &str, prefix: &str) -> f64 {
        let lines = exposition.lines().filter(|line| line.starts_with(prefix));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    #[test]
    fn the_documents_agree_with_the_metrics_of_the_instant() {
        let sim = Sim::new(7);
        for minute in [0, 1, 77, 1_234] {
            let at = DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap();
            let (then, now) = (sim.exposition(at - RECENT), sim.exposition(at));
            let gauge = |prefix: &str| json!(sum(&now, prefix) as u64);
            let grown = |prefix: &str| json!((sum(&now, prefix) - sum(&then, prefix)) as u64);
            let stats = system_stats(&sim, at);
            let detailed = detailed(&sim, at);

            assert_eq!(stats["connections"]["active"], gauge("active_connections "));
            assert_eq!(stats["connections"]["players"], gauge("game_active_players{"));
            assert_eq!(stats["rooms"]["active"], gauge("game_rooms_active "));
            assert_eq!(stats["rooms"]["matches_in_progress"], gauge("game_matches_in_progress{"));
            assert_eq!(stats["server"]["memory"]["resident_bytes"], gauge("process_resident_memory_bytes "));
            assert_eq!(stats["errors"]["requests"], grown("http_requests_total{"));
            assert_eq!(event_store(&sim, at)["events_stored"], gauge("game_events_stored_total{"));
            assert_eq!(detailed["active_connections"], gauge("active_connections "));
            assert_eq!(detailed["errors"], stats["errors"]);
            let cpu = detailed["cpu"]["usage_percent"].as_f64().unwrap();
            assert!((cpu - 100.0 * sum(&now, "cpu_usage_ratio ")).abs() < 1e-6);
            let failed: u64 = (stats["errors"]["by_route"].as_array().unwrap().iter())
                .map(|route| route["count"].as_u64().unwrap())
                .sum();
            assert_eq!(stats["errors"]["server_errors"], failed);
            assert!(failed > 0);
        }
    }

    #[test]
    fn a_service_that_has_not_started_shows_no_figures() {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let stats = system_stats(&Sim::new(7).started_at(at), at);
        assert_eq!(stats["performance"]["tick_p99_ms"], Value::Null);
        assert_eq!(stats["errors"]["server_error_ratio"], Value::Null);
    }

    #[test]
    fn the_service_calls_itself_healthy() {
        let at = DateTime::from_timestamp(1_705_314_600, 0).unwrap();
        assert_eq!(health(at), json!({ "status": "healthy", "timestamp": "2024-01-15T10:30:00Z" }));
        let later = at + TimeDelta::nanoseconds(12_345_678);
        assert_eq!(health(later)["timestamp"], "2024-01-15T10:30:00.012Z");
        let detailed = detailed(&Sim::new(7), at + TimeDelta::days(3));
        let components = detailed["components"].as_object().unwrap();
        assert!(components.values().all(|component| component["status"] == "healthy"), "{detailed}");
    }
}
