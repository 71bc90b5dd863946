//! Names, types and help texts of the service's metrics.

use crate::exposition::Text;
use crate::snapshot::Snapshot;
use crate::world::{CPU_CORES, DB_CONNECTIONS_MAX, MEMORY_LIMIT_BYTES, REGIONS, ROUTES, SALES};

/// All metrics of the snapshot.
pub fn render(now: &Snapshot) -> String {
    let mut text = Text::default();
    game(&mut text, now);
    http(&mut text, now);
    websocket(&mut text, now);
    dependencies(&mut text, now);
    process(&mut text, now);
    text.0
}

fn game(text: &mut Text, now: &Snapshot) {
    text.family("game_active_players", "gauge", "Players who are online.");
    for (region, mode, count) in &now.players {
        text.sample("game_active_players", &[("region", region), ("game_mode", mode)], count);
    }
    text.family("game_matches_in_progress", "gauge", "Matches that are being played.");
    text.by_mode("game_matches_in_progress", &now.matches);
    text.single("game_rooms_active", "gauge", "Rooms in any phase.", now.rooms_active);
    text.family("game_matches_started_total", "counter", "Matches that began.");
    text.by_mode("game_matches_started_total", &now.matches_started);
    text.family("game_matches_ended_total", "counter", "Matches that ended.");
    text.by_mode("game_matches_ended_total", &now.matches_ended);
    text.family("game_tick_duration_seconds", "histogram", "Time to simulate one tick.");
    text.histogram("game_tick_duration_seconds", &[], &now.ticks);
    text.family("game_matchmaking_queue_seconds", "histogram", "Time from joining the queue to a seat.");
    text.histogram("game_matchmaking_queue_seconds", &[], &now.queue);
    text.family("game_network_latency_ms", "histogram", "Round trip to players, in milliseconds.");
    for (region, histogram) in REGIONS.iter().zip(&now.network) {
        text.histogram("game_network_latency_ms", &[("region", region.name)], histogram);
    }
    text.family("game_purchases_total", "counter", "Purchases that were paid.");
    for ((item, currency, _), count) in SALES.iter().zip(&now.purchases) {
        text.sample("game_purchases_total", &[("item_type", item), ("currency", currency)], count);
    }
    text.family("game_logins_total", "counter", "Logins by result.");
    text.pair("game_logins_total", "result", ["success", "failure"], now.logins);
    text.family("game_events_stored_total", "counter", "Events that were appended to the event store.");
    text.by_mode("game_events_stored_total", &now.events);
}

fn http(text: &mut Text, now: &Snapshot) {
    text.family("http_requests_total", "counter", "HTTP requests that were answered.");
    for track in &now.tracks {
        for (route, (statuses, _)) in ROUTES.iter().zip(&track.routes) {
            for (status, count) in statuses {
                let status = status.to_string();
                let labels =
                    [("method", route.method), ("route", route.path), ("status", &status), ("track", track.name)];
                text.sample("http_requests_total", &labels, count);
            }
        }
    }
    text.family("http_request_duration_ms", "histogram", "Time to answer a request, in milliseconds.");
    for track in &now.tracks {
        for (route, (_, durations)) in ROUTES.iter().zip(&track.routes) {
            let labels = [("method", route.method), ("route", route.path), ("track", track.name)];
            text.histogram("http_request_duration_ms", &labels, durations);
        }
    }
}

fn websocket(text: &mut Text, now: &Snapshot) {
    text.single("active_connections", "gauge", "Open client connections.", now.connections);
    text.family("websocket_round_trip_ms", "histogram", "Ping to pong, in milliseconds.");
    text.histogram("websocket_round_trip_ms", &[], &now.websocket);
    text.family("websocket_messages_total", "counter", "Messages by direction.");
    text.pair("websocket_messages_total", "direction", ["in", "out"], now.messages);
    text.single("websocket_queue_depth", "gauge", "Messages that wait to be sent.", now.queued_messages);
}

fn dependencies(text: &mut Text, now: &Snapshot) {
    text.single("db_connections_active", "gauge", "Database connections in use.", now.db_connections);
    text.single("db_connections_max", "gauge", "Size of the database pool.", DB_CONNECTIONS_MAX);
    text.family("redis_lookups_total", "counter", "Cache look-ups by result.");
    text.pair("redis_lookups_total", "result", ["hit", "miss"], now.cache);
}

fn process(text: &mut Text, now: &Snapshot) {
    text.single("cpu_usage_ratio", "gauge", "Share of all cores in use.", now.cpu);
    text.single("memory_usage_ratio", "gauge", "Share of the memory limit in use.", now.memory);
    text.single("process_cpu_cores", "gauge", "Cores that the process may use.", CPU_CORES);
    text.single("process_memory_limit_bytes", "gauge", "Memory that the process may use.", MEMORY_LIMIT_BYTES);
    text.single(
        "process_cpu_seconds_total",
        "counter",
        "Processor time spent.",
        format_args!("{:.3}", now.cpu_seconds),
    );
    text.single("process_resident_memory_bytes", "gauge", "Resident memory.", now.memory_bytes);
    text.single("process_start_time_seconds", "gauge", "Start of the process, in Unix seconds.", now.start);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;

    use crate::sim::Sim;

    #[test]
    fn every_sample_is_well_formed_unique_and_of_a_declared_family() {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let text = Sim::new(7).exposition(at);
        assert!(text.ends_with('\n'));
        let mut families = BTreeSet::new();
        let mut series = BTreeSet::new();
        for line in text.lines() {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(families.insert(name), "{name} twice");
            } else if !line.starts_with("# HELP ") {
                let (key, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
                assert!(series.insert(key), "{key} twice");
                let name = key.split('{').next().unwrap();
                let parts = ["_bucket", "_sum", "_count"].map(|part| name.strip_suffix(part).unwrap_or(name));
                assert!(parts.iter().any(|name| families.contains(name)), "{line}");
            }
        }
        assert!(families.len() >= 25 && series.len() > 180, "{} {}", families.len(), series.len());
    }
}
