//! Series over time drawn in a terminal: lines in braille or ASCII, axes, thresholds and a legend.
//! Draws runs of text with the role each plays; the caller escapes names, colours and prints.

mod fit;
mod grid;
mod legend;
mod panel;
mod raster;
pub(crate) mod scale;
#[cfg(test)]
mod tests;
mod time_axis;
mod trace;

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr;

use crate::output::plot::fit::{fit, left};
use crate::output::plot::time_axis::Window;
use crate::output::plot::trace::{Trace, largest};

/// The letters that tell series apart without colour; as many series are shown at most.
const MARKS: [char; 10] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];

/// Fewer rows than this show no shape.
const MIN_ROWS: usize = 4;

/// The axis and its labels.
const AXIS_ROWS: usize = 2;

/// Fewer columns than this hold no axis labels.
const MIN_WIDTH: usize = 20;

/// What a piece of a plot is, for the caller to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Axes, their labels and headings.
    Axis,
    /// The series of this number among those shown, from 0 to 9, in the order of the legend.
    Series(usize),
    /// A threshold and its label; a moment.
    Threshold,
    /// Everything else.
    Plain,
}

/// One line of a plot as runs of text, each with its ink.
pub(crate) type PlotLine = Vec<(String, Ink)>;

/// One line in a plot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlotSeries {
    /// What the legend calls it; already escaped.
    pub(crate) name: String,
    /// Samples in any order. NaN is a gap.
    pub(crate) points: Vec<(DateTime<Utc>, f64)>,
}

/// The space that a plot may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Canvas {
    /// Terminal columns.
    pub(crate) width: usize,
    /// Lines in all, with title, axis, legend and notes.
    pub(crate) height: usize,
    /// Whether only ASCII may be used; names are given as they are.
    pub(crate) ascii: bool,
}

impl Default for Canvas {
    /// What an 80 × 24 terminal holds beside a command line and a prompt.
    fn default() -> Self {
        Self { width: 80, height: 22, ascii: false }
    }
}

/// Series over a window of time, to be drawn.
pub(crate) struct Plot {
    /// What to draw; of more than ten, the ten largest by their newest value are shown.
    pub(crate) series: Vec<PlotSeries>,
    /// The begin of the window; points outside of the window are left out.
    pub(crate) start: DateTime<Utc>,
    /// The end of the window.
    pub(crate) end: DateTime<Utc>,
    /// Shown on top, together with the dates of the window.
    pub(crate) title: Option<String>,
    /// Writes a finite value with its unit, on the axis and in the legend. It should keep three
    /// significant digits, or neighbouring ticks read the same and are left out.
    pub(crate) format: Box<dyn Fn(f64) -> String>,
    /// Values with the names of what they bound (`page above`), drawn as dashed lines. One that is
    /// far from the data is named at the edge, with an arrow.
    pub(crate) thresholds: Vec<(f64, String)>,
    /// Moments with the sign that stands for each on the time axis; the caller says below what they are.
    pub(crate) moments: Vec<(DateTime<Utc>, char)>,
}

impl Plot {
    /// Draws into at most `canvas.height` lines of at most `canvas.width` columns.
    ///
    /// A plot without data, and one without room, is one line that says so.
    pub(crate) fn draw(&self, canvas: &Canvas) -> Vec<PlotLine> {
        let window = Window::new(self.start, self.end);
        let traces: Vec<Trace<'_>> = self.series.iter().map(|series| Trace::new(series, &window)).collect();
        if let Some(reason) = absence(&traces) {
            let title = self.title.as_ref().map(|title| format!("{title}: "));
            return sentence(&format!("{}{reason}", title.unwrap_or_default()), canvas);
        }
        let Some(mut room) = canvas.height.checked_sub(MIN_ROWS + AXIS_ROWS) else {
            return sentence("not enough lines for a plot", canvas);
        };
        if canvas.width < MIN_WIDTH {
            return sentence("not enough columns for a plot", canvas);
        }

        let mut lines = Vec::new();
        if let Some(title) = self.title.as_ref().filter(|_| room > 0) {
            lines.push(head(title, &window, canvas));
            room -= 1;
        }
        let total = traces.len();
        let clipped = usize::from(traces.iter().any(|trace| trace.infinities() > 0));
        let traces = largest(traces, shown(total, room.saturating_sub(clipped)));
        let mut below = Vec::new();
        if room >= 2 {
            let (width, ascii) = (canvas.width, canvas.ascii);
            below = legend::legend(&traces, &window, &*self.format, width, ascii);
        }
        below.extend(notes(&traces, total, canvas));
        below.truncate(room);
        room -= below.len();
        lines.extend(self.panel(&traces, &window, MIN_ROWS + room, canvas));
        lines.extend(below);
        lines
    }
}

/// Why there is nothing to draw, if so.
fn absence(traces: &[Trace<'_>]) -> Option<&'static str> {
    if traces.iter().any(|trace| trace.values().next().is_some()) {
        None
    } else if traces.iter().any(|trace| !trace.points.is_empty()) {
        Some("no data (every sample is NaN)")
    } else {
        Some("no data")
    }
}

/// A plot that is only a sentence.
fn sentence(text: &str, canvas: &Canvas) -> Vec<PlotLine> {
    vec![vec![(fit(text, canvas.width, canvas.ascii), Ink::Plain)]]
}

/// How many series to show: as many as have a letter and a line in the legend. `room` is what the
/// legend may take; its heading takes a line, and so does the note about series left out.
fn shown(total: usize, room: usize) -> usize {
    if total <= MARKS.len() && total < room {
        return total;
    }
    MARKS.len().min(room.saturating_sub(2)).max(1)
}

/// The title, and the window at the right where there is room for both.
fn head(title: &str, window: &Window, canvas: &Canvas) -> PlotLine {
    let dates = window.describe(canvas.ascii);
    let title = fit(title, canvas.width, canvas.ascii);
    if title.width() + 2 + dates.width() > canvas.width {
        return vec![(title, Ink::Plain)];
    }
    let title = left(&title, canvas.width - dates.width());
    vec![(title, Ink::Plain), (dates, Ink::Axis)]
}

/// What the drawing alone would hide.
fn notes(traces: &[Trace<'_>], total: usize, canvas: &Canvas) -> Vec<PlotLine> {
    let mut notes = Vec::new();
    if traces.len() < total {
        let dots = if canvas.ascii { "..." } else { "…" };
        let more = total - traces.len();
        notes.push(format!("{dots} and {more} more, with smaller last values"));
    }
    match traces.iter().map(Trace::infinities).sum() {
        0 => {}
        1 => notes.push("1 infinite sample drawn at the edge".to_owned()),
        many => notes.push(format!("{many} infinite samples drawn at the edge")),
    }
    notes.iter().flat_map(|note| sentence(note, canvas)).collect()
}
