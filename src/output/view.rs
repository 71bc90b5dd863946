//! What a report may know of where it will be seen: size, characters, and the time. Never the format.

use chrono::{DateTime, SecondsFormat, Utc};

/// The place that blocks are drawn for.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Columns, also in a pipe (there, wide enough that nothing is cut).
    pub(crate) width: usize,
    /// Rows of the terminal, when it is one.
    pub(crate) height: Option<usize>,
    /// May we draw with more than ASCII?
    pub(crate) unicode: bool,
    /// Is a person looking? Then times are relative.
    pub(crate) terminal: bool,
    /// The injected clock's time.
    pub(crate) now: DateTime<Utc>,
}

impl View {
    /// A moment: relative on a terminal (`12m ago`), RFC 3339 elsewhere.
    pub(crate) fn time(&self, at: DateTime<Utc>) -> String {
        if self.terminal { relative(at, self.now) } else { rfc3339(at) }
    }

    /// The Unicode text, or its ASCII stand-in.
    pub(crate) fn pick<'a>(&self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.unicode { unicode } else { ascii }
    }
}

/// RFC 3339 in UTC, to the second: the one form in JSON, pipes and journals.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `12m ago`, `in 3h 5m`, `now`.
pub(crate) fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    let text = compact(seconds.unsigned_abs());
    match seconds {
        -1..=1 => "now".into(),
        s if s > 0 => format!("{text} ago"),
        _ => format!("in {text}"),
    }
}

/// Two units at most: `45s`, `12m`, `3h 5m`, `4d 2h`.
pub(crate) fn compact(seconds: u64) -> String {
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn times_are_short_and_in_two_units() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
        for (seconds, want) in [
            (0, "now"),
            (45, "45s ago"),
            (90, "1m 30s ago"),
            (720, "12m ago"),
            (11_100, "3h 5m ago"),
            (353_000, "4d 2h ago"),
            (-7_200, "in 2h"),
        ] {
            assert_eq!(relative(now - TimeDelta::seconds(seconds), now), want, "{seconds}");
        }
    }
}
