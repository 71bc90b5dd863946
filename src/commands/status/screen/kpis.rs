//! The KPIs on the screen: value, last hour, and what a tired person needs beside it.

use std::cmp::Reverse;

use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::metric::estimate::Estimate;
use liveops_domain::metric::level::Level;
use liveops_domain::status::KpiReading;
use liveops_domain::text::count::count;
use liveops_domain::text::sparkline::sparkline;
use liveops_domain::text::time::relative;
use liveops_engine::status::report::StatusReport;

const SPARK: usize = 16;

/// Below this width there is no room for the last hour, below the next none for the breakdown.
const NARROW: usize = 70;
const NARROWEST: usize = 60;

pub(super) fn kpis(report: &StatusReport, view: &View, folds: bool) -> Vec<Block> {
    let kpis = &report.gathered.readings.kpis;
    if kpis.is_empty() {
        return Vec::new();
    }
    // In a narrow window the hour goes first, then the breakdown: a name and a value never break.
    let has_hour = view.width >= NARROW;
    let mut table = Table::new(["", "", "", "", ""]).right(&[2]).indent(2).fixed(&[0, 1, 2, 3]);
    let mut worst_first: Vec<&KpiReading> = kpis.iter().collect();
    worst_first.sort_by_key(|reading| Reverse(reading.level));
    if folds {
        worst_first.retain(|reading| reading.level != Level::Ok);
    }
    let normal = kpis.len() - worst_first.len();
    for reading in worst_first {
        let tone = tone::level(reading.level);
        let value = reading.value.map_or_else(|| "unknown".to_owned(), |value| value.show(&reading.kpi.unit));
        let drawn = if has_hour && reading.trend.iter().flatten().count() > 1 {
            sparkline(&reading.trend, SPARK, !view.unicode)
        } else {
            String::new()
        };
        table.row(vec![
            tone::mark(tone, view),
            plain(reading.kpi.title()),
            span(value, if reading.level == Level::Ok { Tone::Plain } else { tone }),
            span(drawn, Tone::Dim),
            detail(report, reading, view),
        ]);
    }
    let note = if report.gathered.presets { "  the usual ones that have data here" } else { "" };
    let heading = vec![span("KPIs", Tone::Strong), span(note, Tone::Dim)];
    let folded = (normal > 0).then(|| Block::text(format!("    {} as expected", count(normal, "KPI"))));
    [Block::Line(heading), Block::Table(table)].into_iter().chain(folded).collect()
}

/// What a tired person needs beside the value: why it is bad, why it is unknown, or how it splits.
fn detail(report: &StatusReport, reading: &KpiReading, view: &View) -> Span {
    let is_narrow = view.width < NARROWEST;
    let threshold = |level: &str, text: Option<&str>| {
        text.map(|text| if is_narrow { text.to_owned() } else { format!("{level} {text}") })
    };
    let text = |threshold: &Option<liveops_domain::metric::threshold::Threshold>| {
        threshold.as_ref().map(|threshold| threshold.text.clone())
    };
    let mut parts: Vec<String> = Vec::new();
    match reading.level {
        Level::Critical => parts.extend(threshold("critical", text(&reading.kpi.critical).as_deref())),
        Level::Warn => parts.extend(threshold("warn", text(&reading.kpi.warn).as_deref())),
        Level::Unknown | Level::Ok => {}
    }
    if let Some(at) = reading.as_of.filter(|_| reading.freshness.stale(view.now).is_none()) {
        parts.push(format!("last known, {}", relative(at, view.now)));
    }
    parts.extend(reading.note.as_deref().and_then(|note| report.beside_source(note)).map(str::to_owned));
    parts.extend(reading.missing(view.now));
    let dot = view.pick(" · ", ", ");
    if !reading.by.is_empty() && view.width >= NARROWEST {
        let mut by: Vec<(&String, &Estimate)> = reading.by.iter().collect();
        by.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
        let more = by.len().saturating_sub(5);
        let shown = by.iter().take(5).map(|(label, value)| {
            let label = if label.is_empty() { "(none)" } else { label };
            format!("{label} {}", value.show(&reading.kpi.unit))
        });
        let rest = (more > 0).then(|| format!("{more} more"));
        parts.push(shown.chain(rest).collect::<Vec<_>>().join(dot));
    }
    let tone =
        if matches!(reading.level, Level::Warn | Level::Critical) { tone::level(reading.level) } else { Tone::Dim };
    span(parts.join("; "), tone)
}
