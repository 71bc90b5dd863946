//! `liveops check`: gates for CI. One shape of findings, waivers, baselines and formats for all of them.

mod alerts;
mod backups;
mod deploy;
mod migration;
mod readiness;
mod security;

use clap::{Args, Subcommand};

use crate::commands::runbook::check as runbook;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};

/// Find what would hurt in production, before it is merged
///
/// Every gate ends with exit code 0 (nothing at or above --fail-on), 1 (findings), 2 (nothing to check, or a wrong call)
/// or 3 (nothing known to be bad, and something unknown: because a system that was asked did not answer, or with
/// --strict for any other reason). Findings are waived in
/// liveops.waivers.yaml or by a comment, with an owner, a reason and an end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops check alerts rules/ --alertmanager-config alertmanager.yml
  liveops check readiness --manifests deploy/
  liveops check backups --strict
  liveops check runbooks
  liveops check migration db/migrations
  liveops check runbooks -o sarif > runbooks.sarif     # for GitHub's code scanning
  liveops check runbooks --waivers-from origin/main    # a change cannot excuse itself")]
pub(crate) struct CheckArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Alerts(alerts::AlertsArgs),
    Migration(migration::MigrationArgs),
    Backups(backups::BackupsArgs),
    Readiness(readiness::ReadinessArgs),
    Deploy(deploy::DeployArgs),
    Runbooks(runbook::CheckArgs),
    Security(security::SecurityArgs),
}

pub(crate) async fn run(args: CheckArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Verb::Alerts(args) => alerts::run(args, cx).await,
        Verb::Migration(args) => migration::run(args, cx).await,
        Verb::Backups(args) => backups::run(args, cx).await,
        Verb::Readiness(args) => readiness::run(args, cx).await,
        Verb::Deploy(args) => deploy::run(args, cx).await,
        Verb::Runbooks(args) => runbook::run(args, cx).await,
        Verb::Security(args) => security::run(args, cx).await,
    }
}
