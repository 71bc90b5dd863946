//! `liveops flag promote`: flags of one environment into another, whole or member by member.

use std::collections::BTreeMap;

use clap::Args;

use crate::commands::flag::change::carry_out;
use crate::commands::flag::name;
use crate::commands::flag::reason::ReasonArgs;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::document::Document;
use liveops_domain::flag::edit::{Edit, apply};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::promote::{PromoteError, promote};
use liveops_engine::flag::change::{Change, Planned};
use liveops_engine::flag::reason::ChangeReason;
use liveops_engine::flag::refuse::unfit;
use liveops_engine::flag::store_access::{FlagStoreAccess, FlagUpdate};
use liveops_engine::flagstore::FlagStore;

/// Carry flags from one environment to another
///
/// Without names all flags of the first environment; flags that only the second has are left alone. With --only just
/// these members change, the others keep what the second environment has. The second environment is where the change
/// is made: if it is protected, it asks for its name and a reason.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag diff --from staging --to prod                     # what differs
  liveops flag promote --from staging --to prod --dry-run
  liveops flag promote --from staging --to prod --only percentage new_matchmaking --reason \"week 2\"")]
pub(super) struct PromoteArgs {
    /// The flags; all of them when none is named
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<FlagName>,

    /// The environment to read
    #[arg(long, value_name = "ENV")]
    from: String,

    /// The environment to change
    #[arg(long, value_name = "ENV")]
    pub(super) to: String,

    /// Only these members, such as percentage,rules
    #[arg(long, value_name = "MEMBER", value_delimiter = ',')]
    only: Vec<String>,

    #[command(flatten)]
    why: ReasonArgs,
}

pub(super) async fn run(args: PromoteArgs, cx: &Context) -> Result<Exit> {
    let why = ChangeReason::from(args.why.clone());
    if args.from == args.to {
        return Err(Error::usage(
            format!("`{}` is both the environment to read and the one to change", args.to),
            "name two environments; `liveops config show` lists them",
        ));
    }
    let access = FlagStoreAccess::of(cx)?;
    let source = cx.flags_of(&args.from)?;
    let all: BTreeMap<String, Vec<u8>> = source.all().await?.into_iter().collect();
    let wanted = wanted(&args, &all)?;
    let names: Vec<&FlagName> = wanted.iter().map(|(name, _)| name).collect();
    let mut targets = Vec::new();
    for ((name, bytes), before) in wanted.iter().zip(access.values(&names).await?) {
        match target(&access, &args, &why, (name, bytes), before) {
            Ok(target) => targets.push(target),
            // What is not there yet cannot get a part; who named it should know, the others are not meant.
            Err(NotPromoted::Partial) if args.names.is_empty() => {
                cx.output.note(&format!("note: flag `{name}` is not in `{}` yet, and is left out", args.to));
            }
            Err(NotPromoted::Partial) => {
                return Err(Error::usage(
                    format!("flag `{name}` is not in `{}` yet: a part of it cannot be carried over", args.to),
                    format!("leave out `--only`, or `{name}`"),
                ));
            }
            Err(NotPromoted::Failed(error)) => return Err(error),
        }
    }
    if targets.iter().any(FlagUpdate::changes) {
        why.check(cx)?;
    }
    let change = Change {
        action: "flag.promote",
        kill_switch: false,
        undoes: None,
        failed: Vec::new(),
        planned: Planned::of(&access, "flag.promote", targets, why).await?,
        to_do_it: None,
    };
    carry_out(cx, &access, change).await
}

/// The flags that are meant, with their bytes.
fn wanted(args: &PromoteArgs, all: &BTreeMap<String, Vec<u8>>) -> Result<Vec<(FlagName, Vec<u8>)>> {
    let missing = |name: &FlagName| Error::NotFound {
        what: "flag",
        name: name.to_string(),
        candidates: all.keys().cloned().collect(),
    };
    if args.names.is_empty() {
        // A name that is none for liveops cannot be written either.
        let named = all.iter().filter_map(|(name, bytes)| Some((name.parse().ok()?, bytes.clone())));
        return Ok(named.collect());
    }
    let find = |name: &FlagName| {
        let bytes = all.get(name.as_str()).ok_or_else(|| missing(name))?;
        Ok((name.clone(), bytes.clone()))
    };
    args.names.iter().map(find).collect()
}

/// Why a flag is not carried over.
enum NotPromoted {
    Partial,
    Failed(Error),
}

fn target(
    access: &FlagStoreAccess<'_>,
    args: &PromoteArgs,
    why_at: &ChangeReason,
    (name, bytes): (&FlagName, &[u8]),
    before: Option<Vec<u8>>,
) -> Result<FlagUpdate, NotPromoted> {
    let failed = |why: &dyn std::fmt::Display| {
        NotPromoted::Failed(Error::usage(
            format!("flag `{name}` cannot be carried over: {why}"),
            format!("`{}` shows what is wrong with it", access.cx.command("flag lint --all")),
        ))
    };
    why_at.at_revision(access.cx, name, before.as_deref()).map_err(NotPromoted::Failed)?;
    let from = Document::parse(bytes).map_err(|why| failed(&format!("in `{}`, {why}", args.from)))?;
    let merged = promote(&from, before.as_deref(), &args.only).map_err(|why| match why {
        PromoteError::Partial => NotPromoted::Partial,
        why => failed(&why),
    })?;
    let edit = Edit::Replace(merged);
    let after = apply(before.as_deref(), &edit, access.reader).map_err(|why| failed(&why))?;
    if let Some(why) = unfit(name, (before.as_deref(), after.as_deref()), access.reader) {
        return Err(failed(&why));
    }
    Ok(FlagUpdate { name: name.clone(), edit, before, after, strict: args.why.expect_rev.is_some(), said: Vec::new() })
}
