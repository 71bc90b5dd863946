//! JSON as a JavaScript reader sees it: every number is a double (`1e400` is Infinity), and values are coerced where the
//! reader compares them (ECMA-262: `ToBoolean`, `ToNumber`, `Number::toString`).

use crate::flag::layout::{Item, items};

/// Deeper than this, a value is only known to be an object; nothing that a reader asks lies so deep.
const DEEPEST: usize = 64;

/// A value of JavaScript that JSON can bring.
#[derive(Debug, Clone, PartialEq)]
pub enum Js {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A string with half a surrogate pair: it equals no text that is well-formed.
    IllFormed,
    Array(Vec<Js>),
    /// Members in order; the last of several with one name counts.
    Object(Vec<(String, Js)>),
}

impl Js {
    /// The value of a text that is valid JSON.
    pub fn read(raw: &str) -> Self {
        read(raw.trim_matches([' ', '\t', '\n', '\r']), 0)
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// As a condition: everything but `false`, `0`, `""` and `null`.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0 && !value.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::IllFormed | Self::Array(_) | Self::Object(_) => true,
        }
    }

    /// As a number, which may be NaN.
    pub fn to_number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Number(value) => *value,
            Self::Text(text) => text_to_number(text),
            // `[10]` becomes the text `10`; one of several has a comma.
            Self::Array(values) => match values.as_slice() {
                [] | [Self::Null] => 0.0,
                [Self::Bool(_)] => f64::NAN,
                [one] => one.to_number(),
                _ => f64::NAN,
            },
            Self::IllFormed | Self::Object(_) => f64::NAN,
        }
    }

    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) | Self::IllFormed => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

fn read(raw: &str, depth: usize) -> Js {
    let slice = |range: std::ops::Range<usize>| raw.get(range).unwrap_or_default();
    match raw.bytes().next() {
        Some(b'n') | None => Js::Null,
        Some(b't') => Js::Bool(true),
        Some(b'f') => Js::Bool(false),
        Some(b'"') => text(raw).map_or(Js::IllFormed, Js::Text),
        Some(b'[') if depth < DEEPEST => {
            let element = |item: Item| read(slice(item.value), depth + 1);
            Js::Array(items(raw).into_iter().map(element).collect())
        }
        Some(b'{') if depth < DEEPEST => {
            let member = |item: Item| (key(slice(item.key)), read(slice(item.value), depth + 1));
            Js::Object(items(raw).into_iter().map(member).collect())
        }
        Some(b'[' | b'{') => Js::Object(Vec::new()),
        // Rust reads every JSON number as JavaScript does, rounding and infinities included.
        Some(_) => Js::Number(raw.parse().unwrap_or(f64::NAN)),
    }
}

/// The text of a quoted string; none when it holds half a surrogate pair.
fn text(quoted: &str) -> Option<String> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(quoted).ok() } else { Some(inner.to_owned()) }
}

/// The name that a quoted key stands for. One with half a surrogate pair has no text: it stays as it is written.
pub fn key(quoted: &str) -> String {
    text(quoted).unwrap_or_else(|| quoted.to_owned())
}

/// What JavaScript trims: white space and line ends, the byte order mark among them.
fn is_space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

/// A text that is a number: `Number(text)`, where blank is none.
pub fn numeral(text: &str) -> Option<f64> {
    if text.chars().all(is_space) {
        return None;
    }
    let number = text_to_number(text);
    (!number.is_nan()).then_some(number)
}

/// `Number(text)`.
fn text_to_number(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    if text.is_empty() {
        return 0.0;
    }
    for (prefixes, radix) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
        if let Some(digits) = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)) {
            return digits_to_number(digits, radix);
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "Infinity" {
        return if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // Rust also takes `inf`, `nan` and the like, JavaScript does not.
    let decimal = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if decimal { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

fn digits_to_number(digits: &str, radix: u32) -> f64 {
    if digits.is_empty() {
        return f64::NAN;
    }
    digits
        .chars()
        .try_fold(0.0, |number, c| Some(number * f64::from(radix) + f64::from(c.to_digit(radix)?)))
        .unwrap_or(f64::NAN)
}

/// `String(number)`: the shortest digits that read as the same number, with an exponent from 1e21 and below 1e-6.
pub fn number_to_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-Infinity" } else { "Infinity" }.into();
    }
    if number == 0.0 {
        return "0".into();
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let text = format!("{:e}", number.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.replace('.', "");
    // Where the point stands, counted from the first digit.
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let place = usize::try_from(point).unwrap_or(0);
    match point {
        1..=21 if digits.len() <= place => format!("{sign}{digits:0<place$}"),
        1..=21 => format!("{sign}{}.{}", &digits[..place], &digits[place..]),
        -5..=0 => format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{rest}e{:+}", point - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_coerced_as_javascript_does() {
        let number = |raw: &str| Js::read(raw).to_number();
        for (raw, expected) in [
            ("10", 10.0),
            ("\"10\"", 10.0),
            ("\" 10 \"", 10.0),
            ("\"\"", 0.0),
            ("null", 0.0),
            ("true", 1.0),
            ("[]", 0.0),
            ("[10]", 10.0),
            ("[\"10\"]", 10.0),
            ("[null]", 0.0),
            ("[[7]]", 7.0),
            ("\"0x1f\"", 31.0),
            ("\"1e1\"", 10.0),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("\"Infinity\"", f64::INFINITY),
            ("\".5\"", 0.5),
            ("\"5.\"", 5.0),
            ("\"+5\"", 5.0),
            ("\"\\ufeff5\"", 5.0),
        ] {
            assert_eq!(number(raw).to_bits(), expected.to_bits(), "{raw}");
        }
        for raw in [
            "\"ten\"",
            "{}",
            "[1,2]",
            "[true]",
            "\"inf\"",
            "\"nan\"",
            "\"1_0\"",
            "\"0x\"",
            "\"-0x1\"",
            "\"\\u00855\"",
            "\"\\ud800\"",
            "\"10%\"",
        ] {
            assert!(number(raw).is_nan(), "{raw}");
        }
    }

    #[test]
    fn texts_of_numbers_are_those_of_javascript() {
        for (number, text) in [
            (12345.0, "12345"),
            (1e3, "1000"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (123456789012345680000.0, "123456789012345680000"),
            (-0.0, "0"),
            (1e-6, "0.000001"),
            (12345678901234567890.0, "12345678901234567000"),
            (-120.5, "-120.5"),
            (0.000123, "0.000123"),
            (1e20, "100000000000000000000"),
            (-1e-7, "-1e-7"),
        ] {
            assert_eq!(number_to_text(number), text);
        }
    }

    #[test]
    fn depth_does_not_overflow() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Js::read(&deep).is_truthy());
    }
}
