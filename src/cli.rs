//! The command line: what can be typed. No logic.

#[cfg(feature = "demo")]
use crate::commands::demo;

use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::{
    alerts, audit, changes, completions, config, doctor, flag, health, incident, init, man, page, postmortem, query,
    rollout, runbook, scale, silence, status, triage, undo,
};
use crate::globals::GlobalArgs;

/// One terminal from the page to the postmortem
///
/// liveops sits on what you already run (Prometheus, Alertmanager, health APIs, Redis, Kubernetes) and shows one
/// truth on one screen. What it cannot know it shows as unknown, never as green. Every change that it makes is
/// previewed, confirmed, journalled, and can be undone.
#[derive(Debug, Parser)]
#[command(
    name = "liveops",
    version,
    disable_help_subcommand = false,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done. The headings of `--help` stand in [`crate::commands::help`].
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(status::StatusArgs),
    Health(health::HealthArgs),
    Query(query::QueryArgs),
    Flag(flag::FlagArgs),
    Alerts(alerts::AlertsArgs),
    Silence(silence::SilenceArgs),
    Changes(changes::ChangesArgs),
    Postmortem(postmortem::PostmortemArgs),
    Triage(triage::TriageArgs),
    Runbook(runbook::RunbookArgs),
    Incident(incident::IncidentArgs),
    Page(page::PageArgs),
    Rollout(rollout::RolloutArgs),
    Undo(undo::UndoArgs),
    Scale(scale::ScaleArgs),
    Init(init::InitArgs),
    Config(config::ConfigArgs),
    Doctor(doctor::DoctorArgs),
    Audit(audit::AuditArgs),
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// What the command itself says of the global options.
    pub(crate) fn settle(&self, global: &mut GlobalArgs) {
        if let Self::Flag(args) = self {
            args.settle(global);
        }
    }
}

/// The whole command line with grouped help and the exit codes.
pub(crate) fn command() -> clap::Command {
    crate::help::dress(Cli::command())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
