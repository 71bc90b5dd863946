//! What a report may know of where it will be seen: size, characters, and the time. Never the format.

use chrono::{DateTime, Utc};

use liveops_domain::text::time::{relative, rfc3339};

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
