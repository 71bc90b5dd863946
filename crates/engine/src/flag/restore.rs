//! Values from the history back into flags: what `flag undo` and `liveops undo` share.

use std::collections::{HashMap, HashSet};

use crate::flag::store_access::{FlagStoreAccess, FlagUpdate};
use crate::flagstore::FlagStore;
use crate::session::Session;
use liveops_domain::change::undo::flag::{FlagNow, Restore, Stale};
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::delta::words;
use liveops_domain::flag::edit::{Edit, apply};
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::text::shell::word;

/// So many changes are named where the one that is asked for is not among them.
const NAMED: usize = 8;

/// The flag, and as much of its history as it takes to go back to a revision, or without one over the newest change.
pub async fn read(access: &FlagStoreAccess<'_>, name: &FlagName, to_rev: Option<u64>) -> Result<FlagNow> {
    let current = access.store.get(name).await?;
    let mut history = Vec::new();
    access
        .store
        .visit(&[name], |revision| {
            let is_enough = to_rev.is_none_or(|rev| rev == revision.rev);
            keep(&mut history, revision, is_enough)
        })
        .await?;
    Ok(FlagNow { flag: name.to_string(), current, history })
}

/// As [`read`], for the names that an audit log holds, and the change that is to be taken back.
pub async fn read_all(access: &FlagStoreAccess<'_>, names: &[String], op: &str) -> Result<Vec<FlagNow>> {
    let names: Vec<FlagName> = names.iter().map(|name| parsed(name)).collect::<Result<_>>()?;
    let names: Vec<&FlagName> = names.iter().collect();
    let values = access.values(&names).await?;
    // One walk through the history for all of them.
    let mut history: HashMap<String, Vec<Revision>> = HashMap::new();
    let mut missing: HashSet<&str> = names.iter().map(|name| name.as_str()).collect();
    access
        .store
        .visit(&names, |revision| {
            if missing.contains(revision.flag.as_str()) {
                let (flag, is_it) = (revision.flag.clone(), revision.op == op);
                if is_it {
                    missing.remove(flag.as_str());
                }
                keep(history.entry(flag).or_default(), revision, is_it);
            }
            missing.is_empty()
        })
        .await?;
    let now = |(name, current): (&&FlagName, _)| FlagNow {
        flag: name.to_string(),
        current,
        history: history.remove(name.as_str()).unwrap_or_default(),
    };
    Ok(names.iter().zip(values).map(now).collect())
}

/// Keeps the newest changes and the one that is asked for: a long history is not held.
fn keep(history: &mut Vec<Revision>, revision: Revision, is_asked_for: bool) -> bool {
    if is_asked_for || history.len() < NAMED {
        history.push(revision);
    }
    is_asked_for
}

/// The history and the audit log hold no other names than ours.
fn parsed(name: &str) -> Result<FlagName> {
    name.parse().map_err(|error| Error::internal(&format!("flag `{name}`: {error}")))
}

/// What is to be written for it: the old value as a new revision.
pub fn target(restore: &Restore, reader: Reader) -> Result<FlagUpdate> {
    let name = parsed(&restore.flag)?;
    let edit = match &restore.to {
        Some(bytes) => Edit::Replace(bytes.clone()),
        None => Edit::Remove,
    };
    // What was no JSON before is put back as it was: there is no place in it for a revision.
    let after = match (&restore.from, &restore.to) {
        (None, None) => None,
        (from, to) => apply(from.as_deref(), &edit, reader).unwrap_or_else(|_| to.clone()),
    };
    Ok(FlagUpdate { name, edit, before: restore.from.clone(), after, strict: true, said: Vec::new() })
}

/// The error for a flag that has moved on: what happened to it since, and what can be done.
pub fn stale(cx: &Session, why: &Stale) -> Error {
    let history = |flag: &str| cx.command(&format!("flag history {}", word(flag)));
    let (what, hint) = match why {
        Stale::Changed { flag, by } => (
            format!("{why}: {}; nothing was overwritten", words(by.before.as_deref(), by.after.as_deref())),
            format!(
                "`{}` takes that back; `{}` shows the revisions, and `flag undo {} --to-rev N` restores one",
                cx.command(&format!("flag undo {}", word(flag))),
                history(flag),
                word(flag)
            ),
        ),
        Stale::Drifted { flag, newest, found } => (
            format!("{why}: {}; nothing was overwritten", words(newest.after.as_deref(), found.as_deref())),
            format!(
                "look at it: `{}`; then set what you want by hand",
                cx.command(&format!("flag get {}", word(flag)))
            ),
        ),
        Stale::NoRevision { flag, known, .. } => {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            let hint = format!("it knows {}; `{}` shows them", known.join(", "), history(flag));
            return Error::usage(why.to_string(), hint);
        }
        Stale::Forgotten { flag } | Stale::NoHistory { flag } => {
            (why.to_string(), format!("what it knows: `{}`", history(flag)))
        }
        Stale::DidNotHappen(_) => (why.to_string(), format!("what can be undone: `{}`", cx.command("undo --list"))),
    };
    Error::Conflict { what, hint }
}
