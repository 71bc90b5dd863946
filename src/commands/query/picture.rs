//! The plot of a result: what the series share as its title, a KPI's thresholds across it.

use chrono::{DateTime, Utc};

use crate::commands::query::result::QueryResult;
use crate::commands::query::shape::Shape;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::plot::{Canvas, Ink, Plot, PlotSeries};
use crate::output::view::View;
use liveops_domain::change::timeline::Change;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::{Point, Series};
use liveops_domain::metric::threshold::Comparison;
use liveops_domain::text::count::count;
use liveops_domain::text::escape::escape;
use liveops_engine::query::result::{QueryData, float};
use liveops_engine::query::window::Window;

/// Lines at most, with axes and legend.
const MOST_LINES: usize = 22;

/// Lines at least, however low the terminal is.
const LEAST_LINES: usize = 8;

/// Columns at most: a wider plot shows nothing more.
const MOST_COLUMNS: usize = 160;

/// Lines of the screen beside the plot: command, heading, next command, prompt.
const OTHER_LINES: usize = 5;

/// The plot as lines.
pub(super) fn blocks(report: &QueryResult, view: &View) -> Vec<Block> {
    let single;
    let series: Vec<&Series> = match &report.result {
        QueryData::Matrix(series) => series.iter().collect(),
        QueryData::Scalar(point) => {
            single = alone(Labels::new(), point);
            vec![&single]
        }
        QueryData::Vector(_) | QueryData::String { .. } => Vec::new(),
    };
    let only_histograms = series.iter().all(|one| one.points.iter().all(|point| point.value.float().is_none()));
    if only_histograms && !series.is_empty() {
        let text = "native histograms have no line; plot `histogram_quantile(0.99, …)` or `histogram_count(…)`";
        return vec![Block::Whole(vec![plain(text)])];
    }
    let (start, end) = bounds(&report.window, &series, view);
    let all: Vec<&Labels> = series.iter().map(|one| &one.labels).collect();
    let shape = Shape::new(&all);
    let name = |one: &Series| {
        let name = if all.len() == 1 { shape.shared.clone() } else { shape.name(&one.labels) };
        match &report.kpi {
            Some(figure) if name.is_empty() => figure.kpi.name.clone(),
            None if name.is_empty() => report.query.clone(),
            _ => name,
        }
    };
    let unit = report.unit.clone();
    let plot = Plot {
        series: series
            .iter()
            .map(|one| PlotSeries {
                name: escape(&name(one)).into_owned(),
                points: one.points.iter().map(|point| (point.at, float(point))).collect(),
            })
            .collect(),
        start,
        end,
        title: Some(escape(&title(report, &shape, all.len())).into_owned()),
        format: Box::new(move |value| unit.show(value)),
        thresholds: thresholds(report),
        moments: signs(&report.changes).map(|(sign, change)| (change.at, sign)).collect(),
    };
    let below = report.changes.len().min(MOST_MOMENTS);
    let height = view
        .height
        .map_or(MOST_LINES - 2, |height| height.saturating_sub(OTHER_LINES + below).clamp(LEAST_LINES, MOST_LINES - 2));
    let canvas = Canvas { width: view.width.min(MOST_COLUMNS), height, ascii: !view.unicode };
    let tone = |ink: Ink| match ink {
        Ink::Axis => Tone::Dim,
        Ink::Series(place) => Tone::Series(place),
        Ink::Threshold => Tone::Warn,
        Ink::Plain => Tone::Plain,
    };
    let lines = plot.draw(&canvas).into_iter();
    let lines = lines.map(|line| Block::Line(line.into_iter().map(|(text, ink)| span(text, tone(ink))).collect()));
    lines.chain(legend(&report.changes)).collect()
}

/// Changes that have a sign: digits, the newest ones.
const MOST_MOMENTS: usize = 9;

/// Each change with its sign, in the order of time.
fn signs(changes: &[Change]) -> impl Iterator<Item = (char, &Change)> {
    ('1'..='9').zip(&changes[changes.len().saturating_sub(MOST_MOMENTS)..])
}

/// What the signs on the time axis stand for.
fn legend(changes: &[Change]) -> Vec<Block> {
    let line = |(sign, change): (char, &Change)| {
        let by = change.by.as_ref().map_or_else(String::new, |by| format!("  {by}"));
        let at = change.at.format("%H:%M:%SZ");
        Block::Whole(vec![
            span(format!("  {sign} "), Tone::Warn),
            span(format!("{at}  "), Tone::Dim),
            plain(&change.what),
            span(by, Tone::Dim),
        ])
    };
    let mut lines: Vec<Block> = signs(changes).map(line).collect();
    if changes.len() > MOST_MOMENTS {
        let more = count(changes.len() - MOST_MOMENTS, "earlier change");
        lines.push(Block::Line(vec![span(format!("  and {more}: liveops changes"), Tone::Dim)]));
    }
    lines
}

fn alone(labels: Labels, point: &Point) -> Series {
    Series { labels, points: vec![point.clone()] }
}

/// From when to when: the range, or what the raw samples cover.
fn bounds(window: &Window, series: &[&Series], view: &View) -> (DateTime<Utc>, DateTime<Utc>) {
    if let Window::Range { start, end, .. } = window {
        return (*start, *end);
    }
    let times = || series.iter().flat_map(|one| one.points.iter().map(|point| point.at));
    let last = times().max().unwrap_or(view.now);
    (times().min().unwrap_or(last), last)
}

fn title(report: &QueryResult, shape: &Shape, count: usize) -> String {
    match &report.kpi {
        Some(figure) => figure.title.clone(),
        None if count > 1 && !shape.shared.is_empty() => shape.shared.clone(),
        None => report.query.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

fn thresholds(report: &QueryResult) -> Vec<(f64, String)> {
    let Some(figure) = &report.kpi else {
        return Vec::new();
    };
    [("warn", &figure.kpi.warn), ("critical", &figure.kpi.critical)]
        .into_iter()
        .filter_map(|(name, threshold)| {
            let threshold = threshold.as_ref()?;
            Some((threshold.value, format!("{name} {}", side(threshold.op))))
        })
        .collect()
}

/// On which side of the line it is bad.
fn side(op: Comparison) -> &'static str {
    match op {
        Comparison::Above => "above",
        Comparison::AtLeast => "from",
        Comparison::Below => "below",
        Comparison::AtMost => "up to",
        Comparison::Equal => "at",
        Comparison::NotEqual => "off",
    }
}
