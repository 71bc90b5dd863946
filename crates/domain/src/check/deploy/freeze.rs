//! Times in which nothing is deployed.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

/// A time in which nothing is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    pub reason: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// All, where none is named.
    pub services: Vec<String>,
}

/// Those that hold for a service now.
pub fn active<'a>(freezes: &'a [Freeze], service: &'a str, now: DateTime<Utc>) -> impl Iterator<Item = &'a Freeze> {
    freezes.iter().filter(move |freeze| {
        let is_mine = freeze.services.is_empty() || freeze.services.iter().any(|name| name == service);
        is_mine && freeze.from <= now && now < freeze.to
    })
}

/// A time of RFC 3339, or a day of UTC: its beginning, or its end.
pub fn moment(text: &str, is_end: bool) -> Result<DateTime<Utc>, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| format!("`{text}` is neither a day such as 2026-12-20 nor a time such as 2026-12-20T18:00:00Z"))?;
    let day = if is_end { day.checked_add_days(Days::new(1)).unwrap_or(day) } else { day };
    Ok(day.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_holds_from_its_first_day_to_the_end_of_its_last() {
        let freeze = |services: &[&str]| Freeze {
            reason: "holidays".into(),
            from: moment("2026-12-20", false).unwrap(),
            to: moment("2027-01-02", true).unwrap(),
            services: services.iter().map(ToString::to_string).collect(),
        };
        for (at, services, want) in [
            ("2026-12-19T23:59:59Z", &[][..], 0),
            ("2026-12-20T00:00:00Z", &[], 1),
            ("2027-01-02T23:59:59Z", &[], 1),
            ("2027-01-03T00:00:00Z", &[], 0),
            ("2026-12-25T00:00:00Z", &["game"], 1),
            ("2026-12-25T00:00:00Z", &["lobby"], 0),
        ] {
            let now = moment(at, false).unwrap();
            assert_eq!(active(&[freeze(services)], "game", now).count(), want, "{at} {services:?}");
        }
        assert!(moment("tomorrow", false).is_err());
    }
}
