//! Makes text from outside harmless: no control character, no direction override, nothing that hides reaches a terminal.

use std::borrow::Cow;

/// The longest run of blanks that is shown as it is. What stands behind a longer one is out of sight.
const LONGEST_GAP: usize = 200;

/// The same in a command, which is read to the end before it is run.
const LONGEST_GAP_IN_COMMAND: usize = 16;

/// Characters that reorder or hide text without being control characters: directions (CVE-2021-42574), zero widths,
/// fillers that look like a blank and are none, tags, separators of lines.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn is_wild(c: char) -> bool {
    c.is_control() || is_deceptive(c)
}

/// Writes control and direction characters as `\x1b` or `\u{202e}`, and a run of blanks that would push what follows out
/// of sight as its length; everything else stays. Lines stay one line.
pub fn escape(text: &str) -> Cow<'_, str> {
    let is_printable = |byte: u8| (b' '..=b'~').contains(&byte);
    if text.bytes().all(is_printable) || !text.chars().any(is_wild) {
        return without_gaps(text.into(), LONGEST_GAP);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push(' '),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_deceptive(c) => out.push_str(&c.escape_unicode().to_string()),
            c => out.push(c),
        }
    }
    without_gaps(out.into(), LONGEST_GAP)
}

/// A command that is about to be run, so that all of it is seen.
pub fn escape_command(text: &str) -> String {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let (indent, text) = text.split_at(indent.min(LONGEST_GAP_IN_COMMAND));
    format!("{indent}{}", without_gaps(escape(text), LONGEST_GAP_IN_COMMAND))
}

/// Runs of blanks that are longer than this, as `[300 blanks]`.
fn without_gaps(text: Cow<'_, str>, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return text;
    }
    let mut out = String::new();
    let mut written = 0;
    let mut gap = None;
    for (at, c) in text.char_indices().chain([(text.len(), 'x')]) {
        match (gap, c.is_whitespace()) {
            (None, true) => gap = Some((at, 1)),
            (Some((start, length)), true) => gap = Some((start, length + 1)),
            (Some((start, length)), false) => {
                // At the end, blanks hide nothing.
                if length > longest && at < text.len() {
                    out.push_str(&text[written..start]);
                    out.push_str(&format!(" [{length} blanks] "));
                    written = at;
                }
                gap = None;
            }
            (None, false) => {}
        }
    }
    if written == 0 {
        return text;
    }
    out.push_str(&text[written..]);
    out.into()
}

/// JSON whose strings hold no character that a terminal obeys: what JSON lets stand raw (DEL, C1 controls,
/// direction overrides) becomes `\u…`, which programs read as the same text (RFC 8259, 7).
pub fn escape_json(json: &str) -> String {
    // Line feeds stand between members only; in strings they are escaped already.
    let mut out = String::with_capacity(json.len());
    let mut written = 0;
    for (place, wild) in json.match_indices(|c: char| c != '\n' && is_wild(c)) {
        out.push_str(&json[written..place]);
        out.extend(wild.encode_utf16().map(|unit| format!("\\u{unit:04x}")));
        written = place + wild.len();
    }
    out.push_str(&json[written..]);
    out
}

/// Would a terminal show all of this, line by line, as it is?
pub fn is_tame(text: &str) -> bool {
    !text.chars().any(|c| c != '\n' && is_wild(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_codes_are_shown_not_obeyed() {
        assert_eq!(escape("a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(escape("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(escape("plain é 日本"), "plain é 日本");
        assert_eq!(escape("⚠\u{fe0f} ok"), "⚠\u{fe0f} ok");
        assert_eq!(escape("\u{9b}31m"), "\\x9b31m");
    }

    #[test]
    fn what_hides_is_shown() {
        for c in
            ['\u{61c}', '\u{3164}', '\u{e0041}', '\u{2028}', '\u{ffa0}', '\u{2800}', '\u{ad}', '\u{200b}', '\u{2069}']
        {
            assert!(escape(&format!("a{c}b")).contains(&format!("\\u{{{:x}}}", u32::from(c))), "{c:?}");
            assert!(!is_tame(&c.to_string()));
        }
    }

    #[test]
    fn nothing_is_pushed_out_of_sight() {
        let blanks = " ".repeat(5000);
        assert_eq!(escape(&format!("a{blanks}b")), "a [5000 blanks] b");
        assert_eq!(escape(&format!("a{}b", "\u{3000}".repeat(300))), "a [300 blanks] b");
        assert_eq!(escape_command(&format!("a{}b", " ".repeat(17))), "a [17 blanks] b");
        assert_eq!(escape_command("        indented  a"), "        indented  a");
        assert_eq!(escape_command(&format!("{blanks}b")), format!("{} [4984 blanks] b", " ".repeat(16)));
        assert_eq!(escape(&format!("a{}", " ".repeat(300))).len(), 301);
    }

    #[test]
    fn json_stays_the_same_text() {
        let wild = serde_json::json!({"a": "x\u{9b}2J\u{202e}\x7f\n é 日本 \u{e0041}"});
        let tame = escape_json(&serde_json::to_string_pretty(&wild).expect("a value"));
        assert!(tame.contains("\\u009b2J\\u202e\\u007f\\n é 日本 \\udb40\\udc41"), "{tame}");
        let read: serde_json::Value = serde_json::from_str(&tame).expect("still JSON");
        assert_eq!(read, wild);
        assert!(is_tame(&tame));
    }
}
