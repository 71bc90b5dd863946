//! Markdown as blocks: headings, wrapped paragraphs, lists, tables, and code that can be pasted.

use liveops_domain::text::markdown::{html_text, options, unmarked};
use pulldown_cmark::{Alignment, CodeBlockKind, Event, Parser, Tag, TagEnd};
use unicode_width::UnicodeWidthStr;

use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::view::View;

/// Prose is hardest to read when it is wide.
const WIDEST: usize = 100;

/// The document, top to bottom.
pub(crate) fn blocks(text: &str, view: &View) -> Vec<Block> {
    let mut page = Page {
        view,
        blocks: Vec::new(),
        spans: Vec::new(),
        tone: vec![Tone::Plain],
        lists: Vec::new(),
        marker: None,
        quotes: 0,
        link: None,
        code: None,
        table: None,
        html: String::new(),
        front: false,
    };
    for event in Parser::new_ext(unmarked(text), options()) {
        page.take(event);
    }
    while page.blocks.last() == Some(&Block::Blank) {
        page.blocks.pop();
    }
    page.blocks
}

struct Page<'a> {
    view: &'a View,
    blocks: Vec<Block>,
    /// The paragraph under way.
    spans: Vec<Span>,
    tone: Vec<Tone>,
    /// The open lists, outermost first: the next number, or a bullet.
    lists: Vec<Option<u64>>,
    /// The bullet or number that the next paragraph begins with.
    marker: Option<String>,
    quotes: usize,
    link: Option<(String, String)>,
    code: Option<(String, String)>,
    table: Option<Table>,
    /// A block of raw HTML under way.
    html: String,
    /// In the front matter, which is for the site.
    front: bool,
}

impl Page<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(_) if self.front => {}
            Event::Text(text) => self.text(&text),
            Event::Html(html) => self.html.push_str(&html),
            Event::InlineHtml(html) => {
                let text = html_text(&html);
                if text.ends_with('\n') && self.table.is_none() {
                    self.flush();
                } else {
                    self.text(text.trim_end_matches('\n'));
                }
            }
            Event::Code(text) => {
                let tone = if text.starts_with("liveops ") { Tone::Command } else { Tone::Strong };
                self.spans.push(span(text.into_string(), tone));
            }
            Event::SoftBreak => self.spans.push(plain(" ")),
            Event::HardBreak => self.flush(),
            Event::Rule => {
                self.blocks.push(Block::Line(vec![span(self.view.pick("─", "-").repeat(self.width()), Tone::Dim)]));
            }
            Event::TaskListMarker(done) => {
                self.spans.push(plain(if done { "[x] " } else { "[ ] " }));
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((_, body)) = &mut self.code {
            body.push_str(text);
            return;
        }
        if let Some((_, shown)) = &mut self.link {
            shown.push_str(text);
        }
        let tone = self.tone.last().copied().unwrap_or_default();
        self.spans.push(span(text, tone));
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::MetadataBlock(_) => self.front = true,
            Tag::Heading { .. } | Tag::Strong => self.tone.push(Tone::Strong),
            Tag::Emphasis => self.tone.push(Tone::Plain),
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::List(first) => {
                self.flush();
                self.lists.push(first);
            }
            Tag::Item => {
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => format!("{} ", self.view.pick("•", "-")),
                };
                self.marker = Some(marker);
            }
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.link = Some((dest_url.into_string(), String::new()));
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((info, String::new()));
            }
            Tag::Table(columns) => {
                let right = columns
                    .iter()
                    .enumerate()
                    .filter(|(_, alignment)| **alignment == Alignment::Right)
                    .map(|(index, _)| index);
                self.table = Some(Table { right: right.collect(), ..Table::default() });
            }
            Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::MetadataBlock(_) => self.front = false,
            TagEnd::HtmlBlock => self.end_html(),
            TagEnd::Heading(_) => {
                self.tone.pop();
                if !self.blocks.is_empty() && self.blocks.last() != Some(&Block::Blank) {
                    self.blocks.push(Block::Blank);
                }
                self.flush();
            }
            TagEnd::Strong | TagEnd::Emphasis => {
                self.tone.pop();
            }
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::Paragraph => {
                self.flush();
                if self.lists.is_empty() {
                    self.blank();
                }
            }
            TagEnd::Item => {
                self.flush();
                self.marker = None;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.blank();
                }
            }
            TagEnd::Link | TagEnd::Image => {
                if let Some((to, shown)) = self.link.take()
                    && to != shown
                {
                    self.spans.push(span(format!(" ({to})"), Tone::Dim));
                }
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::TableCell => self.end_cell(),
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.end_table(table);
                }
                self.blank();
            }
            _ => {}
        }
    }

    /// A block of HTML: its text, a line for each of its own.
    fn end_html(&mut self) {
        self.flush();
        let html = std::mem::take(&mut self.html);
        for line in html_text(&html).lines().filter(|line| !line.trim().is_empty()) {
            self.spans.push(plain(line.trim()));
            self.flush();
        }
        self.blank();
    }

    /// A table that is wider than the page is told row by row: a narrow column would break names.
    fn end_table(&mut self, table: Table) {
        let widest = |column: usize| {
            let cells = table.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
            cells.chain(table.columns.get(column).map(|name| name.width())).max().unwrap_or(0) + 2
        };
        if (0..table.columns.len()).map(widest).sum::<usize>() <= self.width() {
            self.blocks.push(Block::Table(table));
            return;
        }
        for row in table.rows {
            for (name, cell) in table.columns.iter().zip(row).filter(|(_, cell)| !cell.text.trim().is_empty()) {
                let lead = if name.trim().is_empty() { String::new() } else { format!("{name}: ") };
                self.spans = vec![span(lead, Tone::Dim), cell];
                self.flush();
            }
            self.blank();
        }
    }

    fn end_cell(&mut self) {
        let text: String = self.spans.drain(..).map(|span| span.text).collect();
        if let Some(table) = &mut self.table {
            match table.rows.last_mut() {
                Some(row) => row.push(plain(text)),
                None => table.columns.push(text),
            }
        }
    }

    fn end_code(&mut self) {
        let Some((info, body)) = self.code.take() else {
            return;
        };
        let indent = " ".repeat(self.indent() + 2);
        if let Some(step) = info.split_once("step=\"").and_then(|(_, rest)| rest.split('"').next()) {
            let mark = self.view.pick("▶ step: ", "> step: ");
            let tail = if info.contains(" confirm") { "  (asks before it runs)" } else { "" };
            self.blocks.push(Block::Line(vec![
                plain(indent[2..].to_owned()),
                span(format!("{mark}{step}"), Tone::Strong),
                span(tail, Tone::Dim),
            ]));
        }
        for line in body.lines() {
            self.blocks.push(Block::Whole(vec![plain(indent.clone()), span(line, Tone::Command)]));
        }
        self.blank();
    }

    fn blank(&mut self) {
        if self.blocks.last() != Some(&Block::Blank) {
            self.blocks.push(Block::Blank);
        }
    }

    fn indent(&self) -> usize {
        self.lists.len().saturating_sub(1) * 3 + self.quotes * 2
    }

    fn width(&self) -> usize {
        self.view.width.clamp(20, WIDEST)
    }

    /// The paragraph under way, wrapped at words.
    fn flush(&mut self) {
        let spans = std::mem::take(&mut self.spans);
        if spans.iter().all(|span| span.text.trim().is_empty()) {
            return;
        }
        let marker = self.marker.take();
        let indent = " ".repeat(self.indent());
        let hang = marker.as_deref().map_or_else(|| if self.lists.is_empty() { 0 } else { 2 }, UnicodeWidthStr::width);
        let first = format!("{indent}{}", marker.unwrap_or_else(|| " ".repeat(hang)));
        let other = format!("{indent}{}", " ".repeat(hang));
        for (index, mut line) in wrap(spans, self.width().saturating_sub(first.width())).into_iter().enumerate() {
            let lead = if index == 0 { &first } else { &other };
            line.insert(0, plain(lead.clone()));
            let cells: usize = line.iter().map(|span| span.text.width()).sum();
            // What cannot be broken, such as a URL, is to be pasted: the terminal wraps it, and nothing is cut.
            self.blocks.push(if cells > self.width() { Block::Whole(line) } else { Block::Line(line) });
        }
    }
}

/// Breaks spans into lines of at most `width` cells, at spaces. A command to paste stays on one line.
pub(crate) fn wrap(spans: Vec<Span>, width: usize) -> Vec<Vec<Span>> {
    let mut lines: Vec<Vec<Span>> = vec![Vec::new()];
    let mut used = 0;
    for part in spans {
        let words: Vec<&str> =
            if part.tone == Tone::Command { vec![&part.text] } else { part.text.split_inclusive(' ').collect() };
        for word in words {
            let cells = word.trim_end().width();
            if used > 0 && used + cells > width {
                lines.push(Vec::new());
                used = 0;
            }
            if used == 0 && word.trim().is_empty() {
                continue;
            }
            used += word.width();
            if let Some(line) = lines.last_mut() {
                match line.last_mut() {
                    Some(last) if last.tone == part.tone && part.tone != Tone::Command => {
                        last.text.push_str(word);
                    }
                    _ => line.push(span(word, part.tone)),
                }
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn draw(text: &str, width: usize) -> String {
        let view = View { width, height: None, unicode: false, terminal: false, now: DateTime::default() };
        let line = |spans: &[Span]| spans.iter().map(|s| s.text.as_str()).collect::<String>();
        let lines = blocks(text, &view).into_iter().map(|block| match block {
            Block::Line(spans) | Block::Whole(spans) | Block::Verbatim(spans) => line(&spans).trim_end().to_owned(),
            Block::Table(table) => format!("{:?} {}", table.columns, table.rows.len()),
            Block::Blank => String::new(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_document_reads_well_in_a_narrow_terminal() {
        let text = "# Title\n\nSome *long* text that **wraps** at the `width` of it.\n\n- one [link](a.md)\n- two\n  1. first\n  2. second\n\n```sh liveops step=\"Do it\" confirm\nliveops undo\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n";
        insta::assert_snapshot!(draw(text, 30), @r#"
        Title
        Some long text that wraps at
        the width of it.

        - one link (a.md)
        - two
           1. first
           2. second

        > step: Do it  (asks before it runs)
          liveops undo

        ["a", "b"] 1
        "#);
    }

    #[test]
    fn any_text_can_be_drawn() {
        for text in ["", "#", "```", "- - - a", "| a |\n|--|\n", "> > x\n1. [", "<!-- c -->\n<b>x</b>"] {
            draw(text, 20);
        }
    }
}
