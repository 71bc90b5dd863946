//! The options that every command has.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ValueHint;
use clap::{ArgAction, Args};

use crate::output::Colour;
use crate::output::format::Format;
use liveops_domain::text::duration;
use liveops_engine::session::Choices;

/// Options that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Environment to work in [default: `default_env` of the config]
    #[arg(short = 'e', long, alias = "environment", global = true, env = "LIVEOPS_ENV", value_name = "NAME")]
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

    /// Name the protected environment that is to be changed: with --yes, nothing is asked there
    #[arg(long, global = true, value_name = "ENVIRONMENT")]
    pub(crate) confirm: Option<String>,

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

impl From<GlobalArgs> for Choices {
    fn from(global: GlobalArgs) -> Self {
        let GlobalArgs {
            env,
            config,
            output: _,
            color: _,
            quiet,
            verbose: _,
            timeout,
            read_only,
            dry_run,
            yes,
            confirm,
            prometheus,
            alertmanager,
            health,
            redis,
        } = global;
        Self { config, env, timeout, read_only, dry_run, yes, confirm, quiet, prometheus, alertmanager, health, redis }
    }
}
