//! Makes text from outside harmless: no control character, no direction override reaches a terminal.

use std::borrow::Cow;

/// Characters that reorder or hide text without being control characters (Unicode Trojan Source, CVE-2021-42574).
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Writes control and direction characters as `\x1b` or `\u{202e}`; everything else stays. Lines stay one line.
pub fn escape(text: &str) -> Cow<'_, str> {
    let is_printable = |byte: u8| (b' '..=b'~').contains(&byte);
    if text.bytes().all(is_printable) || !text.chars().any(|c| c.is_control() || is_deceptive(c)) {
        return Cow::Borrowed(text);
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
    Cow::Owned(out)
}

/// JSON whose strings hold no character that a terminal obeys: what JSON lets stand raw (DEL, C1 controls,
/// direction overrides) becomes `\u…`, which programs read as the same text (RFC 8259, 7).
pub fn escape_json(json: &str) -> String {
    // Line feeds stand between members only; in strings they are escaped already.
    let is_wild = |c: char| c != '\n' && (c.is_control() || is_deceptive(c));
    let mut out = String::with_capacity(json.len());
    let mut written = 0;
    for (place, wild) in json.match_indices(is_wild) {
        out.push_str(&json[written..place]);
        // All of them are below U+10000: one unit each.
        out.extend(wild.chars().map(|c| format!("\\u{:04x}", u32::from(c))));
        written = place + wild.len();
    }
    out.push_str(&json[written..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_codes_are_shown_not_obeyed() {
        assert_eq!(escape("a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(escape("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(escape("plain é 日本"), "plain é 日本");
        assert_eq!(escape("\u{9b}31m"), "\\x9b31m");
    }

    #[test]
    fn json_stays_the_same_text() {
        let wild = serde_json::json!({"a": "x\u{9b}2J\u{202e}\x7f\n é 日本"});
        let tame = escape_json(&serde_json::to_string_pretty(&wild).expect("a value"));
        assert!(tame.contains("\\u009b2J\\u202e\\u007f\\n é 日本"), "{tame}");
        let read: serde_json::Value = serde_json::from_str(&tame).expect("still JSON");
        assert_eq!(read, wild);
    }
}
