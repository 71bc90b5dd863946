//! `liveops rollout canary`: plan, check, confirm, then step by step. One change in the audit log for all of it.

use clap::Args;

use crate::changed::ChangeReport;
use crate::commands::rollout::args::{BeginArgs, RegionArgs};
use crate::commands::rollout::plan::{FleetPlan, PlanReport, RolloutPlan};
use crate::commands::rollout::status::{show_end, show_regions};
use crate::context::Context;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::fleet::Fleet;
use liveops_domain::rollout::region_phase::RegionPhases;
use liveops_domain::rollout::state::RequestKind;
use liveops_domain::text::count::count;
use liveops_engine::change::confirmed::Confirmed;
use liveops_engine::change::{Changed, Done, Plan as Change};
use liveops_engine::rollout::launch::{RunOptions, Stay, launch, new_rollout, refuse_if_under_way};
use liveops_engine::rollout::prepare::{Prepared, RolloutSpec, prepare};
use liveops_engine::rollout::regions::run::{PlanSource, RegionalRun};
use liveops_engine::rollout::regions::{contexts, prepare_all};
use liveops_engine::rollout::resolve::choose;
use liveops_engine::rollout::steering::Scope;

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
    begin: BeginArgs,
}

pub(super) async fn run(args: CanaryArgs, cx: &Context) -> Result<Exit> {
    begin(cx, args.begin, false).await
}

/// Begins here, or in the regions that were named.
pub(super) async fn begin(cx: &Context, args: BeginArgs, switch: bool) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let (spec, stay) = (args.what.into(), args.stay.stay());
    match args.regions.is_given() {
        true => begin_in_regions(cx, spec, &args.regions, stay, switch).await,
        false => begin_here(cx, spec, stay, switch).await,
    }
}

async fn begin_here(cx: &Context, spec: RolloutSpec, stay: Stay, switch: bool) -> Result<Exit> {
    let prepared = prepare(cx, spec, switch).await?;
    // A rollout under way is the better reason: its traffic would only look like a gate's refusal.
    refuse_if_under_way(cx, &prepared.subject).await?;
    let report = PlanReport::new(cx, &prepared)?;
    let Prepared { subject, plan, originals, evidence, .. } = prepared;
    let (service, image) = (subject.name.clone(), plan.image.clone());
    let summary = match plan.rules.steps.len() {
        1 => format!("switch {service} to {image}"),
        steps => format!("roll out {image} to {service} in {}", count(steps, "step")),
    };
    let undo = RolloutUndo::Rollback { service, image, regions: Vec::new() };
    let options = RunOptions { stay, watchers: cx, part: None };
    let act = async |confirmed: &Confirmed| {
        let rollout = || new_rollout(cx, &subject, plan, originals);
        launch(cx, &subject, (rollout, evidence), &options, confirmed).await
    };
    match confirm(cx, switch, (summary, undo), &report, act).await? {
        Some(exit) => Ok(exit),
        None => show_end(cx, &Scope::One(subject)).await,
    }
}

/// One rollout over several regions, wave by wave, each on its own evidence. A crash loses nothing: each region's own
/// state names the fleet, and whoever resumes goes on from there.
async fn begin_in_regions(
    cx: &Context,
    mut spec: RolloutSpec,
    regions: &RegionArgs,
    stay: Stay,
    switch: bool,
) -> Result<Exit> {
    let waves = regions.waves(cx)?;
    let service = choose(cx, spec.service.as_deref())?.name.clone();
    spec.service = Some(service.clone());
    let contexts = contexts(cx, &regions.regions);
    let prepared = prepare_all(&contexts, &spec, switch).await?;
    for one in &prepared {
        refuse_if_under_way(cx, &one.subject).await?;
    }
    let report = FleetPlan::new(cx, &waves, &contexts, &prepared)?;
    let Some(first) = prepared.first() else {
        return Err(Error::internal("a rollout over no region"));
    };
    let image = first.plan.image.clone();
    spec.image = Some(image.clone());
    let fleet =
        Fleet { id: format!("f{:08x}", fastrand::u32(..)), waves, on_failure: first.plan.rules.on_region_failure };
    drop(prepared);
    let summary =
        format!("roll out {image} to {service} in {}, {} waves", regions.regions.join(", "), fleet.waves.len());
    let undo = RolloutUndo::Rollback { service: service.clone(), image, regions: regions.regions.clone() };
    let run = RegionalRun {
        cx,
        fleet: &fleet,
        regions: &contexts,
        service: &service,
        source: PlanSource::New { spec, switch },
        stay,
        watchers: cx,
        rows: Vec::new(),
        request: RequestKind::Resume,
    };
    let act = async |confirmed: &Confirmed| run.run(RegionPhases::new(), confirmed).await;
    match confirm(cx, switch, (summary, undo), &report, act).await? {
        Some(exit) => Ok(exit),
        None => show_regions(cx, &service).await,
    }
}

/// Shows the plan, asks, and begins. The exit code, where it has not begun.
async fn confirm(
    cx: &Context,
    switch: bool,
    (summary, undo): (String, RolloutUndo),
    plan: &impl RolloutPlan,
    act: impl AsyncFnOnce(&Confirmed) -> Result<Done>,
) -> Result<Option<Exit>> {
    if plan.is_refused() {
        cx.output.show(plan, cx.clock.now())?;
        return Ok(Some(Exit::Bad));
    }
    let action = if switch { "rollout.bluegreen" } else { "rollout.canary" };
    let preview = plan.preview(&cx.output.view(cx.clock.now()));
    let change = Change { action, summary: summary.clone(), undo: Some(undo.into()), kill_switch: false, undoes: None };
    let changed = cx.change(change, preview, act).await?;
    if let Changed::Done { .. } = changed {
        return Ok(None);
    }
    let report = ChangeReport::new(cx, action, summary, changed, plan.data()?)?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(Some(Exit::Good))
}
