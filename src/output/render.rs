//! Blocks to text: widths, columns, colour. The only place that knows terminal codes for content.

use std::borrow::Cow;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table as Grid};
use console::{Style, truncate_str};

use crate::output::block::{Block, Span, Table, Tone};
use crate::output::view::View;
use crate::output::wrap::wrapped;
use liveops_domain::text::escape::escape;
use liveops_domain::text::secret::mask;

/// Colours of plot series, told apart by most colour-blind people in this order.
const SERIES: [u8; 6] = [6, 3, 5, 2, 4, 1];

fn style(tone: Tone) -> Style {
    let style = Style::new().force_styling(true);
    match tone {
        Tone::Plain => style,
        Tone::Strong => style.bold(),
        Tone::Dim => style.dim(),
        Tone::Good => style.green(),
        Tone::Warn => style.yellow().bold(),
        Tone::Bad => style.red().bold(),
        Tone::Unknown => style.magenta(),
        Tone::Command => style.cyan(),
        Tone::Series(n) => style.color256(SERIES[n % SERIES.len()]),
    }
}

fn paint(span: &Span, colour: bool) -> Cow<'_, str> {
    // Masked before it is cut: half a secret is known by nobody.
    let text = match mask(&span.text) {
        Cow::Borrowed(text) => escape(text),
        Cow::Owned(text) => escape(&text).into_owned().into(),
    };
    if colour && span.tone != Tone::Plain && !text.is_empty() {
        style(span.tone).apply_to(text).to_string().into()
    } else {
        text
    }
}

fn line(spans: &[Span], colour: bool) -> String {
    let mut text: String = spans.iter().map(|span| paint(span, colour)).collect();
    text.truncate(text.trim_end().len());
    text
}

/// Spans of our own messages: they may have several lines, each escaped on its own, and wrapped where a width is given.
pub(crate) fn message(spans: &[Span], colour: bool, width: Option<usize>) -> String {
    let mut lines: Vec<Vec<Span>> = vec![Vec::new()];
    for part in spans {
        for (place, text) in part.text.split('\n').enumerate() {
            if place > 0 {
                lines.push(Vec::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(Span { text: text.to_owned(), tone: part.tone });
            }
        }
    }
    let wrap = |line: Vec<Span>| width.map_or_else(|| vec![line.clone()], |width| wrapped(&line, width));
    let painted = |line: Vec<Span>| line.iter().map(|span| paint(span, colour)).collect::<String>();
    lines.into_iter().flat_map(wrap).map(painted).collect::<Vec<_>>().join("\n")
}

/// The blocks as lines, each within the view's width (but for `Block::Whole`).
pub(crate) fn lines(blocks: &[Block], view: &View, colour: bool) -> Vec<String> {
    let mut out = Vec::new();
    for block in blocks {
        match block {
            Block::Line(spans) => {
                let text = line(spans, colour);
                // No text is wider than it has bytes: most lines need no measuring.
                out.push(if text.len() <= view.width {
                    text
                } else {
                    truncate_str(&text, view.width, view.pick("…", "...")).into_owned()
                });
            }
            Block::Whole(spans) if view.terminal && spans.iter().all(|span| span.tone != Tone::Command) => {
                out.extend(wrapped(spans, view.width).iter().map(|spans| line(spans, colour)));
            }
            Block::Whole(spans) | Block::Verbatim(spans) => out.push(line(spans, colour)),
            Block::Table(table) => out.extend(grid(table, view, colour)),
            Block::Blank => out.push(String::new()),
        }
    }
    out
}

fn grid(table: &Table, view: &View, colour: bool) -> Vec<String> {
    if table.rows.is_empty() {
        return Vec::new();
    }
    let indent = " ".repeat(usize::from(table.indent));
    let width = view.width.saturating_sub(indent.len()).max(20);
    let mut grid = Grid::new();
    grid.load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX));
    if table.columns.iter().any(|title| !title.is_empty()) {
        let title = |text: &String| paint(&Span { text: text.to_uppercase(), tone: Tone::Dim }, colour).into_owned();
        grid.set_header(table.columns.iter().map(title));
    }
    for row in &table.rows {
        grid.add_row(row.iter().map(|cell| Cell::new(paint(cell, colour))));
    }
    for (index, column) in grid.column_iter_mut().enumerate() {
        // No padding on the left, two cells between columns.
        column.set_padding((0, 2));
        if table.right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if table.fixed.contains(&index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    grid.lines().map(|text| format!("{indent}{text}").trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::output::block::{plain, span};

    fn view(width: usize) -> View {
        let now = DateTime::from_timestamp(0, 0).expect("epoch");
        View { width, height: None, unicode: true, terminal: false, now }
    }

    #[test]
    fn tables_align_and_escape() {
        let mut table = Table::new(["name", "value"]).right(&[1]).indent(2);
        table.row(vec![plain("players\x1b[2J"), plain("1,204")]);
        table.row(vec![plain("tick"), span("17 ms", Tone::Warn)]);
        let text = lines(&[Block::Table(table)], &view(60), false).join("\n");
        insta::assert_snapshot!(text, @r"
        NAME            VALUE
        players\x1b[2J  1,204
        tick            17 ms
        ");
    }

    #[test]
    fn lines_are_cut_at_the_width_and_commands_are_not() {
        let long = "x".repeat(30);
        let blocks = [Block::text(long.clone()), Block::next("next", long)];
        let drawn = lines(&blocks, &view(20), false);
        assert_eq!(drawn[0].chars().count(), 20);
        assert!(drawn[1].ends_with(&"x".repeat(30)));
    }

    #[test]
    fn a_file_that_is_shown_is_still_that_file() {
        let url = vec![plain("  url: http://127.0.0.1:5050/a/long/path")];
        let narrow = View { terminal: true, ..view(20) };
        assert_eq!(lines(&[Block::Verbatim(url.clone())], &narrow, false).len(), 1);
        assert!(lines(&[Block::Whole(url)], &narrow, false).len() > 1, "text of our own is wrapped at words");
    }

    #[test]
    fn colour_changes_no_text() {
        let blocks = [Block::Line(vec![span("down", Tone::Bad), plain(" game")])];
        let coloured = &lines(&blocks, &view(80), true)[0];
        assert!(coloured.contains('\x1b'));
        assert_eq!(console::strip_ansi_codes(coloured), "down game");
    }
}
