//! `liveops flag enable`, `disable` and `kill`: the switch of a flag. Killing is a kill switch: nothing but `--yes`
//! stands before it, and switching on again is what asks.

use clap::Args;

use crate::commands::flag::reason::ReasonArgs;
use crate::commands::flag::{change, name};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::edit::Edit;
use liveops_domain::flag::name::FlagName;
use liveops_domain::text::said;
use liveops_engine::flag::change::Request;
use liveops_engine::flag::reason::ChangeReason;

/// Switch a flag on, for whom its percentage, lists and rules say
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag enable new_matchmaking --dry-run
  liveops flag enable new_matchmaking --reason \"fixed in 1.42\"")]
pub(super) struct EnableArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    #[command(flatten)]
    why: ReasonArgs,
}

/// Switch a flag off for everybody; the rest of it stays
///
/// In an emergency use `kill`, which asks less and also takes a flag that is broken.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag disable new_matchmaking --reason \"event is over\"")]
pub(super) struct DisableArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    #[command(flatten)]
    why: ReasonArgs,
}

/// Switch flags off for everybody, now
///
/// Needs no reason and no typed name, also in a protected environment; with --yes it asks nothing. It goes on when the
/// audit log cannot be written, and takes a flag that is no valid JSON. Percentage, lists and rules stay for the day
/// that it is enabled again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag kill new_matchmaking --yes
  liveops flag kill new_matchmaking new_shop --yes --reason \"5xx since 03:10\"")]
pub(super) struct KillArgs {
    /// The flags
    #[arg(value_name = "NAME", required = true, value_parser = name)]
    names: Vec<FlagName>,

    /// Why; it stands in the flag's history
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: Option<String>,
}

pub(super) async fn enable(args: EnableArgs, cx: &Context) -> Result<Exit> {
    switch(cx, "flag.enable", args.name, Edit::Enable, args.why).await
}

pub(super) async fn disable(args: DisableArgs, cx: &Context) -> Result<Exit> {
    switch(cx, "flag.disable", args.name, Edit::Disable, args.why).await
}

async fn switch(cx: &Context, action: &'static str, name: FlagName, edit: Edit, why: ReasonArgs) -> Result<Exit> {
    let request = Request { action, edits: vec![(name, edit)], why: why.into(), kill_switch: false, create: false };
    change::request(cx, request).await
}

pub(super) async fn kill(args: KillArgs, cx: &Context) -> Result<Exit> {
    cx.throw_kill_switch("--redis");
    let mut names = args.names;
    names.sort();
    names.dedup();
    let request = Request {
        action: "flag.kill",
        edits: names.into_iter().map(|name| (name, Edit::Kill)).collect(),
        why: ChangeReason { reason: args.reason, ..ChangeReason::default() },
        kill_switch: true,
        create: false,
    };
    change::request(cx, request).await
}
