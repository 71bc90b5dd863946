//! The output of a command as styled lines: the colours that `output` writes (ECMA-48 SGR), and nothing else.

use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Each line of `text` with its styles, wrapped at words. Other control sequences are left out.
pub(crate) fn lines(text: &str, columns: usize) -> Vec<Line<'static>> {
    text.lines().map(line).flat_map(|line| wrapped(line, columns.max(1))).collect()
}

/// Cells of a line that lead somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) width: usize,
    pub(crate) url: String,
}

/// The web addresses in lines as they were wrapped: one that goes on in the next line leads to the same place.
pub(crate) fn links(lines: &[Line<'_>], columns: usize) -> Vec<Link> {
    let texts: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let mut found: Vec<Link> = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let mut from = 0;
        while let Some(at) = ["http://", "https://"].iter().filter_map(|start| text[from..].find(start)).min() {
            let start = from + at;
            let length = url_length(&text[start..]);
            let first = found.len();
            let mut url = text[start..start + length].to_owned();
            found.push(Link { row, column: text[..start].width(), width: url.width(), url: String::new() });
            // It fills the line to its end: the rest is in those below.
            let (mut end, mut below) = (text[..start + length].width(), row + 1);
            while end == columns && below < texts.len() {
                let more = url_length(&texts[below]);
                if more == 0 {
                    break;
                }
                url.push_str(&texts[below][..more]);
                end = texts[below][..more].width();
                found.push(Link { row: below, column: 0, width: end, url: String::new() });
                below += 1;
            }
            found[first..].iter_mut().for_each(|link| link.url.clone_from(&url));
            from = start + length;
        }
    }
    found
}

/// How many bytes at the beginning are an address; the full stop of a sentence is none.
fn url_length(text: &str) -> usize {
    let is_part =
        |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '`' | '|' | '\\' | '^' | '{' | '}');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ',', ';', ':', ')', '!', '?']).len()
}

/// A line that is too long as several; a word that is longer than the screen is cut.
pub(crate) fn wrapped(line: Line<'static>, columns: usize) -> Vec<Line<'static>> {
    if line.width() <= columns {
        return vec![line];
    }
    let mut rows = vec![Vec::new()];
    let mut used = 0;
    for span in line.spans {
        for word in span.content.split_inclusive(' ') {
            let mut rest = word;
            if used > 0 && used + rest.trim_end().width() > columns {
                rows.push(Vec::new());
                used = 0;
            }
            while rest.width() > columns {
                let cut = rest.char_indices().map(|(at, _)| at).take_while(|at| rest[..*at].width() <= columns).last();
                let (row, more) = rest.split_at(cut.filter(|cut| *cut > 0).unwrap_or(rest.len()));
                rows.last_mut().into_iter().for_each(|spans| spans.push(Span::styled(row.to_owned(), span.style)));
                rows.push(Vec::new());
                rest = more;
            }
            used += rest.width();
            rows.last_mut().into_iter().for_each(|spans| spans.push(Span::styled(rest.to_owned(), span.style)));
        }
    }
    rows.into_iter().map(trimmed).collect()
}

/// Without the spaces that stood between two rows.
fn trimmed(mut spans: Vec<Span<'static>>) -> Line<'static> {
    while let Some(last) = spans.last_mut() {
        let kept = last.content.trim_end().len();
        if kept > 0 {
            last.content.to_mut().truncate(kept);
            break;
        }
        spans.pop();
    }
    Line::from(spans)
}

fn line(text: &str) -> Line<'static> {
    let mut spans = Vec::new();
    let mut style = Style::default();
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        push(&mut spans, &rest[..at], style);
        let sequence = &rest[at + 1..];
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).map_or(sequence.len(), |end| end + 1);
        if let Some(codes) = sequence[..end].strip_prefix('[').and_then(|inner| inner.strip_suffix('m')) {
            style = sgr(style, codes);
        }
        rest = &sequence[end..];
    }
    push(&mut spans, rest, style);
    Line::from(spans)
}

fn push(spans: &mut Vec<Span<'static>>, text: &str, style: Style) {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if !text.is_empty() {
        spans.push(Span::styled(text, style));
    }
}

fn sgr(mut style: Style, codes: &str) -> Style {
    let mut codes = codes.split(';').map(|code| code.parse::<u8>().unwrap_or(0));
    while let Some(code) = codes.next() {
        style = match code {
            0 => Style::default(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            30..=37 => style.fg(Color::Indexed(code - 30)),
            90..=97 => style.fg(Color::Indexed(code - 82)),
            38 if codes.next() == Some(5) => codes.next().map_or(style, |n| style.fg(Color::Indexed(n))),
            _ => style,
        };
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_kept_and_other_sequences_are_not() {
        let read = lines("\x1b[1m\x1b[31mdown\x1b[0m game\x1b[2J\x07\nnext", 80);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].spans[0].style, Style::default().add_modifier(Modifier::BOLD).fg(Color::Indexed(1)));
        let text: String = read[0].spans.iter().map(|span| span.content.as_ref()).collect();
        assert_eq!(text, "down game");
        let rows = lines("the tick is \x1b[31mslow\x1b[0m now", 12);
        let texts: Vec<String> = rows.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["the tick is", "slow now"]);
        assert_eq!(lines(&"x".repeat(30), 12).len(), 3);
        let long = lines("see https://wiki.example/runbooks/TickSlow.md, then act", 20);
        let found = links(&long, 20);
        assert!(found.len() > 1, "{long:?}");
        assert!(found.iter().all(|link| link.url == "https://wiki.example/runbooks/TickSlow.md"), "{found:?}");
        assert_eq!(lines("\x1b[38;5;6mx", 80)[0].spans[0].style.fg, Some(Color::Indexed(6)));
    }
}
