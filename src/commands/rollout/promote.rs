//! `liveops rollout promote`: all of the traffic without more evidence, or the end of the window.

use clap::Args;

use crate::commands::rollout::args::{StayArgs, WhichArgs};
use crate::commands::rollout::steering::go_on;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_engine::rollout::promote;
use liveops_engine::rollout::steering::Scope;

/// Give a rollout all of the traffic without waiting for evidence; or end its window
///
/// The rollback conditions hold all the same; only the waiting for good evidence is left out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout promote game-backend")]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    #[command(flatten)]
    stay: StayArgs,
}

pub(super) async fn run(args: PromoteArgs, cx: &Context) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let scope = Scope::open(cx, args.which.service()).await?;
    let steering = promote::plan(cx, &scope).await?;
    go_on(cx, &scope, &steering, args.stay.stay()).await
}
