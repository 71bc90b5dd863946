//! `rollout pause`: a rollout stays at the share that it has; what is bad still takes it back. None of its regions begins.

use crate::rollout::rollback::describe;
use crate::rollout::steering::{Ask, Scope, Steering, under_way};
use crate::session::Session;
use liveops_domain::error::Result;
use liveops_domain::rollout::state::{RequestKind, Rollout};

/// What there is to pause.
pub async fn plan<'s>(
    cx: &Session,
    scope: &'s Scope<'_>,
    action: &'static str,
    reason: Option<String>,
) -> Result<Steering<'s>> {
    let (summary, regions) = match scope {
        Scope::Regions(regional) => {
            let moves = |it: &Rollout| !it.phase.is_terminal() && !it.phase.is_back();
            let regions = regional.regions_where(cx, "a pause", moves)?;
            let at: Vec<String> =
                regional.named(&regions).map(|(region, it)| format!("{region} at {}", it.applied)).collect();
            (format!("pause {} of {} in {}", regional.image(), regional.service, at.join(", ")), regions)
        }
        Scope::One(subject) => {
            let rollout = under_way(cx, subject).await?.rollout;
            (format!("pause {} at {}", describe(&rollout), rollout.applied), Vec::new())
        }
    };
    Ok(Steering { action, summary, regions, ask: Ask::Request(RequestKind::Pause, reason) })
}
