//! Flags that decide nothing any more: the same answer for everybody, and for long. Age alone says nothing about use.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::flag::audience::constant;
use crate::flag::definition::Flag;
use crate::flag::evaluate::Answer;
use crate::flag::history::Revision;
use crate::flag::name::FlagName;
use crate::flag::reader::Reader;
use crate::text::count::count;

/// A flag that nobody needs to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stale {
    /// What everybody gets.
    pub answer: Answer,
    pub since: DateTime<Utc>,
    pub days: i64,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answer, days, .. } = self;
        let days = count(usize::try_from(*days).unwrap_or(0), "day");
        write!(f, "it is {} for everybody, unchanged for {days}", answer.word())
    }
}

/// Is the flag the same for everybody, and unchanged for so long? `newest` is its newest revision; a flag that was
/// changed outside liveops since is not told stale, for nobody knows when.
pub fn stale(current: &[u8], newest: &Revision, now: DateTime<Utc>, after: Duration) -> Option<Stale> {
    if newest.after.as_deref() != Some(current) {
        return None;
    }
    let unchanged = now - newest.at;
    if unchanged.to_std().ok()? < after {
        return None;
    }
    let flag = Flag::read(current).ok()?;
    // The salt of `v2` cannot matter where everybody gets the same.
    let name: FlagName = newest.flag.parse().ok()?;
    let answer = constant(Some(&flag), &name, Reader::LegacyV1)?;
    Some(Stale { answer, since: newest.at, days: unchanged.num_days() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn told(text: &str, after: &str, days: i64) -> Option<Stale> {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let newest = Revision {
            op: String::new(),
            flag: "f".into(),
            rev: 1,
            at: now - chrono::Duration::days(days),
            by: String::new(),
            reason: None,
            command: String::new(),
            before: None,
            after: Some(after.as_bytes().to_vec()),
        };
        stale(text.as_bytes(), &newest, now, 30 * DAY)
    }

    #[test]
    fn only_what_is_old_and_the_same_for_everybody() {
        let (full, part) = (
            r#"{"enabled":true,"percentage":100,"defaultValue":true}"#,
            r#"{"enabled":true,"percentage":50,"defaultValue":true}"#,
        );
        assert_eq!(told(full, full, 31).unwrap().to_string(), "it is on for everybody, unchanged for 31 days");
        assert_eq!(told(full, full, 29), None);
        assert_eq!(told(part, part, 99), None);
        assert_eq!(told(full, part, 99), None);
        assert_eq!(told("{}", "{}", 99).unwrap().answer, Answer::Off);
    }
}
