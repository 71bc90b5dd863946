//! `liveops rollout resume`: goes on with a rollout, or tells whoever holds it to.

use clap::Args;

use crate::commands::rollout::args::{StayArgs, WhichArgs};
use crate::commands::rollout::steering::go_on;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_engine::rollout::resume;
use liveops_engine::rollout::steering::Scope;

/// Go on with a rollout that is held, or that nobody watches any more
///
/// Anyone can, from any machine that sees its state, after a crash as well.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout resume
  liveops rollout resume game-backend --takeover --yes")]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    #[command(flatten)]
    stay: StayArgs,
}

pub(super) async fn run(args: ResumeArgs, cx: &Context) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let scope = Scope::open(cx, args.which.service()).await?;
    let steering = resume::plan(cx, &scope, "rollout.resume").await?;
    go_on(cx, &scope, &steering, args.stay.stay()).await
}
