//! `liveops health`: what a service says of itself, with whatever members it has.

mod documents;
mod metrics;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::config::service::Service;

/// Ask the services' health API: basic, detailed, metrics
///
/// Real services vary: missing members, other words for healthy, 503 with a body. liveops shows what is there, and
/// never invents what is not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops health
  liveops health detailed --service game-backend
  liveops health metrics --match game_
  liveops health --health http://127.0.0.1:5050")]
pub(crate) struct HealthArgs {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    which: Which,
}

/// Which services.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Which {
    /// Only this service; may be repeated
    #[arg(short, long, global = true, value_name = "NAME")]
    service: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the state that load balancers see (the default)
    ///
    /// Asks `/api/health` of every service at once.
    #[command(after_help = "Examples:\n  liveops health basic")]
    Basic,
    /// Show uptime, resources, connections, components
    ///
    /// Asks `/api/health/detailed`, and lists every member that the answer has.
    #[command(after_help = "Examples:\n  liveops health detailed --service game-backend")]
    Detailed,
    /// Show the metrics that the service itself exposes
    ///
    /// Asks `/api/health/metrics` (or the `metrics` of the config) and lists each series with its value.
    #[command(
        after_help = "Examples:\n  liveops health metrics --match game_\n  liveops health metrics -o csv > metrics.csv"
    )]
    Metrics(metrics::MetricsArgs),
}

pub(crate) async fn run(args: HealthArgs, cx: &Context) -> Result<Exit> {
    let services = services(&args.which, cx)?;
    match args.verb {
        None | Some(Verb::Basic) => documents::basic(&services, cx).await,
        Some(Verb::Detailed) => documents::detailed(&services, cx).await,
        Some(Verb::Metrics(args)) => metrics::run(&args, &services, cx).await,
    }
}

fn services<'a>(which: &Which, cx: &'a Context) -> Result<Vec<&'a Service>> {
    let config = cx.config()?;
    if config.settings.services.is_empty() {
        return Err(Error::Unconfigured {
            what: "service",
            environment: config.settings.environment.clone(),
            hint: "pass `--health URL`, or list `services` in liveops.yaml; `liveops init` writes one".into(),
        });
    }
    cx.services(&which.service)
}
