//! `liveops flag ramp history`: the ramps of a flag that were begun from here, and what one of them went through.

use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::commands::flag::ramp::Which;
use crate::commands::rollout::history::{RolloutHistory, latest};
use crate::context::Context;
use crate::output::block::{Block, Table};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_engine::rollout::history::HistorySubject;
use liveops_engine::rollout::state_store::open;

/// Show past ramps of a flag, and why one of them went as it did
///
/// Each verdict is kept with its value, count, bound, threshold and the queries that were asked. Without an id they are
/// those of the latest ramp. What was changed of the flag itself, by anybody, `flag history` shows.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag ramp history new_matchmaking
  liveops flag ramp history new_matchmaking c1a2b3c4d")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    which: Which,

    /// One of them, by the id of its change or its own; a beginning is enough
    #[arg(value_name = "ID")]
    id: Option<String>,
}

/// The ramps of a flag.
#[derive(Debug)]
struct RampHistory(RolloutHistory);

pub(crate) async fn run(args: &HistoryArgs, cx: &Context) -> Result<Exit> {
    let name = &args.which.name;
    let subject = HistorySubject { name: name.as_str(), is_flag: true };
    let mut warnings = Vec::new();
    let store = open::of_flag(cx, name)?;
    let latest = latest(store.as_ref(), &mut warnings).await;
    let report = RolloutHistory::new(cx, &subject, latest, args.id.as_deref(), warnings)?;
    cx.output.show(&RampHistory(report), cx.clock.now())?;
    Ok(Exit::Good)
}

impl Serialize for RampHistory {
    /// What is a service's in a rollout is a flag's here.
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let mut past = json!(self.0);
        if let Value::Object(members) = &mut past {
            for (from, to) in [("service", "flag"), ("rollouts", "ramps")] {
                let value = members.remove(from);
                members.extend(value.map(|value| (to.to_owned(), value)));
            }
        }
        past.serialize(to)
    }
}

impl Report for RampHistory {
    fn schema(&self) -> &'static str {
        "liveops.flag.ramp.history/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        self.0.blocks(view)
    }

    fn rows(&self, view: &View) -> Option<Table> {
        self.0.rows(view)
    }

    fn meta(&self) -> Meta {
        self.0.meta()
    }
}
