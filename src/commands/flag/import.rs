//! `liveops flag import`: definitions from a file into this environment, as a dry run until `--apply` is said.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use clap::builder::ValueHint;

use crate::commands::flag::change::{Change, Planned};
use crate::commands::flag::refuse::unfit;
use crate::commands::flag::site::{Site, Target};
use crate::commands::flag::why::Why;
use crate::context::Context;
use crate::domain::flag::document::Document;
use crate::domain::flag::edit::{Edit, apply};
use crate::domain::flag::name::FlagName;
use crate::domain::flag::promote::promote;
use crate::error::{Error, Exit, Result};
use crate::stores::flags::FlagStore;

/// The largest file that is read, in bytes: more is no file of flags.
const LARGEST: u64 = 64 << 20;

/// Create and update flags from a file; only with --apply
///
/// Without --apply it shows what it would do: which flags come to be, which change and how, which are so already. Flags
/// that the file does not name are left alone. All of a flag that it names is replaced, but not its revision.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag import flags.json
  liveops flag import flags.json --apply --reason \"from the repository\"
  jq . flags.json | liveops flag import - --apply --yes

The file is one JSON object with a member for each flag, as the services read it:
  {\"new_matchmaking\": {\"enabled\": true, \"percentage\": 10, \"defaultValue\": true}}")]
pub(super) struct ImportArgs {
    /// The file, or - for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Do it
    #[arg(long)]
    pub(super) apply: bool,

    #[command(flatten)]
    why: Why,
}

pub(super) async fn run(args: ImportArgs, cx: &Context) -> Result<Exit> {
    let text = text(&args.file)?;
    let path = args.file.display();
    let document = Document::parse(&text).map_err(|why| {
        Error::usage(
            format!("{path} holds no flags: {why}"),
            "`liveops flag import --help` shows what such a file looks like",
        )
    })?;
    if let [twice, ..] = document.duplicates() {
        return Err(Error::usage(
            format!("flag `{twice}` stands in {path} more than once"),
            "which one is meant? take the others out",
        ));
    }
    let site = Site::of(cx)?;
    let mut targets = Vec::new();
    for (name, raw) in document.members() {
        targets.push(target(&site, &args.why, (name, raw)).await?);
    }
    if targets.iter().any(Target::changes) {
        args.why.check(cx)?;
    }
    let change = Change {
        action: "flag.import",
        kill_switch: false,
        undoes: None,
        failed: Vec::new(),
        planned: Planned::of(&site, "flag.import", targets, args.why).await?,
        to_do_it: (!args.apply).then(|| format!("{} --apply", cx.command_line)),
    };
    change.carry_out(&site).await
}

fn text(path: &PathBuf) -> Result<Vec<u8>> {
    let failed = |source| Error::Io {
        action: "read",
        path: path.clone(),
        source,
    };
    let mut text = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(LARGEST).read_to_end(&mut text)
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(LARGEST).read_to_end(&mut text)
    };
    read.map_err(failed)?;
    Ok(text)
}

async fn target(site: &Site<'_>, why: &Why, (name, raw): (&str, &str)) -> Result<Target> {
    let failed = |what: &dyn std::fmt::Display| {
        Error::usage(
            format!("flag `{name}` of the file cannot be taken: {what}"),
            "nothing was changed; put it right in the file",
        )
    };
    let name: FlagName = name.parse().map_err(|why| failed(&why))?;
    let definition = Document::parse(raw.as_bytes()).map_err(|why| failed(&why))?;
    let before = site.store.get(&name).await?;
    why.at_revision(site.cx, &name, before.as_deref())?;
    // What is there and cannot be read is replaced as a whole.
    let wanted = promote(&definition, before.as_deref(), &[])
        .or_else(|_| promote(&definition, None, &[]))
        .map_err(|why| failed(&why))?;
    let edit = Edit::Replace(wanted);
    let after = apply(before.as_deref(), &edit, site.reader).map_err(|why| failed(&why))?;
    if let Some(why) = unfit(&name, (before.as_deref(), after.as_deref()), site.reader) {
        return Err(failed(&why));
    }
    Ok(Target {
        name,
        edit,
        before,
        after,
        strict: why.expect_rev.is_some(),
    })
}
