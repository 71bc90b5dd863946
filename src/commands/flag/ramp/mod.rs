//! `liveops flag ramp`: a flag's percentage as a rollout, with the same engine, runner and evidence. What is a flag's own
//! stands here: how a ramp begins, where it is looked at, and its verbs.

mod history;
pub(crate) mod start;
mod status;

use clap::{Args, Subcommand};

use crate::commands::rollout::rollback::{abort_reason, roll_back};
use crate::commands::rollout::steering::{go_on, send};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::name::FlagName;
use liveops_engine::rollout::launch::Stay;
use liveops_engine::rollout::ramp::open;
use liveops_engine::rollout::runner::Until;
use liveops_engine::rollout::steering::Scope;
use liveops_engine::rollout::{pause, resume};

/// Give a flag to more and more users, as long as the metrics allow
///
/// The same engine as `rollout canary`: each step is held for a while, and the next one comes only on evidence. A guard
/// that fails takes the flag back to the percentage that it had before. Whatever somebody else changes of the flag stops
/// the ramp, and is never overwritten by a step. State and lock stand beside the flags, so that anybody can go on or go
/// back after a crash.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag ramp start new_matchmaking --steps 1,5,25,50,100 --hold 10m --guard 'error_rate < 1%'
  liveops flag ramp status new_matchmaking --watch
  liveops flag ramp pause new_matchmaking --reason \"tournament\" --yes
  liveops flag ramp abort new_matchmaking --yes")]
pub(crate) struct RampArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Start(start::StartArgs),
    Status(status::StatusArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Abort(AbortArgs),
    History(history::HistoryArgs),
}

/// Keep a flag at the percentage that it has; what is bad still takes it back
///
/// Whoever holds the ramp goes on watching its guards, those that lead back. `flag ramp resume` goes on with the steps.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag ramp pause new_matchmaking --reason \"tournament until 20:00\" --yes")]
struct PauseArgs {
    #[command(flatten)]
    which: Which,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Go on with a ramp that is held, or that nobody watches any more
///
/// Anyone can who can change the flag, after a crash as well. A ramp that somebody else's change of the flag has stopped
/// goes on from what the flag is now; nothing of that change is lost.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag ramp resume new_matchmaking
  liveops flag ramp resume new_matchmaking --takeover --yes")]
struct ResumeArgs {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    stay: StayArgs,
}

/// Stop a ramp, and give the flag the percentage that it had before
///
/// Works while another liveops holds it, after a crash, and from another machine. A flag that is off stays off.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag ramp abort new_matchmaking --reason \"players report lag\" --yes")]
struct AbortArgs {
    #[command(flatten)]
    which: Which,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// The flag of a ramp.
#[derive(Debug, Args)]
struct Which {
    /// The flag
    #[arg(value_name = "NAME", value_parser = crate::commands::flag::name)]
    name: FlagName,
}

/// How long to stay.
#[derive(Debug, Args)]
pub(crate) struct StayArgs {
    /// Stay until this: a hold that waits for a person, or the end
    #[arg(long, value_enum, default_value_t = UntilArg::Finished, hide_possible_values = true, value_name = "paused|finished")]
    until: UntilArg,

    /// Only make the first step, and leave the rest to `flag ramp resume`
    #[arg(long)]
    detach: bool,

    /// Take it from a holder that hangs
    #[arg(long)]
    takeover: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum UntilArg {
    Paused,
    Finished,
}

impl StayArgs {
    fn stay(&self) -> Stay {
        let until = match self.until {
            _ if self.detach => Until::Begun,
            UntilArg::Paused => Until::Paused,
            UntilArg::Finished => Until::Finished,
        };
        Stay { until, takeover: self.takeover }
    }
}

pub(crate) async fn run(args: RampArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::Start(args) => start::run(args, cx).await,
        Verb::Status(args) => status::run(args, cx).await,
        Verb::History(args) => history::run(&args, cx).await,
        Verb::Pause(args) => {
            let scope = Scope::One(open(cx, &args.which.name).await?);
            let steering = pause::plan(cx, &scope, "flag.ramp.pause", args.reason).await?;
            send(cx, &scope, &steering).await
        }
        Verb::Resume(args) => {
            cx.output.refuse_rows()?;
            let scope = Scope::One(open(cx, &args.which.name).await?);
            let steering = resume::plan(cx, &scope, "flag.ramp.resume").await?;
            go_on(cx, &scope, &steering, args.stay.stay()).await
        }
        Verb::Abort(args) => {
            let scope = Scope::One(open(cx, &args.which.name).await?);
            let reason = abort_reason(cx, args.reason.as_deref());
            roll_back(cx, &scope, ("flag.ramp.abort", reason), false).await
        }
    }
}
