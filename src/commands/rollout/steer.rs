//! `liveops rollout approve`, `pause`, `resume`, `promote`: what people say to a rollout, from any machine. Whoever holds
//! it heeds it at the next look; where nobody does, `resume` and `promote` go on themselves.

use std::cell::RefCell;

use clap::Args;
use serde_json::json;

use crate::change::{Changed, Confirmed, Done, Plan as Change};
use crate::commands::changed::ChangeReport;
use crate::commands::rollout::back::what;
use crate::commands::rollout::canary::{How, StayArgs, go, holder, show};
use crate::commands::rollout::evidence::Eyes;
use crate::commands::rollout::fleet;
use crate::commands::rollout::memory::Stored;
use crate::commands::rollout::open::{Place, WhichArgs, choose, place};
use crate::commands::rollout::progress::Progress;
use crate::commands::rollout::runner::{Begin, Until};
use crate::context::Context;
use crate::domain::rollout::state::{Approval, Phase, Rollout, Wish, WishKind};
use crate::domain::undo::Impossible;
use crate::error::{Error, Exit, Result};

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
    if let Some(found) = fleet::find(cx, args.which.service()).await? {
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
    if let Some(found) = fleet::find(cx, args.which.service()).await? {
        return fleet::steer::pause(cx, &found, args.reason.as_ref()).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    pause_at(cx, &place, "rollout.pause", args.reason).await
}

/// Pauses what is under way there.
///
/// # Errors
/// `Refused` when nothing is.
pub(super) async fn pause_at(
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
    if let Some(found) = fleet::find(cx, args.which.service()).await? {
        return fleet::steer::resume(cx, &found, &args.stay).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    let how = ("rollout.resume", "go on with", WishKind::Resume);
    go_on(cx, &place, (args.stay.until(), args.stay.takeover), how).await
}

pub(super) async fn promote(args: PromoteArgs, cx: &Context) -> Result<Exit> {
    if let Some(found) = fleet::find(cx, args.which.service()).await? {
        return fleet::steer::promote(cx, &found, &args.stay).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    let how = ("rollout.promote", "promote", WishKind::Promote);
    go_on(cx, &place, (args.stay.until(), args.stay.takeover), how).await
}

/// What is asked for, by us and now.
pub(super) fn wish(cx: &Context, what: WishKind, reason: Option<String>) -> Wish {
    Wish { what, by: cx.actor.clone(), at: cx.clock.now(), reason }
}

/// The rollout that is not over.
async fn under_way(cx: &Context, place: &Place<'_>) -> Result<Stored> {
    let service = &place.name;
    match place.memory.load().await? {
        Some(stored) if !stored.rollout.phase.is_terminal() => Ok(stored),
        other => Err(Error::Refused {
            why: match other {
                Some(stored) => format!(
                    "no {} of {service} is under way: {} is {}",
                    place.noun(),
                    what(&stored.rollout),
                    stored.rollout.phase.word_on(&stored.rollout.plan.target)
                ),
                None => format!("no {} of {service} was ever begun", place.noun()),
            },
            hint: format!("begin one: `{}`", cx.command(&place.beginning())),
        }),
    }
}

/// What was typed: the last part of the change's name.
fn verb_of(action: &str) -> &str {
    action.rsplit('.').next().unwrap_or(action)
}

/// Writes something into the state for whoever holds it; and has a controller of its own stand still, or go on.
async fn say(
    cx: &Context,
    place: &Place<'_>,
    action: &'static str,
    summary: String,
    still: Option<bool>,
    what: impl Fn(&mut Rollout, &Context),
) -> Result<Exit> {
    let alive = place.memory.holder().await?.is_some_and(|holder| holder.alive);
    let change = Change {
        action,
        summary: summary.clone(),
        preview: Vec::new(),
        undo: None,
        kill_switch: action.ends_with(".pause"),
        undoes: None,
    };
    let controller = RefCell::new(None);
    let changed = change
        .carry_out(cx, async |confirmed| {
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

/// Writes something into the state of what is under way there, and has a controller of its own stand still, or go on.
/// Gives what is stored then, and what such a controller does.
///
/// # Errors
/// `Refused` when nothing is under way; `Conflict` when others write all the time; `HalfDone` when the controller was not
/// told.
pub(super) async fn tell(
    cx: &Context,
    place: &Place<'_>,
    (action, still): (&str, Option<bool>),
    what: &impl Fn(&mut Rollout, &Context),
    confirmed: &Confirmed,
) -> Result<(Rollout, Option<String>)> {
    for _ in 0..8 {
        let stored = under_way(cx, place).await?;
        let mut rollout = stored.rollout;
        what(&mut rollout, cx);
        let before = Some(stored.version.as_str());
        match place.memory.save(&rollout, before, confirmed).await {
            // The holder was faster; look again.
            Err(Error::Conflict { .. }) => continue,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let Some(still) = still else {
            return Ok((rollout, None));
        };
        let told = place.target.halt(still, confirmed).await;
        return match told {
            Ok(said) => Ok((rollout, said)),
            Err(error) => Err(Error::HalfDone {
                done: format!("said it to the {}", place.noun()),
                left: format!("its controller was not told: {error}"),
                command: cx.command(&place.words(verb_of(action))),
            }),
        };
    }
    Err(Error::Conflict { what: "the state of the rollout changes too fast".into(), hint: "try again".into() })
}

/// Says it to the holder, or goes on where there is none.
///
/// # Errors
/// As [`go`]; `Refused` when nothing is under way.
pub(super) async fn go_on(
    cx: &Context,
    place: &Place<'_>,
    (until, takeover): (Until, bool),
    (action, verb, kind): (&'static str, &str, WishKind),
) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let stored = under_way(cx, place).await?;
    let rollout = &stored.rollout;
    let summary = format!("{verb} {} at {}", what(rollout), rollout.applied);
    let alive = place.memory.holder().await?.is_some_and(|holder| holder.alive);
    if alive && !takeover {
        return say(cx, place, action, summary, Some(false), |rollout, cx| {
            rollout.wish = Some(wish(cx, kind, None));
        })
        .await;
    }
    let how = How { until, takeover, part: None };
    let change =
        Change { action, summary: summary.clone(), preview: Vec::new(), undo: None, kill_switch: false, undoes: None };
    let changed = change.carry_out(cx, async |confirmed| carry_on(cx, place, &how, kind, confirmed).await).await?;
    match changed {
        Changed::Planned => {
            let report = ChangeReport::new(cx, action, summary, changed, json!({}))?;
            cx.output.show(&report, cx.clock.now())?;
            Ok(Exit::Good)
        }
        Changed::Done { .. } => show(cx, place).await,
    }
}

/// Takes the lock of a rollout that is under way, and goes on with it.
///
/// # Errors
/// As [`go`]; `Refused` when it is over, or somebody holds it.
pub(super) async fn carry_on(
    cx: &Context,
    place: &Place<'_>,
    how: &How<'_>,
    what: WishKind,
    confirmed: &Confirmed,
) -> Result<Done> {
    let stored = under_way(cx, place).await?;
    let eyes = Eyes::open(cx, &place.scene, &stored.rollout.plan.rules)?;
    let lock = place.memory.acquire(&holder(cx), how.takeover, confirmed).await?;
    let again = async {
        let stored = under_way(cx, place).await?;
        place.target.halt(false, confirmed).await?;
        Ok(stored)
    };
    let stored = match again.await {
        Ok(stored) => stored,
        Err(error) => {
            let _ = place.memory.release(&lock, confirmed).await;
            return Err(error);
        }
    };
    let mut rollout = stored.rollout;
    let told = rollout.happened();
    // What was seen before the crash is not known here: each step is observed anew.
    rollout.wish = rollout.wish.or_else(|| Some(wish(cx, what, None)));
    let begin = Begin {
        cx,
        place,
        eyes,
        confirmed,
        lock,
        rollout,
        version: Some(stored.version),
        progress: Progress::begin(cx, told, how.part.map(|(_, board)| board))?,
        until: how.until,
        board: how.part.map(|(_, board)| board),
    };
    go(begin).await
}
