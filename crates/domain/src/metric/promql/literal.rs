//! Numbers, durations and strings of PromQL, as Prometheus' lexer takes them.

use std::time::Duration;

use crate::text::duration;

/// A number or a duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    Number(f64),
    Duration(Duration),
    /// It has the form of one; only Prometheus can tell whether it is one.
    Unsure,
}

impl Quantity {
    /// A duration may be a number of seconds; none that is zero, or longer than Prometheus' 2^63 - 1 nanoseconds.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Number(seconds) if seconds > 0.0 && seconds < 9.2e9 => Duration::try_from_secs_f64(seconds).ok(),
            Self::Number(_) => None,
            Self::Duration(duration) => Some(duration),
            Self::Unsure => None,
        }
    }

    /// A number may be a duration, in seconds.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Duration(duration) => Some(duration.as_secs_f64()),
            Self::Unsure => None,
        }
    }
}

/// Reads a token that begins with a digit; None when it is neither a number nor a duration.
pub fn quantity(text: &str) -> Option<Quantity> {
    let rest = after_number(text);
    if rest.is_empty() {
        return Some(number(text).map_or(Quantity::Unsure, Quantity::Number));
    }
    is_duration(rest).then(|| duration::parse_positive(text).map_or(Quantity::Unsure, Quantity::Duration))
}

/// What follows the number that a text begins with.
fn after_number(text: &str) -> &str {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let is_digit = |c: char| if hexadecimal.is_some() { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
    let mut rest = hexadecimal.unwrap_or(text).trim_start_matches(is_digit);
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(is_digit);
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        rest = exponent.strip_prefix(['+', '-']).unwrap_or(exponent).trim_start_matches(|c: char| c.is_ascii_digit());
    }
    rest
}

/// What follows the first number of a duration: a unit, then numbers with their units. Their order is not looked at.
fn is_duration(after: &str) -> bool {
    let mut rest = after;
    let mut units = "smhdwy";
    loop {
        let Some(unit) = rest.strip_prefix(|c| units.contains(c)) else {
            return false;
        };
        rest = unit.strip_prefix('s').unwrap_or(unit);
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if digits.len() == rest.len() {
            return rest.is_empty();
        }
        (rest, units) = (digits, "smhdw");
    }
}

/// Go's `ParseInt` in any base, else its `ParseFloat`.
fn number(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let integer = match lower.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None if lower.len() > 1 && lower.starts_with('0') => i64::from_str_radix(&lower[1..], 8).ok(),
        None => None,
    };
    integer.map(|value| value as f64).or_else(|| lower.parse().ok())
}

/// A string without its quotes.
#[derive(Debug, Clone, PartialEq)]
pub enum Quoted {
    Text(String),
    /// It has the form of one; only Prometheus can tell whether it is one.
    Unsure,
    /// Not ended, or with an escape that there is not.
    Wrong,
}

/// Whether a token that begins with a quote ends with it.
pub fn is_ended(text: &str) -> bool {
    let mut rest = text.chars();
    let quote = rest.next();
    while let Some(c) = rest.next() {
        if Some(c) == quote {
            return rest.as_str().is_empty();
        }
        if c == '\\' && quote != Some('`') {
            rest.next();
        }
    }
    false
}

/// Reads a token that begins with a quote.
pub fn unquoted(text: &str) -> Quoted {
    if !is_ended(text) {
        return Quoted::Wrong;
    }
    let (quote, inner) = (&text[..1], &text[1..text.len() - 1]);
    if quote == "`" {
        return Quoted::Text(inner.to_owned());
    }
    let mut unsure = inner.contains('\n');
    let mut value = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        let escape = rest.next().unwrap_or_default();
        let mut code = |start: &str, digits: usize, base: u32| {
            let all: String = start.chars().chain(rest.by_ref().take(digits)).collect();
            let is_whole = all.len() == start.len() + digits;
            let code = u32::from_str_radix(&all, base).ok().filter(|_| is_whole);
            code.filter(|code| base != 8 || *code < 256).and_then(char::from_u32)
        };
        let escaped = match escape {
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            '\\' => Some('\\'),
            'x' => code("", 2, 16),
            'u' => code("", 4, 16),
            'U' => code("", 8, 16),
            '0'..='7' => code(&escape.to_string(), 2, 8),
            c if quote.starts_with(c) => Some(c),
            _ => return Quoted::Wrong,
        };
        match escaped {
            Some(c) => value.push(c),
            None => unsure = true,
        }
    }
    if unsure { Quoted::Unsure } else { Quoted::Text(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        let of = |seconds| Some(Quantity::Duration(Duration::from_secs(seconds)));
        for (text, want) in [
            ("1", Some(Quantity::Number(1.0))),
            (".5", Some(Quantity::Number(0.5))),
            ("5.", Some(Quantity::Number(5.0))),
            ("1E-3", Some(Quantity::Number(0.001))),
            ("0x1F", Some(Quantity::Number(31.0))),
            ("017", Some(Quantity::Number(15.0))),
            ("08", Some(Quantity::Number(8.0))),
            ("0e5", Some(Quantity::Number(0.0))),
            ("0x", Some(Quantity::Unsure)),
            ("1e", Some(Quantity::Unsure)),
            ("5m", of(300)),
            ("1h30m", of(5_400)),
            ("1m1h", Some(Quantity::Unsure)),
            ("0s", Some(Quantity::Unsure)),
            ("5x", None),
            ("5mm", None),
            ("1.2.3", None),
            ("5m_", None),
        ] {
            assert_eq!(quantity(text), want, "{text}");
        }
    }

    #[test]
    fn strings() {
        let text = |value: &str| Quoted::Text(value.into());
        for (quoted, want) in [
            (r#""a\tb""#, text("a\tb")),
            (r"'it\'s'", text("it's")),
            (r"`raw \`", text(r"raw \")),
            (r#""\u00e9\x41\101""#, text("éAA")),
            (r#""\xZZ""#, Quoted::Unsure),
            (r#""\777""#, Quoted::Unsure),
            ("\"a\nb\"", Quoted::Unsure),
            (r#""\q""#, Quoted::Wrong),
            (r#""\'""#, Quoted::Wrong),
            (r#""open\""#, Quoted::Wrong),
            ("\"", Quoted::Wrong),
        ] {
            assert_eq!(unquoted(quoted), want, "{quoted}");
        }
    }
}
