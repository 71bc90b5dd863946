//! `liveops check security`: what opens a door.

use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;

use crate::context::Context;
use crate::gate::{Extra, GateArgs, call, finish};
use liveops_domain::check::security::RULES;
use liveops_domain::error::{Exit, Result};
use liveops_engine::check::gate::About;
use liveops_engine::check::security::{Request, check};

/// Check what opens a door to an attacker
///
/// Manifests (privileges, capabilities, users, roles, network policies, secrets), the TLS certificates of every
/// endpoint that is configured, liveops' own configuration and files, its audit log, and signals of an attack (failed
/// logins, rate limits) against the limits under `security` in liveops.yaml.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops check security --manifests deploy/
  liveops check security -e prod                       # endpoints, files, audit log, signals
  liveops check security --manifests deploy/ -o github")]
pub(super) struct SecurityArgs {
    /// File or folder of manifests, or - for standard input; may be repeated
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath, num_args = 1..)]
    manifests: Vec<PathBuf>,

    #[command(flatten)]
    gate: GateArgs,
}

const ABOUT: About = About {
    name: "check security",
    rules: RULES,
    nothing: "name manifests: `liveops check security --manifests FOLDER`, or configure endpoints: `liveops init`",
};

pub(super) async fn run(args: SecurityArgs, cx: &Context) -> Result<Exit> {
    let call = call(ABOUT.name, "--manifests ", &args.manifests);
    let request = Request { manifests: args.manifests, ignore_annotations: args.gate.is_from_ref() };
    let security = check(cx, &request).await?;
    let extra = Extra { call, sources: security.sources, ..Extra::default() };
    finish(ABOUT, security.outcomes.found, &args.gate, extra, cx).await
}
