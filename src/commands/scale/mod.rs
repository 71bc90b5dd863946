//! `liveops scale`: the size of a service, guarded and undoable, and whether it is time to change it.

mod set;
mod status;

use clap::{Args, Subcommand};

use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::config::service::Service;

/// Change how many replicas a service has, or see whether it is time to
///
/// With --replicas it sets the size of the Deployment, with --min and --max the bounds of its autoscaler: where there is
/// an autoscaler, it would take the size back at once. What is there is read first, and is the precondition of the
/// change.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  liveops scale status                          # is it time?
  liveops scale game-backend --replicas 6
  liveops scale game-backend --min 4 --max 20   # the bounds of its autoscaler"
)]
pub(crate) struct ScaleArgs {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// The service
    #[arg(value_name = "SERVICE")]
    service: Option<String>,

    /// Replicas of its Deployment
    #[arg(long, value_name = "N", conflicts_with_all = ["min", "max"])]
    replicas: Option<u64>,

    /// Lower bound of its autoscaler
    #[arg(long, value_name = "N")]
    min: Option<u64>,

    /// Upper bound of its autoscaler
    #[arg(long, value_name = "N")]
    max: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(status::StatusArgs),
}

pub(crate) async fn run(args: ScaleArgs, cx: &Context) -> Result<Exit> {
    match args.verb {
        Some(Verb::Status(args)) => status::run(&args, cx).await,
        None => set::run(&args, cx).await,
    }
}

/// The service of this name; without one, the only one there is.
///
/// # Errors
/// `NotFound` with the candidates; `Usage` when it is not clear which.
fn choose<'a>(cx: &'a Context, name: Option<&str>) -> Result<&'a Service> {
    let services = &cx.config()?.settings.services;
    match (name, services.as_slice()) {
        (Some(name), _) => cx.service(name),
        (None, [only]) => Ok(only),
        (None, []) => Err(Error::Unconfigured {
            what: "service",
            environment: cx.environment()?.to_owned(),
            hint: "name it under `services` in liveops.yaml".into(),
        }),
        (None, _) => {
            let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
            Err(Error::usage("which service?", format!("there is {}", names.join(", "))))
        }
    }
}
