//! `liveops man --out DIR`: one manual page a command, from the same source as `--help`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};

/// Write the manual pages, one a command
///
/// Without --out it prints the page of liveops itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops man --out ~/.local/share/man/man1
  liveops man | man -l -")]
pub(crate) struct ManArgs {
    /// Folder to write to
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
}

pub(crate) async fn run(args: ManArgs, cx: &Context) -> Result<Exit> {
    let mut root = (cx.grammar.command)();
    root.build();
    let Some(dir) = args.out else {
        cx.output.write(&page(&root, &root, "liveops")?)?;
        return Ok(Exit::Good);
    };
    fs::create_dir_all(&dir).map_err(|source| Error::Io { action: "create", path: dir.clone(), source })?;
    let count = write(&root, &root, "liveops", &dir)?;
    cx.output.note(&format!("{count} pages in {}", dir.display()));
    Ok(Exit::Good)
}

fn write(root: &Command, command: &Command, name: &str, dir: &Path) -> Result<usize> {
    let path = dir.join(format!("{name}.1"));
    fs::write(&path, page(root, command, name)?).map_err(|source| Error::Io { action: "write", path, source })?;
    let mut count = 1;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        count += write(root, sub, &format!("{name}-{}", sub.get_name()), dir)?;
    }
    Ok(count)
}

fn page(root: &Command, command: &Command, name: &str) -> Result<String> {
    let plain = |text: &clap::builder::StyledStr| console::strip_ansi_codes(&text.to_string()).into_owned();
    let mut command = command.clone().name(name.to_owned()).display_name(name.to_owned());
    // Global options stand once, in liveops(1); repeated in each page they would bury its own.
    if name != root.get_name() {
        command = command.mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    }
    // The listing before the options is of no use on a page that lists the subcommands itself.
    command = command.before_help("").before_long_help("");
    if let Some(text) = command.get_after_help().map(plain) {
        command = command.after_help(text.clone()).after_long_help(text);
    }
    let mut out = Vec::new();
    let man =
        Man::new(command).title(name.to_uppercase()).date("").source(concat!("liveops ", env!("CARGO_PKG_VERSION")));
    man.render(&mut out).map_err(|error| Error::internal(&format!("no manual page: {error}")))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
