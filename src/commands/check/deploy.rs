//! `liveops check deploy`: may this service be deployed now?

use clap::Args;

use crate::context::Context;
use crate::gate::{Extra, GateArgs, finish};
use liveops_domain::check::deploy::RULES;
use liveops_domain::error::{Exit, Result};
use liveops_engine::check::deploy::check;
use liveops_engine::check::gate::About;

/// Check that a service may be deployed now
///
/// Its alerts exist and reach somebody, none that is critical fires, its error budget is not spent, there is a way back,
/// room for it and a runbook for each of its alerts, no incident is open, and changes are not frozen (`freezes` of
/// liveops.yaml). What does not answer is unknown, and does not pass.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops check deploy game-backend --strict      # the last step before a release
  liveops check deploy game-backend -o github
  liveops check deploy game-backend --policy fast")]
pub(super) struct DeployArgs {
    /// Service of liveops.yaml
    #[arg(value_name = "SERVICE")]
    service: String,

    /// Policy of the rollout [default: that of the service]
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,

    #[command(flatten)]
    gate: GateArgs,
}

const ABOUT: About =
    About { name: "check deploy", rules: RULES, nothing: "name a service of liveops.yaml: `liveops config show`" };

pub(super) async fn run(args: DeployArgs, cx: &Context) -> Result<Exit> {
    let found = check(cx, &args.service, args.policy.as_deref()).await?;
    finish(ABOUT, found, &args.gate, Extra::default(), cx).await
}
