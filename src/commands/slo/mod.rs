//! `liveops slo`: service level objectives: what is left of the error budget, how fast it burns, and the rules for it.

mod budget;
mod check;
mod generate;
mod simulate;
mod status;
pub(crate) mod view;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Exit, Result};

/// See how much error budget is left, and write the rules that alert on it
///
/// An objective says how good is good enough, such as 99.9 % of all requests in 30 days; the rest is the error budget.
/// They are defined under `slos` in liveops.yaml, or in files of OpenSLO. Without a verb it shows how they stand.
#[derive(Debug, Args)]
#[command(subcommand_precedence_over_arg = true)]
#[command(after_help = "Examples:
  liveops slo                                     # how do they stand?
  liveops slo budget api-availability --explain   # where did it go, and by which queries?
  liveops slo generate --out rules/slo.yml        # alerts, and a test of them
  liveops slo check --min-budget 10%              # a gate for CI
  liveops slo simulate --days 30                  # what would have paged?")]
pub(crate) struct SloArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    status: status::StatusArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(status::StatusArgs),
    Budget(budget::BudgetArgs),
    Generate(generate::GenerateArgs),
    Check(check::CheckArgs),
    Simulate(simulate::SimulateArgs),
}

pub(crate) async fn run(args: SloArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        None => status::run(args.status, cx).await,
        Some(Verb::Status(args)) => status::run(args, cx).await,
        Some(Verb::Budget(args)) => budget::run(args, cx).await,
        Some(Verb::Generate(args)) => generate::run(args, cx),
        Some(Verb::Check(args)) => check::run(args, cx).await,
        Some(Verb::Simulate(args)) => simulate::run(args, cx).await,
    }
}
