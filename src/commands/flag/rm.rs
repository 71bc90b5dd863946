//! `liveops flag rm`: takes a flag away. Readers then answer "off" for everybody.

use clap::Args;

use crate::commands::flag::reason::ReasonArgs;
use crate::commands::flag::{change, name};
use crate::context::Context;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::edit::Edit;
use liveops_domain::flag::name::FlagName;
use liveops_engine::flag::change::Request;

/// Remove a flag; services then take it for off
///
/// Its history stays, and so `undo` can bring it back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag rm old_shop --reason \"code is gone since 1.40\"
  liveops flag undo old_shop")]
pub(super) struct RmArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    #[command(flatten)]
    why: ReasonArgs,
}

pub(super) async fn run(args: RmArgs, cx: &Context) -> Result<Exit> {
    let request = Request {
        action: "flag.rm",
        edits: vec![(args.name, Edit::Remove)],
        why: args.why.into(),
        kill_switch: false,
        create: false,
    };
    change::request(cx, request).await
}
