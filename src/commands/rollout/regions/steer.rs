//! What people say to a rollout over several regions, all regions that it concerns at once: `approve`, `pause`, `resume`,
//! `promote`. Whoever holds a region heeds it at the next look; where nobody does, `resume` and `promote` go on themselves.

use futures_util::future::join_all;
use liveops_engine::rollout::launch::Stay;
use liveops_engine::session::Session;
use serde_json::json;

use crate::changed::ChangeReport;
use crate::commands::rollout::regions::show;
use crate::context::Context;
use liveops_domain::change::undo::Impossible;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::{Approval, Phase, Rollout, WishKind};
use liveops_domain::text::shell::word;
use liveops_engine::change::confirmed::Confirmed;
use liveops_engine::change::{Changed, Done, Plan as Change};
use liveops_engine::rollout::regions::half_done;
use liveops_engine::rollout::regions::lookup::Found;
use liveops_engine::rollout::regions::run::{Drive, Origin};
use liveops_engine::rollout::resolve::{choose, place};
use liveops_engine::rollout::state_store::open as memories;
use liveops_engine::rollout::steer::{tell, wish};

/// `rollout approve` of the whole: the step that each region waits before.
pub(crate) async fn approve(cx: &Context, found: &Found) -> Result<Exit> {
    let now = cx.clock.now();
    let waits = |it: &Rollout| it.phase == Phase::Gate || it.lacks_approval(now);
    let regions = found.regions_where(cx, "approval", waits)?;
    let steps: Vec<String> = found
        .named(&regions)
        .map(|(region, it)| format!("step {} ({}) in {region}", it.step + 1, it.target()))
        .collect();
    let summary = format!("approve {} of {}", steps.join(", "), found.image());
    say(cx, found, &regions, ("rollout.approve", summary, None), |it, cx| {
        let region = cx.region.as_deref().unwrap_or_default();
        // It may have moved on while somebody thought: the approval is then for a step that is no more.
        let Some(seen) = found.rollouts.get(region) else {
            return;
        };
        it.approvals.push(Approval {
            by: cx.actor.clone(),
            at: cx.clock.now(),
            step: seen.step,
            image: seen.plan.image.clone(),
        });
    })
    .await
}

/// `rollout pause` of the whole: every region under way stays where it is, and none begins.
pub(crate) async fn pause(cx: &Context, found: &Found, reason: Option<&String>) -> Result<Exit> {
    let moves = |it: &Rollout| !it.phase.is_terminal() && !it.phase.is_back();
    let regions = found.regions_where(cx, "a pause", moves)?;
    let at: Vec<String> = found.named(&regions).map(|(region, it)| format!("{region} at {}", it.applied)).collect();
    let summary = format!("pause {} of {} in {}", found.image(), found.service, at.join(", "));
    say(cx, found, &regions, ("rollout.pause", summary, Some(true)), |it, cx| {
        it.wish = Some(wish(cx, WishKind::Pause, reason.cloned()));
    })
    .await
}

/// `rollout resume` of the whole: goes on with what is under way, and with what has not begun.
pub(crate) async fn resume(cx: &Context, found: &Found, stay: Stay) -> Result<Exit> {
    let summary = format!("go on with {} of {} in its regions", found.image(), found.service);
    let moves = |it: &Rollout| !it.phase.is_terminal();
    let how = ("rollout.resume", summary, WishKind::Resume);
    go_on(cx, found, &found.which(moves), stay, how).await
}

/// `rollout promote` of the whole: those under way get all of the traffic at once; or, where all that are under way have it,
/// their windows end. What has not begun is left to its own evidence.
pub(crate) async fn promote(cx: &Context, found: &Found, stay: Stay) -> Result<Exit> {
    let in_window = |it: &Rollout| matches!(it.phase, Phase::Window | Phase::Finishing);
    let moves = |it: &Rollout| !it.phase.is_terminal() && !it.phase.is_back();
    let windows = found.which(|it| in_window(it));
    let rising = found.which(|it| moves(it) && !in_window(it));
    let names = |regions: &[&Session]| -> Vec<String> {
        let all = regions.iter().filter_map(|cx| cx.region.clone());
        all.collect()
    };
    let (summary, regions) = match (rising.as_slice(), windows.as_slice()) {
        ([], []) => {
            // None is: that is said by it.
            let regions = found.regions_where(cx, "a promotion", moves)?;
            return Err(Error::internal(&format!("{} regions of none", regions.len())));
        }
        ([], _) => (
            format!("end the window of {} of {} in {}", found.image(), found.service, names(&windows).join(", ")),
            windows,
        ),
        (_, []) => (
            format!(
                "give {} of {} all of the traffic without more evidence in {}",
                found.image(),
                found.service,
                names(&rising).join(", ")
            ),
            rising,
        ),
        _ => {
            let one = |region: &String| {
                let service = word(&found.service);
                let words = format!("rollout promote {service} --region {}", word(region));
                format!("`{}`", cx.command(&words))
            };
            let each = |regions: &[&Session]| {
                let all: Vec<String> = names(regions).iter().map(one).collect();
                all.join(", ")
            };
            return Err(Error::usage(
                format!(
                    "{} is promoted already in {}, and not yet in {}: say which",
                    found.service,
                    names(&windows).join(", "),
                    names(&rising).join(", ")
                ),
                format!("all of the traffic at once: {}; the end of the way back: {}", each(&rising), each(&windows)),
            ));
        }
    };
    let how = ("rollout.promote", summary, WishKind::Promote);
    go_on(cx, found, &regions, stay, how).await
}

/// Says it to those who hold the regions, or goes on with the whole where nobody does.
async fn go_on(
    cx: &Context,
    found: &Found,
    regions: &[&Session],
    stay: Stay,
    (action, summary, kind): (&'static str, String, WishKind),
) -> Result<Exit> {
    cx.output.refuse_rows()?;
    if let Some((region, error)) = found.lost() {
        return Err(Error::Refused {
            why: format!("it cannot be seen where region {region} stands: {error}"),
            hint: format!(
                "mend that first; or go back where it can be seen: `{}`",
                cx.command(&format!("rollout abort {} --yes", word(&found.service)))
            ),
        });
    }
    let standings = found.standings();
    if found.fleet.tasks(&standings).is_empty() {
        return Err(Error::Refused {
            why: format!("no rollout of {} is under way in any region", found.service),
            hint: format!("look at it: `{}`", cx.command("rollout status")),
        });
    }
    if !stay.takeover && !held(found, regions).await?.is_empty() {
        return say(cx, found, regions, (action, summary, Some(false)), |it, cx| {
            it.wish = Some(wish(cx, kind, None));
        })
        .await;
    }
    let change = Change { action, summary: summary.clone(), undo: None, kill_switch: false, undoes: None };
    let drive = Drive {
        cx,
        fleet: &found.fleet,
        regions: &found.contexts,
        service: &found.service,
        origin: Origin::Plan(Box::new(found.plan()?.clone())),
        stay,
        watchers: cx,
        seen: (found.rollouts.values()).map(RolloutRow::held_by_us).collect(),
        wish: kind,
    };
    let changed = cx.change(change, Vec::new(), async |confirmed| drive.run(standings, confirmed).await).await?;
    if let Changed::Planned = changed {
        let report = ChangeReport::new(cx, action, summary, changed, json!({}))?;
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Good);
    }
    show(cx, &found.service).await
}

/// Those of the regions that somebody holds.
async fn held(found: &Found, regions: &[&Session]) -> Result<Vec<String>> {
    let asked = regions.iter().map(|cx| async {
        let memory = memories::open(cx, choose(cx, Some(&found.service))?)?;
        let holder = memory.holder().await?;
        let region = cx.region.clone().unwrap_or_default();
        Ok(holder.filter(|holder| holder.alive).map(|_| region))
    });
    let found: Result<Vec<Option<String>>> = join_all(asked).await.into_iter().collect();
    Ok(found?.into_iter().flatten().collect())
}

/// Writes it into the state of each of these regions, for whoever holds it: one change.
async fn say(
    cx: &Context,
    found: &Found,
    regions: &[&Session],
    (action, summary, still): (&'static str, String, Option<bool>),
    what: impl Fn(&mut Rollout, &Session),
) -> Result<Exit> {
    let held = held(found, regions).await?;
    let change =
        Change { action, summary: summary.clone(), undo: None, kill_switch: action.ends_with(".pause"), undoes: None };
    let changed = cx
        .change(change, Vec::new(), async |confirmed| say_in(found, regions, (action, still), &what, confirmed).await)
        .await?;
    let mut report = ChangeReport::new(cx, action, summary, changed, json!({}))?;
    let unheld: Vec<&str> = regions
        .iter()
        .filter_map(|cx| cx.region.as_deref())
        .filter(|region| !held.iter().any(|name| name == region))
        .collect();
    report = report.detail(match unheld.as_slice() {
        [] => "whoever holds the regions heeds it at the next look".into(),
        _ => format!(
            "nobody holds the rollout in {}; go on with `{}`",
            unheld.join(", "),
            cx.command(&format!("rollout resume {}", word(&found.service)))
        ),
    });
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

async fn say_in(
    found: &Found,
    regions: &[&Session],
    how: (&str, Option<bool>),
    what: &impl Fn(&mut Rollout, &Session),
    confirmed: &Confirmed,
) -> Result<Done> {
    let all = regions.iter().map(|cx| async move {
        let region = cx.region.clone().unwrap_or_default();
        let said = async {
            let place = place(cx, choose(cx, Some(&found.service))?).await?;
            tell(cx, &place, how, what, confirmed).await
        };
        (region, said.await)
    });
    let mut done = Vec::new();
    let mut failed = Vec::new();
    let mut said = Vec::new();
    for (region, told) in join_all(all).await {
        match told {
            Ok((_, controller)) => {
                said.extend(controller.map(|text| format!("{region}: {text}")));
                done.push(region);
            }
            Err(error) => failed.push((region, error)),
        }
    }
    match (failed.pop(), done.as_slice()) {
        (None, _) => Ok(Done {
            result: json!({ "rollout": found.fleet.id, "service": found.service, "regions": done, "controllers": said }),
            undo: Some(
                Impossible::Nothing {
                    why: "it was said to a rollout that moves on".into(),
                    instead: format!("rollout status {}", word(&found.service)),
                }
                .into(),
            ),
        }),
        (Some((region, error)), []) => Err(error.at(format!("region {region}"))),
        (Some(last), _) => {
            failed.push(last);
            let told = format!("said in {}", done.join(", "));
            Err(half_done(&told, &failed, None))
        }
    }
}
