//! `rollout promote`: all of the traffic without more evidence; or, where a rollout has it, the end of its window.

use crate::rollout::regions::lookup::RegionalRollout;
use crate::rollout::rollback::describe;
use crate::rollout::steering::{Ask, Scope, Steering, under_way};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::state::{Phase, RequestKind, Rollout};
use liveops_domain::text::shell::word;

/// What there is to promote.
pub async fn plan<'s>(cx: &Session, scope: &'s Scope<'_>) -> Result<Steering<'s>> {
    let (summary, regions) = match scope {
        Scope::Regions(regional) => {
            let planned = plan_regions(cx, regional)?;
            regional.ensure_unfinished(cx)?;
            planned
        }
        Scope::One(subject) => {
            let rollout = under_way(cx, subject).await?.rollout;
            (format!("promote {} at {}", describe(&rollout), rollout.applied), Vec::new())
        }
    };
    Ok(Steering { action: "rollout.promote", summary, regions, ask: Ask::Request(RequestKind::Promote, None) })
}

/// Those under way get all of the traffic at once; or, where all that are under way have it, their windows end. What has
/// not begun is left to its own evidence.
fn plan_regions<'s>(cx: &Session, regional: &'s RegionalRollout) -> Result<(String, Vec<&'s Session>)> {
    let in_window = |it: &Rollout| matches!(it.phase, Phase::Window | Phase::Finishing);
    let moves = |it: &Rollout| !it.phase.is_terminal() && !it.phase.is_back();
    let windows = regional.which(|it| in_window(it));
    let rising = regional.which(|it| moves(it) && !in_window(it));
    let names = |regions: &[&Session]| -> Vec<String> { regions.iter().filter_map(|cx| cx.region.clone()).collect() };
    let (image, service) = (regional.image(), &regional.service);
    match (rising.as_slice(), windows.as_slice()) {
        ([], []) => {
            // None is: that is said by it.
            let regions = regional.regions_where(cx, "a promotion", moves)?;
            Err(Error::internal(&format!("of {}, none moves", regions.len())))
        }
        ([], _) => Ok((format!("end the window of {image} of {service} in {}", names(&windows).join(", ")), windows)),
        (_, []) => {
            let places = names(&rising).join(", ");
            Ok((format!("give {image} of {service} all of the traffic without more evidence in {places}"), rising))
        }
        _ => {
            let one = |region: &String| {
                let words = format!("rollout promote {} --region {}", word(service), word(region));
                format!("`{}`", cx.command(&words))
            };
            let each = |regions: &[&Session]| names(regions).iter().map(one).collect::<Vec<String>>().join(", ");
            Err(Error::usage(
                format!(
                    "{service} is promoted already in {}, and not yet in {}: say which",
                    names(&windows).join(", "),
                    names(&rising).join(", ")
                ),
                format!("all of the traffic at once: {}; the end of the way back: {}", each(&rising), each(&windows)),
            ))
        }
    }
}
