//! Severities P1 to P4, and the one table of what each asks for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveTime, TimeDelta, Utc, Weekday};
use serde::{Deserialize, Serialize};

use crate::text::duration::human;
use crate::zone::Zone;

/// How bad it is; the least is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Critical: the service is down for all users.
    P1,
    /// High: degraded, many users.
    P2,
    /// Medium: partial impact.
    P3,
    /// Low: minor, a workaround exists.
    P4,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::P1, Self::P2, Self::P3, Self::P4];

    /// `P1`.
    pub fn word(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
        }
    }

    /// `p1`: in ids, JSON and configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::P1 => "p1",
            Self::P2 => "p2",
            Self::P3 => "p3",
            Self::P4 => "p4",
        }
    }

    /// The other word for it.
    pub fn alias(self) -> &'static str {
        match self {
            Self::P1 => "critical",
            Self::P2 => "high",
            Self::P3 => "medium",
            Self::P4 => "low",
        }
    }

    /// The severity of an alert with this `severity` label; what nobody knows is P3.
    pub fn of_alert(label: Option<&str>) -> Self {
        match label.map(str::to_lowercase).as_deref() {
            Some("critical" | "page" | "p1" | "sev1" | "emergency" | "fatal") => Self::P1,
            Some("high" | "error" | "major" | "p2" | "sev2") => Self::P2,
            Some("low" | "info" | "informational" | "none" | "p4" | "sev4") => Self::P4,
            _ => Self::P3,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_lowercase().as_str() {
            "p1" | "1" | "sev1" | "sev-1" | "critical" => Ok(Self::P1),
            "p2" | "2" | "sev2" | "sev-2" | "high" => Ok(Self::P2),
            "p3" | "3" | "sev3" | "sev-3" | "medium" => Ok(Self::P3),
            "p4" | "4" | "sev4" | "sev-4" | "low" => Ok(Self::P4),
            _ => Err(format!(
                "`{text}` is no severity: p1 (critical), p2 (high), p3 (medium), p4 (low); when in doubt, take the worse"
            )),
        }
    }
}

/// How long something may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So long, nights and weekends included.
    Within(Duration),
    /// To the end of the next business day.
    NextBusinessDay,
}

impl Limit {
    /// When it is over, counted from `start`.
    pub fn after(self, start: DateTime<Utc>, days: &BusinessDays) -> DateTime<Utc> {
        match self {
            Self::Within(length) => TimeDelta::from_std(length)
                .ok()
                .and_then(|length| start.checked_add_signed(length))
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
            Self::NextBusinessDay => days.next_end(start),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within(length) => f.write_str(&human(*length)),
            Self::NextBusinessDay => f.write_str("next business day"),
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("next business day") {
            return Ok(Self::NextBusinessDay);
        }
        crate::text::duration::parse_positive(text)
            .map(Self::Within)
            .map_err(|error| format!("{error}, or `next business day`"))
    }
}

/// When the team works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessDays {
    pub days: Vec<Weekday>,
    /// End of the day, in the team's time.
    pub end: NaiveTime,
    pub zone: Zone,
}

impl Default for BusinessDays {
    fn default() -> Self {
        Self {
            days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri],
            end: NaiveTime::from_hms_opt(17, 0, 0).unwrap_or_default(),
            zone: Zone::UTC,
        }
    }
}

impl BusinessDays {
    /// The end of the first business day after the day of `start`, as the team's calendar has days.
    fn next_end(&self, start: DateTime<Utc>) -> DateTime<Utc> {
        let today = self.zone.local(start).date();
        (1..=7)
            .filter_map(|ahead| today.checked_add_days(Days::new(ahead)))
            .find(|day| self.days.contains(&day.weekday()))
            .map_or(DateTime::<Utc>::MAX_UTC, |day| self.zone.instant(day.and_time(self.end)))
    }
}

/// What a severity asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Who feels it, in a few words.
    pub impact: String,
    /// From the opening until somebody says that they have it.
    pub acknowledge: Limit,
    /// From the opening until users are well again.
    pub mitigate: Limit,
    /// From the resolution until the postmortem is written.
    pub postmortem: Option<Limit>,
}

/// The table of severities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Severities {
    terms: [Terms; 4],
    pub business_days: BusinessDays,
}

impl Default for Severities {
    fn default() -> Self {
        let minutes = |n: u64| Limit::Within(Duration::from_secs(n * 60));
        let two_days = Some(Limit::Within(Duration::from_secs(48 * 3600)));
        let terms = |impact: &str, acknowledge, mitigate, postmortem| Terms {
            impact: impact.into(),
            acknowledge,
            mitigate,
            postmortem,
        };
        Self {
            terms: [
                terms("service down, all users", minutes(5), minutes(30), two_days),
                terms("degraded, many users", minutes(15), minutes(30), two_days),
                terms("partial impact", minutes(60), minutes(120), None),
                terms("minor, workaround exists", Limit::NextBusinessDay, minutes(24 * 60), None),
            ],
            business_days: BusinessDays::default(),
        }
    }
}

impl Severities {
    /// What this severity asks for.
    pub fn terms(&self, severity: Severity) -> &Terms {
        &self.terms[severity as usize]
    }

    /// To override it.
    pub fn terms_mut(&mut self, severity: Severity) -> &mut Terms {
        &mut self.terms[severity as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn severities_have_many_names_and_an_order() {
        for (text, want) in [
            ("p1", Severity::P1),
            ("P2", Severity::P2),
            ("3", Severity::P3),
            ("sev4", Severity::P4),
            ("CRITICAL", Severity::P1),
            ("low", Severity::P4),
        ] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        assert!("p5".parse::<Severity>().is_err());
        assert!(Severity::P1 < Severity::P2, "the worst is the least");
        assert_eq!(Severity::of_alert(Some("Critical")), Severity::P1);
        assert_eq!(Severity::of_alert(Some("warning")), Severity::P3);
        assert_eq!(Severity::of_alert(None), Severity::P3);
    }

    #[test]
    fn the_next_business_day_skips_the_weekend_and_follows_the_teams_clock() {
        let utc = BusinessDays::default();
        for (start, want) in [
            ("2026-11-23T10:00:00Z", "2026-11-24T17:00:00Z"),
            ("2026-11-27T23:59:00Z", "2026-11-30T17:00:00Z"),
            ("2026-11-28T08:00:00Z", "2026-11-30T17:00:00Z"),
        ] {
            assert_eq!(Limit::NextBusinessDay.after(at(start), &utc), at(want), "{start}");
        }
        let tokyo = BusinessDays { zone: "Asia/Tokyo".parse().expect("a zone"), ..BusinessDays::default() };
        // Thursday evening in UTC is Friday in Tokyo, and its next business day is Monday.
        assert_eq!(Limit::NextBusinessDay.after(at("2026-11-26T20:00:00Z"), &tokyo), at("2026-11-30T08:00:00Z"));
        // The weekend on which Berlin's clocks change lies between.
        let berlin = BusinessDays { zone: "Europe/Berlin".parse().expect("a zone"), ..BusinessDays::default() };
        assert_eq!(Limit::NextBusinessDay.after(at("2026-10-23T10:00:00Z"), &berlin), at("2026-10-26T16:00:00Z"));
        assert_eq!(Limit::NextBusinessDay.after(at("2026-10-22T10:00:00Z"), &berlin), at("2026-10-23T15:00:00Z"));
        let never = BusinessDays { days: Vec::new(), ..BusinessDays::default() };
        assert_eq!(Limit::NextBusinessDay.after(at("2026-11-26T20:00:00Z"), &never), DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn limits_are_written_as_people_say_them() {
        assert_eq!("30m".parse(), Ok(Limit::Within(Duration::from_secs(1800))));
        assert_eq!("Next business day".parse(), Ok(Limit::NextBusinessDay));
        assert!("soon".parse::<Limit>().is_err());
        let table = Severities::default();
        assert_eq!(table.terms(Severity::P1).acknowledge.to_string(), "5m");
        assert_eq!(table.terms(Severity::P4).acknowledge.to_string(), "next business day");
    }
}
