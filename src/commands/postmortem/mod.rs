//! `liveops postmortem`: the story of an incident, nine tenths written from its journal and the metrics.

mod check;
mod done;
pub(crate) mod figures;
mod new;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Exit, Result};

/// Write the postmortem of an incident, and check that it is fit to be read
///
/// `new` fills in what the journal and the metrics know: impact, timeline, plots, changes and suspects, deadlines. What
/// they do not know is marked as unknown, and what only people know as `[fill in: …]`. `check` finds what is left, for
/// people and for CI; `done` checks once more and closes the deadline.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops postmortem new
  liveops postmortem new 2026-01-15-p1-matchmaking-down
  liveops postmortem check
  liveops postmortem done")]
pub(crate) struct PostmortemArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    New(new::NewArgs),
    Check(check::CheckArgs),
    Done(done::DoneArgs),
}

impl PostmortemArgs {
    /// Does it end with findings?
    pub(crate) fn is_gate(&self) -> bool {
        matches!(self.verb, Verb::Check(_))
    }
}

pub(crate) async fn run(args: PostmortemArgs, cx: &Context) -> Result<Exit> {
    let named = match &args.verb {
        Verb::New(args) => &args.id,
        Verb::Check(args) => &args.id,
        Verb::Done(args) => &args.id,
    };
    let elsewhere = cx.where_incident(named.as_deref())?;
    let cx = elsewhere.as_ref().unwrap_or(cx);
    match args.verb {
        Verb::New(args) => new::run(args, cx).await,
        Verb::Check(args) => check::run(args, cx).await,
        Verb::Done(args) => done::run(&args, cx).await,
    }
}
