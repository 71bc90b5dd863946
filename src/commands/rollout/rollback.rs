//! What `rollout abort`, `rollout undo` and `flag ramp abort` share.

use serde_json::json;

use crate::changed::ChangeReport;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_engine::change::Plan as Change;
use liveops_engine::rollout::rollback;
use liveops_engine::rollout::steering::Scope;

/// Why it goes back, as it is kept.
pub(crate) fn abort_reason(cx: &Context, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("aborted by {}: {reason}", cx.actor),
        None => format!("aborted by {}", cx.actor),
    }
}

/// Goes back, unless it is back already; a finished one only where that is meant.
pub(crate) async fn roll_back(
    cx: &Context,
    scope: &Scope<'_>,
    (action, reason): (&'static str, String),
    finished_too: bool,
) -> Result<Exit> {
    let report = match rollback::plan(cx, scope, finished_too).await? {
        Err(nothing) => ChangeReport::nothing(cx, action, nothing, json!({}))?,
        Ok(plan) => {
            let (summary, planned) = (plan.summary.clone(), plan.planned.clone());
            let change = Change { action, summary: summary.clone(), undo: None, kill_switch: true, undoes: None };
            let changed = cx
                .change(change, Vec::new(), async |confirmed| rollback::act(cx, scope, plan, reason, confirmed).await)
                .await?;
            ChangeReport::new(cx, action, summary, changed, planned)?
        }
    };
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}
