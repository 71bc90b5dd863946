//! `liveops runbook`: what to do at 3 am, written down, checked, and run step by step.

pub(crate) mod check;
pub(crate) mod execute;
mod list;
mod new;
mod run;
mod show;
mod verbs;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Exit, Result};

/// Write, read, check and run the runbooks of alerts and incidents
///
/// Runbooks are Markdown files of the project: one an alert in `docs/runbooks/alerts/<Alert>.md`, and one a scenario
/// in `docs/runbooks/<scenario>.md` (`runbooks.folder` of the configuration). Code blocks that are marked to run are
/// steps: ```sh liveops step="Roll back" confirm check="…" rollback="…" needs="VERSION" timeout=5m
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops runbook new GameServerDown
  liveops runbook new rollback --service game-backend
  liveops runbook show GameServerDown
  liveops runbook run rollback
  liveops runbook check")]
pub(crate) struct RunbookArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    New(new::NewArgs),
    Run(run::RunArgs),
    Check(check::CheckArgs),
}

impl RunbookArgs {
    /// Does it end with findings?
    pub(crate) fn is_gate(&self) -> bool {
        matches!(self.verb, Verb::Check(_))
    }
}

pub(crate) async fn run(args: RunbookArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::List(args) => list::run(args, cx).await,
        Verb::Show(args) => show::run(&args, cx),
        Verb::New(args) => new::run(args, cx).await,
        Verb::Run(args) => run::run(args, cx).await,
        Verb::Check(args) => check::run(args, cx).await,
    }
}
