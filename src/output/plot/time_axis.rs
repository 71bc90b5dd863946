//! The time axis: which instants get a tick, how they are written, and where an instant lies. UTC only.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

const MINUTE: i64 = 60;

const HOUR: i64 = 60 * MINUTE;

const DAY: i64 = 24 * HOUR;

const WEEK: i64 = 7 * DAY;

/// Steps that people count in, in seconds.
const STEPS: [i64; 21] = [
    1,
    2,
    5,
    10,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    WEEK,
    2 * WEEK,
];

/// The Unix epoch is a Thursday; weeks are counted from the Monday after it.
const FIRST_MONDAY: i64 = 4 * DAY;

/// The part of time that a plot shows, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
}

impl Window {
    /// The window between two instants in either order; one instant gets half a minute on each side.
    pub(super) fn new(a: DateTime<Utc>, b: DateTime<Utc>) -> Self {
        let (start, end) = (a.min(b), a.max(b));
        if start < end {
            return Self { start, end };
        }
        let half = TimeDelta::seconds(30);
        Self {
            start: start.checked_sub_signed(half).unwrap_or(start),
            end: end.checked_add_signed(half).unwrap_or(end),
        }
    }

    pub(super) fn contains(&self, at: DateTime<Utc>) -> bool {
        (self.start..=self.end).contains(&at)
    }

    /// Where an instant lies: 0 at the start, 1 at the end.
    pub(super) fn share(&self, at: DateTime<Utc>) -> f64 {
        let part = (at - self.start).num_milliseconds() as f64;
        let whole = (self.end - self.start).num_milliseconds().max(1) as f64;
        (part / whole).clamp(0.0, 1.0)
    }

    /// The window in words, for the title: the date that a short tick leaves out.
    pub(super) fn describe(&self, ascii: bool) -> String {
        let time = if self.seconds() < 10 * MINUTE { "%H:%M:%S" } else { "%H:%M" };
        let full = format!("%Y-%m-%d {time}");
        let same_day = self.start.date_naive() == self.end.date_naive();
        let end = self.end.format(if same_day { time } else { &full });
        let dash = if ascii { "-" } else { "–" };
        format!("{} {dash} {end} UTC", self.start.format(&full))
    }

    /// An instant written as exactly as this window needs it.
    pub(super) fn write(&self, at: DateTime<Utc>) -> String {
        let style = match self.seconds() {
            span if span < 10 * MINUTE => "%H:%M:%S",
            span if span <= DAY => "%H:%M",
            _ => "%m-%d %H:%M",
        };
        at.format(style).to_string()
    }

    /// The instants to mark and their labels: the finest step whose labels fit into `columns`.
    pub(super) fn ticks(&self, columns: usize) -> Vec<(DateTime<Utc>, String)> {
        for step in STEPS {
            let style = self.style(step);
            let label = self.start.format(style).to_string().len() + 3;
            if self.seconds() / step < (columns / label) as i64 {
                return self.every(step, style);
            }
        }
        self.months(columns / 13)
    }

    fn seconds(&self) -> i64 {
        (self.end - self.start).num_seconds()
    }

    /// How a tick is written: no finer than the step, no coarser than the span needs.
    fn style(&self, step: i64) -> &'static str {
        match (step, self.seconds()) {
            (..MINUTE, ..=DAY) => "%H:%M:%S",
            (MINUTE..DAY, ..=DAY) => "%H:%M",
            (..DAY, _) => "%m-%d %H:%M",
            (_, span) if span < 300 * DAY => "%m-%d",
            _ => "%Y-%m-%d",
        }
    }

    fn every(&self, step: i64, style: &str) -> Vec<(DateTime<Utc>, String)> {
        let origin = if step >= WEEK { FIRST_MONDAY } else { 0 };
        let first = self.start.timestamp() - origin;
        let first = first.div_euclid(step) * step + origin;
        (first..=self.end.timestamp())
            .step_by(step as usize)
            .filter_map(|second| DateTime::from_timestamp(second, 0))
            .filter(|at| self.contains(*at))
            .map(|at| (at, at.format(style).to_string()))
            .collect()
    }

    /// Firsts of a month, at most `most`, for windows that are too long to count in days.
    fn months(&self, most: usize) -> Vec<(DateTime<Utc>, String)> {
        let index = |at: DateTime<Utc>| i64::from(at.year()) * 12 + i64::from(at.month0());
        let (first, last) = (index(self.start), index(self.end));
        let decades = (0..).map(|power| 120 * 10i64.saturating_pow(power));
        let step = [1, 2, 3, 6, 12, 24, 60]
            .into_iter()
            .chain(decades)
            .find(|step| (last - first) / step < most.max(1) as i64)
            .unwrap_or(i64::MAX);
        (first.div_euclid(step) * step..=last)
            .step_by(step as usize)
            .filter_map(|month| {
                let year = i32::try_from(month.div_euclid(12)).ok()?;
                NaiveDate::from_ymd_opt(year, month.rem_euclid(12) as u32 + 1, 1)
            })
            .filter_map(|day| Some(day.and_hms_opt(0, 0, 0)?.and_utc()))
            .filter(|at| self.contains(*at))
            .map(|at| (at, at.format("%Y-%m-%d").to_string()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a valid instant")
    }

    #[test]
    fn ticks_adapt_to_the_span() {
        let cases: [(&str, &str, &[&str]); 8] = [
            ("2026-05-01T12:00:03Z", "2026-05-01T12:01:03Z", &["12:00:15", "12:00:30", "12:00:45", "12:01:00"]),
            (
                "2026-05-01T11:00:00Z",
                "2026-05-01T12:00:00Z",
                &["11:00", "11:10", "11:20", "11:30", "11:40", "11:50", "12:00"],
            ),
            ("2026-04-30T23:10:00Z", "2026-05-01T01:00:00Z", &["23:30", "00:00", "00:30", "01:00"]),
            ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", &["00:00", "06:00", "12:00", "18:00", "00:00"]),
            (
                "2026-05-01T00:00:00Z",
                "2026-05-02T18:00:00Z",
                &["05-01 00:00", "05-01 12:00", "05-02 00:00", "05-02 12:00"],
            ),
            ("2026-05-01T10:00:00Z", "2026-05-08T10:00:00Z", &["05-03", "05-05", "05-07"]),
            // Mondays.
            ("2026-04-02T00:00:00Z", "2026-05-02T00:00:00Z", &["04-06", "04-13", "04-20", "04-27"]),
            ("2025-01-15T00:00:00Z", "2026-05-15T00:00:00Z", &["2025-07-01", "2026-01-01"]),
        ];
        for (start, end, expected) in cases {
            let labels: Vec<String> =
                Window::new(at(start), at(end)).ticks(60).into_iter().map(|(_, label)| label).collect();
            assert_eq!(labels, expected, "{start} to {end}");
        }
    }

    #[test]
    fn ticks_are_few_for_any_window() {
        let start = at("2026-05-01T12:00:03Z");
        for power in 0..40 {
            let Some(end) = start.checked_add_signed(TimeDelta::milliseconds(1 << power)) else {
                continue;
            };
            for columns in [0, 5, 12, 70, 300] {
                let ticks = Window::new(start, end).ticks(columns);
                let room = columns / ticks.first().map_or(1, |tick| tick.1.len() + 2);
                assert!(ticks.len() <= room.max(2), "{power} {columns} {ticks:?}");
            }
        }
        let all = Window::new(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        assert!(all.ticks(70).len() <= 6);
    }

    #[test]
    fn window_has_a_length() {
        let now = at("2026-05-01T12:00:00Z");
        let window = Window::new(now, now);
        assert_eq!(window.share(now), 0.5);
        assert_eq!(window.describe(false), "2026-05-01 11:59:30 – 12:00:30 UTC");
        let backwards = Window::new(now, at("2026-04-30T12:00:00Z"));
        assert_eq!(backwards.describe(true), "2026-04-30 12:00 - 2026-05-01 12:00 UTC");
    }
}
