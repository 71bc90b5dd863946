//! How old a value is: when its freshest and its stalest sample were taken, from how many targets, and what is gone.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::text::count::count;
use crate::text::time::compact;

/// What a value was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freshness {
    /// How many targets contribute.
    pub targets: usize,
    /// When the freshest and the stalest contributing sample were taken.
    pub newest: Option<DateTime<Utc>>,
    pub oldest: Option<DateTime<Utc>>,
    /// How often they are scraped, where that is known.
    pub interval: Option<TimeDelta>,
}

/// A part of a breakdown that was there and is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GoneMember {
    /// The label's value.
    pub name: String,
    /// What it was, where that is known.
    pub was: Option<f64>,
    pub last_seen: DateTime<Utc>,
}

/// Why what was measured is not known to be so now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing of it is of now: no value counts.
    Stale(String),
    /// A part is gone: what is bad is bad all the same, and nothing is known to be well.
    Gone(String),
}

/// What is gone this long is not missed any more: its KPI's level is again that of the rest.
const MISSED: TimeDelta = TimeDelta::minutes(10);

/// Without a known interval: Prometheus' default.
const USUAL: TimeDelta = TimeDelta::minutes(1);

/// How old the freshest sample may be: two scrapes, and the time that one takes.
pub fn oldest_fresh(interval: Option<TimeDelta>) -> TimeDelta {
    interval.unwrap_or(USUAL) * 2 + TimeDelta::seconds(1)
}

impl Freshness {
    /// Takes in the samples of another target.
    pub fn add(&mut self, newest: DateTime<Utc>, oldest: DateTime<Utc>) {
        self.targets += 1;
        self.newest = self.newest.max(Some(newest));
        self.oldest = Some(self.oldest.map_or(oldest, |known| known.min(oldest)));
    }

    /// Why the value is not of now, if it is not.
    pub fn stale(&self, now: DateTime<Utc>) -> Option<String> {
        let scraped = match self.interval {
            Some(interval) if interval >= TimeDelta::seconds(1) => format!(", and they come every {}", age(interval)),
            _ => String::new(),
        };
        match self.newest {
            Some(newest) if now - newest <= oldest_fresh(self.interval) => None,
            Some(newest) => Some(format!("stale: the newest sample is {} old{scraped}", age(now - newest))),
            None => None,
        }
    }

    /// Why a value that was made of this is not known to be so now. Whoever decides by a value asks here: levels, guards.
    pub fn doubt(&self, gone: &[GoneMember], now: DateTime<Utc>) -> Option<Doubt> {
        let missed = || gone.iter().find(|member| member.is_missed(now)).map(|member| member.show(None, now));
        self.stale(now).map(Doubt::Stale).or_else(|| missed().map(Doubt::Gone))
    }

    /// `from 2 targets, samples 3 s to 12 s old`.
    pub fn show(&self, now: DateTime<Utc>) -> Option<String> {
        let (newest, oldest) = (now - self.newest?, now - self.oldest?);
        let span = if age(newest) == age(oldest) { age(oldest) } else { format!("{} to {}", age(newest), age(oldest)) };
        Some(format!("from {}, {span} old", count(self.targets, "target")))
    }
}

/// `12 s`, `4m 3s`.
fn age(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0).unsigned_abs();
    if seconds < 60 { format!("{seconds} s") } else { compact(seconds) }
}

impl GoneMember {
    /// `us: gone (was 3,000, 12 s ago)`; `shown` is what it was, in its unit.
    pub fn show(&self, shown: Option<String>, now: DateTime<Utc>) -> String {
        let name = if self.name.is_empty() { "(none)" } else { &self.name };
        let ago = age(now - self.last_seen);
        match shown {
            Some(was) => format!("{name}: gone (was {was}, {ago} ago)"),
            None => format!("{name}: gone (last seen {ago} ago)"),
        }
    }

    /// Is it gone since so little time that it may be missed?
    fn is_missed(&self, now: DateTime<Utc>) -> bool {
        now - self.last_seen <= MISSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn two_missed_scrapes_are_stale() {
        let mut one = Freshness { interval: Some(TimeDelta::seconds(5)), ..Freshness::default() };
        assert_eq!(one.stale(at(0)), None, "nobody says when");
        one.add(at(100), at(97));
        one.add(at(98), at(92));
        assert_eq!((one.targets, one.stale(at(111))), (2, None));
        assert_eq!(one.stale(at(112)).unwrap(), "stale: the newest sample is 12 s old, and they come every 5 s");
        assert_eq!(one.show(at(112)).unwrap(), "from 2 targets, 12 s to 20 s old");
    }

    #[test]
    fn who_is_gone_is_named_with_what_it_was() {
        let us = GoneMember { name: "us".into(), was: Some(3000.0), last_seen: at(100) };
        assert_eq!(us.show(Some("3,000".into()), at(112)), "us: gone (was 3,000, 12 s ago)");
        assert_eq!(us.show(None, at(400)), "us: gone (last seen 5m ago)");
        assert!(us.is_missed(at(700)) && !us.is_missed(at(701)));
        let fresh = Freshness { newest: Some(at(112)), ..Freshness::default() };
        let gone = Doubt::Gone("us: gone (last seen 12 s ago)".into());
        assert_eq!(fresh.doubt(std::slice::from_ref(&us), at(112)), Some(gone));
        assert_eq!(fresh.doubt(&[], at(112)), None);
        let stale = Doubt::Stale("stale: the newest sample is 5m old".into());
        assert_eq!(fresh.doubt(std::slice::from_ref(&us), at(412)), Some(stale), "of old samples nothing counts");
    }
}
