//! `--nagios`: one line and the exit codes that monitoring systems know.
//! Source: Monitoring Plugins Development Guidelines, <https://www.monitoring-plugins.org/doc/guidelines.html>.

use liveops_domain::metric::threshold::{Comparison, Threshold};
use liveops_domain::status::source::Verdict;
use liveops_domain::text::escape::escape;
use liveops_engine::status::report::StatusReport;

/// The line: `LIVEOPS CRITICAL - 1 service down | active_players=1204;;`.
pub(crate) fn line(report: &StatusReport) -> String {
    let word = match report.verdict() {
        Verdict::Pass => "OK",
        Verdict::Warn => "WARNING",
        Verdict::Fail => "CRITICAL",
        Verdict::Unknown => "UNKNOWN",
    };
    let data: Vec<String> = report
        .gathered
        .readings
        .kpis
        .iter()
        .filter(|reading| reading.as_of.is_none())
        .filter_map(|reading| {
            let limit = |threshold: &Option<Threshold>| threshold.as_ref().map(range).unwrap_or_default();
            Some(format!(
                "'{}'={};{};{}",
                escape(&reading.kpi.name).replace(['\'', '='], "_"),
                reading.value?.value,
                limit(&reading.kpi.warn),
                limit(&reading.kpi.critical)
            ))
        })
        .collect();
    // A bar would begin the performance data.
    let headline = escape(&report.judgement.headline).replace('|', "/");
    let data = if data.is_empty() { String::new() } else { format!(" | {}", data.join(" ")) };
    format!("LIVEOPS {word} - {headline}{data}")
}

/// A threshold as a range: what lies outside of it is bad; with `@`, what lies inside.
fn range(threshold: &Threshold) -> String {
    let value = threshold.value;
    match threshold.op {
        Comparison::Above | Comparison::AtLeast => value.to_string(),
        Comparison::Below | Comparison::AtMost => format!("{value}:"),
        Comparison::NotEqual => format!("{value}:{value}"),
        Comparison::Equal => format!("@{value}:{value}"),
    }
}

/// 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
pub(crate) fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Warn => 1,
        Verdict::Fail => 2,
        Verdict::Unknown => 3,
    }
}
