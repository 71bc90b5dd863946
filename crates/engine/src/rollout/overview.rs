//! What rollouts there are, and where each stands.

use futures_util::future::join_all;

use crate::rollout::regions::contexts;
use crate::rollout::resolve::candidates;
use crate::rollout::state_store::open as stores;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::overview::RolloutOverview;
use liveops_domain::rollout::row::{RolloutRow, UnseenRow};

/// The latest rollout of each service, here and in each region, and what kept us from knowing one.
pub async fn rows(cx: &Session) -> Result<RolloutOverview> {
    let regions = match cx.region {
        Some(_) => Vec::new(),
        None => contexts(cx, &cx.config()?.settings.regions),
    };
    let (here, elsewhere) = tokio::join!(rows_here(cx), join_all(regions.iter().map(rows_here)));
    let mut overview = here?;
    let services = candidates(cx)?;
    if !regions.is_empty() {
        // Where there are regions, the environment itself need not be one.
        overview.unseen.clear();
    }
    for (region, found) in regions.iter().zip(elsewhere) {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                // What is wrong with one region hides no other.
                let all = services.iter();
                overview
                    .unseen
                    .extend(all.map(|service| UnseenRow::new(region.region.as_deref(), &service.name, &error)));
                continue;
            }
        };
        overview.unseen.extend(found.unseen);
        for row in found.rollouts {
            // A region may be the very place that its environment names.
            if overview.rollouts.iter().all(|known| known.id != row.id) {
                overview.rollouts.push(row);
            }
        }
    }
    Ok(overview)
}

/// The latest rollout of each service here, regions apart.
async fn rows_here(cx: &Session) -> Result<RolloutOverview> {
    let looks = candidates(cx)?.into_iter().map(|service| async move {
        let unseen = |error: &Error| UnseenRow::new(cx.region.as_deref(), &service.name, error);
        let asked = async {
            let store = stores::open(cx, service)?;
            Ok(tokio::join!(store.load(), store.holder()))
        };
        let (stored, holder) = match asked.await {
            Ok((Ok(stored), holder)) => (stored, holder),
            Ok((Err(error), _)) | Err(error) => return (None, Some(unseen(&error))),
        };
        let Some(stored) = stored else {
            return (None, None);
        };
        match holder {
            Ok(holder) => (Some(RolloutRow::new(&stored.rollout, holder.as_ref())), None),
            // Nobody knows whether it is orphaned, so that is not said of it.
            Err(error) => {
                let row = RolloutRow::held_by_us(&stored.rollout);
                (Some(row), Some(unseen(&error)))
            }
        }
    });
    let mut overview = RolloutOverview::default();
    for (row, unseen) in join_all(looks).await {
        overview.rollouts.extend(row);
        overview.unseen.extend(unseen);
    }
    Ok(overview)
}
