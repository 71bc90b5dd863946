//! The feature flags: how many are on, what is wrong with them, and who changed them in the last hour.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::flagstore::{FlagStore as _, Flags};
use crate::observe::gone_flags::gone_flags;
use crate::session::Session;
use liveops_domain::change::record::{ChangeRecord, ChangeState};
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::delta;
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::lint::{LintContext, Severity, lint};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::status::source::Source;
use liveops_domain::status::{FlagError, FlagsReading};

/// So many of the newest changes are looked at: more do not fit into an hour that anybody wants to read of.
const RECENT: usize = 200;

/// What could be learnt about flags.
#[derive(Debug, Clone, Default)]
pub struct FlagsAnswer {
    /// None when there are none to look at, and when the store could not say.
    pub flags: Option<FlagsReading>,
    /// The store as a source, when there is one.
    pub source: Option<Source>,
    /// The changes of the last hour, the newest first.
    pub changes: Vec<ChangeRecord>,
}

/// Asks the store, where one is configured or lies beside the configuration.
pub async fn ask(cx: &Session) -> FlagsAnswer {
    let began = Instant::now();
    let store = match store(cx) {
        Ok(Some(store)) => store,
        Ok(None) => return FlagsAnswer::default(),
        Err(error) => return down(&error),
    };
    let (all, history) = tokio::join!(store.all(), store.history(None, Some(RECENT)));
    let all = match all {
        Ok(all) => all,
        Err(error) => return down(&error),
    };
    let source = Source::asked("flags", began.elapsed(), Ok(()));
    let lost = history.as_ref().err().map(Error::reason);
    let since = cx.clock.now() - TimeDelta::hours(1);
    let history = history.unwrap_or_default();
    let recent: Vec<&Revision> = history.iter().filter(|revision| revision.at >= since).collect();
    let reader = cx.config().map_or(Reader::default(), |config| config.settings.flags.reader);
    let environment = cx.environment().unwrap_or_default();
    FlagsAnswer {
        flags: Some(FlagsReading {
            gone: gone_flags(cx, all.iter().map(|(name, _)| name.as_str()), &history),
            ..reading(&all, &history, &recent, reader, cx.clock.now())
        }),
        source: Some(source.partly(lost.map(|why| format!("their history: {why}")))),
        changes: recent.into_iter().map(|revision| record(revision, environment)).collect(),
    }
}

/// The changes of the hour until that time, the newest first; none where the store does not answer.
pub async fn changes_until(cx: &Session, at: DateTime<Utc>) -> Vec<ChangeRecord> {
    let Ok(Some(store)) = store(cx) else {
        return Vec::new();
    };
    let history = store.history(None, Some(RECENT)).await.unwrap_or_default();
    let environment = cx.environment().unwrap_or_default();
    let hour = at - TimeDelta::hours(1)..=at;
    history.iter().filter(|revision| hour.contains(&revision.at)).map(|one| record(one, environment)).collect()
}

/// Where the flags are; none where nobody has said it and no file lies in the default folder.
pub(crate) fn store(cx: &Session) -> Result<Option<Flags>> {
    let configured = cx.config()?.settings.flags.endpoint.is_some();
    Ok(match cx.flags()? {
        Flags::File(file) if !configured && !file.path().exists() => None,
        store => Some(store),
    })
}

fn down(error: &Error) -> FlagsAnswer {
    let source = Source::asked("flags", Duration::ZERO, Err::<(), _>(error));
    FlagsAnswer { source: Some(source), ..FlagsAnswer::default() }
}

fn reading(
    all: &[(String, Vec<u8>)],
    history: &[Revision],
    recent: &[&Revision],
    reader: Reader,
    now: DateTime<Utc>,
) -> FlagsReading {
    let mut reading = FlagsReading { count: all.len(), ..FlagsReading::default() };
    for (name, raw) in all {
        let newest = history.iter().find(|revision| revision.flag == *name);
        if Flag::read(raw).is_ok_and(|flag| !flag.enabled()) {
            reading.off += 1;
            let by_kill = newest.filter(|newest| newest.after.as_ref() == Some(raw)).is_some_and(is_kill);
            reading.killed += usize::from(by_kill);
        }
        let Ok(parsed) = name.parse::<FlagName>() else {
            reading.warnings += 1;
            continue;
        };
        let around = LintContext { newest: newest.map(|newest| (newest, now)), ..LintContext::default() };
        for finding in lint(&parsed, raw, reader, around) {
            match finding.severity {
                Severity::Warning => reading.warnings += 1,
                Severity::Error => {
                    reading.errors.push(FlagError { flag: name.clone(), code: finding.code, message: finding.message });
                }
            }
        }
    }
    // What services fail on comes first.
    reading.errors.sort_by_key(|error| !error.breaks());
    let mut changed: Vec<&str> = recent.iter().map(|revision| revision.flag.as_str()).collect();
    changed.sort_unstable();
    changed.dedup();
    reading.changed = changed.len();
    reading
}

/// Was it `flag kill`? The command is what was typed, with global flags anywhere.
fn is_kill(revision: &Revision) -> bool {
    revision.command.split_whitespace().any(|word| word == "kill")
}

/// A revision as the other changes of the screen.
fn record(revision: &Revision, environment: &str) -> ChangeRecord {
    let words = delta::words(revision.before.as_deref(), revision.after.as_deref());
    ChangeRecord {
        id: revision.op.clone(),
        state: ChangeState::Done,
        at: revision.at,
        ended: Some(revision.at),
        by: revision.by.clone(),
        environment: environment.to_owned(),
        origin: None,
        action: "flag".into(),
        summary: format!("flag `{}`: {words}", revision.flag),
        command: revision.command.clone(),
        result: Some(json!({ "flag": revision.flag, "rev": revision.rev, "reason": revision.reason })),
        error: None,
        undo: None,
        undoes: None,
        undone_by: None,
    }
}

/// The audit log's changes and the flags', the newest first. A change of this machine is in both, by its id.
pub fn merge(mut changes: Vec<ChangeRecord>, flags: impl IntoIterator<Item = ChangeRecord>) -> Vec<ChangeRecord> {
    let known: std::collections::HashSet<String> = changes.iter().map(|change| change.id.clone()).collect();
    let is_new = |change: &ChangeRecord| !known.contains(&change.id);
    changes.extend(flags.into_iter().filter(is_new));
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(op: &str, minutes: i64, command: &str, after: &str) -> Revision {
        Revision {
            op: op.into(),
            flag: "a".into(),
            rev: 2,
            at: DateTime::from_timestamp(1_700_000_000 + minutes * 60, 0).expect("in range"),
            by: "ada".into(),
            reason: Some("why".into()),
            command: command.into(),
            before: Some(br#"{"enabled":true}"#.to_vec()),
            after: Some(after.as_bytes().to_vec()),
        }
    }

    #[test]
    fn what_counts_as_killed_is_off_and_was_killed_last() {
        let (off, now) = (r#"{"enabled":false,"percentage":50}"#, DateTime::UNIX_EPOCH);
        let flags = vec![("a".to_owned(), off.as_bytes().to_vec())];
        for (command, after, killed) in [
            ("liveops -e prod flag kill a", off, 1),
            ("liveops flag disable a", off, 0),
            ("liveops flag kill a", "{}", 0),
        ] {
            let history = [revision("c1", 0, command, after)];
            let found = reading(&flags, &history, &[&history[0]], Reader::LegacyV1, now);
            assert_eq!((found.count, found.off, found.killed, found.changed), (1, 1, killed, 1), "{command}");
        }
        let trap = r#"{"enabled":true,"percentage":10,"defaultValue":false}"#;
        let flags = vec![("a".to_owned(), trap.as_bytes().to_vec())];
        let found = reading(&flags, &[], &[], Reader::LegacyV1, now);
        assert_eq!(found.errors[0].code, "E06");
    }

    #[test]
    fn a_change_that_both_know_is_told_once_and_the_newest_comes_first() {
        let record = |op: &str, minutes| record(&revision(op, minutes, "", "{}"), "demo");
        let merged = merge(vec![record("c1", 1)], vec![record("c3", 3), record("c1", 1), record("c0", 0)]);
        let ids: Vec<&str> = merged.iter().map(|change| change.id.as_str()).collect();
        assert_eq!(ids, ["c3", "c1", "c0"]);
    }
}
