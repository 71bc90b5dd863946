//! The units that may be written in a threshold, and how each converts to the unit of the value.

use crate::metric::quantity::Unit;
use crate::text::duration;

/// The number in front, and what follows. An `e` belongs to the number only as an exponent.
pub fn split_number(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut end = usize::from(text.starts_with(['+', '-']));
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    while digit(end) || bytes.get(end) == Some(&b'.') {
        end += 1;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if digit(end + 1 + sign) {
            end += 1 + sign;
            while digit(end) {
                end += 1;
            }
        }
    }
    text.split_at(end)
}

/// What a number with this suffix is to be multiplied with and divided by.
pub fn scale(unit: &Unit, suffix: &str) -> Option<(f64, f64)> {
    if suffix.is_empty() || suffix == unit.name() {
        return Some((1.0, 1.0));
    }
    match unit {
        Unit::Ratio if suffix == "%" => Some((1.0, 100.0)),
        Unit::Seconds => time(suffix),
        Unit::Milliseconds => time(suffix).map(|(times, over)| match over {
            1.0 => (times * 1e3, 1.0),
            _ => (times, over / 1e3),
        }),
        Unit::Bytes => binary(suffix).map(|times| (times, 1.0)),
        Unit::BytesPerSecond => binary(suffix.strip_suffix("/s")?).map(|times| (times, 1.0)),
        Unit::PerSecond => match suffix {
            "/m" | "/min" => Some((1.0, 60.0)),
            "/h" => Some((1.0, 3_600.0)),
            _ => None,
        },
        Unit::None | Unit::Ratio | Unit::Percent | Unit::Custom(_) => None,
    }
}

/// Seconds in a unit of time.
fn time(suffix: &str) -> Option<(f64, f64)> {
    match suffix {
        "ns" => Some((1.0, 1e9)),
        "us" | "µs" | "μs" => Some((1.0, 1e6)),
        "ms" => Some((1.0, 1e3)),
        "s" | "sec" => Some((1.0, 1.0)),
        "m" | "min" => Some((60.0, 1.0)),
        "h" => Some((3_600.0, 1.0)),
        "d" => Some((86_400.0, 1.0)),
        _ => None,
    }
}

/// Bytes in a unit of size: powers of 1000 (`MB`) and of 1024 (`MiB`, `Mi`).
fn binary(suffix: &str) -> Option<f64> {
    let prefix = match suffix {
        "B" => "",
        _ => suffix.strip_suffix('B').or_else(|| suffix.ends_with('i').then_some(suffix))?,
    };
    let (letter, base) = match prefix.strip_suffix('i') {
        Some(letter) => (letter, 1024.0_f64),
        None => (prefix, 1000.0),
    };
    let power = match letter {
        "" if base == 1000.0 => 0,
        "k" | "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        _ => return None,
    };
    Some(base.powi(power))
}

/// A duration of several parts, such as `1m30s`.
pub fn compound(unit: &Unit, text: &str) -> Option<f64> {
    let millis = duration::parse(text).ok()?.as_millis() as f64;
    match unit {
        Unit::Seconds => Some(millis / 1e3),
        Unit::Milliseconds => Some(millis),
        _ => None,
    }
}

/// The kind of value, in words.
pub fn measured(unit: &Unit) -> String {
    match unit {
        Unit::None => "a value without a unit".to_owned(),
        Unit::Ratio => "a ratio".to_owned(),
        Unit::Percent => "a value in per cent".to_owned(),
        Unit::Seconds | Unit::Milliseconds => "a time".to_owned(),
        Unit::Bytes => "a size in bytes".to_owned(),
        Unit::PerSecond => "a rate".to_owned(),
        Unit::BytesPerSecond => "a rate in bytes".to_owned(),
        Unit::Custom(name) => format!("a value in `{name}`"),
    }
}

/// What may be written for such a value, in words.
pub fn allowed(unit: &Unit) -> String {
    match unit {
        Unit::None => "a plain number, or give the KPI a `unit` (`ratio`, `s`, `ms`, `bytes` …)".into(),
        Unit::Ratio => "per cent (`5%`) or a number from 0 to 1 (`0.05`)".to_owned(),
        Unit::Percent => "per cent (`5%`) or a number from 0 to 100".to_owned(),
        Unit::Seconds | Unit::Milliseconds => "a time such as `16ms`, `120s` or `1m30s`".to_owned(),
        Unit::Bytes => "a size such as `512 MiB`, `2 GiB` or `2 GB`".to_owned(),
        Unit::PerSecond => "a number, `/s`, `/min` or `/h`".to_owned(),
        Unit::BytesPerSecond => "a size a second such as `10 MiB/s`".to_owned(),
        Unit::Custom(name) => format!("a plain number, or one in `{name}`"),
    }
}
