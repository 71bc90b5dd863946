//! `liveops rollout`: step a new version through the traffic, and go back by itself when the metrics say so.

mod abort;
mod approve;
pub(crate) mod args;
mod bluegreen;
mod canary;
pub(crate) mod history;
mod pause;
mod plan;
pub(crate) mod progress;
mod promote;
pub(crate) mod regions;
pub(crate) mod report;
mod resume;
pub(crate) mod rollback;
pub(crate) mod status;
pub(crate) mod steering;
mod undo;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Exit, Result};

/// Roll out a new version step by step, on evidence, and go back by itself
///
/// The new version gets a small share of the traffic, then more, as long as what its users see is as good as the policy
/// demands, by counts and not by luck. What is not known holds it. What is bad takes it back, at every moment, whatever
/// else goes on. State and lock are kept beside the traffic, so that anybody can go on or go back after a crash.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout plan game-backend --image game:2.1
  liveops rollout canary game-backend --image game:2.1 --policy standard
  liveops rollout status --watch
  liveops rollout abort game-backend --yes")]
pub(crate) struct RolloutArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Plan(plan::PlanArgs),
    Canary(canary::CanaryArgs),
    Bluegreen(bluegreen::BluegreenArgs),
    Status(status::StatusArgs),
    Approve(approve::ApproveArgs),
    Pause(pause::PauseArgs),
    Resume(resume::ResumeArgs),
    Abort(abort::AbortArgs),
    Promote(promote::PromoteArgs),
    Undo(undo::UndoArgs),
    History(history::HistoryArgs),
}

impl Verb {
    /// The one region that it is about.
    fn region(&self) -> Option<&str> {
        let which = match self {
            Self::Plan(_) | Self::Canary(_) | Self::Bluegreen(_) => return None,
            Self::Status(args) => &args.which,
            Self::Approve(args) => &args.which,
            Self::Pause(args) => &args.which,
            Self::Resume(args) => &args.which,
            Self::Abort(args) => &args.which,
            Self::Promote(args) => &args.which,
            Self::Undo(args) => &args.which,
            Self::History(args) => &args.which,
        };
        which.region.as_deref()
    }
}

pub(crate) async fn run(args: RolloutArgs, cx: &Context) -> Result<Exit> {
    let scoped = args.verb.region().map(|region| cx.in_region(region));
    let cx = scoped.as_ref().unwrap_or(cx);
    match args.verb {
        Verb::Plan(args) => plan::run(args, cx).await,
        Verb::Canary(args) => canary::run(args, cx).await,
        Verb::Bluegreen(args) => bluegreen::run(args, cx).await,
        Verb::Status(args) => status::run(args, cx).await,
        Verb::Approve(args) => approve::run(args, cx).await,
        Verb::Pause(args) => pause::run(args, cx).await,
        Verb::Resume(args) => resume::run(args, cx).await,
        Verb::Abort(args) => abort::run(args, cx).await,
        Verb::Promote(args) => promote::run(args, cx).await,
        Verb::Undo(args) => undo::run(args, cx).await,
        Verb::History(args) => history::run(&args, cx).await,
    }
}
