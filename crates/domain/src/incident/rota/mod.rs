//! Who is on call: shifts of a calendar or of a rotation, with overrides laid over them. Pure.

pub mod calendar;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};

use crate::zone::Zone;

/// How far ahead the next ones are looked for.
const AHEAD: TimeDelta = TimeDelta::days(60);

/// A person's turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    pub who: String,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Shift {
    fn covers(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.to
    }
}

/// When one hands over to the next: at this time of each day, or of one day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    pub day: Option<Weekday>,
    pub time: NaiveTime,
}

impl std::str::FromStr for Handover {
    type Err = String;

    /// `09:00`, or `mon 09:00`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no handover: write `09:00` for each day, or `mon 09:00` for each week");
        let (day, time) = match text.trim().rsplit_once(' ') {
            Some((day, time)) => (Some(day.trim().parse().map_err(|_| bad())?), time),
            None => (None, text.trim()),
        };
        Ok(Self { day, time: NaiveTime::parse_from_str(time, "%H:%M").map_err(|_| bad())? })
    }
}

/// People in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    pub order: Vec<String>,
    /// The first person begins with the first handover of this day or after it.
    pub from: NaiveDate,
    pub handovers: Vec<Handover>,
}

impl Rotation {
    /// The shifts that touch this time, the first to begin first.
    fn shifts(&self, zone: Zone, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Shift> {
        let mut times: Vec<DateTime<Utc>> = Vec::new();
        let mut day = self.from;
        let last = zone.local(to).date();
        // A handover after the end closes the last shift: each week has one.
        while day <= last.checked_add_days(Days::new(8)).unwrap_or(last) {
            let of_day = self.handovers.iter().filter(|one| one.day.is_none_or(|weekday| weekday == day.weekday()));
            times.extend(of_day.map(|one| zone.instant(day.and_time(one.time))));
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
        times.sort();
        times.dedup();
        let turns = times.windows(2).zip(self.order.iter().cycle());
        turns
            .filter(|(times, _)| times[1] > from && times[0] <= to)
            .map(|(times, who)| Shift { who: who.clone(), from: times[0], to: times[1] })
            .collect()
    }
}

/// Where shifts come from, and what is laid over them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rota {
    pub zone: Zone,
    pub rotation: Option<Rotation>,
    pub calendar: Vec<calendar::Entry>,
    pub overrides: Vec<Shift>,
}

impl Rota {
    /// Everybody in the order in which they are called: who is on call, then who comes next.
    pub fn line(&self, at: DateTime<Utc>) -> Vec<Shift> {
        let to = at.checked_add_signed(AHEAD).unwrap_or(at);
        let mut shifts: Vec<Shift> = self.calendar.iter().flat_map(|entry| entry.shifts(at, to)).collect();
        shifts.extend(self.rotation.iter().flat_map(|rotation| rotation.shifts(self.zone, at, to)));
        shifts.sort_by(|a, b| (a.from, &a.who).cmp(&(b.from, &b.who)));
        // Of two that overlap, the one that begins later was laid over the other; of the same time, the one written later.
        let mut now: Vec<&Shift> = self.overrides.iter().rev().filter(|shift| shift.covers(at)).collect();
        now.sort_by_key(|shift| std::cmp::Reverse(shift.from));
        let mut line: Vec<Shift> = Vec::new();
        let ahead = self.overrides.iter().filter(|shift| shift.from > at && shift.from <= to);
        // Who is overridden now is next: they know what is going on.
        let mut then: Vec<&Shift> = shifts.iter().chain(ahead).collect();
        then.sort_by_key(|shift| shift.from);
        for shift in now.into_iter().chain(then) {
            if line.iter().all(|known| !known.who.eq_ignore_ascii_case(&shift.who)) {
                line.push(shift.clone());
            }
        }
        line
    }

    /// Is somebody on call?
    pub fn is_covered(line: &[Shift], at: DateTime<Utc>) -> bool {
        line.first().is_some_and(|shift| shift.covers(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn rota(handovers: &[&str]) -> Rota {
        let rotation = Rotation {
            order: ["ada", "bob", "cy"].map(ToOwned::to_owned).to_vec(),
            from: "2026-10-05".parse().expect("a day"),
            handovers: handovers.iter().map(|text| text.parse().expect("a handover")).collect(),
        };
        Rota { zone: "Europe/Berlin".parse().expect("a zone"), rotation: Some(rotation), ..Rota::default() }
    }

    fn who(rota: &Rota, time: &str) -> Vec<String> {
        rota.line(at(time)).into_iter().map(|shift| shift.who).collect()
    }

    #[test]
    fn a_handover_is_at_the_same_time_of_day_when_the_clocks_change() {
        let weekly = rota(&["mon 09:00"]);
        for (time, first) in [
            ("2026-10-05T07:00:00Z", "ada"),
            ("2026-10-12T06:59:59Z", "ada"),
            ("2026-10-12T07:00:00Z", "bob"),
            // The 26th is the first Monday after the clocks went back: nine o'clock is an hour later in UTC.
            ("2026-10-26T07:30:00Z", "cy"),
            ("2026-10-26T08:00:00Z", "ada"),
        ] {
            assert_eq!(who(&weekly, time)[0], first, "{time}");
        }
        assert_eq!(who(&weekly, "2026-10-13T00:00:00Z"), ["bob", "cy", "ada"], "and who comes next");
        let line = weekly.line(at("2026-10-05T06:00:00Z"));
        assert!(!Rota::is_covered(&line, at("2026-10-05T06:00:00Z")), "before the first handover");
        assert_eq!(line[0].who, "ada");
    }

    #[test]
    fn several_handovers_in_a_week_or_one_a_day() {
        let nights = rota(&["09:00", "21:00"]);
        assert_eq!(who(&nights, "2026-10-05T08:00:00Z")[0], "ada");
        assert_eq!(who(&nights, "2026-10-05T20:00:00Z")[0], "bob");
        assert_eq!(who(&nights, "2026-10-06T08:00:00Z")[0], "cy");
        let weekends = rota(&["mon 09:00", "fri 17:00"]);
        assert_eq!(who(&weekends, "2026-10-09T14:00:00Z")[0], "ada");
        assert_eq!(who(&weekends, "2026-10-09T15:00:00Z")[0], "bob");
        assert!("noon".parse::<Handover>().is_err());
        assert!("xday 09:00".parse::<Handover>().is_err());
    }

    #[test]
    fn an_override_is_first_and_who_is_overridden_comes_next() {
        let mut rota = rota(&["mon 09:00"]);
        let (from, to) = (at("2026-10-06T00:00:00Z"), at("2026-10-07T00:00:00Z"));
        rota.overrides.push(Shift { who: "cy".into(), from, to });
        assert_eq!(who(&rota, "2026-10-06T12:00:00Z"), ["cy", "ada", "bob"]);
        assert_eq!(who(&rota, "2026-10-07T00:00:00Z")[0], "ada");
        assert_eq!(Rota::default().line(from), []);
        // Two hours within that day, and a slip that is put right below it.
        let shift = |who: &str, from, to| Shift { who: who.into(), from: at(from), to: at(to) };
        rota.overrides.insert(0, shift("dee", "2026-10-06T12:00:00Z", "2026-10-06T14:00:00Z"));
        assert_eq!(who(&rota, "2026-10-06T12:00:00Z"), ["dee", "cy", "ada", "bob"]);
        assert_eq!(who(&rota, "2026-10-06T14:00:00Z"), ["cy", "ada", "bob"]);
        rota.overrides.push(shift("eve", "2026-10-06T12:00:00Z", "2026-10-06T14:00:00Z"));
        assert_eq!(who(&rota, "2026-10-06T12:00:00Z")[0], "eve");
    }
}
