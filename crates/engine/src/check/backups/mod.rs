//! `check backups`: what each source knows of its backups, judged against what is asked for.

mod bucket;
mod folder;
mod metrics;
mod program;
pub mod record;

use std::time::Instant;

use futures_util::future::join_all;
use serde::Serialize;

use crate::config::backups::{BackupItem, BackupSource};
use crate::session::Session;
use crate::session::lookup::named;
use liveops_domain::check::backups::judge::judge;
use liveops_domain::check::backups::restore::Restore;
use liveops_domain::check::backups::{Backup, Inventory, Run};
use liveops_domain::check::finding::Findings;
use liveops_domain::error::{Error, Result};
use liveops_domain::status::source::{Source, SourceState};

/// What is known of one item.
#[derive(Debug, Serialize)]
pub struct ItemState {
    pub name: String,
    /// How many can be used.
    pub good: usize,
    pub newest_good: Option<Backup>,
    pub last_run: Option<Run>,
    /// The last restore that was recorded.
    pub last_restore: Option<Restore>,
    /// Why nothing is known.
    pub unknown: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Checked {
    pub found: Findings,
    pub items: Vec<ItemState>,
    pub sources: Vec<Source>,
}

/// The items of these names; without names, all.
///
/// # Errors
/// `NotFound`, with the names there are.
pub fn chosen<'a>(cx: &'a Session, names: &[String]) -> Result<Vec<&'a BackupItem>> {
    let all = &cx.config()?.settings.backups;
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    names.iter().map(|name| named("backup", name, all, |item| &item.demand.name)).collect()
}

/// Asks each source at once, and judges.
///
/// # Errors
/// Those of the configuration; a name that means nothing.
pub async fn check(cx: &Session, names: &[String]) -> Result<Checked> {
    let items = chosen(cx, names)?;
    let (restores, complaint) = record::all(cx)?;
    let now = cx.clock.now();
    let asked = join_all(items.iter().map(|item| ask(cx, item))).await;
    let mut checked = Checked { found: Findings::default(), items: Vec::new(), sources: Vec::new() };
    for (item, (answer, source)) in items.iter().zip(asked) {
        let name = &item.demand.name;
        checked.sources.push(source);
        checked.found.checked("backups", 1);
        if let Some(complaint) = &complaint {
            checked.found.unknown("B07", name, complaint.clone());
        }
        let last_restore = restores.iter().filter(|restore| restore.name == *name).max_by_key(|restore| restore.at);
        let mut state = ItemState {
            name: name.clone(),
            good: 0,
            newest_good: None,
            last_run: None,
            last_restore: last_restore.cloned(),
            unknown: None,
        };
        match answer {
            Ok(inventory) => {
                judge(&item.demand, &inventory, &restores, now, &mut checked.found);
                let good = inventory.good();
                state.good = good.len();
                state.newest_good = good.first().map(|backup| (*backup).clone());
                state.last_run = inventory.last_run.clone();
            }
            Err(why) => {
                checked.found.unknown("B01", name, why.clone());
                state.unknown = Some(why);
            }
        }
        checked.items.push(state);
    }
    Ok(checked)
}

/// What the source of one item knows; why it knows nothing.
async fn ask(cx: &Session, item: &BackupItem) -> (std::result::Result<Inventory, String>, Source) {
    let began = Instant::now();
    let answer = inventory(cx, item).await;
    let name = format!("backup {}", item.demand.name);
    let source = match &answer {
        Ok(_) => Source::asked(name, began.elapsed(), Ok(())),
        Err(why) => Source { name, state: SourceState::Down, latency_ms: None, error: Some(why.clone()) },
    };
    (answer, source)
}

async fn inventory(cx: &Session, item: &BackupItem) -> std::result::Result<Inventory, String> {
    match &item.source {
        BackupSource::Folder { place, pattern } => {
            let path = cx.config().and_then(|config| config.place(place)).map_err(|error| plain(&error))?;
            folder::look(&path, pattern)
        }
        BackupSource::S3 { .. } => bucket::look(cx, item).await.map_err(|error| plain(&error)),
        BackupSource::Program(program) => program::look(cx, program, item.demand.archived).await,
        BackupSource::Metrics { last_success, size, last_run_failed } => {
            metrics::look(cx, last_success, size.as_deref(), last_run_failed.as_deref())
                .await
                .map_err(|error| plain(&error))
        }
    }
}

/// An error with what mends it, on one line.
fn plain(error: &Error) -> String {
    match (error, error.hint()) {
        (Error::Secret { .. }, Some(hint)) => format!("{error}; {hint}"),
        _ => error.reason(),
    }
}

/// Does a name match a pattern of `*` and `?`?
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if p < pattern.len() && (pattern[p] == '?' || (pattern[p] == name[n] && pattern[p] != '*')) {
            p += 1;
            n += 1;
        } else if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            n = from + 1;
            star = Some((at, n));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, want) in [
            ("*", "a", true),
            ("orders-*.sql.gz", "orders-1.sql.gz", true),
            ("orders-*.sql.gz", "orders-1.sql.gz.part", false),
            ("a?c*", "abcdef", true),
            ("*a*b", "xaybzb", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
