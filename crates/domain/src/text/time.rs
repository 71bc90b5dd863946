//! Times as they are read: RFC 3339, relative, compact.

use chrono::{DateTime, SecondsFormat, Utc};

/// RFC 3339 in UTC, to the second: the one form in JSON, pipes and journals.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `12m ago`, `in 3h 5m`, `now`.
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    let text = compact(seconds.unsigned_abs());
    match seconds {
        -1..=1 => "now".into(),
        s if s > 0 => format!("{text} ago"),
        _ => format!("in {text}"),
    }
}

/// Two units at most: `45s`, `12m`, `3h 5m`, `4d 2h`.
pub fn compact(seconds: u64) -> String {
    let pair = |big: u64, unit: char, small: u64, sub: char| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit} {small}{sub}") }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..600 => pair(seconds / 60, 'm', seconds % 60, 's'),
        600..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => pair(seconds / 3_600, 'h', seconds % 3_600 / 60, 'm'),
        _ => pair(seconds / 86_400, 'd', seconds % 86_400 / 3_600, 'h'),
    }
}
