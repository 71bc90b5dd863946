//! A report as a page: what it says once, drawn for the terminal, as Markdown, and as one HTML file.

mod chart;
mod html;
mod markdown;
mod terminal;

use chrono::{DateTime, Utc};

use crate::output::block::{Block, Span, Table, Tone};
use crate::output::format::Format;
use crate::output::view::View;
use liveops_domain::text::time::compact;

/// A page, top to bottom.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) title: String,
    /// Whose, and of which time.
    pub(crate) subtitle: String,
    /// The first line: what is wrong, by name.
    pub(crate) verdict: Vec<Span>,
    /// The few numbers that one looks at first.
    pub(crate) tiles: Vec<Tile>,
    pub(crate) sections: Vec<Section>,
    /// The last lines: how numbers are defined, and what they are not.
    pub(crate) notes: Vec<String>,
}

/// One number.
#[derive(Debug)]
pub(crate) struct Tile {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) tone: Tone,
    pub(crate) note: String,
    /// Of the note, where that is what is wrong, and not the number.
    pub(crate) note_tone: Tone,
}

/// A part under its heading.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: String,
    /// Who said so, and when it was true.
    pub(crate) source: Option<String>,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug)]
pub(crate) enum Part {
    Line(Vec<Span>),
    /// What is not known, and why.
    Missing(String),
    Table(Table),
    Chart(Chart),
}

/// A picture, and the numbers that it was drawn from.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// What is seen, for those who do not see it.
    pub(crate) description: String,
    pub(crate) plot: Plot,
    pub(crate) data: Table,
}

/// A line of a plot: its name, and its values by time.
pub(crate) type Curve = (String, Vec<(DateTime<Utc>, f64)>);

#[derive(Debug)]
pub(crate) enum Plot {
    /// Stacked bars; the first series stands at the bottom.
    Columns { labels: Vec<String>, series: Vec<(&'static str, Tone, Vec<usize>)> },
    /// Durations by time, on a scale of powers; levels are lines with a name.
    Dots { points: Vec<(DateTime<Utc>, i64)>, levels: Vec<(i64, String)>, span: (DateTime<Utc>, DateTime<Utc>) },
    /// Shares by time, each line with its name.
    Lines(Vec<Curve>),
    /// What lasted, a row each.
    Spans { rows: Vec<SpanRow>, span: (DateTime<Utc>, DateTime<Utc>) },
    /// Counts by weekday and hour.
    Heat(Vec<Vec<usize>>),
}

#[derive(Debug)]
pub(crate) struct SpanRow {
    pub(crate) label: String,
    pub(crate) from: DateTime<Utc>,
    /// `None`: it lasts.
    pub(crate) to: Option<DateTime<Utc>>,
    pub(crate) tone: Tone,
}

impl Page {
    /// As a document of this format, where it can be one.
    pub(crate) fn document(&self, format: Format) -> Option<String> {
        match format {
            Format::Markdown => Some(markdown::draw(self)),
            Format::Html => Some(html::draw(self)),
            _ => None,
        }
    }

    /// For the terminal.
    pub(crate) fn blocks(&self, view: &View) -> Vec<Block> {
        terminal::draw(self, view)
    }
}

/// A moment on a page, which is read on another day than it was written.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.format("%F %H:%M").to_string()
}

/// `3h 5m`, and a dash where nothing is known.
pub(crate) fn length(seconds: Option<i64>) -> String {
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or_else(|| "-".into(), compact)
}

/// The word that tells a tone without colour; nothing for what is as it should be.
fn mark(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "● ",
        Tone::Warn => "▲ ",
        Tone::Bad => "✖ ",
        Tone::Unknown => "? ",
        _ => "",
    }
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
