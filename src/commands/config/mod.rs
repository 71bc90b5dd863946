//! `liveops config`: what the configuration is, whether it is sound, where it is, and what it may do.

mod path;
mod schema;
mod show;
mod trust;
mod validate;
mod yaml;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Exit, Result};

/// Show, check and trust the configuration
///
/// A value on the command line wins over an environment variable (LIVEOPS_…), that over liveops.yaml here or in a
/// folder above, that over your own file, that over the defaults. Secrets stand in none of them: only where to find
/// them, as `${VARIABLE}`, `{file: PATH}` or `{command: [PROGRAM, ARGUMENT]}`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops config validate               # every problem at once
  liveops config show --origin          # what is in force, and who said it
  liveops config path                   # which files are read")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Show(show::ShowArgs),
    Validate(validate::ValidateArgs),
    Path(path::PathArgs),
    Trust(trust::TrustArgs),
    Schema(schema::SchemaArgs),
}

/// Runs the verb.
pub(crate) async fn run(args: ConfigArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::Show(args) => show::run(&args, cx),
        Verb::Validate(args) => validate::run(&args, cx),
        Verb::Path(args) => path::run(&args, cx),
        Verb::Trust(args) => trust::run(&args, cx),
        Verb::Schema(schema::SchemaArgs {}) => schema::run(cx),
    }
}
