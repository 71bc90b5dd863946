//! The alerts that key figures get by default: names, thresholds, durations and severities, in one table.

use crate::document::alerts::Signal;
use crate::metric::kpi::Kpi;

/// Which limit of a figure an alert watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `critical` of the figure.
    Critical,
    /// `warn` of the figure.
    Warn,
    /// This limit where it fits between those of the figure, else the figure's own.
    At(&'static str),
}

/// An alert of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub alert: &'static str,
    /// Names of figures that it is for.
    names: &'static [&'static str],
    /// Metrics of figures that it is for, whatever their name.
    metrics: &'static [&'static str],
    pub bound: Bound,
    /// Seconds that the condition must hold.
    pub hold: u64,
    pub severity: &'static str,
    pub signal: Signal,
}

const fn entry(
    alert: &'static str,
    names: &'static [&'static str],
    metrics: &'static [&'static str],
    bound: Bound,
    minutes: u64,
    severity: &'static str,
    signal: Signal,
) -> Entry {
    Entry { alert, names, metrics, bound, hold: minutes * 60, severity, signal }
}

const TICK: (&[&str], &[&str]) = (&["tick_p99"], &["game_tick_duration_seconds"]);
const QUEUE: (&[&str], &[&str]) = (&["queue_p95"], &["game_matchmaking_queue_seconds"]);
const REQUEST: (&[&str], &[&str]) =
    (&["request_p95", "request_seconds_p95"], &["http_request_duration_ms", "http_request_duration_seconds"]);
const ERRORS: (&[&str], &[&str]) = (&["error_rate"], &[]);
const CPU: (&[&str], &[&str]) = (&["cpu", "host_cpu"], &["cpu_usage_ratio"]);
const MEMORY: (&[&str], &[&str]) = (&["memory", "host_memory"], &["memory_usage_ratio"]);

/// The table.
const ENTRIES: [Entry; 12] = [
    entry("TickPerformanceDegraded", TICK.0, TICK.1, Bound::Critical, 5, "high", Signal::Latency),
    entry("HighMatchmakingQueueTime", QUEUE.0, QUEUE.1, Bound::Critical, 10, "medium", Signal::Latency),
    entry("RequestLatencyCritical", REQUEST.0, REQUEST.1, Bound::Critical, 5, "critical", Signal::Latency),
    entry("RequestLatencyHigh", REQUEST.0, REQUEST.1, Bound::At("> 300ms"), 10, "high", Signal::Latency),
    entry("ErrorRateCritical", ERRORS.0, ERRORS.1, Bound::Critical, 3, "critical", Signal::Errors),
    entry("ErrorRateHigh", ERRORS.0, ERRORS.1, Bound::At("> 0.5%"), 10, "high", Signal::Errors),
    entry("CpuSaturated", CPU.0, CPU.1, Bound::At("> 90%"), 5, "critical", Signal::Saturation),
    entry("MemoryHigh", MEMORY.0, MEMORY.1, Bound::Critical, 10, "high", Signal::Saturation),
    entry(
        "DatabaseConnectionsHigh",
        &["db_connections", "database_connections"],
        &[],
        Bound::At("> 80%"),
        10,
        "high",
        Signal::Saturation,
    ),
    entry("DiskAlmostFull", &["disk", "disk_usage"], &[], Bound::At("> 85%"), 60, "medium", Signal::Saturation),
    entry(
        "WebSocketLatencyHigh",
        &["websocket_p95"],
        &["websocket_round_trip_ms"],
        Bound::Critical,
        5,
        "high",
        Signal::Latency,
    ),
    entry("ClientErrorsHigh", &["client_errors"], &[], Bound::Warn, 10, "medium", Signal::Errors),
];

/// A figure that grows by more than so many within five minutes comes from an event, or from an attack.
pub const SPIKE: u32 = 1000;

/// Requests a minute: below it a service is as good as down, above it somebody may be attacking.
pub const TRAFFIC: (u32, u32) = (10, 5000);

/// How often the generated Prometheus scrapes and evaluates, in seconds.
pub const SCRAPE: u32 = 15;

/// The alerts of the table for a figure.
pub fn entries(kpi: &Kpi) -> Vec<Entry> {
    let metrics: Vec<String> =
        kpi.selectors().iter().map(|one| one.name().trim_end_matches("_bucket").into()).collect();
    let fits = |entry: &&Entry| {
        let by_metric = entry.metrics.iter().any(|name| metrics.iter().any(|own| own == name));
        entry.names.contains(&kpi.name.as_str()) || by_metric
    };
    ENTRIES.iter().filter(fits).copied().collect()
}
