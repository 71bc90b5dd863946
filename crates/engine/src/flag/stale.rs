//! Flags that have long been the same for everybody.

use std::time::Duration;

use serde::Serialize;

use crate::flag::catalog::{FlagCatalog, newest};
use crate::flagstore::FlagStore as _;
use crate::session::Session;
use liveops_domain::error::Result;
use liveops_domain::flag::stale::{Stale, stale};

/// So many days, where nobody says.
pub const AFTER_DAYS: u64 = 30;

/// A flag that decides nothing any more, and who changed it last.
#[derive(Debug, Serialize)]
pub struct StaleFlag {
    pub name: String,
    #[serde(flatten)]
    pub stale: Stale,
    pub by: String,
    pub reason: Option<String>,
}

/// Those there are.
pub struct StaleFlags {
    /// The longest unchanged first.
    pub flags: Vec<StaleFlag>,
    /// Flags without a history, or changed past liveops: not judged.
    pub untold: usize,
    pub catalog: FlagCatalog,
}

/// Looks at every flag of the environment.
///
/// # Errors
/// Those of the store.
pub async fn stale_flags(cx: &Session, days: u64) -> Result<StaleFlags> {
    let store = cx.flags()?;
    let (catalog, history) = tokio::join!(FlagCatalog::of(cx, &store), store.newest());
    let (catalog, history) = (catalog?, history?);
    let newest = newest(&history);
    let after = Duration::from_secs(days.saturating_mul(86_400));
    let now = cx.clock.now();
    let mut flags = Vec::new();
    let mut untold = 0;
    for stored in &catalog.flags {
        // A flag that was changed past liveops has no age.
        let Some(last) = newest.get(stored.name.as_str()).filter(|last| last.after.as_ref() == Some(&stored.raw))
        else {
            untold += 1;
            continue;
        };
        flags.extend(stale(&stored.raw, last, now, after).map(|stale| StaleFlag {
            name: stored.name.clone(),
            stale,
            by: last.by.clone(),
            reason: last.reason.clone(),
        }));
    }
    flags.sort_by_key(|one| one.stale.since);
    Ok(StaleFlags { flags, untold, catalog })
}
