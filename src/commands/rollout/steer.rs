//! `liveops rollout approve`, `pause`, `resume`, `promote`: what people say to a rollout, from any machine. Whoever holds
//! it heeds it at the next look; where nobody does, `resume` and `promote` go on themselves.

use liveops_engine::session::Session;
use std::cell::RefCell;

use clap::Args;
use serde_json::json;

use crate::changed::ChangeReport;
use crate::commands::rollout::args::{StayArgs, WhichArgs};
use crate::commands::rollout::regions as fleet;
use crate::commands::rollout::shown::show;
use crate::context::Context;
use liveops_domain::change::undo::Impossible;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::state::{Approval, Phase, Rollout, WishKind};
use liveops_engine::change::{Changed, Done, Plan as Change};
use liveops_engine::rollout::launch::{How, Stay};
use liveops_engine::rollout::resolve::{Place, choose, place};
use liveops_engine::rollout::rollback::what;
use liveops_engine::rollout::steer::{carry_on, tell, under_way, wish};

/// Agree to the step that a rollout waits before
///
/// Good for this step and this image only, and for as long as the policy says.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout approve
  liveops rollout approve game-backend --yes")]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

/// Keep a rollout at the share that it has; what is bad still takes it back
///
/// Whoever holds it goes on watching the rollback conditions. `rollout resume` goes on with the steps.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout pause --reason \"tournament until 20:00\" --yes")]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Go on with a rollout that is held, or that nobody watches any more
///
/// Anyone can, from any machine that sees its state, after a crash as well.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout resume
  liveops rollout resume game-backend --takeover --yes")]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    #[command(flatten)]
    stay: StayArgs,
}

/// Give a rollout all of the traffic without waiting for evidence; or end its window
///
/// The rollback conditions hold all the same; only the waiting for good evidence is left out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout promote game-backend")]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    #[command(flatten)]
    stay: StayArgs,
}

pub(super) async fn approve(args: ApproveArgs, cx: &Context) -> Result<Exit> {
    if let Some(found) = liveops_engine::rollout::regions::lookup::find(cx, args.which.service()).await? {
        return fleet::steer::approve(cx, &found).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    let stored = under_way(cx, &place).await?;
    let (step, image) = (stored.rollout.step, stored.rollout.plan.image.clone());
    let waits = stored.rollout.phase == Phase::Gate || stored.rollout.lacks_approval(cx.clock.now());
    if !waits {
        return Err(Error::Refused {
            why: format!("{image} waits for no approval; it is {}", stored.rollout.phase.word()),
            hint: format!("look at it: `{}`", cx.command("rollout status")),
        });
    }
    let summary = format!("approve step {} ({}) of {image}", step + 1, stored.rollout.target());
    say(cx, &place, "rollout.approve", summary, None, |rollout, cx| {
        // It may have moved on while somebody thought: the approval is then for a step that is no more.
        rollout.approvals.push(Approval { by: cx.actor.clone(), at: cx.clock.now(), step, image: image.clone() });
    })
    .await
}

pub(super) async fn pause(args: PauseArgs, cx: &Context) -> Result<Exit> {
    if let Some(found) = liveops_engine::rollout::regions::lookup::find(cx, args.which.service()).await? {
        return fleet::steer::pause(cx, &found, args.reason.as_ref()).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    pause_at(cx, &place, "rollout.pause", args.reason).await
}

/// Pauses what is under way there.
///
/// # Errors
/// `Refused` when nothing is.
pub(crate) async fn pause_at(
    cx: &Context,
    place: &Place<'_>,
    action: &'static str,
    reason: Option<String>,
) -> Result<Exit> {
    let stored = under_way(cx, place).await?;
    let rollout = &stored.rollout;
    let summary = format!("pause {} at {}", what(rollout), rollout.applied);
    say(cx, place, action, summary, Some(true), |rollout, cx| {
        rollout.wish = Some(wish(cx, WishKind::Pause, reason.clone()));
    })
    .await
}

pub(super) async fn resume(args: ResumeArgs, cx: &Context) -> Result<Exit> {
    if let Some(found) = liveops_engine::rollout::regions::lookup::find(cx, args.which.service()).await? {
        return fleet::steer::resume(cx, &found, args.stay.stay()).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    let how = ("rollout.resume", "go on with", WishKind::Resume);
    go_on(cx, &place, args.stay.stay(), how).await
}

pub(super) async fn promote(args: PromoteArgs, cx: &Context) -> Result<Exit> {
    if let Some(found) = liveops_engine::rollout::regions::lookup::find(cx, args.which.service()).await? {
        return fleet::steer::promote(cx, &found, args.stay.stay()).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    let how = ("rollout.promote", "promote", WishKind::Promote);
    go_on(cx, &place, args.stay.stay(), how).await
}

/// Writes something into the state for whoever holds it; and has a controller of its own stand still, or go on.
async fn say(
    cx: &Context,
    place: &Place<'_>,
    action: &'static str,
    summary: String,
    still: Option<bool>,
    what: impl Fn(&mut Rollout, &Session),
) -> Result<Exit> {
    let alive = place.memory.holder().await?.is_some_and(|holder| holder.alive);
    let change =
        Change { action, summary: summary.clone(), undo: None, kill_switch: action.ends_with(".pause"), undoes: None };
    let controller = RefCell::new(None);
    let changed = cx
        .change(change, Vec::new(), async |confirmed| {
            let (rollout, said) = tell(cx, place, (action, still), &what, confirmed).await?;
            controller.replace(said);
            Ok(Done {
                result: json!({ "rollout": rollout.id, "service": rollout.service, "step": rollout.step }),
                undo: Some(
                    Impossible::Nothing {
                        why: format!("it was said to a {} that moves on", place.noun()),
                        instead: place.words("status"),
                    }
                    .into(),
                ),
            })
        })
        .await?;
    let mut report = ChangeReport::new(cx, action, summary, changed, json!({}))?;
    report = report.detail(if alive {
        format!("whoever holds the {} heeds it at the next look", place.noun())
    } else {
        format!("nobody holds the {}; go on with `{}`", place.noun(), cx.command(&place.words("resume")))
    });
    if let Some(said) = controller.take() {
        report = report.detail(said);
    }
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// Says it to the holder, or goes on where there is none.
///
/// # Errors
/// As [`go`]; `Refused` when nothing is under way.
pub(crate) async fn go_on(
    cx: &Context,
    place: &Place<'_>,
    stay: Stay,
    (action, verb, kind): (&'static str, &str, WishKind),
) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let stored = under_way(cx, place).await?;
    let rollout = &stored.rollout;
    let summary = format!("{verb} {} at {}", what(rollout), rollout.applied);
    let alive = place.memory.holder().await?.is_some_and(|holder| holder.alive);
    if alive && !stay.takeover {
        return say(cx, place, action, summary, Some(false), |rollout, cx| {
            rollout.wish = Some(wish(cx, kind, None));
        })
        .await;
    }
    let how = How { stay, watchers: cx, part: None };
    let change = Change { action, summary: summary.clone(), undo: None, kill_switch: false, undoes: None };
    let changed =
        cx.change(change, Vec::new(), async |confirmed| carry_on(cx, place, &how, kind, confirmed).await).await?;
    match changed {
        Changed::Planned => {
            let report = ChangeReport::new(cx, action, summary, changed, json!({}))?;
            cx.output.show(&report, cx.clock.now())?;
            Ok(Exit::Good)
        }
        Changed::Done { .. } => show(cx, place).await,
    }
}
