//! The window of an objective: rolling, or a week, month, quarter or year of somebody's calendar.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::text::duration::{parse_positive, to_promql};
use crate::zone::Zone;

const DAY: u64 = 86_400;

/// A period of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    pub const ALL: [(&str, Self); 4] =
        [("week", Self::Week), ("month", Self::Month), ("quarter", Self::Quarter), ("year", Self::Year)];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, unit)| *unit == self).map_or("", |(name, _)| name)
    }

    /// The length that burn rates are made for; they do not depend on where the period begins.
    pub fn nominal(self) -> Duration {
        Duration::from_secs(
            DAY * match self {
                Self::Week => 7,
                Self::Month => 30,
                Self::Quarter => 90,
                Self::Year => 365,
            },
        )
    }

    /// The letter of OpenSLO's duration shorthand.
    pub fn letter(self) -> char {
        match self {
            Self::Week => 'w',
            Self::Month => 'M',
            Self::Quarter => 'Q',
            Self::Year => 'Y',
        }
    }

    /// That many periods after a local time.
    fn after(self, local: NaiveDateTime, n: i32) -> Option<NaiveDateTime> {
        let months = |each: i32| {
            let months = n.checked_mul(each)?;
            let by = Months::new(months.unsigned_abs());
            if months < 0 { local.checked_sub_months(by) } else { local.checked_add_months(by) }
        };
        match self {
            Self::Week => local.checked_add_signed(TimeDelta::weeks(n.into())),
            Self::Month => months(1),
            Self::Quarter => months(3),
            Self::Year => months(12),
        }
    }
}

/// Which stretch of time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    Rolling(Duration),
    /// Periods that begin at `anchor` by the clocks of a zone, and so many of them before and after.
    Calendar {
        unit: Unit,
        anchor: NaiveDateTime,
        zone: Zone,
    },
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Period {
    pub fn length(&self) -> Duration {
        (self.end - self.start).to_std().unwrap_or_default()
    }
}

impl Window {
    /// Reads `30d`, `month`, `quarter`; a calendar without a zone is that of UTC.
    ///
    /// # Errors
    /// What may be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, unit)) = Unit::ALL.iter().find(|(name, _)| *name == text.trim()) {
            return Ok(Self::calendar(*unit, Zone::UTC));
        }
        let length = parse_positive(text)
            .map_err(|error| format!("{error}; a window is such as `30d`, or `week`, `month`, `quarter`, `year`"))?;
        Self::rolling(length)
    }

    /// A rolling window.
    ///
    /// # Errors
    /// Out of range.
    pub fn rolling(length: Duration) -> Result<Self, String> {
        match length.as_secs() {
            seconds if seconds < DAY => Err(format!("{} is too short: a window has at least 1d", to_promql(length))),
            seconds if seconds > 366 * DAY => Err(format!("{} is too long: at most 366d", to_promql(length))),
            _ => Ok(Self::Rolling(length)),
        }
    }

    /// Weeks begin on Monday; months, quarters and years on their first day.
    pub fn calendar(unit: Unit, zone: Zone) -> Self {
        let day = match unit {
            Unit::Week => NaiveDate::from_ymd_opt(2001, 1, 1),
            Unit::Month | Unit::Quarter | Unit::Year => NaiveDate::from_ymd_opt(2000, 1, 1),
        };
        Self::Calendar { unit, anchor: day.unwrap_or_default().and_time(NaiveTime::MIN), zone }
    }

    /// The length that burn rates are made for.
    pub fn nominal(&self) -> Duration {
        match self {
            Self::Rolling(length) => *length,
            Self::Calendar { unit, .. } => unit.nominal(),
        }
    }

    /// The period around `now`: of a rolling window, the one that ends now.
    pub fn period(&self, now: DateTime<Utc>) -> Period {
        match *self {
            Self::Rolling(length) => Period { start: now - TimeDelta::from_std(length).unwrap_or_default(), end: now },
            Self::Calendar { unit, anchor, zone } => {
                let start = |n: i32| unit.after(anchor, n).map(|local| zone.instant(local));
                let local = zone.local(now);
                // Never off by more than one: the clocks and the lengths of months.
                let guess = match unit {
                    Unit::Week => i32::try_from((local - anchor).num_weeks()).unwrap_or(0),
                    Unit::Month => months(anchor, local),
                    Unit::Quarter => months(anchor, local).div_euclid(3),
                    Unit::Year => months(anchor, local).div_euclid(12),
                };
                let n = (guess - 2..=guess + 2).rev().find(|n| start(*n).is_some_and(|at| at <= now));
                let n = n.unwrap_or(guess);
                Period { start: start(n).unwrap_or(now), end: start(n + 1).unwrap_or(now) }
            }
        }
    }

    /// The part of the period that is over at `now`.
    pub fn elapsed(&self, now: DateTime<Utc>) -> Period {
        Period { end: now, ..self.period(now) }
    }

    /// Whose clocks it follows.
    pub fn zone(&self) -> Zone {
        match self {
            Self::Rolling(_) => Zone::UTC,
            Self::Calendar { zone, .. } => *zone,
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rolling(length) => f.write_str(&to_promql(*length)),
            Self::Calendar { unit, zone: Zone::UTC, .. } => f.write_str(unit.name()),
            Self::Calendar { unit, zone, .. } => write!(f, "{} ({zone})", unit.name()),
        }
    }
}

fn months(from: NaiveDateTime, to: NaiveDateTime) -> i32 {
    (to.year() - from.year()) * 12 + to.month0().cast_signed() - from.month0().cast_signed()
}

/// The last `n` calendar months by the clocks of a zone, the current one first and cut off at `now`.
pub fn last_months(zone: Zone, now: DateTime<Utc>, n: u32) -> Vec<(String, Period)> {
    let first = zone.local(now).date().with_day(1).unwrap_or_default();
    let months = (0..n).filter_map(|back| {
        let day = first.checked_sub_months(Months::new(back))?;
        let next = day.checked_add_months(Months::new(1))?;
        let period = Period {
            start: zone.instant(day.and_time(NaiveTime::MIN)),
            end: zone.instant(next.and_time(NaiveTime::MIN)).min(now),
        };
        Some((day.format("%Y-%m").to_string(), period))
    });
    months.collect()
}

/// A number and a unit of OpenSLO's duration shorthand: `28d`, `1M`.
///
/// # Errors
/// What is wrong with it.
pub fn shorthand(text: &str) -> Result<(u32, char), String> {
    let wrong = || format!("`{text}` is not a duration of OpenSLO: a number and one of m, h, d, w, M, Q, Y");
    let unit = text.chars().last().filter(|unit| "mhdwMQY".contains(*unit)).ok_or_else(wrong)?;
    let digits = &text[..text.len() - 1];
    let sound = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(n) if sound && n > 0 => Ok((n, unit)),
        _ => Err(wrong()),
    }
}

/// How long a shorthand is: a month has 30 days, a quarter 90, a year 365.
pub fn length((n, unit): (u32, char)) -> Duration {
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => DAY,
        'w' => 7 * DAY,
        'M' => 30 * DAY,
        'Q' => 90 * DAY,
        _ => 365 * DAY,
    };
    Duration::from_secs(u64::from(n) * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn calendar_periods_begin_by_the_clocks_of_their_zone() {
        for (unit, zone, now, start, end, hours) in [
            (Unit::Month, "UTC", "2026-02-14T10:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", 672),
            // Clocks go forward: an hour less.
            (Unit::Month, "Europe/Berlin", "2026-03-15T00:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", 743),
            (Unit::Month, "Europe/Berlin", "2026-10-31T22:59:59Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", 745),
            (Unit::Month, "Europe/Berlin", "2026-10-31T23:00:00Z", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z", 720),
            (Unit::Week, "UTC", "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z", 168),
            (
                Unit::Week,
                "America/New_York",
                "2026-03-08T12:00:00Z",
                "2026-03-02T05:00:00Z",
                "2026-03-09T04:00:00Z",
                167,
            ),
            (Unit::Quarter, "UTC", "2026-12-31T23:59:59Z", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z", 2208),
            (Unit::Year, "Asia/Tokyo", "2025-12-31T15:00:00Z", "2025-12-31T15:00:00Z", "2026-12-31T15:00:00Z", 8760),
        ] {
            let period = Window::calendar(unit, zone.parse().expect("a zone")).period(at(now));
            assert_eq!((period.start, period.end), (at(start), at(end)), "{unit:?} {zone} {now}");
            assert_eq!(period.length().as_secs(), hours * 3_600);
        }
    }

    #[test]
    fn windows_are_read() {
        for (text, want) in [("30d", "30d"), ("4w", "4w"), ("month", "month"), ("year", "year")] {
            assert_eq!(Window::parse(text).expect(text).to_string(), want);
        }
        for (text, want) in [("1h", "too short"), ("400d", "too long"), ("fortnight", "or `week`")] {
            assert!(Window::parse(text).unwrap_err().contains(want), "{text}");
        }
        assert_eq!(shorthand("28d"), Ok((28, 'd')));
        for text in ["28", "d", "0d", "1y", "1.5d", "-1d"] {
            assert!(shorthand(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_months_before_are_whole_and_the_current_one_ends_now() {
        let months = last_months("Europe/Berlin".parse().expect("a zone"), at("2026-03-29T12:00:00Z"), 2);
        assert_eq!(months[0].0, "2026-03");
        assert_eq!(months[0].1, Period { start: at("2026-02-28T23:00:00Z"), end: at("2026-03-29T12:00:00Z") });
        assert_eq!(months[1].1, Period { start: at("2026-01-31T23:00:00Z"), end: at("2026-02-28T23:00:00Z") });
    }
}
