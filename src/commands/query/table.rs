//! Series as a table: what they share stands once above, what differs makes the columns.

use unicode_width::UnicodeWidthStr;

use crate::commands::query::figure::Figure;
use crate::commands::query::histogram;
use crate::commands::query::result::QueryResult;
use crate::commands::query::shape::Shape;
use crate::commands::query::value::{measured, with_unit};
use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::metric::estimate::Estimate;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::series::{Measured, Series};
use liveops_domain::text::count::count;
use liveops_domain::text::duration;
use liveops_domain::text::sparkline::sparkline;
use liveops_domain::text::time::compact;
use liveops_engine::query::result::{QueryData, float};
use liveops_engine::query::window::Window;

/// Native histograms whose buckets are drawn; of more, count and sum are enough.
const DRAWN: usize = 3;

/// Room that a trend may take, in cells.
const TREND: std::ops::RangeInclusive<usize> = 10..=40;

/// The result as lines and tables.
pub(super) fn blocks(report: &QueryResult, view: &View) -> Vec<Block> {
    let unit = report.kpi.as_ref().map(|figure| &figure.unit);
    match &report.result {
        // The heading of a KPI has said it already.
        QueryData::Scalar(_) if report.kpi.is_some() => Vec::new(),
        QueryData::Vector(samples) if report.kpi.is_some() && samples.len() == 1 => {
            report.kpi.as_ref().map(breakdown).unwrap_or_default()
        }
        QueryData::Scalar(point) => vec![Block::heading(measured(&point.value, unit))],
        QueryData::String { text, .. } => vec![Block::Whole(vec![plain(text.clone())])],
        QueryData::Vector(samples) => {
            let mut order: Vec<usize> = (0..samples.len()).collect();
            if !report.ordered {
                order.sort_by(|a, b| {
                    let [a, b] = [a, b].map(|at| float(&samples[*at].point));
                    descending(a, b)
                });
            }
            let rows: Vec<(&Labels, Vec<Span>)> = order
                .into_iter()
                .map(|at| &samples[at])
                .map(|one| {
                    let bound = if report.lower_bounds.contains(&one.labels) { "> " } else { "" };
                    (&one.labels, vec![plain(format!("{bound}{}", measured(&one.point.value, unit)))])
                })
                .collect();
            let at = samples.first().map(|one| view.time(one.point.at));
            let mut blocks = listed(&rows, &["value"], &at.unwrap_or_default(), "{}", view);
            if samples.len() <= DRAWN {
                for one in samples {
                    if let Measured::Histogram(buckets) = &one.point.value {
                        blocks.push(Block::Blank);
                        blocks.extend(histogram::blocks(buckets, view));
                    }
                }
            }
            blocks
        }
        QueryData::Matrix(series) => {
            let mut order: Vec<&Series> = series.iter().collect();
            let last = |one: &&Series| one.points.last().map_or(f64::NAN, float);
            if !report.ordered {
                // What is there comes before what was.
                let gone = |one: &&Series| ended(one, &report.window).is_some();
                order.sort_by(|a, b| gone(a).cmp(&gone(b)).then(descending(last(a), last(b))));
            }
            matrix(&order, report, view)
        }
    }
}

/// Greatest first, NaN last.
fn descending(a: f64, b: f64) -> std::cmp::Ordering {
    a.is_nan().cmp(&b.is_nan()).then(b.total_cmp(&a))
}

/// A KPI's values by its label, the greatest first.
fn breakdown(figure: &Figure) -> Vec<Block> {
    let Some(label) = figure.by.as_ref().filter(|_| !figure.values.is_empty()) else {
        return Vec::new();
    };
    let mut values: Vec<(&String, Estimate)> = figure.values.iter().map(|(k, v)| (k, *v)).collect();
    values.sort_by(|a, b| descending(a.1.value, b.1.value));
    let mut table = Table::new([label, "value"]).right(&[1]).indent(2);
    for (name, value) in values {
        let tone = tone::level(figure.kpi.level(value));
        let tone = if tone == Tone::Good { Tone::Plain } else { tone };
        table.row(vec![plain(name.clone()), span(value.show(&figure.unit), tone)]);
    }
    vec![Block::Blank, Block::Table(table)]
}

/// A line on what all share, and a table of what differs with further columns.
fn listed(rows: &[(&Labels, Vec<Span>)], titles: &[&str], when: &str, nameless: &str, view: &View) -> Vec<Block> {
    let all: Vec<&Labels> = rows.iter().map(|(labels, _)| *labels).collect();
    let shape = Shape::new(&all);
    let widest = |at: usize| {
        let cells = rows.iter().map(|(_, cells)| cells[at].text.width()).max();
        cells.unwrap_or(0).max(titles[at].width()) + 2
    };
    let taken: usize = (0..titles.len()).map(widest).sum();
    let (mut columns, mut cells) = shape.columns(&all, view.width.saturating_sub(taken));
    if let [only] = cells.as_mut_slice() {
        // One series needs no line above: its name is its row.
        let name = if shape.shared.is_empty() { nameless } else { &shape.shared };
        *only = vec![plain(name)];
    }
    let mut blocks =
        vec![Block::Line(vec![plain(format!("{} series", rows.len())), span(format!("  {when}"), Tone::Dim)])];
    if rows.len() > 1 && !shape.shared.is_empty() {
        let shared = format!("in all: {}", shape.shared);
        blocks.push(Block::Whole(vec![span(shared, Tone::Dim)]));
    }
    let first = columns.len();
    columns.extend(titles.iter().map(|title| (*title).to_owned()));
    let numbers: Vec<usize> = (first..columns.len()).filter(|at| columns[*at] != "trend").collect();
    let mut table =
        Table { columns, fixed: (first..first + titles.len()).collect(), right: numbers, ..Table::default() };
    for (name, (_, values)) in cells.into_iter().zip(rows) {
        table.row(name.into_iter().chain(values.iter().cloned()).collect());
    }
    blocks.push(Block::Table(table));
    blocks
}

fn matrix(series: &[&Series], report: &QueryResult, view: &View) -> Vec<Block> {
    let window = &report.window;
    let unit = report.kpi.as_ref().map(|figure| &figure.unit);
    let nameless = report.kpi.as_ref().map_or("{}", |figure| &figure.title);
    let rows: Vec<(&Labels, Vec<Span>)> = series.iter().map(|one| (&one.labels, summary(one, window, unit))).collect();
    let when = match window {
        Window::Range { start, end, step } => format!(
            "{} up to {}, every {}",
            duration::human((*end - *start).to_std().unwrap_or_default()),
            view.time(*end),
            duration::to_promql(*step)
        ),
        Window::Instant(_) => {
            let samples: usize = series.iter().map(|one| one.points.len()).sum();
            count(samples, "raw sample")
        }
    };
    let titles = ["last", "min", "max", "avg"];
    let plain_blocks = listed(&rows, &titles, &when, nameless, view);
    // What the table leaves free is for the trend.
    let used = table_width(&plain_blocks);
    let room = view.width.saturating_sub(used + 4).min(*TREND.end());
    if room < *TREND.start() {
        return plain_blocks;
    }
    let rows: Vec<(&Labels, Vec<Span>)> = series
        .iter()
        .zip(rows)
        .map(|(one, (labels, mut cells))| {
            let line = sparkline(&grid(one, window), room, !view.unicode);
            cells.push(span(line, Tone::Plain));
            (labels, cells)
        })
        .collect();
    listed(&rows, &["last", "min", "max", "avg", "trend"], &when, nameless, view)
}

fn table_width(blocks: &[Block]) -> usize {
    let Some(Block::Table(table)) = blocks.last() else {
        return 0;
    };
    let cell = |at: usize| {
        let cells = table.rows.iter().map(|row| row[at].text.width()).max();
        cells.unwrap_or(0).max(table.columns[at].width()) + 2
    };
    (0..table.columns.len()).map(cell).sum()
}

/// How long before the end of the range a series ended, if it did.
fn ended(series: &Series, window: &Window) -> Option<String> {
    let (Some(point), Window::Range { end, step, .. }) = (series.points.last(), window) else {
        return None;
    };
    let since = (*end - point.at).num_seconds().unsigned_abs();
    (point.at + *step <= *end).then(|| compact(since))
}

/// Last, least, greatest and mean value.
fn summary(series: &Series, window: &Window, unit: Option<&Unit>) -> Vec<Span> {
    let values = || series.points.iter().map(float).filter(|value| value.is_finite());
    let count = values().count();
    let last = match (series.points.last(), ended(series, window)) {
        (None, _) => plain(""),
        (Some(_), Some(before)) => span(format!("ended {before} before"), Tone::Unknown),
        (Some(point), None) => span(measured(&point.value, unit), Tone::Strong),
    };
    let show = |value: f64| plain(if count == 0 { "-".into() } else { with_unit(value, unit) });
    vec![
        last,
        show(values().fold(f64::INFINITY, f64::min)),
        show(values().fold(f64::NEG_INFINITY, f64::max)),
        // Divided before it is summed, so that huge values do not overflow.
        show(values().map(|value| value / count as f64).sum()),
    ]
}

/// The values at every step, with gaps where there was no sample; raw samples as they come.
fn grid(series: &Series, window: &Window) -> Vec<Option<f64>> {
    let Window::Range { start, end, step } = window else {
        return series.points.iter().map(|point| Some(float(point))).collect();
    };
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
    let places = (*end - *start).num_milliseconds() / step + 1;
    let mut grid = vec![None; usize::try_from(places).unwrap_or(0)];
    for point in &series.points {
        let place = ((point.at - *start).num_milliseconds() + step / 2) / step;
        if let Some(cell) = usize::try_from(place).ok().and_then(|place| grid.get_mut(place)) {
            *cell = Some(float(point));
        }
    }
    grid
}
