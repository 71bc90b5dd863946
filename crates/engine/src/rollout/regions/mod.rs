//! One rollout over several regions, wave by wave, each on its own evidence. Which region is to do what is decided in
//! `domain/rollout/fleet` from where each stands; here it is done, all that goes on at once in one process.

pub mod coordinator;
pub mod lookup;
pub mod run;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::prepare::{Prepared, RolloutSpec, prepare};
use crate::rollout::resolve::{choose, open};
use crate::rollout::rollback::roll_back;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::fleet::Fleet;
use liveops_domain::rollout::region_phase::{RegionPhase, RegionPhases};

/// `eu: promoted, us: under way`.
pub fn phase_list(result: &Value) -> String {
    let regions = result["regions"].as_object();
    let each: Vec<String> = regions
        .into_iter()
        .flatten()
        .map(|(region, word)| format!("{region} {}", word.as_str().unwrap_or_default()))
        .collect();
    each.join(", ")
}

/// What is left in which region, and the command of the first, unless there is one for all.
pub fn half_done(done: &str, failed: &[(String, Error)], command: Option<String>) -> Error {
    let left: Vec<String> = failed
        .iter()
        .map(|(region, error)| match error {
            Error::HalfDone { left, .. } => format!("{region}: {left}"),
            error => format!("{region}: {error}"),
        })
        .collect();
    let own = failed.iter().find_map(|(_, error)| match error {
        Error::HalfDone { command, .. } => Some(command.clone()),
        _ => None,
    });
    Error::HalfDone {
        done: done.to_owned(),
        left: left.join("; "),
        command: command.or(own).unwrap_or_else(|| "liveops rollout status".into()),
    }
}

/// Goes back in all of these regions at once.
///
/// # Errors
/// `HalfDone`, naming the regions that are not back, with the command of the first.
pub async fn roll_back_in(regions: &[&Session], service: &str, reason: &str, confirmed: &Confirmed) -> Result<Done> {
    let all = regions.iter().map(|cx| async move {
        let region = cx.region.clone().unwrap_or_default();
        let back = async {
            let subject = open(cx, choose(cx, Some(service))?).await?;
            roll_back(cx, &subject, None, reason.to_owned(), confirmed).await
        };
        (region, back.await)
    });
    let mut done: Vec<String> = Vec::new();
    let mut failed = Vec::new();
    for (region, back) in join_all(all).await {
        match back {
            Ok(_) => done.push(region),
            Err(error) => failed.push((region, error)),
        }
    }
    if failed.is_empty() {
        return Ok(Done { result: json!({ "service": service, "regions": done }), undo: None });
    }
    Err(half_done(
        &format!("back in {}", if done.is_empty() { "no region".into() } else { done.join(", ") }),
        &failed,
        None,
    ))
}

/// What the audit log keeps of the rollout over all regions.
pub fn result(fleet: &Fleet, service: &str, image: &str, phases: &RegionPhases) -> Value {
    let regions: serde_json::Map<String, Value> = fleet
        .regions()
        .map(|region| {
            let phase = phases.get(region).copied().unwrap_or(RegionPhase::Pending);
            (region.clone(), json!(phase.word()))
        })
        .collect();
    json!({ "rollout": fleet.id, "service": service, "image": image, "regions": regions })
}

/// One context for each of these regions.
pub fn contexts(cx: &Session, regions: &[String]) -> Vec<Session> {
    regions.iter().map(|region| cx.in_region(region)).collect()
}

/// Looks at everything in every region, all at once.
pub async fn prepare_all<'a>(contexts: &'a [Session], spec: &RolloutSpec, switch: bool) -> Result<Vec<Prepared<'a>>> {
    let mut spec = spec.clone();
    if spec.image.is_none() {
        // It is asked for once.
        let Some(first) = contexts.first() else {
            return Ok(Vec::new());
        };
        let prepared = Box::pin(prepare(first, spec.clone(), switch)).await;
        spec.image = Some(prepared.map_err(|error| in_region(first, error))?.plan.image);
    }
    let all = contexts.iter().map(|cx| async {
        let prepared = Box::pin(prepare(cx, spec.clone(), switch)).await;
        prepared.map_err(|error| in_region(cx, error))
    });
    join_all(all).await.into_iter().collect()
}

/// The error with the region where it happened.
fn in_region(cx: &Session, error: Error) -> Error {
    let region = cx.region.as_deref().unwrap_or_default();
    error.at(format!("region {region}"))
}
