//! `liveops flag`: who gets a feature. One file a verb; `change` is the way that every writing verb takes.

mod change;
mod diff;
pub(crate) mod eval;
mod explain;
mod export;
pub(crate) mod findings;
mod format;
mod get;
mod history;
pub(crate) mod impact;
mod import;
pub(crate) mod labels;
mod lint;
mod list;
mod lists;
mod overlap;
mod preview;
mod promote;
pub(crate) mod ramp;
pub(crate) mod reason;
mod rm;
mod set;
pub(crate) mod stale;
mod switch;
mod undo;
mod watch;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::globals::GlobalArgs;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::name::FlagName;

/// Change who gets a feature, and see who has it
///
/// Flags stand where the game services read them: in the Redis hash, or in a file. A change is shown before it is
/// made: what it does to the flag, and to whom. It is written only if nobody else was faster, stands in the flag's
/// history with who and why, and can be undone. Services keep a flag for a while (30s); each change says until when.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag list
  liveops flag explain player-42 new_matchmaking
  liveops flag set new_matchmaking --pct 10 --reason \"first tenth\"
  liveops flag allow new_matchmaking add qa_1 qa_2
  liveops flag kill new_matchmaking --yes
  liveops flag undo new_matchmaking")]
pub(crate) struct FlagArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::ListArgs),
    Get(get::GetArgs),
    Explain(explain::ExplainArgs),
    Preview(preview::PreviewArgs),
    Set(set::SetArgs),
    Allow(lists::AllowArgs),
    Block(lists::BlockArgs),
    Enable(switch::EnableArgs),
    Disable(switch::DisableArgs),
    Kill(switch::KillArgs),
    Rm(rm::RmArgs),
    Undo(undo::UndoArgs),
    History(history::HistoryArgs),
    Watch(watch::WatchArgs),
    Diff(diff::DiffArgs),
    Eval(eval::EvalArgs),
    Promote(promote::PromoteArgs),
    Overlap(overlap::OverlapArgs),
    Lint(lint::LintArgs),
    Stale(stale::StaleArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Ramp(crate::commands::flag::ramp::RampArgs),
}

impl FlagArgs {
    /// Does it end with findings?
    pub(crate) fn is_gate(&self) -> bool {
        matches!(self.verb, Verb::Lint(_))
    }

    /// What the verb itself says of the global options.
    pub(crate) fn settle(&self, global: &mut GlobalArgs) {
        match &self.verb {
            Verb::Promote(args) => global.env = Some(args.to.clone()),
            Verb::Import(args) => global.dry_run |= !args.apply,
            _ => {}
        }
    }
}

pub(crate) async fn run(args: FlagArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::List(args) => list::run(args, cx).await,
        Verb::Get(args) => get::run(args, cx).await,
        Verb::Explain(args) => explain::run(args, cx).await,
        Verb::Preview(args) => preview::run(args, cx).await,
        Verb::Set(args) => set::run(args, cx).await,
        Verb::Allow(args) => lists::allow(args, cx).await,
        Verb::Block(args) => lists::block(args, cx).await,
        Verb::Enable(args) => switch::enable(args, cx).await,
        Verb::Disable(args) => switch::disable(args, cx).await,
        Verb::Kill(args) => switch::kill(args, cx).await,
        Verb::Rm(args) => rm::run(args, cx).await,
        Verb::Undo(args) => undo::run(args, cx).await,
        Verb::History(args) => history::run(args, cx).await,
        Verb::Watch(args) => watch::run(args, cx).await,
        Verb::Diff(args) => diff::run(args, cx).await,
        Verb::Eval(args) => eval::run(args, cx).await,
        Verb::Promote(args) => promote::run(args, cx).await,
        Verb::Overlap(args) => overlap::run(args, cx).await,
        Verb::Lint(args) => lint::run(args, cx).await,
        Verb::Stale(args) => stale::run(args, cx).await,
        Verb::Export(args) => export::run(args, cx).await,
        Verb::Import(args) => import::run(args, cx).await,
        Verb::Ramp(args) => ramp::run(args, cx).await,
    }
}

/// For clap: a flag's name, or what is wrong with it.
pub(crate) fn name(text: &str) -> Result<FlagName, String> {
    text.parse().map_err(|error: liveops_domain::flag::name::NameError| error.to_string())
}
