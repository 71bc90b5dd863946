//! Flags that an earlier look saw and that are not there any more, though nobody removed them: a Redis that came back
//! empty reads as "no flags" otherwise. The memory is a cache of this place.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::observe::names::{Named, remember};
use crate::session::{Session, cache};
use liveops_domain::flag::history::Revision;
use liveops_domain::status::GoneFlag;

/// What was seen longer ago is gone for good.
const KEEP: TimeDelta = TimeDelta::hours(1);

/// How old the memory gets before it is written again, while the flags are the same.
const STALE: TimeDelta = TimeDelta::minutes(1);

type Memory = BTreeMap<String, DateTime<Utc>>;

/// Those that are gone, given the names that are there now and the newest changes.
pub fn gone_flags<'a>(cx: &Session, names: impl Iterator<Item = &'a str>, history: &[Revision]) -> Vec<GoneFlag> {
    let (Ok(cache), Ok(scope)) = (cache(cx), cx.change_scope()) else {
        return Vec::new();
    };
    // Another store has other flags.
    let Some(backend) = scope.origin("flag", None).backend else {
        return Vec::new();
    };
    let key = format!("flags/seen/{}", backend.fingerprint);
    let known: Memory = cache.load(&key).unwrap_or_default();
    let now = cx.clock.now();
    let names: BTreeSet<&str> = names.collect();
    remember(cx, Named::Flag, names.iter().map(|name| ((*name).to_owned(), String::new())));
    let gone = missing(&known, &names, history, now);
    let kept = gone.iter().map(|gone| (gone.flag.clone(), gone.seen));
    let next: Memory = names.iter().map(|name| ((*name).to_owned(), now)).chain(kept).collect();
    let is_stale = known.values().max().is_none_or(|newest| now - *newest > STALE);
    if is_stale || !next.keys().eq(known.keys()) {
        cache.save(&key, &next);
    }
    gone
}

fn missing(known: &Memory, names: &BTreeSet<&str>, history: &[Revision], now: DateTime<Utc>) -> Vec<GoneFlag> {
    let was_removed = |name: &str| {
        let newest = history.iter().find(|revision| revision.flag == name);
        newest.is_some_and(|newest| newest.after.is_none())
    };
    let gone =
        known.iter().filter(|(name, seen)| !names.contains(name.as_str()) && now - **seen < KEEP && !was_removed(name));
    gone.map(|(flag, seen)| GoneFlag { flag: flag.clone(), seen: *seen }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_nobody_removed_is_gone_for_an_hour() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
        let ago = |minutes| now - TimeDelta::minutes(minutes);
        let known: Memory = [("a", ago(4)), ("b", ago(4)), ("c", ago(90)), ("d", ago(4))]
            .map(|(name, at)| (name.to_owned(), at))
            .into();
        let removed = Revision {
            op: "c1".into(),
            flag: "b".into(),
            rev: 2,
            at: ago(2),
            by: "ada".into(),
            reason: None,
            command: String::new(),
            before: Some(b"{}".to_vec()),
            after: None,
        };
        let gone = missing(&known, &BTreeSet::from(["d"]), &[removed], now);
        assert_eq!(gone.iter().map(|one| (one.flag.as_str(), one.seen)).collect::<Vec<_>>(), [("a", ago(4))]);
    }
}
