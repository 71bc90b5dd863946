//! A page for the terminal: tables where they fit, rows as lines where they do not, charts as a line of bars.

use unicode_width::UnicodeWidthStr;

use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::markdown::wrap;
use crate::output::page::{Chart, Page, Part, Plot, WEEKDAYS};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::text::sparkline::sparkline;

/// The widest line of bars.
const BARS: usize = 48;

pub(super) fn draw(page: &Page, view: &View) -> Vec<Block> {
    let mut blocks = Vec::new();
    lines(&page.verdict, 0, view, &mut blocks);
    lines(&[span(&page.subtitle, Tone::Dim)], 0, view, &mut blocks);
    for section in &page.sections {
        blocks.push(Block::Blank);
        blocks.push(Block::heading(&section.title));
        for part in &section.parts {
            match part {
                Part::Line(spans) => lines(spans, 2, view, &mut blocks),
                Part::Missing(why) => {
                    let text = [tone::mark(Tone::Unknown, view), span(format!(" unknown: {why}"), Tone::Unknown)];
                    lines(&text, 2, view, &mut blocks);
                }
                Part::Table(table) => rows(table, view, &mut blocks),
                Part::Chart(chart) => bars(chart, view, &mut blocks),
            }
        }
        if let Some(source) = &section.source {
            lines(&[span(source, Tone::Dim)], 2, view, &mut blocks);
        }
    }
    if !page.notes.is_empty() {
        blocks.push(Block::Blank);
    }
    for note in &page.notes {
        lines(&[span(note, Tone::Dim)], 0, view, &mut blocks);
    }
    blocks
}

fn lines(spans: &[Span], indent: usize, view: &View, blocks: &mut Vec<Block>) {
    let width = view.width.clamp(20, 100).saturating_sub(indent);
    for mut line in wrap(spans.to_vec(), width) {
        line.insert(0, plain(" ".repeat(indent)));
        blocks.push(Block::Whole(line));
    }
}

/// A table that is wider than the terminal is told row by row: a narrow column would break names.
fn rows(table: &Table, view: &View, blocks: &mut Vec<Block>) {
    let widest = |column: usize| {
        let cells = table.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
        cells.chain(table.columns.get(column).map(|name| name.width())).max().unwrap_or(0) + 2
    };
    if (0..table.columns.len()).map(widest).sum::<usize>() <= view.width {
        blocks.push(Block::Table(table.clone().indent(2)));
        return;
    }
    for row in &table.rows {
        let mut cells = table.columns.iter().zip(row).filter(|(_, cell)| !cell.text.trim().is_empty());
        if let Some((_, first)) = cells.next() {
            let tone = if first.tone == Tone::Plain { Tone::Strong } else { first.tone };
            lines(&[span(&first.text, tone)], 2, view, blocks);
        }
        let mut rest: Vec<Span> = Vec::new();
        for (name, cell) in cells {
            if !rest.is_empty() {
                rest.push(plain(view.pick(" · ", ", ")));
            }
            if !name.is_empty() {
                rest.push(span(format!("{name} "), Tone::Dim));
            }
            rest.push(cell.clone());
        }
        lines(&rest, 4, view, blocks);
    }
}

fn bars(chart: &Chart, view: &View, blocks: &mut Vec<Block>) {
    let width = view.width.saturating_sub(4).min(BARS);
    let line = |values: Vec<Option<f64>>| sparkline(&values, width.min(values.len()), !view.unicode);
    let text = match &chart.plot {
        Plot::Columns { labels, series } => {
            let sum = |at: usize| series.iter().filter_map(|(_, _, values)| values.get(at)).sum::<usize>();
            line((0..labels.len()).map(|at| Some(sum(at) as f64)).collect())
        }
        Plot::Dots { points, .. } => line(points.iter().map(|(_, seconds)| Some(*seconds as f64)).collect()),
        Plot::Lines(all) => {
            for (name, points) in all {
                let bars = line(points.iter().map(|(_, share)| Some(*share)).collect());
                lines(&[span(format!("{name}  "), Tone::Dim), plain(bars)], 2, view, blocks);
            }
            return;
        }
        // Its table tells all of it.
        Plot::Spans { .. } => return,
        Plot::Heat(days) => {
            lines(&[span(&chart.title, Tone::Dim)], 2, view, blocks);
            for (day, hours) in WEEKDAYS.iter().zip(days) {
                let cell = |n: &usize| match n {
                    0 => ".".to_owned(),
                    n @ 1..10 => n.to_string(),
                    _ => "+".to_owned(),
                };
                let hours: String = hours.iter().map(cell).collect();
                blocks.push(Block::Line(vec![span(format!("    {day} "), Tone::Dim), plain(hours)]));
            }
            return;
        }
    };
    lines(&[span(format!("{}  ", chart.title), Tone::Dim), plain(text)], 2, view, blocks);
}
