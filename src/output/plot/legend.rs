//! The legend below a plot: one line a series with its mark, name and last, least and greatest value.

use unicode_width::UnicodeWidthStr;

use crate::output::plot::fit::{fit, left, right};
use crate::output::plot::time_axis::Window;
use crate::output::plot::trace::Trace;
use crate::output::plot::{Ink, MARKS, PlotLine};

/// Columns of values are left out, rightmost first, before a name gets less than this.
const NAME: usize = 12;

const HEADINGS: [&str; 4] = ["last", "min", "max", ""];

/// Between two entries side by side.
const GAP: usize = 4;

/// Draws a heading and one line a series, none wider than `width`; entries go side by side when there
/// are more than three and their names fit uncut.
pub(super) fn legend(
    traces: &[Trace<'_>],
    window: &Window,
    format: &dyn Fn(f64) -> String,
    width: usize,
    ascii: bool,
) -> Vec<PlotLine> {
    let rows: Vec<[String; 4]> = traces
        .iter()
        .map(|trace| values(trace, window, format))
        .map(|row| row.map(|value| fit(&value, width / 3, ascii)))
        .collect();
    let longest = traces.iter().map(|trace| trace.name.width()).max();
    let layout = Layout::new(&rows, longest.unwrap_or(0), width);
    let heading = layout.entry("", HEADINGS);
    let entries: Vec<PlotLine> = traces
        .iter()
        .zip(&rows)
        .enumerate()
        .map(|(one, (trace, row))| {
            let mark = match traces {
                [_] if !ascii => '⠒',
                _ => MARKS[one % MARKS.len()],
            };
            let name = fit(trace.name, layout.name, ascii);
            let row = row.each_ref().map(String::as_str);
            vec![(mark.to_string(), Ink::Series(one)), (layout.entry(&name, row), Ink::Plain)]
        })
        .collect();

    let blocks = (width + GAP) / (layout.width + GAP);
    let blocks = blocks.clamp(1, traces.len().div_ceil(3).max(1));
    let height = entries.len().div_ceil(blocks);
    let gap = || (" ".repeat(GAP), Ink::Plain);
    let headings = vec![format!(" {heading}"); blocks].join(&gap().0);
    let mut lines = vec![vec![(headings.trim_end().to_owned(), Ink::Axis)]];
    for row in 0..height {
        let across: Vec<&PlotLine> = entries.iter().skip(row).step_by(height.max(1)).collect();
        let mut line = across.into_iter().cloned().collect::<Vec<_>>().join(&gap());
        if let Some((text, _)) = line.last_mut() {
            text.truncate(text.trim_end().len());
        }
        lines.push(line);
    }
    lines
}

/// The widths of an entry's parts.
struct Layout {
    /// How many columns of values are shown, the last first.
    columns: usize,
    widths: [usize; 4],
    name: usize,
    /// All of it, with the mark.
    width: usize,
}

impl Layout {
    fn new(rows: &[[String; 4]], longest: usize, width: usize) -> Self {
        let widths: [usize; 4] = std::array::from_fn(|column| {
            let widest = rows.iter().map(|row| row[column].width()).max();
            widest.unwrap_or(0).max(HEADINGS[column].len())
        });
        // Mark and space, then two spaces before each column.
        let taken = |columns: usize| 2 + widths[..columns].iter().map(|one| one + 2).sum::<usize>();
        let most = if widths[3] > 0 { 4 } else { 3 };
        let columns = (1..=most).rev().find(|columns| taken(*columns) + longest.min(NAME) <= width).unwrap_or(1);
        let name = longest.min(width.saturating_sub(taken(columns)));
        Self { columns, widths, name, width: taken(columns) + name }
    }

    /// What follows the mark, padded to the width of all entries.
    fn entry(&self, name: &str, row: [&str; 4]) -> String {
        let mut entry = format!(" {}", left(name, self.name));
        for (column, value) in row.iter().enumerate().take(self.columns) {
            let width = self.widths[column];
            entry.push_str("  ");
            entry.push_str(&if column < 3 { right(value, width) } else { left(value, width) });
        }
        entry
    }
}

/// Last, least and greatest value, and when the series ended if it did.
fn values(trace: &Trace<'_>, window: &Window, format: &dyn Fn(f64) -> String) -> [String; 4] {
    let write = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |one| number(one, format));
    let last = match trace.last() {
        None => "no data".to_owned(),
        some => write(some),
    };
    let ended = trace.ended(window).map_or_else(String::new, |at| format!("ended {}", window.write(at)));
    [last, write(trace.min()), write(trace.max()), ended]
}

/// A value in the caller's format; what is no number is written as Prometheus does.
pub(super) fn number(value: f64, format: &dyn Fn(f64) -> String) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format(value)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn drawn(names: &[&str], width: usize, ascii: bool) -> Vec<String> {
        let second = |second| DateTime::from_timestamp(second, 0).expect("in range");
        let window = Window::new(second(0), second(600));
        let traces: Vec<Trace<'_>> = names
            .iter()
            .enumerate()
            .map(|(n, name)| Trace {
                name,
                points: match n {
                    0 => vec![(second(0), 5.0), (second(300), 250.0), (second(600), 12.0)],
                    1 => vec![(second(0), f64::INFINITY), (second(60), f64::NAN)],
                    _ => Vec::new(),
                },
            })
            .collect();
        legend(&traces, &window, &|value| format!("{value:.1}"), width, ascii)
            .into_iter()
            .map(|line| line.into_iter().map(|(text, _)| text).collect())
            .collect()
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(
            drawn(&["eu-west", "東京", "us"], 60, false),
            [
                "              last   min    max",
                "a eu-west     12.0   5.0  250.0",
                "b 東京         NaN  +Inf   +Inf  ended 00:01",
                "c us       no data     -      -",
            ]
        );
        assert_eq!(drawn(&["eu-west"], 60, false), ["           last  min    max", "⠒ eu-west  12.0  5.0  250.0"]);
    }

    #[test]
    fn many_short_entries_go_side_by_side() {
        assert_eq!(
            drawn(&["eu", "us", "ap", "sa"], 100, false),
            [
                "         last   min    max                          last   min    max",
                "a eu     12.0   5.0  250.0                 c ap  no data     -      -",
                "b us      NaN  +Inf   +Inf  ended 00:01    d sa  no data     -      -",
            ]
        );
    }

    #[test]
    fn narrow_legends_drop_columns_then_cut_names() {
        let name = ["checkout-service-eu-west"];
        let narrow = ["                    last  min    max", "⠒ checkout-servic…  12.0  5.0  250.0"];
        assert_eq!(drawn(&name, 36, false), narrow);
        let narrower = ["                 last", "a checkout-s...  12.0"];
        assert_eq!(drawn(&name, 21, true), narrower);
    }
}
