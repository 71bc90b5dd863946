//! Restores that were made: the project's journal of them.

use crate::check::backups::{ask, chosen};
use crate::config::trust::Place;
use crate::files::journal::Journal;
use crate::session::Session;
use liveops_domain::check::backups::restore::{RESTORED, Restore};
use liveops_domain::error::{Error, Result};

/// The project's journal of restores.
///
/// # Errors
/// Those of the configuration.
pub fn journal(cx: &Session) -> Result<Journal> {
    let place = Place::usual("the journal of restores", "backups/restores.jsonl");
    Ok(Journal::at(cx.config()?.place(&place)?))
}

/// Every restore that was recorded, and what is wrong with the journal.
///
/// # Errors
/// Those of the configuration; a journal that cannot be read.
pub fn all(cx: &Session) -> Result<(Vec<Restore>, Option<String>)> {
    let journal = journal(cx)?;
    let reading = journal.read()?;
    let restores = reading.events.iter().filter(|event| event.kind == RESTORED);
    let restores = restores.filter_map(|event| serde_json::from_value(event.data.clone()).ok()).collect();
    let complaint = reading.faults.first().map(|fault| {
        format!("line {} of {} is not as it was written: {}", fault.line, journal.path().display(), fault.what)
    });
    Ok((restores, complaint))
}

/// Writes a restore down. The backup must be one that its source knows: a record of another proves nothing.
///
/// # Errors
/// `NotFound`: no such item, or no such backup. Those of the journal.
pub async fn write(cx: &Session, restore: &Restore, unlisted: bool, by: &str) -> Result<u64> {
    let item = chosen(cx, std::slice::from_ref(&restore.name))?[0];
    if !unlisted {
        let (answer, _) = ask(cx, item).await;
        let inventory = answer.map_err(|why| {
            Error::usage(
                format!("whether there is a backup `{}` is not known: {why}", restore.backup),
                "add `--unlisted`, if you are sure of its name",
            )
        })?;
        if !inventory.backups.iter().any(|backup| backup.id == restore.backup) {
            let mut known = inventory.backups;
            known.sort_by_key(|backup| std::cmp::Reverse(backup.finished));
            return Err(Error::NotFound {
                what: "backup",
                name: restore.backup.clone(),
                candidates: known.into_iter().map(|backup| backup.id).collect(),
            });
        }
    }
    if cx.choices.dry_run {
        return Ok(0);
    }
    Ok(journal(cx)?.append(cx.clock.now(), by, RESTORED, serde_json::to_value(restore)?)?.seq)
}
