//! One rollout over several regions, wave by wave, each on its own evidence. Which region is to do what is decided in
//! `domain/rollout/fleet` from where each stands; here it is done, all that goes on at once in one process. A crash loses
//! nothing: each region's own state names the whole, and whoever resumes goes on from there.

pub(super) mod board;
mod drive;
mod find;
mod picture;
pub(super) mod plan;
pub(super) mod steer;
pub(crate) mod whole;

use clap::Args;
use serde_json::{Value, json};

use crate::change::{Changed, Done, Plan as Change};
use crate::commands::changed::ChangeReport;
use crate::commands::rollout::back::go_back;
use crate::commands::rollout::canary::{StayArgs, refuse_second};
use crate::commands::rollout::open::{choose, place};
use crate::commands::rollout::overview::RolloutStatus;
use crate::commands::rollout::plan::WhatArgs;
use crate::context::Context;
use crate::domain::rollout::fleet::{Fleet, Standing, Standings, waves};
use crate::domain::rollout::state::{Rollout, WishKind};
use crate::domain::shell::word;
use crate::domain::undo::RolloutUndo;
use crate::error::{Error, Exit, Result};

use self::drive::{Drive, Origin};
pub(super) use self::find::{Found, find, rows};
use self::plan::FleetPlan;

/// Over which regions.
#[derive(Debug, Clone, Args)]
pub(super) struct RegionArgs {
    /// Regions of the environment, in this order, each on its own evidence; a bad one stops the rest
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    regions: Vec<String>,

    /// Regions at once: so many first, so many then; the last number holds for the rest [default: 1]
    #[arg(long, value_name = "1,2", value_delimiter = ',', requires = "regions")]
    wave: Vec<usize>,
}

impl RegionArgs {
    /// Were any named?
    pub(super) fn is_given(&self) -> bool {
        !self.regions.is_empty()
    }

    /// The waves of the regions that were named.
    fn waves(&self, cx: &Context) -> Result<Vec<Vec<String>>> {
        let known = &cx.config()?.settings.regions;
        for (index, region) in self.regions.iter().enumerate() {
            if !known.contains(region) {
                return Err(Error::NotFound { what: "region", name: region.clone(), candidates: known.clone() });
            }
            if self.regions[..index].contains(region) {
                return Err(Error::usage(
                    format!("region `{region}` is named twice"),
                    "name each region once, in the order of the rollout",
                ));
            }
        }
        waves(&self.regions, &self.wave)
            .map_err(|message| Error::usage(message, "write how many regions go at once, such as `--wave 1,2`"))
    }
}

/// `rollout canary --regions`, `rollout bluegreen --regions`.
pub(super) async fn begin(
    cx: &Context,
    mut what: WhatArgs,
    regions: &RegionArgs,
    stay: &StayArgs,
    switch: bool,
) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let waves = regions.waves(cx)?;
    let service = choose(cx, what.service.as_deref())?.name.clone();
    what.service = Some(service.clone());
    let contexts = plan::contexts(cx, &regions.regions);
    let prepared = plan::prepare_all(&contexts, &what, switch).await?;
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
    let change = Change {
        action,
        summary: summary.clone(),
        preview: report.preview(&cx.output.view(cx.clock.now())),
        undo: Some(undo.into()),
        kill_switch: false,
        undoes: None,
    };
    let drive = Drive {
        cx,
        fleet: &fleet,
        regions: &contexts,
        service: &service,
        origin: Origin::New { what, switch },
        stay,
        seen: Vec::new(),
        wish: WishKind::Resume,
    };
    let changed = change.carry_out(cx, async |confirmed| drive.run(Standings::new(), confirmed).await).await?;
    if let Changed::Planned = changed {
        let planned = serde_json::to_value(&report)?;
        let report = ChangeReport::new(cx, action, summary, changed, planned)?;
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Good);
    }
    show(cx, &service).await
}

/// `rollout abort` and `rollout undo` of the whole: every region at once.
pub(super) async fn take_back(
    cx: &Context,
    found: &Found,
    (action, reason): (&'static str, String),
    finished_too: bool,
) -> Result<Exit> {
    let standings = found.standings();
    let wanted = |region: &str| match standings.get(region) {
        Some(Standing::Pending | Standing::Back) => false,
        Some(Standing::Over) => finished_too,
        _ => true,
    };
    let regions: Vec<&Context> = found.contexts_where(wanted);
    let names: Vec<&str> = regions.iter().filter_map(|cx| cx.region.as_deref()).collect();
    let service = word(&found.service);
    if names.is_empty() {
        let over = found.fleet.regions().any(|region| standings.get(region) == Some(&Standing::Over));
        if over && !finished_too {
            return Err(Error::Conflict {
                what: format!("the rollout of {service} has succeeded in its regions, so there is nothing to abort"),
                hint: format!("to go back: `{}`", cx.command(&format!("rollout undo {service}"))),
            });
        }
        let text = format!("{service} is back already in every region");
        let report = ChangeReport::nothing(cx, action, text, json!({}))?;
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Good);
    }
    let summary = format!("give the old version of {service} its traffic back in {}", names.join(", "));
    let change =
        Change { action, summary: summary.clone(), preview: Vec::new(), undo: None, kill_switch: true, undoes: None };
    let changed =
        change.carry_out(cx, async |confirmed| back_in(&regions, &found.service, &reason, confirmed).await).await?;
    let report = ChangeReport::new(cx, action, summary, changed, json!({ "regions": names }))?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// Goes back in all of these regions at once.
///
/// # Errors
/// `HalfDone`, naming the regions that are not back, with the command of the first.
pub(super) async fn back_in(
    regions: &[&Context],
    service: &str,
    reason: &str,
    confirmed: &crate::change::Confirmed,
) -> Result<Done> {
    let all = regions.iter().map(|cx| async move {
        let region = cx.region.clone().unwrap_or_default();
        let back = async {
            let place = place(cx, choose(cx, Some(service))?).await?;
            go_back(cx, &place, None, reason.to_owned(), confirmed).await
        };
        (region, back.await)
    });
    let mut done: Vec<String> = Vec::new();
    let mut failed = Vec::new();
    for (region, back) in futures_util::future::join_all(all).await {
        match back {
            Ok(_) => done.push(region),
            Err(error) => failed.push((region, error)),
        }
    }
    if failed.is_empty() {
        return Ok(Done { result: json!({ "service": service, "regions": done }), undo: None });
    }
    Err(drive::half_done(
        &format!("back in {}", if done.is_empty() { "no region".into() } else { done.join(", ") }),
        &failed,
        None,
    ))
}

/// Where every region stands after it, with the exit code of the whole.
async fn show(cx: &Context, service: &str) -> Result<Exit> {
    let mut seen = rows(cx).await?;
    seen.rollouts.retain(|row| row.service == service && row.region.is_some());
    seen.unseen.retain(|row| row.service == service);
    let report = RolloutStatus::new(cx, seen)?;
    cx.output.show_line(&report, cx.clock.now())?;
    Ok(report.exit())
}

/// What the audit log keeps of the whole.
fn result(fleet: &Fleet, service: &str, image: &str, standings: &Standings) -> Value {
    let regions: serde_json::Map<String, Value> = fleet
        .regions()
        .map(|region| {
            let standing = standings.get(region).copied().unwrap_or(Standing::Pending);
            (region.clone(), json!(standing.word()))
        })
        .collect();
    json!({ "rollout": fleet.id, "service": service, "image": image, "regions": regions })
}

/// May the undo of this change still be done in the regions? The rollout that it would take back.
pub(super) fn of_change<'f>(found: &'f Found, change: &str) -> Option<&'f Rollout> {
    let mine = |rollout: &&Rollout| rollout.change.as_deref() == Some(change);
    found.rollouts.values().find(mine)
}
