//! `liveops flag export`: the definitions as a file, for a repository, another store, or flagd.

use liveops_domain::text::count::count;
use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;
use serde_json::{Map, json};

use crate::commands::flag::format::{Conversion, Format, FormatArgs, listed};
use crate::commands::flag::name;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::definition::OURS;
use liveops_domain::flag::document::quoted;
use liveops_domain::flag::flagd::{SCHEMA, export};
use liveops_domain::flag::name::FlagName;
use liveops_domain::text::shell::word;
use liveops_engine::files::file::write_shared;
use liveops_engine::flag::catalog::{FlagCatalog, StoredFlag};

/// Write flags to a file, in our own format or flagd's
///
/// Our own format has each flag as it is stored, to the byte, without liveops' own member; `flag import` takes it back.
/// In flagd's schema some flags cannot be said at all, and some only with other answers for some users: each is named,
/// and nothing is written without --lossy. The share of a percentage hits other users there than with reader legacy-v1,
/// since flagd hashes otherwise (murmur3); with reader v2 it hits the same.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag export --out flags.json
  liveops flag export new_matchmaking
  liveops flag export --format flagd --out flagd.json
  liveops flag export --format flagd --lossy new_matchmaking

What it prints is the file itself, whatever -o says.")]
pub(super) struct ExportArgs {
    /// The flags; all of them when none is named
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<FlagName>,

    #[command(flatten)]
    written: FormatArgs,

    /// The file; without it, stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,

    /// Leave out what cannot be said in that format, and take what answers otherwise for some
    #[arg(long)]
    lossy: bool,
}

pub(super) async fn run(args: ExportArgs, cx: &Context) -> Result<Exit> {
    let store = cx.flags()?;
    let catalog = FlagCatalog::of(cx, &store).await?.only(&args.names)?;
    let (text, carried) = match args.written.format {
        Format::Own => own(cx, &args, &catalog.flags)?,
        Format::Flagd => flagd(cx, &args, &catalog)?,
    };
    let Some(path) = &args.out else {
        cx.output.write(&text)?;
        return Ok(Exit::Good);
    };
    write_shared(path, &text, true)?;
    let format = match args.written.format {
        Format::Own => "",
        Format::Flagd => " --format flagd",
    };
    cx.output.note(&format!(
        "{} of `{}` in {}\nto look at what it would change elsewhere: {}",
        count(carried, "flag"),
        catalog.environment,
        path.display(),
        cx.command(&format!("flag import{format} {}", word(&path.display().to_string()))),
    ));
    Ok(Exit::Good)
}

/// The bytes of each flag, one after the other.
fn own(cx: &Context, args: &ExportArgs, flags: &[StoredFlag]) -> Result<(String, usize)> {
    let mut conversion = Conversion::new();
    for stored in flags {
        match &stored.read {
            Ok(flag) => {
                let mut document = flag.document().clone();
                document.remove(OURS);
                conversion.carried.push((stored.name.clone(), document));
            }
            Err(why) => conversion.refused.push((stored.name.clone(), why.to_string())),
        }
    }
    agreed(cx, args, &conversion)?;
    let members: Vec<String> = conversion
        .carried
        .iter()
        .map(|(name, document)| format!("  {}: {}", quoted(name), document.text().trim()))
        .collect();
    let text = match members.is_empty() {
        true => "{}\n".to_owned(),
        false => format!("{{\n{}\n}}\n", members.join(",\n")),
    };
    Ok((text, members.len()))
}

fn flagd(cx: &Context, args: &ExportArgs, catalog: &FlagCatalog) -> Result<(String, usize)> {
    let mut conversion = Conversion::new();
    for stored in &catalog.flags {
        let name = stored.name.parse::<FlagName>();
        match (&stored.read, name) {
            (Ok(flag), Ok(name)) => conversion.add(&stored.name, export(&name, flag, catalog.reader)),
            (Err(why), _) => conversion.refused.push((stored.name.clone(), why.to_string())),
            (_, Err(why)) => conversion.refused.push((stored.name.clone(), why.to_string())),
        }
    }
    agreed(cx, args, &conversion)?;
    let count = conversion.carried.len();
    let flags: Map<_, _> = conversion.carried.into_iter().collect();
    let text = serde_json::to_string_pretty(&json!({ "$schema": SCHEMA, "flags": flags }))
        .map_err(|_| Error::internal("a value that is no JSON"))?;
    Ok((text + "\n", count))
}

/// Is it said of every flag what becomes of it, and agreed to?
///
/// # Errors
/// `Usage` with every flag that is not exact, unless `--lossy` was said.
fn agreed<T>(cx: &Context, args: &ExportArgs, conversion: &Conversion<T>) -> Result<()> {
    let (refused, losses) = (&conversion.refused, &conversion.losses);
    let is_exact = refused.is_empty() && losses.is_empty();
    if !args.lossy && !is_exact {
        let mut said = Vec::new();
        if !refused.is_empty() {
            said.push(listed("cannot be said in this format:", refused));
        }
        if !losses.is_empty() {
            said.push(listed("would answer otherwise for some users:", losses));
        }
        return Err(Error::usage(
            said.join("\n"),
            format!(
                "nothing was written. `{} --lossy` leaves out the former and takes the latter as they are; or name the flags that you mean",
                cx.command_line
            ),
        ));
    }
    for (heading, said) in
        [("left out, as it cannot be said in this format:", refused), ("answers otherwise for some users:", losses)]
    {
        if !said.is_empty() {
            cx.output.warn(&listed(heading, said));
        }
    }
    if !conversion.notes.is_empty() {
        cx.output.note(&listed("note:", &conversion.notes));
    }
    Ok(())
}
