//! On-call calendars as schedulers export them: the part of iCalendar (RFC 5545) that they use. Pure.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};

use crate::incident::rota::Shift;
use crate::zone::Zone;

/// The most turns of one entry that are looked at: sixty years of days.
const TURNS: usize = 22_000;

/// An entry of a calendar, with all its turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    who: String,
    uid: String,
    start: NaiveDateTime,
    zone: Zone,
    length: Length,
    repeats: Option<Repeats>,
    left_out: Vec<DateTime<Utc>>,
    /// It stands for the turn of another entry that would begin then.
    instead_of: Option<DateTime<Utc>>,
    cancelled: bool,
}

/// How long a turn is: so many days on the calendar, or so long by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    To(NaiveDateTime, Zone),
    For(TimeDelta),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Repeats {
    weekly: bool,
    interval: u64,
    count: Option<usize>,
    until: Option<DateTime<Utc>>,
    days: Vec<Weekday>,
}

/// A property: its name, parameters, and value.
struct Property<'a> {
    name: String,
    parameters: Vec<(String, &'a str)>,
    value: &'a str,
}

impl<'a> Property<'a> {
    fn read(line: &'a str) -> Option<Self> {
        // A colon in a quoted parameter is none.
        let mut quoted = false;
        let end = line.find(|c: char| {
            quoted ^= c == '"';
            c == ':' && !quoted
        })?;
        let mut parts = line[..end].split(';');
        let name = parts.next()?.to_ascii_uppercase();
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.to_ascii_uppercase(), value.trim_matches('"')))
            .collect();
        Some(Self { name, parameters, value: &line[end + 1..] })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

/// Reads a calendar. Times without a zone, and with one that is not an IANA name, are of `zone`; what was odd is told.
///
/// # Errors
/// It is no calendar.
pub fn parse(text: &str, zone: Zone) -> Result<(Vec<Entry>, Vec<String>), String> {
    let text = text.trim_start_matches('\u{feff}');
    // A line that begins with a blank continues the one before (3.1).
    let text = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    if !text.lines().any(|line| line.trim().eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        return Err("it is no iCalendar file: `BEGIN:VCALENDAR` is missing".into());
    }
    let mut odd = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut event: Option<Vec<Property<'_>>> = None;
    let mut inside = Vec::new();
    let mut zone = zone;
    for property in text.lines().filter_map(Property::read) {
        match (property.name.as_str(), property.value.trim().to_ascii_uppercase().as_str()) {
            ("X-WR-TIMEZONE", _) if event.is_none() && zone == Zone::UTC => {
                zone = Zone::known(property.value).unwrap_or(zone);
            }
            ("BEGIN", "VEVENT") => event = Some(Vec::new()),
            ("BEGIN", part) => inside.push(part.to_owned()),
            ("END", "VEVENT") => match entry(&event.take().unwrap_or_default(), zone, &mut odd) {
                Ok(entry) => entries.push(entry),
                Err(what) => odd.push(what),
            },
            ("END", _) => {
                inside.pop();
            }
            // What belongs to an alarm in an event is none of the event's.
            _ if inside.last().is_some_and(|part| part == "VALARM") => {}
            _ => {
                if let Some(event) = &mut event {
                    event.push(property);
                }
            }
        }
    }
    let mut moved: HashMap<String, Vec<DateTime<Utc>>> = HashMap::new();
    for entry in &entries {
        let Entry { uid, instead_of: Some(at), .. } = entry else { continue };
        moved.entry(uid.clone()).or_default().push(*at);
    }
    for entry in entries.iter_mut().filter(|entry| entry.instead_of.is_none()) {
        entry.left_out.extend(moved.get(&entry.uid).into_iter().flatten());
    }
    entries.retain(|entry| !entry.cancelled);
    odd.sort();
    odd.dedup();
    Ok((entries, odd))
}

fn entry(properties: &[Property<'_>], zone: Zone, odd: &mut Vec<String>) -> Result<Entry, String> {
    let find = |name: &str| properties.iter().find(|property| property.name == name);
    let who = find("SUMMARY").map(|property| unescape(property.value)).unwrap_or_default();
    let what = |what: &str| format!("the entry `{who}` {what}");
    let of = |property: &Property<'_>, odd: &mut Vec<String>| {
        let name = property.parameter("TZID");
        let named = name.and_then(Zone::known);
        if let (Some(name), None) = (name, named) {
            odd.push(format!("the time zone `{name}` is not an IANA name; {zone} is taken"));
        }
        time(property.value.trim(), named.unwrap_or(zone))
    };
    let start = find("DTSTART").ok_or_else(|| what("has no start"))?;
    let is_date = start.value.trim().len() == 8;
    let (start, own) = of(start, odd).ok_or_else(|| what("has a start that cannot be read"))?;
    let length = match (find("DTEND"), find("DURATION")) {
        (Some(end), _) => {
            let (end, zone) = of(end, odd).ok_or_else(|| what("has an end that cannot be read"))?;
            Length::To(end, zone)
        }
        (None, Some(length)) => Length::For(duration(length.value.trim()).ok_or_else(|| what("has an odd DURATION"))?),
        (None, None) if is_date => Length::To(start.checked_add_days(Days::new(1)).unwrap_or(start), own),
        (None, None) => return Err(what("has no end")),
    };
    let repeats = match find("RRULE") {
        None => None,
        Some(rule) => Some(repeats(rule.value, own).ok_or_else(|| {
            what(&format!("repeats by `{}`: only DAILY and WEEKLY, with INTERVAL, COUNT, UNTIL, BYDAY", rule.value))
        })?),
    };
    let mut left_out = Vec::new();
    for property in properties.iter().filter(|property| property.name == "EXDATE") {
        for value in property.value.split(',') {
            let one = Property { name: String::new(), parameters: property.parameters.clone(), value };
            left_out.extend(of(&one, odd).map(|(at, zone)| zone.instant(at)));
        }
    }
    let instead_of = find("RECURRENCE-ID").and_then(|id| of(id, odd)).map(|(at, zone)| zone.instant(at));
    let cancelled = find("STATUS").is_some_and(|status| status.value.trim().eq_ignore_ascii_case("CANCELLED"));
    let uid = find("UID").map(|uid| uid.value.trim().to_owned()).unwrap_or_default();
    Ok(Entry { who, uid, start, zone: own, length, repeats, left_out, instead_of, cancelled })
}

/// `20261005T090000`, the same with `Z`, or a day.
fn time(text: &str, zone: Zone) -> Option<(NaiveDateTime, Zone)> {
    if let Some(utc) = text.strip_suffix('Z') {
        return Some((NaiveDateTime::parse_from_str(utc, "%Y%m%dT%H%M%S").ok()?, Zone::UTC));
    }
    let day = || NaiveDate::parse_from_str(text, "%Y%m%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    Some((NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok().or_else(day)?, zone))
}

/// `PT12H`, `P1W`, `P1DT2H30M`.
fn duration(text: &str) -> Option<TimeDelta> {
    let rest = text.trim_start_matches('+').strip_prefix('P')?;
    let mut total = TimeDelta::zero();
    let mut number = String::new();
    for c in rest.chars() {
        let seconds = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            'T' => continue,
            'W' => 604_800,
            'D' => 86_400,
            'H' => 3_600,
            'M' => 60,
            'S' => 1,
            _ => return None,
        };
        let count: i64 = std::mem::take(&mut number).parse().ok()?;
        total = total.checked_add(&TimeDelta::try_seconds(count.checked_mul(seconds)?)?)?;
    }
    number.is_empty().then_some(total)
}

fn repeats(rule: &str, zone: Zone) -> Option<Repeats> {
    let mut repeats = Repeats { weekly: false, interval: 1, count: None, until: None, days: Vec::new() };
    let mut frequency = None;
    for part in rule.trim().split(';').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        match name.to_ascii_uppercase().as_str() {
            "FREQ" => frequency = Some(value.to_ascii_uppercase()),
            "INTERVAL" => repeats.interval = value.parse().ok().filter(|interval| *interval > 0)?,
            "COUNT" => repeats.count = Some(value.parse().ok()?),
            "UNTIL" => {
                let (at, own) = time(value, zone)?;
                // A day counts as a whole.
                let end = if value.len() == 8 { at.checked_add_days(Days::new(1))? } else { at };
                repeats.until = Some(own.instant(end));
            }
            "BYDAY" => {
                let days = value.split(',').map(weekday);
                repeats.days = days.collect::<Option<_>>()?;
            }
            "WKST" => {}
            _ => return None,
        }
    }
    repeats.weekly = match frequency?.as_str() {
        "DAILY" => false,
        "WEEKLY" => true,
        _ => return None,
    };
    Some(repeats)
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text.trim().to_ascii_uppercase().as_str() {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    })
}

fn unescape(text: &str) -> String {
    text.trim().replace("\\n", " ").replace("\\N", " ").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
}

impl Entry {
    /// The turns that touch this time.
    pub(super) fn shifts(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Shift> {
        let turn = |start: NaiveDateTime| {
            let begins = self.zone.instant(start);
            let ends = match self.length {
                Length::For(length) => begins.checked_add_signed(length).unwrap_or(begins),
                Length::To(end, zone) => {
                    let later = start.signed_duration_since(self.start);
                    zone.instant(end.checked_add_signed(later).unwrap_or(end))
                }
            };
            Shift { who: self.who.clone(), from: begins, to: ends }
        };
        let mut shifts: Vec<Shift> = Vec::new();
        for start in self.starts().take_while(|start| self.zone.instant(*start) <= to) {
            let shift = turn(start);
            if shift.to > from && !self.left_out.contains(&shift.from) {
                shifts.push(shift);
            }
        }
        shifts
    }

    /// When its turns begin, by its own clocks.
    fn starts(&self) -> Box<dyn Iterator<Item = NaiveDateTime> + '_> {
        let Some(repeats) = &self.repeats else {
            return Box::new(std::iter::once(self.start));
        };
        let first = self.start.date();
        // Weeks begin on Monday, unless WKST says otherwise, which only matters to every second week with several days.
        let monday = first.checked_sub_days(Days::new(u64::from(first.weekday().num_days_from_monday())));
        let monday = monday.unwrap_or(first);
        let is_meant = move |day: NaiveDate| {
            let of_week = if repeats.days.is_empty() {
                !repeats.weekly || day.weekday() == first.weekday()
            } else {
                repeats.days.contains(&day.weekday())
            };
            let passed = if repeats.weekly { (day - monday).num_days() / 7 } else { (day - first).num_days() };
            of_week && u64::try_from(passed).is_ok_and(|passed| passed.is_multiple_of(repeats.interval))
        };
        let days = first.iter_days().take(TURNS).filter(move |day| is_meant(*day));
        let starts = days.map(|day| day.and_time(self.start.time()));
        let starts = starts.take(repeats.count.unwrap_or(usize::MAX));
        Box::new(starts.take_while(|start| repeats.until.is_none_or(|until| self.zone.instant(*start) <= until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::rota::Rota;

    fn read(events: &str) -> (Rota, Vec<String>) {
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}\nEND:VCALENDAR\n").replace('\n', "\r\n");
        let (calendar, odd) = parse(&text, Zone::UTC).expect("a calendar");
        (Rota { calendar, ..Rota::default() }, odd)
    }

    fn who(rota: &Rota, at: &str) -> Vec<String> {
        let at: DateTime<Utc> = at.parse().expect("a time");
        rota.line(at).into_iter().filter(|shift| shift.from <= at).map(|shift| shift.who).collect()
    }

    fn weekly(who: &str, day: &str, more: &str) -> String {
        format!(
            "BEGIN:VEVENT\nUID:{who}\nSUMMARY:{who}\nDTSTART;TZID=Europe/Berlin:{day}T090000\nDTEND;TZID=Europe/Berlin:{}T090000\n{more}\nEND:VEVENT",
            day.parse::<u32>().expect("a number") + 7
        )
    }

    #[test]
    fn two_people_in_turn_every_second_week() {
        let rule = "RRULE:FREQ=WEEKLY;INTERVAL=2";
        let (rota, odd) = read(&format!("{}\n{}", weekly("ada", "20261005", rule), weekly("bob", "20261012", rule)));
        assert_eq!(odd, Vec::<String>::new());
        for (at, want) in [
            ("2026-10-05T06:59:00Z", &[][..]),
            ("2026-10-05T07:00:00Z", &["ada"]),
            ("2026-10-12T07:00:00Z", &["bob"]),
            ("2026-10-26T07:30:00Z", &["bob"]),
            ("2026-10-26T08:00:00Z", &["bob"]),
            ("2027-10-04T07:00:00Z", &["ada"]),
        ] {
            let got = who(&rota, at);
            if at.starts_with("2026-10-26") {
                // ada's week of the 19th ends at nine in winter time, an hour later in UTC, where bob's begins.
                let want = if at.contains("07:30") { ["ada"] } else { ["bob"] };
                assert_eq!(got, want, "{at}");
            } else {
                assert_eq!(got, want, "{at}");
            }
        }
    }

    #[test]
    fn what_calendars_hold_beside_the_plain_case() {
        let event = |lines: &str| format!("BEGIN:VEVENT\nSUMMARY:ada\n{lines}\nEND:VEVENT");
        let day = "DTSTART:20261005T080000Z\nDTEND:20261005T160000Z\n";
        for (lines, on, off) in [
            (format!("{day}RRULE:FREQ=DAILY;COUNT=3"), "2026-10-07T09:00:00Z", "2026-10-08T09:00:00Z"),
            (format!("{day}RRULE:FREQ=DAILY;UNTIL=20261006"), "2026-10-06T09:00:00Z", "2026-10-07T09:00:00Z"),
            (format!("{day}RRULE:FREQ=DAILY;INTERVAL=3"), "2026-10-08T09:00:00Z", "2026-10-07T09:00:00Z"),
            (format!("{day}RRULE:FREQ=WEEKLY;BYDAY=MO,WE"), "2026-10-07T09:00:00Z", "2026-10-06T09:00:00Z"),
            (
                format!("{day}RRULE:FREQ=DAILY\nEXDATE:20261006T080000Z,20261007T080000Z"),
                "2026-10-08T09:00:00Z",
                "2026-10-07T09:00:00Z",
            ),
            (
                "DTSTART;VALUE=DATE:20261005\nDTEND;VALUE=DATE:20261007".into(),
                "2026-10-06T23:59:00Z",
                "2026-10-07T00:00:00Z",
            ),
            ("DTSTART;VALUE=DATE:20261005".into(), "2026-10-05T23:59:00Z", "2026-10-06T00:00:00Z"),
            ("DTSTART:20261005T080000Z\nDURATION:P1DT2H".into(), "2026-10-06T09:59:00Z", "2026-10-06T10:00:00Z"),
            // Twelve hours by the clock over the night in which the clocks go back.
            (
                "DTSTART;TZID=Europe/Berlin:20261024T210000\nDTEND;TZID=Europe/Berlin:20261025T090000".into(),
                "2026-10-25T07:59:00Z",
                "2026-10-25T08:00:00Z",
            ),
        ] {
            let (rota, odd) = read(&event(&lines));
            assert_eq!((who(&rota, on), who(&rota, off), odd), (vec!["ada".to_owned()], vec![], vec![]), "{lines}");
        }
    }

    #[test]
    fn a_moved_turn_replaces_the_one_that_it_stands_for() {
        let moved = "BEGIN:VEVENT\nUID:ada\nSUMMARY:bob\nRECURRENCE-ID;TZID=Europe/Berlin:20261012T090000\nDTSTART;TZID=Europe/Berlin:20261012T090000\nDTEND;TZID=Europe/Berlin:20261019T090000\nEND:VEVENT";
        let (rota, _) = read(&format!("{}\n{moved}", weekly("ada", "20261005", "RRULE:FREQ=WEEKLY")));
        assert_eq!(who(&rota, "2026-10-13T00:00:00Z"), ["bob"]);
        assert_eq!(who(&rota, "2026-10-20T00:00:00Z"), ["ada"]);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_takes_nothing_along() {
        let broken = "BEGIN:VEVENT\nSUMMARY:cy\nDTSTART:soon\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:dee\nDTSTART:20261005T080000Z\nDTEND:20261005T160000Z\nRRULE:FREQ=MONTHLY\nEND:VEVENT";
        let foreign = "BEGIN:VEVENT\nSUMMARY:On Call\\, primary:\n  ada\nDTSTART;TZID=\"W. Europe: Standard\":20261005T080000\nDTEND:20261005T160000Z\nBEGIN:VALARM\nSUMMARY:alarm\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT";
        let (rota, odd) = read(&format!("{broken}\n{foreign}"));
        assert_eq!(who(&rota, "2026-10-05T09:00:00Z"), ["On Call, primary: ada"]);
        let said = odd.join("\n");
        for want in ["`cy` has a start that cannot be read", "FREQ=MONTHLY", "W. Europe: Standard"] {
            assert!(said.contains(want), "{want}\n{said}");
        }
        assert!(parse("<html>", Zone::UTC).is_err());
        let cancelled =
            "BEGIN:VEVENT\nSUMMARY:ada\nSTATUS:CANCELLED\nDTSTART:20261005T080000Z\nDTEND:20261005T160000Z\nEND:VEVENT";
        assert!(who(&read(cancelled).0, "2026-10-05T09:00:00Z").is_empty());
    }
}
