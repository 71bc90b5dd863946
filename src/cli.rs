//! The command line: what can be typed. No logic.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ValueHint;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use clap_complete::engine::ArgValueCompleter;

use crate::commands::changes;
use crate::commands::complete;
#[cfg(feature = "demo")]
use crate::commands::demo;
use crate::commands::flag;
use crate::commands::{
    alerts, audit, completions, config, doctor, health, incident, init, man, page, postmortem, query, rollout, runbook,
    scale, silence, status, triage, undo,
};
use crate::domain::duration;
use crate::output::Colour;
use crate::output::format::Format;

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

/// Options that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Environment to work in [default: `default_env` of the config]
    #[arg(short = 'e', long, global = true, env = "LIVEOPS_ENV", value_name = "NAME", add = ArgValueCompleter::new(complete::environments))]
    pub(crate) env: Option<String>,

    /// Configuration file [default: liveops.yaml here or above]
    #[arg(long, global = true, env = "LIVEOPS_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Format of the report
    #[arg(
        short = 'o',
        long,
        global = true,
        env = "LIVEOPS_OUTPUT",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "table|json|yaml|csv|name",
        hide_default_value = true
    )]
    pub(crate) output: Format,

    /// When to colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "auto|always|never",
        hide_default_value = true
    )]
    pub(crate) color: Colour,

    /// Say nothing but the report and errors
    #[arg(short = 'q', long, global = true)]
    pub(crate) quiet: bool,

    /// Show each request on stderr; twice for more
    #[arg(short = 'v', long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Bound on the whole command, such as 10s [default: 30s; one call: 5s]
    #[arg(long, global = true, env = "LIVEOPS_TIMEOUT", value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) timeout: Option<Duration>,

    /// Refuse every change
    #[arg(long, global = true, env = "LIVEOPS_READ_ONLY", value_parser = clap::builder::BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) read_only: bool,

    /// Show what would be done, and do nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,

    /// Do not ask for confirmation
    #[arg(short = 'y', long, global = true)]
    pub(crate) yes: bool,

    /// Prometheus to ask, without any file
    #[arg(long, global = true, env = "LIVEOPS_PROMETHEUS", hide_env_values = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) prometheus: Option<String>,

    /// Alertmanager to ask, without any file
    #[arg(long, global = true, env = "LIVEOPS_ALERTMANAGER", hide_env_values = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) alertmanager: Option<String>,

    /// Service to ask by its health API; may be repeated
    #[arg(long, global = true, env = "LIVEOPS_HEALTH", hide_env_values = true, value_delimiter = ',', value_name = "[NAME=]URL", value_hint = ValueHint::Url)]
    pub(crate) health: Vec<String>,

    /// Redis that holds the feature flags, without any file
    #[arg(long, global = true, env = "LIVEOPS_REDIS", hide_env_values = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) redis: Option<String>,
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
    crate::commands::help::dress(Cli::command())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
