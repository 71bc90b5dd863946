//! `liveops rollout canary`: plan, check, confirm, then step by step. One change in the audit log for the whole of it.

use clap::Args;

use crate::changed::ChangeReport;
use crate::commands::rollout::args::{RegionArgs, StayArgs, WhatArgs};
use crate::commands::rollout::plan::PlanReport;
use crate::commands::rollout::regions as fleet;
use crate::commands::rollout::shown::show;
use crate::context::Context;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::change::{Changed, Plan as Change};
use liveops_engine::rollout::launch::{How, Stay, launch, refuse_second};
use liveops_engine::rollout::prepare::{Prepared, Request, prepare};

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

pub(crate) async fn run(args: CanaryArgs, cx: &Context) -> Result<Exit> {
    if args.regions.is_given() {
        return fleet::begin(cx, args.what.into(), &args.regions, args.stay.stay(), false).await;
    }
    begin(cx, args.what.into(), args.stay.stay(), false).await
}

pub(super) async fn bluegreen(args: BluegreenArgs, cx: &Context) -> Result<Exit> {
    if args.what.steps.is_some() {
        return Err(Error::usage("a switch has no `--steps`", "leave it out, or use `liveops rollout canary`"));
    }
    if args.regions.is_given() {
        return fleet::begin(cx, args.what.into(), &args.regions, args.stay.stay(), true).await;
    }
    begin(cx, args.what.into(), args.stay.stay(), true).await
}

pub(crate) async fn begin(cx: &Context, what: Request, stay: Stay, switch: bool) -> Result<Exit> {
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
    let preview = report.preview(&cx.output.view(cx.clock.now()));
    let change = Change { action, summary: summary.clone(), undo: Some(undo.into()), kill_switch: false, undoes: None };
    let planned = serde_json::to_value(&report)?;
    let how = How { stay, watchers: cx, part: None };
    let changed = cx
        .change(change, preview, async |confirmed| launch(cx, &place, (plan, originals, eyes), &how, confirmed).await)
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
