//! `liveops flag import`: definitions from a file into this environment, as a dry run until `--apply` is said.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::ValueHint;
use serde_json::Value;

use crate::commands::flag::change::carry_out;
use crate::commands::flag::format::{Conversion, Format, FormatArgs, listed};
use crate::commands::flag::reason::ReasonArgs;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::document::Document;
use liveops_domain::flag::edit::{Edit, apply};
use liveops_domain::flag::flagd;
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::promote::promote;
use liveops_engine::flag::change::{Change, Planned};
use liveops_engine::flag::reason::ChangeReason;
use liveops_engine::flag::refuse::unfit;
use liveops_engine::flag::store_access::{FlagStoreAccess, FlagUpdate};

/// The largest file that is read, in bytes: more is no file of flags.
const LARGEST: u64 = 64 << 20;

/// Create and update flags from a file; only with --apply
///
/// Without --apply it shows what it would do: which flags are created, which change and how, which are the same already. Flags
/// that the file does not name are left alone. All of a flag that it names is replaced, but not its revision.
///
/// From flagd's schema come boolean flags with lists of users, conditions, and one share of users. What no flag here can
/// do is refused, with the reason; what would answer otherwise for some users is said, and needs --lossy.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag import flags.json
  liveops flag import flags.json --apply --reason \"from the repository\"
  jq . flags.json | liveops flag import - --apply --yes
  liveops flag import --format flagd flagd.json

The file is one object, in JSON or YAML, with a member for each flag, as the services read it:
  {\"new_matchmaking\": {\"enabled\": true, \"percentage\": 10, \"defaultValue\": true}}")]
pub(super) struct ImportArgs {
    /// The file, or - for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    #[command(flatten)]
    written: FormatArgs,

    /// Do it
    #[arg(long)]
    pub(super) apply: bool,

    /// Leave out what no flag here can do, and take what answers otherwise for some users
    #[arg(long)]
    lossy: bool,

    #[command(flatten)]
    why: ReasonArgs,
}

pub(super) async fn run(args: ImportArgs, cx: &Context) -> Result<Exit> {
    let why = ChangeReason::from(args.why.clone());
    let document = read(&args.file)?;
    let access = FlagStoreAccess::of(cx)?;
    let conversion = match args.written.format {
        Format::Own => own(&args, &document)?,
        Format::Flagd => from_flagd(&args, &document, &access)?,
    };
    agreed(&args, cx, &conversion)?;
    let mut wanted = Vec::new();
    for (name, definition) in &conversion.carried {
        let parsed: FlagName = name.parse().map_err(|why| cannot_take(name, &why))?;
        wanted.push((parsed, definition));
    }
    let names: Vec<&FlagName> = wanted.iter().map(|(name, _)| name).collect();
    let mut targets = Vec::new();
    for ((name, definition), before) in wanted.iter().zip(access.values(&names).await?) {
        let mut target = target(&access, &why, (name, definition), before)?;
        target.said = conversion.of(name.as_str());
        targets.push(target);
    }
    if targets.iter().any(FlagUpdate::changes) {
        why.check(cx)?;
    }
    let lossy = match args.lossy || conversion.losses.is_empty() {
        true => "",
        false => " --lossy",
    };
    let change = Change {
        action: "flag.import",
        kill_switch: false,
        undoes: None,
        failed: Vec::new(),
        planned: Planned::of(&access, "flag.import", targets, why).await?,
        to_do_it: (!args.apply).then(|| format!("{} --apply{lossy}", cx.command_line)),
    };
    carry_out(cx, &access, change).await
}

/// The object in the file.
fn read(path: &PathBuf) -> Result<Document> {
    let text = text(path)?;
    let begins_as_json = text.trim_ascii_start().first().is_none_or(|byte| b"{[\"".contains(byte));
    if begins_as_json {
        return object(&text, path);
    }
    let why = match serde_yaml::from_slice::<Value>(&text) {
        Ok(value @ Value::Object(_)) => return object(value.to_string().as_bytes(), path),
        Ok(_) => "it is neither an object of JSON nor one of YAML".to_owned(),
        Err(error) => format!("it is neither JSON nor YAML: {error}"),
    };
    Err(no_flags(path, &why))
}

fn no_flags(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::usage(
        format!("{} holds no flags: {why}", path.display()),
        "`liveops flag import --help` shows what such a file looks like",
    )
}

fn object(text: &[u8], path: &Path) -> Result<Document> {
    let document = Document::parse(text).map_err(|why| no_flags(path, &why))?;
    let path = path.display();
    if let [twice, ..] = document.duplicates() {
        return Err(Error::usage(
            format!("flag `{twice}` stands in {path} more than once"),
            "which one is meant? take the others out",
        ));
    }
    Ok(document)
}

fn own(args: &ImportArgs, document: &Document) -> Result<Conversion<Vec<u8>>> {
    if document.get("flags").is_some() && document.get("$schema").is_some() {
        return Err(Error::usage(format!("{} is in flagd's schema", args.file.display()), "say so: `--format flagd`"));
    }
    let mut conversion = Conversion::new();
    let flags = document.members();
    let flags = flags.map(|(name, raw)| (name.to_owned(), raw.as_bytes().to_vec()));
    conversion.carried.extend(flags);
    Ok(conversion)
}

fn from_flagd(args: &ImportArgs, document: &Document, access: &FlagStoreAccess<'_>) -> Result<Conversion<Vec<u8>>> {
    let path = &args.file;
    let Some(flags) = document.get("flags") else {
        return Err(Error::usage(
            format!("{} has no member `flags`, so it is not in flagd's schema", path.display()),
            "our own format is read without `--format`; flagd's is {\"flags\": {NAME: {\"state\": …, \"variants\": …}}}",
        ));
    };
    let mut conversion = Conversion::new();
    for (name, definition) in definitions(flags, path)? {
        let parsed: FlagName = name.parse().map_err(|why| cannot_take(&name, &why))?;
        conversion.add(&name, flagd::import(&definition, &parsed, access.reader));
    }
    Ok(conversion)
}

/// The definitions of flagd: an object by name, or a list of those that name themselves by `key`.
fn definitions(flags: &str, path: &Path) -> Result<Vec<(String, Value)>> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::usage(
            format!("{}: the member `flags` cannot be read: {why}", path.display()),
            "it is an object of flags by name, or a list of flags that have a `key`",
        )
    };
    if !flags.trim_start().starts_with('[') {
        let read = |(name, raw): (&str, &str)| {
            let definition = serde_json::from_str(raw).map_err(|why| cannot_take(name, &why))?;
            Ok((name.to_owned(), definition))
        };
        return object(flags.as_bytes(), path)?.members().map(read).collect();
    }
    let list: Vec<Value> = serde_json::from_str(flags).map_err(|why| failed(&why))?;
    let mut found: Vec<(String, Value)> = Vec::new();
    for (place, mut definition) in list.into_iter().enumerate() {
        let key = definition.as_object_mut().and_then(|members| members.shift_remove("key"));
        let Some(Value::String(name)) = key else {
            return Err(failed(&format!("number {} of the list has no `key`", place + 1)));
        };
        if found.iter().any(|(known, _)| *known == name) {
            return Err(failed(&format!("`{name}` stands in the list more than once")));
        }
        found.push((name, definition));
    }
    Ok(found)
}

/// Is it said of every flag what becomes of it, and agreed to? A dry run shows losses beside each flag.
fn agreed<T>(args: &ImportArgs, cx: &Context, conversion: &Conversion<T>) -> Result<()> {
    let (refused, losses) = (&conversion.refused, &conversion.losses);
    let mut said = Vec::new();
    if !refused.is_empty() {
        said.push(listed("cannot be done by a flag here:", refused));
    }
    if args.apply && !losses.is_empty() {
        said.push(listed("would answer otherwise for some users than flagd does:", losses));
    }
    if !said.is_empty() && !args.lossy {
        return Err(Error::usage(
            said.join("\n"),
            format!(
                "nothing was changed. `{} --lossy` leaves out what cannot be done, and takes the rest as it is",
                cx.command_line
            ),
        ));
    }
    if !refused.is_empty() {
        cx.output.warn(&listed("left out, as no flag here can do it:", refused));
    }
    Ok(())
}

fn text(path: &PathBuf) -> Result<Vec<u8>> {
    let failed = |source| Error::Io { action: "read", path: path.clone(), source };
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

fn cannot_take(name: &str, what: &dyn std::fmt::Display) -> Error {
    Error::usage(
        format!("flag `{name}` of the file cannot be taken: {what}"),
        "nothing was changed; put it right in the file",
    )
}

fn target(
    access: &FlagStoreAccess<'_>,
    why: &ChangeReason,
    (name, raw): (&FlagName, &[u8]),
    before: Option<Vec<u8>>,
) -> Result<FlagUpdate> {
    let failed = |what: &dyn std::fmt::Display| cannot_take(name.as_str(), what);
    let definition = Document::parse(raw).map_err(|why| failed(&why))?;
    why.at_revision(access.cx, name, before.as_deref())?;
    // What is there and cannot be read is replaced as a whole.
    let wanted = promote(&definition, before.as_deref(), &[])
        .or_else(|_| promote(&definition, None, &[]))
        .map_err(|why| failed(&why))?;
    let edit = Edit::Replace(wanted);
    let after = apply(before.as_deref(), &edit, access.reader).map_err(|why| failed(&why))?;
    if let Some(why) = unfit(name, (before.as_deref(), after.as_deref()), access.reader) {
        return Err(failed(&why));
    }
    Ok(FlagUpdate { name: name.clone(), edit, before, after, strict: why.expect_rev.is_some(), said: Vec::new() })
}
