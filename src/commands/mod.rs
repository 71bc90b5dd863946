//! What you type: one file or folder a noun. Each verb gathers, decides, confirms if it changes anything, acts, shows.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod changes;
pub(crate) mod completions;
pub(crate) mod config;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod flag;
pub(crate) mod health;
pub(crate) mod incident;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod page;
pub(crate) mod postmortem;
pub(crate) mod query;
pub(crate) mod rollout;
pub(crate) mod runbook;
pub(crate) mod scale;
pub(crate) mod silence;
pub(crate) mod status;
pub(crate) mod triage;
pub(crate) mod undo;

use crate::cli::Command;
use crate::context::Context;
use liveops_domain::error::Result;

/// Runs the command and returns the exit code. One match, no logic.
pub(crate) async fn dispatch(command: Command, cx: &Context) -> Result<u8> {
    let exit = match command {
        Command::Status(args) => status::run(args, cx).await,
        Command::Health(args) => health::run(args, cx).await,
        Command::Query(args) => query::run(args, cx).await,
        Command::Flag(args) => flag::run(args, cx).await,
        Command::Alerts(args) => alerts::run(args, cx).await,
        Command::Changes(args) => changes::run(args, cx).await,
        Command::Silence(args) => silence::run(args, cx).await,
        Command::Postmortem(args) => postmortem::run(args, cx).await,
        Command::Triage(args) => triage::run(args, cx).await,
        Command::Runbook(args) => runbook::run(args, cx).await,
        Command::Incident(args) => incident::run(args, cx).await,
        Command::Page(args) => page::run(args, cx).await,
        Command::Rollout(args) => rollout::run(args, cx).await,
        Command::Undo(args) => undo::run(args, cx).await,
        Command::Scale(args) => scale::run(args, cx).await,
        Command::Init(args) => init::run(args, cx).await,
        Command::Config(args) => config::run(args, cx).await,
        Command::Doctor(args) => doctor::run(args, cx).await,
        Command::Audit(args) => audit::run(args, cx).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(args, cx).await,
        Command::Completions(args) => completions::run(args, cx).await,
        Command::Man(args) => man::run(args, cx).await,
    };
    exit.map(liveops_domain::error::Exit::code)
}
