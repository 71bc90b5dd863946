//! `liveops flag undo`: the newest change of a flag taken back, whoever made it, or everything after a revision.

use clap::Args;

use crate::commands::flag::change::carry_out;
use crate::commands::flag::name;
use crate::commands::flag::reason::ReasonArgs;
use crate::context::Context;
use liveops_domain::change::undo::Undo;
use liveops_domain::change::undo::flag::{FlagUndo, Stale};
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::name::FlagName;
use liveops_engine::flag::change::{Change, Planned};
use liveops_engine::flag::reason::ChangeReason;
use liveops_engine::flag::refuse::missing;
use liveops_engine::flag::restore::{read, stale, target};
use liveops_engine::flag::store_access::FlagStoreAccess;

/// Take the newest change of a flag back, or go back to a revision
///
/// It works from the flag's own history, so also for what somebody else has changed through liveops. The old value is
/// written as a new revision; a second `undo` brings the newer value back. When the flag was changed outside liveops
/// since, nothing is overwritten. An undo that takes the flag away from users asks as little as `kill`; one that gives
/// it to more users asks like every other change.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag undo new_matchmaking
  liveops flag undo new_matchmaking --to-rev 3 --dry-run
  liveops flag history new_matchmaking          # which revisions there are")]
pub(super) struct UndoArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    /// Go back to this revision
    #[arg(long, value_name = "N")]
    to_rev: Option<u64>,

    #[command(flatten)]
    why: ReasonArgs,
}

pub(super) async fn run(args: UndoArgs, cx: &Context) -> Result<Exit> {
    let why = ChangeReason::from(args.why.clone());
    let access = FlagStoreAccess::of(cx)?;
    let now = read(&access, &args.name, args.to_rev).await?;
    why.at_revision(cx, &args.name, now.current.as_deref())?;
    let back = match now.step_back(args.to_rev) {
        Err(Stale::NoHistory { .. }) if now.current.is_none() => {
            return Err(missing(&access.store, &args.name).await);
        }
        back => back.map_err(|why| stale(cx, &why))?,
    };
    let target = target(&back, access.reader)?;
    let safe = target.only_takes_away(access.reader);
    if !safe && target.changes() {
        why.check(cx)?;
    }
    let undoes = match args.to_rev {
        None => undone(cx, &back.op, &args.name),
        Some(_) => None,
    };
    let change = Change {
        action: "flag.undo",
        kill_switch: safe,
        undoes,
        failed: Vec::new(),
        planned: Planned::of(&access, "flag.undo", vec![target], why).await?,
        to_do_it: None,
    };
    carry_out(cx, &access, change).await
}

/// The change in this user's audit log that this takes back as a whole: one of this flag alone.
fn undone(cx: &Context, op: &str, name: &FlagName) -> Option<String> {
    let (record, _) = liveops_engine::undo::audit::find(cx, op).ok()?;
    match record.undo? {
        Undo::Flag(FlagUndo::RestoreFlags { flags }) if flags == [name.as_str()] => Some(op.to_owned()),
        _ => None,
    }
}
