//! Values from the history back into flags: what `flag undo` and `liveops undo` share.

use std::collections::HashMap;

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

/// The flag and its history, as the store has them.
pub async fn read(access: &FlagStoreAccess<'_>, name: &FlagName) -> Result<FlagNow> {
    Ok(FlagNow {
        flag: name.to_string(),
        current: access.store.get(name).await?,
        history: access.store.history(Some(name), None).await?,
    })
}

/// As [`read`], for the names that an audit log holds.
pub async fn read_all(access: &FlagStoreAccess<'_>, names: &[String]) -> Result<Vec<FlagNow>> {
    let names: Vec<FlagName> = names.iter().map(|name| parsed(name)).collect::<Result<_>>()?;
    if let [one] = names.as_slice() {
        return Ok(vec![read(access, one).await?]);
    }
    let values = access.values(&names.iter().collect::<Vec<_>>()).await?;
    // One walk through the history for all of them.
    let mut history: HashMap<String, Vec<Revision>> = HashMap::new();
    for revision in access.store.history(None, None).await? {
        history.entry(revision.flag.clone()).or_default().push(revision);
    }
    let now = |(name, current): (&FlagName, _)| FlagNow {
        flag: name.to_string(),
        current,
        history: history.remove(name.as_str()).unwrap_or_default(),
    };
    Ok(names.iter().zip(values).map(now).collect())
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
            let known: Vec<String> = known.iter().take(8).map(ToString::to_string).collect();
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
