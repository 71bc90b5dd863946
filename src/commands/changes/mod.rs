//! `liveops changes`: one timeline of everything that changed, and who is suspected of a KPI's break.

pub(crate) mod record;
pub(crate) mod report;

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::commands::changes::report::ChangesReport;
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::duration;
use liveops_engine::changes as gather;
use liveops_engine::changes::back;
use liveops_engine::changes::suspects::{BreakLook, look, suspects};

/// See what changed, and what may have broken a KPI
///
/// One timeline of Kubernetes rollouts and scaling, flags, what was done through liveops, silences, incidents,
/// restarts and reloads that Prometheus saw, git tags, and deployments that CI recorded. With `--around KPI` the break
/// in the KPI's series is found, and the changes are ranked as suspects, each with the reasons. A source that does not
/// answer is named, and the rest is shown.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  liveops changes
  liveops changes --since 6h --service game-backend
  liveops changes --around error_rate
  liveops changes record --kind deploy --service game-backend --version 1.42     # in CI, after a deployment"
)]
pub(crate) struct ChangesArgs {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = duration::parse_positive)]
    since: Duration,

    /// Only changes of this service, and those of none
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Find the break of this KPI, and rank the changes as its suspects
    #[arg(long, value_name = "KPI")]
    around: Option<String>,

    /// Also what you did through liveops in other projects, environments and systems
    #[arg(long)]
    everywhere: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Record(record::RecordArgs),
}

pub(crate) async fn run(args: ChangesArgs, cx: &Context) -> Result<Exit> {
    if let Some(Verb::Record(args)) = args.verb {
        return record::run(args, cx);
    }
    let kpi = args.around.as_deref().map(|name| cx.kpi(name)).transpose()?;
    args.service.as_deref().map_or(Ok(()), |name| cx.check_service(name))?;
    let now = cx.clock.now();
    let since = back(now, args.since)?;
    let looked = async {
        match &kpi {
            Some(kpi) => Some(look(cx, kpi, (since, now)).await),
            None => None,
        }
    };
    let (found, looked) = tokio::join!(gather::gather(cx, since, args.everywhere), looked);
    let mut found = found?;
    if let Some(service) = &args.service {
        found.changes.retain(|change| change.service.as_ref().is_none_or(|name| name == service));
    }
    let sources = found.sources.clone();
    let mut report = ChangesReport::new(cx, since, args.service.clone(), found);
    if let (Some(kpi), Some(looked)) = (&kpi, looked) {
        let suspects = match &looked {
            Ok(BreakLook { broken: Some(broken), .. }) => {
                suspects(&report.changes, kpi, broken, args.service.as_deref())
            }
            _ => Vec::new(),
        };
        report.around(kpi, looked, suspects);
    }
    let meta = report.meta(sources);
    cx.show(&report, meta)?;
    Ok(report.exit())
}
