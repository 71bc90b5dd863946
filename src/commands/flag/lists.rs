//! `liveops flag allow` and `liveops flag block`: who is in the lists of a flag.

use clap::{Args, ValueEnum};

use crate::commands::flag::reason::ReasonArgs;
use crate::commands::flag::{change, name};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::edit::{Edit, ListEdit};
use liveops_domain::flag::name::FlagName;
use liveops_engine::flag::change::Request;

/// Put users into the allowlist, or take them out
///
/// With reader `legacy-v1` the percentage comes first: who is in the list and outside the percentage stays off. The
/// preview names each of them, with the percentage from which on they are in.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag allow new_matchmaking add qa_1 qa_2
  liveops flag allow new_matchmaking rm qa_1")]
pub(super) struct AllowArgs {
    #[command(flatten)]
    list: ListArgs,
}

/// Put users into the blocklist, or take them out
///
/// Who is in both lists is on with reader `legacy-v1`, which asks the allowlist first, and off with `v2`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag block new_matchmaking add user_123 --reason \"crashes at login\"
  liveops flag block new_matchmaking rm user_123")]
pub(super) struct BlockArgs {
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    /// Put in, or take out
    #[arg(value_name = "add|rm", hide_possible_values = true)]
    how: ListAction,

    /// Ids of users
    #[arg(value_name = "USER", required = true, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    ids: Vec<String>,

    #[command(flatten)]
    why: ReasonArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ListAction {
    Add,
    #[value(alias = "remove")]
    Rm,
}

pub(super) async fn allow(args: AllowArgs, cx: &Context) -> Result<Exit> {
    change(cx, "flag.allow", args.list, Edit::Allow).await
}

pub(super) async fn block(args: BlockArgs, cx: &Context) -> Result<Exit> {
    change(cx, "flag.block", args.list, Edit::Block).await
}

async fn change(cx: &Context, action: &'static str, args: ListArgs, edit: fn(ListEdit) -> Edit) -> Result<Exit> {
    let (add, remove) = match args.how {
        ListAction::Add => (args.ids, Vec::new()),
        ListAction::Rm => (Vec::new(), args.ids),
    };
    let request = Request {
        action,
        edits: vec![(args.name, edit(ListEdit { add, remove }))],
        why: args.why.into(),
        kill_switch: false,
        create: false,
    };
    change::request(cx, request).await
}
