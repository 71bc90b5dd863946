//! An expression with a caret under its fault, as an error.

use unicode_width::UnicodeWidthStr;

use crate::session::Session;
use liveops_domain::error::Error;
use liveops_domain::metric::promql::Syntax;
use liveops_domain::text::escape::escape;

/// Lines of the expression that are shown before the faulty one.
const LINES_BEFORE: usize = 2;

/// The usage error for a fault.
pub fn error(promql: &str, syntax: &Syntax, cx: &Session) -> Error {
    let view = cx.voice.terminal();
    let place = if syntax.line > 1 {
        format!("line {}, column {}", syntax.line, syntax.column)
    } else {
        format!("column {}", syntax.column)
    };
    let drawn = draw(promql, syntax, view.width.clamp(40, 120) - 4, view.unicode);
    Error::Usage {
        message: format!("PromQL, {place}: {}\n\n{drawn}", syntax.message),
        hint: Some(
            syntax
                .hint
                .clone()
                .unwrap_or_else(|| "`--no-check` sends it as it is, for what is not Prometheus' own PromQL".into()),
        ),
    }
}

/// The faulty line, cut around the fault where it is wider than `width`, with carets below.
fn draw(promql: &str, syntax: &Syntax, width: usize, unicode: bool) -> String {
    let lines: Vec<&str> = promql.split('\n').collect();
    let at = syntax.line.saturating_sub(1).min(lines.len().saturating_sub(1));
    let mut out = String::new();
    for line in &lines[at.saturating_sub(LINES_BEFORE)..at] {
        let (shown, _) = cut(&escape(line), 0, width, unicode);
        out.push_str(&format!("    {shown}\n"));
    }
    let line = lines.get(at).copied().unwrap_or_default();
    let before: String = line.chars().take(syntax.column - 1).collect();
    let meant: String = line.chars().skip(syntax.column - 1).take(syntax.width).collect();
    let place = escape(&before).width();
    let (shown, place) = cut(&escape(line), place, width, unicode);
    let carets = escape(&meant).width().clamp(1, (width - place.min(width - 1)).max(1));
    out.push_str(&format!("    {shown}\n    {}{}", " ".repeat(place), "^".repeat(carets)));
    out
}

/// At most `width` cells of a line around the cell `place`, and where that cell is now.
fn cut(line: &str, place: usize, width: usize, unicode: bool) -> (String, usize) {
    if line.width() <= width && place < width {
        return (line.to_owned(), place);
    }
    let dots = if unicode { "…" } else { "..." };
    let begin = if place < width * 3 / 4 { 0 } else { place - width / 2 };
    let mut shown = String::new();
    let mut cell = 0;
    let mut first = None;
    let mut is_cut = false;
    for c in line.chars() {
        let wide = c.to_string().width();
        if cell >= begin {
            first.get_or_insert(cell);
            if shown.width() + wide + 2 * dots.width() > width {
                is_cut = true;
                break;
            }
            shown.push(c);
        }
        cell += wide;
    }
    let lead = if begin > 0 { dots } else { "" };
    let tail = if is_cut { dots } else { "" };
    let place = place - first.unwrap_or(cell).min(place) + lead.width();
    (format!("{lead}{shown}{tail}"), place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use liveops_domain::metric::promql::check;

    fn drawn(promql: &str, width: usize) -> String {
        draw(promql, &check(promql).unwrap_err(), width, true)
    }

    #[test]
    fn carets_stand_under_the_fault() {
        for (promql, want) in [
            ("sum(rte(x[5m]))", "    sum(rte(x[5m]))\n        ^^^"),
            ("foo +", "    foo +\n         ^"),
            ("x{r=\"日本\"} b", "    x{r=\"日本\"} b\n                ^"),
            ("sum(\n  rte(x)\n)", "    sum(\n      rte(x)\n      ^^^"),
            ("a\tb", "    a b\n      ^"),
        ] {
            assert_eq!(drawn(promql, 60), want, "{promql}");
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_fault() {
        let promql = format!("{}rte(x){}", "a + ".repeat(100), " + b".repeat(100));
        for width in [36, 60, 100] {
            let drawn = drawn(&promql, width);
            let (line, carets) = drawn.split_once('\n').unwrap();
            assert!(line.width() <= width + 4, "{drawn}");
            let place = carets.find('^').unwrap();
            let under: String = line.chars().skip(place).take(3).collect();
            assert_eq!((under.as_str(), carets.trim()), ("rte", "^^^"), "{drawn}");
        }
    }
}
