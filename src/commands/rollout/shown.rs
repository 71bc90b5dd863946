//! How the end of a rollout is shown.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::commands::rollout::overview::RolloutStatus;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::plan::FLAG;
use liveops_domain::rollout::row::RolloutRow;
use liveops_engine::rollout::ramp::ramp;
use liveops_engine::rollout::resolve::Place;

/// The end of it: the report, and the exit code that belongs to it.
pub(crate) async fn show(cx: &Context, place: &Place<'_>) -> Result<Exit> {
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

/// The ramps of an environment.
#[derive(Debug)]
pub(crate) struct RampStatus(pub(crate) RolloutStatus);

impl Serialize for RampStatus {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let ramps: Vec<Value> = self.0.rollouts.iter().map(ramp).collect();
        json!({ "ramps": ramps }).serialize(to)
    }
}
