//! One rollout over several regions, wave by wave, each on its own evidence. Which region is to do what is decided in
//! `domain/rollout/fleet` from where each stands; here it is done, all that goes on at once in one process. A crash loses
//! nothing: each region's own state names the whole, and whoever resumes goes on from there.

pub(crate) mod live_view;
pub(crate) mod plan;
pub(crate) mod report;
pub(super) mod steer;

use crate::changed::ChangeReport;
use crate::commands::rollout::args::RegionArgs;
use crate::commands::rollout::overview::RolloutStatus;
use crate::commands::rollout::regions::plan::FleetPlan;
use crate::context::Context;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::fleet::Fleet;
use liveops_domain::rollout::standing::Standings;
use liveops_domain::rollout::state::WishKind;
use liveops_engine::change::{Changed, Plan as Change};
use liveops_engine::rollout::launch::Stay;
use liveops_engine::rollout::launch::refuse_second;
use liveops_engine::rollout::prepare::Request;
use liveops_engine::rollout::regions::run::{Drive, Origin};
use liveops_engine::rollout::resolve::choose;

pub(super) use liveops_engine::rollout::regions::lookup::rows;

/// `rollout canary --regions`, `rollout bluegreen --regions`.
pub(crate) async fn begin(
    cx: &Context,
    mut what: Request,
    regions: &RegionArgs,
    stay: Stay,
    switch: bool,
) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let waves = regions.waves(cx)?;
    let service = choose(cx, what.service.as_deref())?.name.clone();
    what.service = Some(service.clone());
    let contexts = liveops_engine::rollout::regions::contexts(cx, &regions.regions);
    let prepared = liveops_engine::rollout::regions::prepare_all(&contexts, &what, switch).await?;
    for one in &prepared {
        refuse_second(cx, &one.place).await?;
    }
    let report = FleetPlan::new(cx, &waves, &contexts, &prepared)?;
    if report.is_refused() {
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Bad);
    }
    let Some(first) = prepared.first() else {
        return Err(Error::internal("a rollout over no region"));
    };
    let image = first.plan.image.clone();
    what.image = Some(image.clone());
    let fleet =
        Fleet { id: format!("f{:08x}", fastrand::u32(..)), waves, on_failure: first.plan.rules.on_region_failure };
    drop(prepared);
    let summary =
        format!("roll out {image} to {service} in {}, {} waves", regions.regions.join(", "), fleet.waves.len());
    let undo = RolloutUndo::Rollback { service: service.clone(), image, regions: regions.regions.clone() };
    let action = if switch { "rollout.bluegreen" } else { "rollout.canary" };
    let preview = report.preview(&cx.output.view(cx.clock.now()));
    let change = Change { action, summary: summary.clone(), undo: Some(undo.into()), kill_switch: false, undoes: None };
    let drive = Drive {
        cx,
        fleet: &fleet,
        regions: &contexts,
        service: &service,
        origin: Origin::New { what, switch },
        stay,
        watchers: cx,
        seen: Vec::new(),
        wish: WishKind::Resume,
    };
    let changed = cx.change(change, preview, async |confirmed| drive.run(Standings::new(), confirmed).await).await?;
    if let Changed::Planned = changed {
        let planned = serde_json::to_value(&report)?;
        let report = ChangeReport::new(cx, action, summary, changed, planned)?;
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Good);
    }
    show(cx, &service).await
}

/// Where every region stands after it, with the exit code of the whole.
pub(crate) async fn show(cx: &Context, service: &str) -> Result<Exit> {
    let mut seen = rows(cx).await?;
    seen.rollouts.retain(|row| row.service == service && row.region.is_some());
    seen.unseen.retain(|row| row.service == service);
    let report = RolloutStatus::new(cx, seen)?;
    cx.output.show_line(&report, cx.clock.now())?;
    Ok(report.exit())
}
