//! `liveops rollout approve`: agrees to the step that a rollout waits before, from any machine.

use clap::Args;

use crate::commands::rollout::args::WhichArgs;
use crate::commands::rollout::steering::send;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_engine::rollout::approve;
use liveops_engine::rollout::steering::Scope;

/// Agree to the step that a rollout waits before
///
/// Good for this step and this image only, and for as long as the policy says.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout approve
  liveops rollout approve game-backend --yes")]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

pub(super) async fn run(args: ApproveArgs, cx: &Context) -> Result<Exit> {
    let scope = Scope::open(cx, args.which.service()).await?;
    let steering = approve::plan(cx, &scope).await?;
    send(cx, &scope, &steering).await
}
