//! A page as one HTML file: nothing is fetched from anywhere, and what others wrote is text.

use std::fmt::Write as _;

use crate::output::block::{Span, Table, Tone};
use crate::output::page::{Chart, Page, Part, chart, mark};
use liveops_domain::text::escape::escape;

const STYLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/report/page.css"));

/// What a browser may load: nothing. The style stands in the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

pub(super) fn draw(page: &Page) -> String {
    let title = text(&page.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>{title} · {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n<p class=\"dim\">{}</p>\n<p class=\"verdict\">{}</p>\n</header>\n<main>\n",
        text(&page.subtitle),
        text(&page.subtitle),
        line(&page.verdict)
    );
    if !page.tiles.is_empty() {
        out.push_str("<dl class=\"tiles\">\n");
        for tile in &page.tiles {
            let _ = writeln!(
                out,
                "<div><dt>{}</dt><dd><b class=\"{}\">{}{}</b> <span class=\"{}\">{}{}</span></dd></div>",
                text(tile.label),
                class(tile.tone),
                mark(tile.tone),
                text(&tile.value),
                class(tile.note_tone),
                mark(tile.note_tone),
                text(&tile.note)
            );
        }
        out.push_str("</dl>\n");
    }
    let mut charts = 0;
    for section in &page.sections {
        let _ = write!(out, "<section>\n<h2>{}</h2>\n", text(&section.title));
        let mut parts = section.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Line(spans) => {
                    let _ = writeln!(out, "<p>{}</p>", line(spans));
                }
                Part::Missing(why) => {
                    let _ =
                        writeln!(out, "<p class=\"missing\"><b>{}unknown:</b> {}</p>", mark(Tone::Unknown), text(why));
                }
                Part::Table(rows) => table(rows, &mut out),
                Part::Chart(first) => {
                    // Pictures that follow each other stand side by side where there is room.
                    out.push_str("<div class=\"charts\">\n");
                    picture(first, &mut charts, &mut out);
                    while let Some(Part::Chart(next)) = parts.peek() {
                        picture(next, &mut charts, &mut out);
                        parts.next();
                    }
                    out.push_str("</div>\n");
                }
            }
        }
        if let Some(source) = &section.source {
            let _ = writeln!(out, "<p class=\"source\">{}</p>", text(source));
        }
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n<footer>\n");
    for note in &page.notes {
        let _ = writeln!(out, "<p>{}</p>", text(note));
    }
    out.push_str("</footer>\n</body>\n</html>\n");
    out
}

fn picture(chart: &Chart, charts: &mut usize, out: &mut String) {
    *charts += 1;
    let _ = write!(out, "<figure>\n<figcaption>{}</figcaption>\n", text(&chart.title));
    chart::draw(chart, *charts, out);
    if !chart.data.rows.is_empty() {
        out.push_str("<details>\n<summary>The numbers</summary>\n");
        table(&chart.data, out);
        out.push_str("</details>\n");
    }
    out.push_str("</figure>\n");
}

fn table(table: &Table, out: &mut String) {
    if table.rows.is_empty() {
        return;
    }
    let right = |column: usize| match (table.right.contains(&column), table.fixed.contains(&column)) {
        (true, _) => " class=\"right\"",
        (_, true) => " class=\"fixed\"",
        _ => "",
    };
    out.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n");
    if table.columns.iter().any(|title| !title.is_empty()) {
        out.push_str("<thead><tr>");
        for (column, title) in table.columns.iter().enumerate() {
            let _ = write!(out, "<th scope=\"col\"{}>{}</th>", right(column), text(title));
        }
        out.push_str("</tr></thead>\n");
    }
    out.push_str("<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            // On a phone each cell stands in a line of its own, and says what it is.
            let name = table.columns.get(column).filter(|name| !name.is_empty());
            let label = name.map_or_else(String::new, |name| format!(" data-label=\"{}\"", text(name)));
            let _ = write!(out, "<td{}{label}>{}</td>", right(column), one(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

fn line(spans: &[Span]) -> String {
    spans.iter().map(one).collect()
}

fn one(span: &Span) -> String {
    let body = text(&span.text);
    match span.tone {
        Tone::Plain | Tone::Series(_) => body,
        Tone::Command => format!("<code>{body}</code>"),
        Tone::Strong => format!("<b>{body}</b>"),
        tone => format!("<span class=\"{}\">{}{body}</span>", class(tone), mark(tone)),
    }
}

/// The class that gives a tone its colour.
pub(super) fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Unknown => "unknown",
        Tone::Dim => "dim",
        _ => "plain",
    }
}

/// Text that no browser takes for markup.
pub(super) fn text(text: &str) -> String {
    let text = escape(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(hex: &str) -> f64 {
        let part = |at: usize| {
            let share = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour")) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn every_text_has_contrast_in_light_and_dark() {
        let mut schemes = STYLE.split("prefers-color-scheme: dark");
        for scheme in [schemes.next(), schemes.next()] {
            let scheme = scheme.expect("two schemes");
            let colour = |name: &str| {
                let place = scheme.find(&format!("--{name}: #")).unwrap_or_else(|| panic!("--{name}"));
                let start = place + name.len() + 4;
                scheme[start..start + 7].to_owned()
            };
            for ground in ["ground", "card"] {
                for ink in ["ink", "dim", "good", "warn", "bad", "unknown", "line"] {
                    let (a, b) = (luminance(&colour(ink)), luminance(&colour(ground)));
                    let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                    assert!(contrast >= 4.5, "{ink} on {ground}: {contrast:.2}");
                }
            }
        }
    }

    #[test]
    fn what_others_wrote_is_text() {
        let hostile = "<img src=x onerror='a'>\"&\u{202e}\n";
        assert_eq!(text(hostile), "&lt;img src=x onerror=&#39;a&#39;&gt;&quot;&amp;\\u{202e}\\n");
    }
}
