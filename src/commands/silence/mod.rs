//! `liveops silence`: keep alerts quiet for a bounded time, on purpose and revertibly.

mod add;
mod expire;
mod extend;
mod list;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::alert::silence::Silence;
use liveops_domain::change::undo::silence::add_again;
use liveops_domain::error::{Error, Exit, Result};

/// Keep alerts quiet for a while, and let them page again
///
/// A silence is shown before it is made: what it hides now, and whether something critical is among it. Its length is
/// capped (`silences.max` of the configuration, 4h by default). Every change is in the audit log and can be undone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops silence add TickSlow region=eu --for 2h --reason \"deploying 1.42\"
  liveops silence list
  liveops silence extend 1a2b3c4d --for 1h
  liveops silence expire 1a2b3c4d")]
pub(crate) struct SilenceArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(add::AddArgs),
    List(list::ListArgs),
    Extend(extend::ExtendArgs),
    Expire(expire::ExpireArgs),
}

pub(crate) async fn run(args: SilenceArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::Add(args) => add::run(args, cx).await,
        Verb::List(args) => list::run(args, cx).await,
        Verb::Extend(args) => extend::run(args, cx).await,
        Verb::Expire(args) => expire::run(args, cx).await,
    }
}

/// The error for a silence that is over: it can only be made anew.
fn over(cx: &Context, silence: &Silence) -> Error {
    let draft = &silence.draft;
    Error::Conflict {
        what: format!("silence {} has expired, at {}", silence.id, draft.ends_at.format("%FT%TZ")),
        hint: format!("make it anew: `{}`", cx.command(&add_again(&draft.matchers, &draft.comment))),
    }
}
