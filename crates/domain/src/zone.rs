//! Time zones: an IANA name (`Europe/Berlin`), an offset from UTC (`+02:00`), or `UTC`; clocks that change are right.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::text::suggest::nearest;

/// A time zone. Its rules are compiled in, so that it means the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

impl Zone {
    pub const UTC: Self = Self::Named(Tz::UTC);

    /// The zone of this name or offset; [`str::parse`] says what is near one that is none.
    pub fn known(text: &str) -> Option<Self> {
        let text = text.trim();
        if matches!(text, "Z" | "z") {
            return Some(Self::UTC);
        }
        let offset = || text.starts_with(['+', '-']).then(|| text.parse().ok().map(Self::Fixed)).flatten();
        text.parse().ok().map(Self::Named).or_else(offset)
    }

    /// What the clocks on its walls show.
    pub fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.offset(at)).naive_local()
    }

    fn offset(self, at: DateTime<Utc>) -> FixedOffset {
        match self {
            Self::Named(zone) => at.with_timezone(&zone).offset().fix(),
            Self::Fixed(offset) => offset,
        }
    }

    /// When its clocks show `local`: the first time where they show it twice; where they jump over it, as much later
    /// as they jump, which is how iCalendar (RFC 5545, 3.3.5) and most schedulers read it.
    pub fn instant(self, local: NaiveDateTime) -> DateTime<Utc> {
        match self {
            Self::Fixed(offset) => earliest(&offset, local),
            Self::Named(zone) => earliest(&zone, local),
        }
    }
}

fn earliest<Z: TimeZone>(zone: &Z, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
        // In a gap the offset from before it holds. No zone has ever jumped by more than a day.
        MappedLocalTime::None => {
            let before = local.checked_sub_signed(TimeDelta::days(1)).unwrap_or(local);
            let offset = zone.offset_from_local_datetime(&before).earliest().map_or_else(|| Utc.fix(), |o| o.fix());
            offset.from_local_datetime(&local).single().map_or(DateTime::<Utc>::MAX_UTC, |at| at.to_utc())
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(zone) => f.write_str(zone.name()),
            Self::Fixed(offset) => offset.fmt(f),
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(zone) = Self::known(text) {
            return Ok(zone);
        }
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let city = |name: &&str| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text));
        let hint = names()
            .find(|name| name.eq_ignore_ascii_case(text))
            .or_else(|| names().find(city))
            .or_else(|| nearest(text, names()))
            .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        Err(format!(
            "`{text}` is no time zone: write an IANA name such as `Europe/Berlin`, or an offset such as `+02:00`{hint}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(text: &str) -> Zone {
        text.parse().expect("a zone")
    }

    fn local(text: &str) -> NaiveDateTime {
        text.parse().expect("a local time")
    }

    #[test]
    fn clocks_that_change_are_read_as_people_read_them() {
        for (name, wall, want) in [
            ("UTC", "2026-03-29T02:30:00", "2026-03-29T02:30:00Z"),
            ("+05:30", "2026-03-29T02:30:00", "2026-03-28T21:00:00Z"),
            ("Europe/Berlin", "2026-01-15T09:00:00", "2026-01-15T08:00:00Z"),
            ("Europe/Berlin", "2026-07-15T09:00:00", "2026-07-15T07:00:00Z"),
            // 02:00 becomes 03:00: half past two is not there, and is read as half past three.
            ("Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
            // 03:00 becomes 02:00: half past two is there twice, and the first counts.
            ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
            ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00Z"),
            ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z"),
            // The clocks change at midnight: the day begins at one.
            ("America/Santiago", "2026-09-06T00:00:00", "2026-09-06T04:00:00Z"),
            // A whole day that was left out.
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z"),
        ] {
            let got = zone(name).instant(local(wall));
            assert_eq!(got.format("%FT%TZ").to_string(), want, "{name} {wall}");
        }
    }

    #[test]
    fn a_day_has_as_many_hours_as_its_clocks_give_it() {
        let hours = |name: &str, day: &str| {
            let day: chrono::NaiveDate = day.parse().expect("a day");
            let begin = |day: chrono::NaiveDate| zone(name).instant(day.and_time(chrono::NaiveTime::MIN));
            (begin(day.succ_opt().expect("a day")) - begin(day)).num_hours()
        };
        assert_eq!(hours("Europe/Berlin", "2026-03-29"), 23);
        assert_eq!(hours("Europe/Berlin", "2026-10-25"), 25);
        assert_eq!(hours("America/Santiago", "2026-09-06"), 23);
        assert_eq!(hours("UTC", "2026-03-29"), 24);
        let at = "2026-07-01T22:30:00Z".parse().expect("a time");
        assert_eq!(zone("Europe/Berlin").local(at), local("2026-07-02T00:30:00"));
    }

    #[test]
    fn what_is_no_zone_is_said_with_what_was_meant() {
        for (text, want) in [
            ("europe/berlin", "did you mean `Europe/Berlin`?"),
            ("Berlin", "did you mean `Europe/Berlin`?"),
            ("Europe/Berln", "did you mean `Europe/Berlin`?"),
            ("+25:00", "an offset such as `+02:00`"),
            ("", "is no time zone"),
        ] {
            let error = text.parse::<Zone>().expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        }
        assert_eq!(zone("-03:00").to_string(), "-03:00");
        assert_eq!(zone("Asia/Tokyo").to_string(), "Asia/Tokyo");
        assert_eq!(zone("Z"), Zone::UTC);
    }
}
