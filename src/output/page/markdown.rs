//! A page as Markdown (CommonMark with tables), for a chat, an issue or a wiki. What others wrote is text, never markup.

use std::fmt::Write as _;

use crate::output::block::{Span, Table, Tone};
use crate::output::page::{Page, Part, mark};
use liveops_domain::text::escape::escape;

/// More rows of a picture's numbers are left to the other formats.
const ROWS: usize = 16;

pub(super) fn draw(page: &Page) -> String {
    let mut out = format!("# {}\n\n{}\n\n{}\n", text(&page.title), text(&page.subtitle), line(&page.verdict));
    if !page.tiles.is_empty() {
        let _ = write!(out, "\n| | | |\n|---|---|---|\n");
        for tile in &page.tiles {
            let _ = writeln!(
                out,
                "| {} | **{}{}** | {} |",
                text(tile.label),
                mark(tile.tone),
                text(&tile.value),
                text(&tile.note)
            );
        }
    }
    for section in &page.sections {
        let _ = write!(out, "\n## {}\n", text(&section.title));
        for part in &section.parts {
            match part {
                Part::Line(spans) => {
                    let _ = write!(out, "\n{}\n", line(spans));
                }
                Part::Missing(why) => {
                    let _ = write!(out, "\n**? unknown:** {}\n", text(why));
                }
                Part::Table(rows) => table(rows, &mut out),
                Part::Chart(chart) if (1..=ROWS).contains(&chart.data.rows.len()) => {
                    let _ = write!(out, "\n*{}*\n", text(&chart.title));
                    table(&chart.data, &mut out);
                }
                Part::Chart(_) => {}
            }
        }
        if let Some(source) = &section.source {
            let _ = write!(out, "\n*{}*\n", text(source));
        }
    }
    if !page.notes.is_empty() {
        out.push('\n');
    }
    for note in &page.notes {
        let _ = writeln!(out, "- {}", text(note));
    }
    out
}

fn table(table: &Table, out: &mut String) {
    if table.rows.is_empty() {
        return;
    }
    let columns: Vec<String> = table.columns.iter().map(|name| text(name)).collect();
    let rules: Vec<&str> =
        (0..columns.len()).map(|column| if table.right.contains(&column) { "--:" } else { "---" }).collect();
    let _ = write!(out, "\n| {} |\n|{}|\n", columns.join(" | "), rules.join("|"));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(one).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

fn line(spans: &[Span]) -> String {
    spans.iter().map(one).collect()
}

fn one(span: &Span) -> String {
    let (lead, body) = span.text.split_at(span.text.len() - span.text.trim_start().len());
    let trail = &body[body.trim_end().len()..];
    let body = body.trim_end();
    if body.is_empty() {
        return lead.to_owned();
    }
    let body = match span.tone {
        Tone::Strong | Tone::Bad | Tone::Warn | Tone::Unknown => format!("**{}{}**", mark(span.tone), text(body)),
        Tone::Command => format!("`{}`", escape(body).replace(['`', '|'], " ")),
        _ => text(body),
    };
    format!("{lead}{body}{trail}")
}

/// Text that no Markdown reader takes for anything else.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (place, c) in escape(text).char_indices() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            '#' | '+' | '-' | '=' if place == 0 => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;
    use crate::output::block::plain;

    #[test]
    fn what_others_wrote_stays_text() {
        for hostile in [
            "<script>alert(1)</script>",
            "[x](javascript:alert(1))",
            "![x](http://evil/p.png)",
            "a | b",
            "# head",
            "`code` **bold** _it_ ~~no~~",
            "- item",
            "&lt;b&gt; \\",
        ] {
            let mut cells = Table::new(["a", "b"]);
            cells.row(vec![plain(hostile), plain("x")]);
            let mut out = String::new();
            table(&cells, &mut out);
            let mut told = String::new();
            let mut count = 0;
            for event in Parser::new_ext(&out, Options::all()) {
                match event {
                    Event::Text(text) => told.push_str(&text),
                    Event::Start(Tag::Table(_) | Tag::TableHead | Tag::TableRow) | Event::End(_) => {}
                    Event::Start(Tag::TableCell) => count += 1,
                    other => panic!("{hostile}: {other:?}"),
                }
            }
            assert_eq!((told, count), (format!("ab{hostile}x"), 4), "{out}");
        }
    }
}
