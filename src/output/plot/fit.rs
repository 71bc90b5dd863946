//! Text cut and padded to a number of terminal columns, as unicode-width counts them.

use unicode_width::UnicodeWidthStr;

/// Cuts `text` to at most `width` columns; what is cut off is shown by `…` (`...` in ASCII).
pub(super) fn fit(text: &str, width: usize, ascii: bool) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mark = match (ascii, width) {
        (_, 0) => "",
        (true, 1..3) => "~",
        (true, _) => "...",
        (false, _) => "…",
    };
    let room = width - mark.width();
    // Whole prefixes are measured, since a sequence can be wider than its characters.
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if kept.width() > room {
            kept.pop();
            break;
        }
    }
    kept.push_str(mark);
    kept
}

/// Pads on the right to `width` columns; longer text stays as it is.
pub(super) fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Pads on the left to `width` columns; longer text stays as it is.
pub(super) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_by_columns() {
        let cases = [
            ("eu-west", 7, false, "eu-west"),
            ("eu-west", 6, false, "eu-we…"),
            ("eu-west", 6, true, "eu-..."),
            ("eu-west", 2, true, "e~"),
            ("eu-west", 1, false, "…"),
            ("eu-west", 0, false, ""),
            ("東京大阪", 5, false, "東京…"),
            ("東京大阪", 4, false, "東…"),
            ("e\u{301}e\u{301}e\u{301}", 2, false, "e\u{301}…"),
        ];
        for (text, width, ascii, expected) in cases {
            assert_eq!(fit(text, width, ascii), expected, "{text} in {width}");
        }
    }

    #[test]
    fn pads_by_columns() {
        assert_eq!(left("東", 4), "東  ");
        assert_eq!(right("東", 4), "  東");
        assert_eq!(right("long", 2), "long");
    }
}
