//! `liveops rollout undo`: back to the version before the last rollout, also after it has ended.

use clap::Args;

use crate::commands::rollout::args::WhichArgs;
use crate::commands::rollout::rollback::roll_back;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_engine::rollout::steering::Scope;

/// Go back to the version before the last rollout
///
/// To what was recorded when the rollout began, not to whatever came before.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout undo --dry-run
  liveops rollout undo game-backend --yes")]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

pub(super) async fn run(args: UndoArgs, cx: &Context) -> Result<Exit> {
    let scope = Scope::open(cx, args.which.service()).await?;
    roll_back(cx, &scope, ("rollout.undo", format!("undone by {}", cx.actor)), true).await
}
