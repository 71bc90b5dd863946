//! `liveops rollout canary`: plan, check, confirm, then step by step. One change in the audit log for the whole of it.

use clap::Args;
use serde_json::json;

use crate::change::{Changed, Confirmed, Done, Plan as Change};
use crate::commands::changed::ChangeReport;
use crate::commands::rollout::archive;
use crate::commands::rollout::evidence::Eyes;
use crate::commands::rollout::fleet::board::Board;
use crate::commands::rollout::fleet::{self, RegionArgs};
use crate::commands::rollout::memory::Stored;
use crate::commands::rollout::open::Place;
use crate::commands::rollout::overview::RolloutStatus;
use crate::commands::rollout::plan::{PlanReport, Prepared, WhatArgs, prepare};
use crate::commands::rollout::progress::Progress;
use crate::commands::rollout::ramp::RampStatus;
use crate::commands::rollout::report::RolloutRow;
use crate::commands::rollout::runner::{Begin, Left, Runner, Until};
use crate::context::Context;
use crate::domain::rollout::exposure::Originals;
use crate::domain::rollout::fleet::Fleet;
use crate::domain::rollout::plan::{FLAG, Plan};
use crate::domain::rollout::state::Rollout;
use crate::domain::undo::RolloutUndo;
use crate::error::{Error, Exit, Result};

/// Give a new version more and more of the traffic, as long as the metrics allow
///
/// Asks on a terminal for what is missing. It stays until the end, with a live table of every condition; whatever
/// happens to it, the weight stays where it was, and `rollout resume` or `rollout abort` go on from any machine that
/// sees the same state. SIGTERM rolls back first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout canary game-backend --image game:2.1
  liveops rollout canary --image game:2.1 --policy fast --yes
  liveops rollout canary --image game:2.1 --steps 1,10,50 --until promoted
  liveops rollout canary --image game:2.1 --regions eu,us,asia --wave 1,2
  liveops rollout canary --image game:2.1 --waive error_budget --reason \"hotfix\"")]
pub(crate) struct CanaryArgs {
    #[command(flatten)]
    what: WhatArgs,

    #[command(flatten)]
    regions: RegionArgs,

    #[command(flatten)]
    stay: StayArgs,
}

/// How long to stay.
#[derive(Debug, Clone, Args)]
pub(super) struct StayArgs {
    /// Stay until this: a hold or gate that waits for a person, the promotion, or the end of the window
    #[arg(long, value_enum, default_value_t = Stay::Finished, hide_possible_values = true, value_name = "paused|promoted|finished")]
    until: Stay,

    /// Only begin, and leave it to `rollout resume` (or to the cluster's own controller)
    #[arg(long)]
    detach: bool,

    /// Take it from a holder that hangs
    #[arg(long)]
    pub(super) takeover: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stay {
    Paused,
    Promoted,
    Finished,
}

impl StayArgs {
    pub(super) fn until(&self) -> Until {
        match self.until {
            _ if self.detach => Until::Begun,
            Stay::Paused => Until::Paused,
            Stay::Promoted => Until::Promoted,
            Stay::Finished => Until::Finished,
        }
    }
}

/// Who we are, for the lock.
pub(super) fn holder(cx: &Context) -> String {
    format!("{}#{:08x}", cx.actor, fastrand::u32(..))
}

/// Switch all traffic to a new version at once; the old one stays for an instant way back
///
/// The new version is started and must be ready first; the preflight gates are those of a canary. The conditions of the
/// policy are looked at as soon as it has the traffic, and through the window.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout bluegreen game-backend --image game:2.1
  liveops rollout bluegreen --image game:2.1 --policy standard --yes")]
pub(crate) struct BluegreenArgs {
    #[command(flatten)]
    what: WhatArgs,

    #[command(flatten)]
    regions: RegionArgs,

    #[command(flatten)]
    stay: StayArgs,
}

pub(super) async fn run(args: CanaryArgs, cx: &Context) -> Result<Exit> {
    if args.regions.is_given() {
        return fleet::begin(cx, args.what, &args.regions, &args.stay, false).await;
    }
    begin(cx, args.what, &args.stay, false).await
}

pub(super) async fn bluegreen(args: BluegreenArgs, cx: &Context) -> Result<Exit> {
    if args.what.steps.is_some() {
        return Err(Error::usage("a switch has no `--steps`", "leave it out, or use `liveops rollout canary`"));
    }
    if args.regions.is_given() {
        return fleet::begin(cx, args.what, &args.regions, &args.stay, true).await;
    }
    begin(cx, args.what, &args.stay, true).await
}

async fn begin(cx: &Context, what: WhatArgs, stay: &StayArgs, switch: bool) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let prepared = prepare(cx, what, switch).await?;
    let action = if switch { "rollout.bluegreen" } else { "rollout.canary" };
    // A rollout under way is the better reason: its traffic would only look like a gate's refusal.
    refuse_second(cx, &prepared.place).await?;
    let report = PlanReport::new(cx, &prepared)?;
    if report.is_refused() {
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Bad);
    }
    let Prepared { place, plan, originals, eyes, .. } = prepared;
    let service = place.name.clone();
    let summary = match plan.rules.steps.len() {
        1 => format!("switch {service} to {}", plan.image),
        steps => format!("roll out {} to {service} in {steps} steps", plan.image),
    };
    let undo = RolloutUndo::Rollback { service: service.clone(), image: plan.image.clone(), regions: Vec::new() };
    let change = Change {
        action,
        summary: summary.clone(),
        preview: report.preview(&cx.output.view(cx.clock.now())),
        undo: Some(undo.into()),
        kill_switch: false,
        undoes: None,
    };
    let planned = serde_json::to_value(&report)?;
    let how = How { until: stay.until(), takeover: stay.takeover, part: None };
    let changed = change
        .carry_out(cx, async |confirmed| launch(cx, &place, (plan, originals, eyes), &how, confirmed).await)
        .await?;
    match changed {
        Changed::Planned => {
            let report = ChangeReport::new(cx, action, summary, changed, planned)?;
            cx.output.show(&report, cx.clock.now())?;
            Ok(Exit::Good)
        }
        Changed::Done { .. } => show(cx, &place).await,
    }
}

/// How a rollout is gone through with.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) until: Until,
    pub(super) takeover: bool,
    /// Of a rollout over several regions.
    pub(super) part: Option<(&'a Fleet, &'a Board)>,
}

/// Takes the lock, and begins.
///
/// # Errors
/// As [`go`]; `Refused` when somebody was faster.
pub(super) async fn launch(
    cx: &Context,
    place: &Place<'_>,
    (plan, originals, eyes): (Plan, Originals, Eyes<'_>),
    how: &How<'_>,
    confirmed: &Confirmed,
) -> Result<Done> {
    let lock = place.memory.acquire(&holder(cx), how.takeover, confirmed).await?;
    // Somebody may have been faster between the look and the lock.
    let stored = match refuse_second(cx, place).await {
        Ok(stored) => stored,
        Err(error) => {
            let _ = place.memory.release(&lock, confirmed).await;
            return Err(error);
        }
    };
    let now = cx.clock.now();
    let id = format!("r{:08x}", fastrand::u32(..));
    let names = (place.name.clone(), cx.environment()?.to_owned());
    let mut rollout = Rollout::new(id, names, cx.actor.clone(), plan, originals, now);
    rollout.change = Some(confirmed.id().to_owned());
    rollout.region.clone_from(&cx.region);
    rollout.fleet = how.part.map(|(fleet, _)| fleet.clone());
    rollout.note(now, format!("begun by {}", cx.actor));
    let begin = Begin {
        cx,
        place,
        eyes,
        confirmed,
        lock,
        rollout,
        version: stored.map(|stored| archived(cx, stored)),
        progress: Progress::begin(cx, 0, how.part.map(|(_, board)| board))?,
        until: how.until,
        board: how.part.map(|(_, board)| board),
    };
    go(begin).await
}

/// Keeps what the new rollout takes the place of, for the history. Gives its version.
pub(super) fn archived(cx: &Context, stored: Stored) -> String {
    archive::keep(cx, &stored.rollout);
    stored.version
}

/// A second rollout of a service waits until the first is over. Gives the state that is there.
pub(super) async fn refuse_second(cx: &Context, place: &Place<'_>) -> Result<Option<Stored>> {
    let Some(stored) = place.memory.load().await? else {
        return Ok(None);
    };
    let there = &stored.rollout;
    if there.phase.is_terminal() {
        return Ok(Some(stored));
    }
    Err(Error::Refused {
        why: format!(
            "{} of {} is under way ({} at {})",
            match there.plan.is_exact() {
                true => "a ramp",
                false => &there.plan.image,
            },
            there.service,
            there.phase.word_on(&there.plan.target),
            there.applied
        ),
        hint: format!(
            "look: `{}`, go on: `{}`, go back: `{}`",
            cx.command(&place.words("status")),
            cx.command(&place.words("resume")),
            cx.command(&place.words("abort"))
        ),
    })
}

/// Runs it, and says how it went.
///
/// # Errors
/// `HalfDone` when it waits for somebody, `Conflict` when it was taken over.
pub(super) async fn go(begin: Begin<'_>) -> Result<Done> {
    let (cx, until) = (begin.cx, begin.until);
    let place = begin.place;
    let mut runner = Runner::new(begin);
    let left = runner.run().await?;
    runner.progress.leave();
    let rollout = &runner.rollout;
    let result = match rollout.plan.is_exact() {
        true => json!({
            "ramp": rollout.id,
            "flag": rollout.service,
            "phase": rollout.phase,
            "percentage": rollout.applied,
            "reason": rollout.reason,
        }),
        false => json!({
        "rollout": rollout.id,
        "service": rollout.service,
        "image": rollout.plan.image,
        "policy": rollout.plan.policy,
        "phase": rollout.phase,
        "weight": rollout.applied,
        "reason": rollout.reason,
        "waived": rollout.plan.waived,
        }),
    };
    match left {
        Left::Taken => Err(Error::Conflict {
            what: format!("somebody else has taken the {} over", place.noun()),
            hint: format!("look at it: `{}`", cx.command(&place.words("status"))),
        }),
        Left::Stuck => Err(stuck(cx, place, rollout)),
        Left::Waiting => {
            let why = match &rollout.hold {
                Some(hold) => hold.text.clone(),
                None => "it waits for approval".into(),
            };
            let verb = if runner.is_held() { "resume" } else { "approve" };
            Err(Error::HalfDone {
                done: match rollout.plan.is_exact() {
                    true => format!("flag `{}` is at {}", rollout.service, rollout.applied),
                    false => format!("{} has {} of the traffic", rollout.plan.image, rollout.applied),
                },
                left: why,
                command: cx.command(&place.words(verb)),
            })
        }
        Left::There => {
            if until == Until::Begun && !rollout.phase.is_terminal() {
                let resume = cx.command(&place.words("resume"));
                cx.output.note(&format!("detached; nobody watches it until `{resume}`"));
            }
            let undo = RolloutUndo::of(rollout);
            Ok(Done { result, undo: (!rollout.phase.is_back()).then(|| undo.into()) })
        }
    }
}

/// The old version does not have its traffic: what is left, and the command for it.
pub(super) fn stuck(cx: &Context, place: &Place<'_>, rollout: &Rollout) -> Error {
    let again = cx.command(&format!("{} --yes", place.words("abort")));
    let (text, by_hand) = match &rollout.stuck {
        Some(stuck) => (stuck.text.clone(), stuck.by_hand.clone()),
        None => ("it was not said why".into(), None),
    };
    Error::HalfDone {
        done: format!("tried to take {} of {} back", rollout.plan.image, rollout.service),
        left: format!(
            "the old version does not have its traffic yet: {text}; by hand or again, then `{again}` finishes it"
        ),
        command: by_hand.unwrap_or(again),
    }
}

/// The end of it: the report, and the exit code that belongs to it.
pub(super) async fn show(cx: &Context, place: &Place<'_>) -> Result<Exit> {
    let Some(stored) = place.memory.load().await? else {
        return Err(Error::internal("it has left no state"));
    };
    let holder = place.memory.holder().await.unwrap_or_default();
    let row = RolloutRow::new(&stored.rollout, holder.as_ref());
    let phase = row.phase;
    let report = RolloutStatus::one(cx, Some(row))?;
    match place.target.kind() {
        FLAG => cx.output.show_line(&RampStatus(report), cx.clock.now())?,
        _ => cx.output.show_line(&report, cx.clock.now())?,
    }
    Ok(if phase.is_back() { Exit::Bad } else { Exit::Good })
}
