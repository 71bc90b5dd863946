//! `liveops rollout bluegreen`: a rollout of one step.

use clap::Args;

use crate::commands::rollout::args::BeginArgs;
use crate::commands::rollout::canary::begin;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};

/// Switch all traffic to a new version at once; the old one stays for an instant way back
///
/// The new version is started and must be ready first; the preflight gates are those of a canary. The conditions of the
/// policy are looked at as soon as it has the traffic, and through the window.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout bluegreen game-backend --image game:2.1
  liveops rollout bluegreen --image game:2.1 --policy standard --yes")]
pub(crate) struct BluegreenArgs {
    #[command(flatten)]
    begin: BeginArgs,
}

pub(super) async fn run(args: BluegreenArgs, cx: &Context) -> Result<Exit> {
    if args.begin.what.steps.is_some() {
        return Err(Error::usage("a switch has no `--steps`", "leave it out, or use `liveops rollout canary`"));
    }
    begin(cx, args.begin, true).await
}
