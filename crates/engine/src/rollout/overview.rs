//! What rollouts there are, and where each stands.

use futures_util::future::join_all;

use crate::rollout::resolve::candidates;
use crate::rollout::state_store::open as memories;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::overview::Seen;
use liveops_domain::rollout::row::{RolloutRow, UnseenRow};

/// The latest rollout of each service, in every region, and what kept us from knowing one.
///
/// # Errors
/// The configuration.
pub async fn rows(cx: &Session) -> Result<Seen> {
    crate::rollout::regions::lookup::rows(cx).await
}

/// The latest rollout of each service here, regions apart.
///
/// # Errors
/// The configuration.
pub async fn rows_here(cx: &Session) -> Result<Seen> {
    let looks = candidates(cx)?.into_iter().map(|service| async move {
        let unseen = |error: &Error| UnseenRow::new(cx.region.as_deref(), &service.name, error);
        let asked = async {
            let memory = memories::open(cx, service)?;
            Ok(tokio::join!(memory.load(), memory.holder()))
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
    let mut seen = Seen::default();
    for (row, unseen) in join_all(looks).await {
        seen.rollouts.extend(row);
        seen.unseen.extend(unseen);
    }
    Ok(seen)
}
