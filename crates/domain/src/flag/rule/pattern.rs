//! `matches`: the services' regular expressions are JavaScript's. Only where Rust's mean the same is a result claimed.

use regex::Regex;

use crate::flag::js::Js;

/// The value as a regular expression (not anchored); none where it has something that the two languages read
/// differently, or that one of them does not have.
pub(super) fn compile(value: &Js) -> Option<Regex> {
    match value {
        Js::Text(pattern) if is_common(pattern) => Regex::new(pattern).ok(),
        _ => None,
    }
}

/// Does what both languages read also find the same in this text? Classes like `\w` and `.` differ outside ASCII and at
/// line ends.
pub(super) fn agrees(pattern: &Regex, text: &str) -> bool {
    let plain = |c: char| u32::from(c) <= 0xffff && !matches!(c, '\r' | '\u{2028}' | '\u{2029}');
    let classes = pattern.as_str().contains(['\\', '[']);
    text.is_ascii() && !text.contains('\r') || (!classes && text.chars().all(plain))
}

/// Is it written in what JavaScript and Rust share?
fn is_common(pattern: &str) -> bool {
    if !pattern.is_ascii() || pattern.bytes().any(|byte| byte.is_ascii_control()) {
        return false;
    }
    let mut rest = pattern;
    let mut in_class = false;
    // Rust repeats what is repeated already, and anchors; JavaScript does not.
    let mut repeatable = false;
    while let Some(first) = rest.chars().next() {
        let mut taken = 1;
        let mut repeats = false;
        match first {
            '*' | '+' | '?' | '{' if !in_class && !repeatable => return false,
            '\\' => {
                let Some(next) = rest.chars().nth(1) else {
                    return false;
                };
                let escape = if in_class { "dDwWsSntr" } else { "dDwWsSbBntr" };
                if !escape.contains(next) && !"^$\\.*+?()[]{}|/-".contains(next) {
                    return false;
                }
                taken = 2;
            }
            '[' if in_class => return false,
            '[' => {
                in_class = true;
                let inner = rest[1..].trim_start_matches('^');
                // An empty class, or one that begins with its own end, is read differently.
                if inner.starts_with(']') || rest[1..].starts_with("^^") {
                    return false;
                }
            }
            ']' if in_class => in_class = false,
            ']' => return false,
            '&' | '~' | '-' if in_class && rest[1..].starts_with(first) => return false,
            '(' if !in_class && rest[1..].starts_with('?') && !rest[2..].starts_with(':') => {
                return false;
            }
            '{' if !in_class && !is_count(rest) => return false,
            '}' if !in_class => return false,
            '{' if !in_class => {
                taken = rest.find('}').map_or(1, |end| end + 1);
                repeats = true;
            }
            '*' | '+' | '?' if !in_class => repeats = true,
            _ => {}
        }
        let anchor =
            matches!(first, '^' | '$' | '|') || rest.starts_with("\\b") || rest.starts_with("\\B") || first == '(';
        rest = &rest[taken..];
        if first == '(' && rest.starts_with("?:") {
            rest = &rest[2..];
        }
        if repeats {
            rest = rest.strip_prefix('?').unwrap_or(rest);
        }
        repeatable = !in_class && !repeats && !anchor;
    }
    !in_class
}

/// `{2}`, `{2,}`, `{2,5}`.
fn is_count(text: &str) -> bool {
    let Some((inner, _)) = text[1..].split_once('}') else {
        return false;
    };
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    !low.is_empty() && [low, high].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}
