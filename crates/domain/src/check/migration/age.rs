//! How old a table is when a migration meets it, by the times in the versions: what was created on the same day comes
//! with the same release, and has few rows, if any.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::catalog::Catalog;
use super::layout::Migration;
use super::statement::Name;

/// When each migration of a history was written, where its version is a time.
#[derive(Debug, Default)]
pub struct Ages(Vec<Option<NaiveDateTime>>);

impl Ages {
    pub fn new(migrations: &[Migration<'_>]) -> Self {
        let times: Vec<_> = migrations.iter().map(|migration| time(version(&migration.source.path))).collect();
        // Numbers that only look like times are all of one day.
        let (first, last) = (times.iter().flatten().min(), times.iter().flatten().max());
        let spread = first.zip(last).is_some_and(|(first, last)| *last - *first > TimeDelta::days(1));
        Self(if spread { times } else { vec![] })
    }

    /// Did a migration of the same day create it? The first one may be the dump of a database that is in use.
    pub fn same_day(&self, catalog: &Catalog, table: &Name) -> bool {
        let Some(relation) = catalog.get(table).filter(|relation| relation.created_in > 1) else { return false };
        let at = |migration: usize| self.0.get(migration.wrapping_sub(1)).copied().flatten();
        at(relation.created_in)
            .zip(at(catalog.migration))
            .is_some_and(|(born, now)| (TimeDelta::zero()..=TimeDelta::days(1)).contains(&(now - born)))
    }
}

/// What stands before the first underscore of a migration's name.
pub fn version(path: &str) -> &str {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let own =
        if matches!(file, "up.sql" | "migration.sql") { folder.rsplit('/').next().unwrap_or(folder) } else { file };
    own.split('_').next().unwrap_or(own)
}

/// `20240131235959`, `2024-01-31-235959`, with more or fewer digits, or seconds since 1970.
fn time(version: &str) -> Option<NaiveDateTime> {
    let version = version.strip_prefix('V').unwrap_or(version);
    let digits: String = version.chars().filter(|c| *c != '-').take_while(char::is_ascii_digit).collect();
    if digits.len() == 10 && digits.starts_with('1') {
        return DateTime::from_timestamp(digits.parse().ok()?, 0).map(|time| time.naive_utc());
    }
    if digits.len() < 8 || !digits.starts_with("20") {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse().ok()).unwrap_or(0);
    let date = NaiveDate::from_ymd_opt(i32::try_from(part(0, 4)).ok()?, part(4, 6), part(6, 8))?;
    // A count within the day is no time, and the day is right all the same.
    Some(date.and_time(NaiveTime::from_hms_opt(part(8, 10), part(10, 12), part(12, 14)).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_times_where_they_look_like_it() {
        let rows = [
            ("m/20240131235959_a.sql", Some("2024-01-31 23:59:59")),
            ("m/20240131235959000001_a.up.sql", Some("2024-01-31 23:59:59")),
            ("m/2024-01-31-000042_a/up.sql", Some("2024-01-31 00:00:42")),
            ("m/2024-01-31-000099_a/up.sql", Some("2024-01-31 00:00:00")),
            ("m/20240131_a/migration.sql", Some("2024-01-31 00:00:00")),
            ("m/1513895878_a.up.sql", Some("2017-12-21 22:37:58")),
            ("V20240131120000__a.sql", Some("2024-01-31 12:00:00")),
            ("m/20241341000000_a.sql", None),
            ("m/0042_a.sql", None),
            ("m/a.sql", None),
            ("m/4_2024.sql", None),
        ];
        for (path, expected) in rows {
            assert_eq!(time(version(path)).map(|time| time.to_string()).as_deref(), expected, "{path}");
        }
    }
}
