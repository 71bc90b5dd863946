//! What `approve`, `pause`, `resume` and `promote` share, of rollouts and of ramps: they are heeded by whoever holds the
//! rollout; where nobody does, `resume` and `promote` go on themselves.

use std::cell::RefCell;

use serde_json::json;

use crate::changed::ChangeReport;
use crate::commands::rollout::status::show_end;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_engine::change::{Changed, Plan as Change};
use liveops_engine::rollout::launch::Stay;
use liveops_engine::rollout::resolve::words;
use liveops_engine::rollout::resume::carry_on;
use liveops_engine::rollout::steering::{Scope, Steering};

/// Writes it into the state, for whoever holds the rollout.
pub(crate) async fn send(cx: &Context, scope: &Scope<'_>, steering: &Steering<'_>) -> Result<Exit> {
    let holders = scope.holders(&steering.regions).await?;
    let (action, summary) = (steering.action, steering.summary.clone());
    let kill_switch = action.ends_with(".pause");
    let change = Change { action, summary: summary.clone(), undo: None, kill_switch, undoes: None };
    let controller = RefCell::new(None);
    let changed = cx
        .change(change, Vec::new(), async |confirmed| {
            let (done, says) = steering.send(cx, scope, confirmed).await?;
            controller.replace(says);
            Ok(done)
        })
        .await?;
    let unheld: Vec<&str> = holders.iter().filter(|(_, alive)| !alive).map(|(region, _)| region.as_str()).collect();
    let heeded = match (scope, unheld.is_empty()) {
        (Scope::One(subject), true) => format!("whoever holds the {} heeds it at the next look", subject.noun()),
        (Scope::One(subject), false) => {
            format!("nobody holds the {}; go on with `{}`", subject.noun(), cx.command(&subject.words("resume")))
        }
        (Scope::Regions(_), true) => "whoever holds the regions heeds it at the next look".into(),
        (Scope::Regions(regional), false) => {
            let resume = cx.command(&words("", "resume", &regional.service));
            format!("nobody holds the rollout in {}; go on with `{resume}`", unheld.join(", "))
        }
    };
    let mut report = ChangeReport::new(cx, action, summary, changed, json!({}))?.detail(heeded);
    if let Some(controller) = controller.take() {
        report = report.detail(controller);
    }
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// Tells the holder, or goes on where there is none.
pub(crate) async fn go_on(cx: &Context, scope: &Scope<'_>, steering: &Steering<'_>, stay: Stay) -> Result<Exit> {
    if !stay.takeover && scope.holders(&steering.regions).await?.iter().any(|(_, alive)| *alive) {
        return send(cx, scope, steering).await;
    }
    let (action, summary) = (steering.action, steering.summary.clone());
    let change = Change { action, summary: summary.clone(), undo: None, kill_switch: false, undoes: None };
    let changed = cx
        .change(change, Vec::new(), async |confirmed| carry_on(cx, scope, steering, (stay, cx), confirmed).await)
        .await?;
    match changed {
        Changed::Planned => {
            let report = ChangeReport::new(cx, action, summary, changed, json!({}))?;
            cx.output.show(&report, cx.clock.now())?;
            Ok(Exit::Good)
        }
        Changed::Done { .. } => show_end(cx, scope).await,
    }
}
