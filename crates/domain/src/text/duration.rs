//! Durations as Prometheus writes them (`1h30m`), to and from [`Duration`], and as people read
//! them (`1h 30m`). Precision is one millisecond, as in Prometheus.
//!
//! The syntax is that of "Time Durations" in Prometheus' querying basics: integers with the units
//! `y w d h m s ms`, largest first, each at most once; a day is always 24 h and a year 365 d.

use std::time::Duration;

use thiserror::Error;

/// Unit, and how many milliseconds it has; largest first.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration that Prometheus holds: 2^63 - 1 nanoseconds (292 years).
const LONGEST_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DurationError {
    /// Not of the form; `text` is what was given.
    #[error(
        "`{text}` is not a duration: write whole numbers with `ms`, `s`, `m`, `h`, `d`, `w` or `y`, \
         largest first, such as `30s` or `1h30m`"
    )]
    Syntax {
        /// What was given.
        text: String,
    },
    /// A number without a unit.
    #[error("`{text}` has no unit: write `{text}s`, `{text}m` or `{text}h`")]
    NoUnit {
        /// What was given.
        text: String,
    },
    /// Past 292 years.
    #[error("`{text}` is too long: the longest duration is 292 years")]
    TooLong {
        /// What was given.
        text: String,
    },
    /// Shorter than what is looked at can change.
    #[error("`{text}` is too short: look every 100ms at most")]
    TooShort {
        /// What was given.
        text: String,
    },
    /// Zero, where some time is needed.
    #[error("`{text}` must be longer than zero")]
    Zero {
        /// What was given.
        text: String,
    },
}

/// Reads a duration such as `5m`, `1h30m`, `500ms` or `0`.
///
/// # Errors
/// [`DurationError`] when it is not one.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let syntax = || DurationError::Syntax { text: text.into() };
    let too_long = || DurationError::TooLong { text: text.into() };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(syntax());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DurationError::NoUnit { text: text.into() });
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (digits, tail) = split_while(rest, |b| b.is_ascii_digit());
        let (unit, tail) = split_while(tail, |b| b.is_ascii_alphabetic());
        let place = units.iter().position(|(name, _)| *name == unit);
        let place = place.filter(|_| !digits.is_empty()).ok_or_else(syntax)?;
        let count: u64 = digits.parse().map_err(|_| too_long())?;
        total = count
            .checked_mul(units[place].1)
            .and_then(|ms| total.checked_add(ms))
            .filter(|ms| *ms <= LONGEST_MS)
            .ok_or_else(too_long)?;
        units = &units[place + 1..];
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

/// Reads a duration that must not be zero, such as the window of a rate.
///
/// # Errors
/// [`DurationError`] when it is not one, or is zero.
pub fn parse_positive(text: &str) -> Result<Duration, DurationError> {
    let duration = parse(text)?;
    if duration.is_zero() {
        return Err(DurationError::Zero { text: text.into() });
    }
    Ok(duration)
}

/// The shortest time between two looks.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Reads how often to look: servers and terminals have a right to some rest.
///
/// # Errors
/// As [`parse_positive`]; `TooShort`.
pub fn parse_interval(text: &str) -> Result<Duration, DurationError> {
    match parse_positive(text)? {
        interval if interval < SHORTEST_INTERVAL => Err(DurationError::TooShort { text: text.trim().into() }),
        interval => Ok(interval),
    }
}

/// Writes a duration for PromQL: `1h30m`. What is below one millisecond is cut off, except that
/// more than nothing never becomes `0s`, which PromQL refuses as a window.
pub fn to_promql(duration: Duration) -> String {
    let mut left = millis(duration).max(u64::from(!duration.is_zero()));
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        // Years and weeks only when nothing remains, as Prometheus shows them: `30d`, not `4w2d`.
        let exact = left.is_multiple_of(size);
        if left >= size && (exact || !matches!(unit, "y" | "w")) {
            text.push_str(&format!("{}{unit}", left / size));
            left %= size;
        }
    }
    text
}

/// Shows a duration to a person in at most two units: `450ms`, `15s`, `1h 5m`, `3d 4h`.
pub fn human(duration: Duration) -> String {
    let total = millis(duration);
    if total < 1_000 {
        return if total == 0 { "0s".to_owned() } else { format!("{total}ms") };
    }
    let seconds = total / 1_000;
    let (big, big_unit, small, small_unit) = if seconds < 60 {
        (seconds, "s", 0, "")
    } else if seconds < 3_600 {
        (seconds / 60, "m", seconds % 60, "s")
    } else if seconds < 86_400 {
        (seconds / 3_600, "h", seconds % 3_600 / 60, "m")
    } else {
        (seconds / 86_400, "d", seconds % 86_400 / 3_600, "h")
    };
    if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit} {small}{small_unit}") }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn split_while(text: &str, keep: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !keep(b)).unwrap_or(text.len());
    // `keep` only takes ASCII, so `end` is a character boundary.
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes() {
        for (text, ms, promql, shown) in [
            ("5m", 300_000, "5m", "5m"),
            ("1h30m", 5_400_000, "1h30m", "1h 30m"),
            ("90s", 90_000, "1m30s", "1m 30s"),
            ("500ms", 500, "500ms", "500ms"),
            ("1d", 86_400_000, "1d", "1d"),
            ("1w", 604_800_000, "1w", "7d"),
            ("30d", 2_592_000_000, "30d", "30d"),
            ("1y", 31_536_000_000, "1y", "365d"),
            ("3d4h5m", 273_900_000, "3d4h5m", "3d 4h"),
            ("12s450ms", 12_450, "12s450ms", "12s"),
            ("0", 0, "0s", "0s"),
            ("0s", 0, "0s", "0s"),
            (" 15s ", 15_000, "15s", "15s"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(ms), "{text}");
            assert_eq!(to_promql(duration), promql, "{text}");
            assert_eq!(human(duration), shown, "{text}");
        }
        assert_eq!(to_promql(Duration::from_micros(1)), "1ms");
    }

    #[test]
    fn refuses_with_the_reason() {
        for (text, part) in [
            ("", "not a duration"),
            ("5", "write `5s`, `5m`"),
            ("m", "not a duration"),
            ("1.5h", "not a duration"),
            ("-5m", "not a duration"),
            ("1m1h", "largest first"),
            ("1m1m", "largest first"),
            ("5 m", "not a duration"),
            ("5min", "not a duration"),
            ("5µs", "not a duration"),
            ("300y", "too long"),
            ("99999999999999999999s", "too long"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(matches!(parse_positive("0s"), Err(DurationError::Zero { .. })));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,12}|[0-9]{1,20}[ywdhms]{0,2}[0-9]{0,3}[a-zµ]{0,2}") {
            let _ = parse(&text);
        }

        #[test]
        fn round_trip(ms in 0..LONGEST_MS) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&to_promql(duration)), Ok(duration));
        }
    }
}
