//! `liveops rollout pause`: keeps a rollout at the share that it has, from any machine.

use clap::Args;

use crate::commands::rollout::args::WhichArgs;
use crate::commands::rollout::steering::send;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::said;
use liveops_engine::rollout::pause;
use liveops_engine::rollout::steering::Scope;

/// Keep a rollout at the share that it has; what is bad still takes it back
///
/// Whoever holds it goes on watching the rollback conditions. `rollout resume` goes on with the steps.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout pause --reason \"tournament until 20:00\" --yes")]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: Option<String>,
}

pub(super) async fn run(args: PauseArgs, cx: &Context) -> Result<Exit> {
    let scope = Scope::open(cx, args.which.service()).await?;
    let steering = pause::plan(cx, &scope, "rollout.pause", args.reason).await?;
    send(cx, &scope, &steering).await
}
