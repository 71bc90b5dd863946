//! `liveops rollout abort`: gives the old version its traffic back, now. Needs no lock, no metric, and no state where the
//! target carries an undo note.

use clap::Args;

use crate::commands::rollout::args::WhichArgs;
use crate::commands::rollout::rollback::{abort_reason, roll_back};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::said;
use liveops_engine::rollout::steering::Scope;

/// Stop a rollout and give the old version its traffic back, at once
///
/// Works while another liveops holds it, after a crash, and from another machine. Doing it twice is doing it once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout abort --yes
  liveops rollout abort game-backend --reason \"players report lag\" --yes")]
pub(crate) struct AbortArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: Option<String>,
}

pub(super) async fn run(args: AbortArgs, cx: &Context) -> Result<Exit> {
    cx.throw_kill_switch("");
    let scope = Scope::open(cx, args.which.service()).await?;
    roll_back(cx, &scope, ("rollout.abort", abort_reason(cx, args.reason.as_deref())), false).await
}
