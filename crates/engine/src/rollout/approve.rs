//! `rollout approve`: agrees to the step that a rollout waits before; good for that step and that image alone.

use crate::rollout::steering::{Ask, Scope, Steering, under_way};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::state::{Phase, Rollout};

/// What there is to approve.
pub async fn plan<'s>(cx: &Session, scope: &'s Scope<'_>) -> Result<Steering<'s>> {
    let now = cx.clock.now();
    let waits = |rollout: &Rollout| rollout.phase == Phase::Gate || rollout.lacks_approval(now);
    let step = |region: Option<String>, rollout: &Rollout| (region, rollout.step, rollout.plan.image.clone());
    let (summary, regions, steps) = match scope {
        Scope::Regions(regional) => {
            let regions = regional.regions_where(cx, "approval", waits)?;
            let waiting: Vec<(&str, &Rollout)> = regional.named(&regions).collect();
            let words: Vec<String> = waiting
                .iter()
                .map(|(region, it)| format!("step {} ({}) in {region}", it.step + 1, it.target()))
                .collect();
            let steps = waiting.iter().map(|(region, it)| step(Some((*region).to_owned()), it)).collect();
            (format!("approve {} of {}", words.join(", "), regional.image()), regions, steps)
        }
        Scope::One(subject) => {
            let rollout = under_way(cx, subject).await?.rollout;
            let image = &rollout.plan.image;
            if !waits(&rollout) {
                return Err(Error::Refused {
                    why: format!("{image} waits for no approval; it is {}", rollout.phase.word()),
                    hint: format!("look at it: `{}`", cx.command("rollout status")),
                });
            }
            let summary = format!("approve step {} ({}) of {image}", rollout.step + 1, rollout.target());
            (summary, Vec::new(), vec![step(cx.region.clone(), &rollout)])
        }
    };
    Ok(Steering { action: "rollout.approve", summary, regions, ask: Ask::Approve(steps) })
}
