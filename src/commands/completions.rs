//! `liveops completions SHELL`: the script that makes a shell ask liveops what can follow.

use clap::{Args, ValueEnum};

use crate::complete::script;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};

/// Print the completion script of a shell
///
/// The script asks liveops itself at each Tab, so that names are completed too: environments, services, KPIs, flags,
/// incidents, alerts, silences, runbooks, changes. It asks no server: names come from files and from the last answers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops completions bash > ~/.local/share/bash-completion/completions/liveops
  liveops completions zsh > ~/.zfunc/_liveops
  liveops completions fish > ~/.config/fish/completions/liveops.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Shells that clap can complete for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

pub(crate) async fn run(args: CompletionsArgs, cx: &Context) -> Result<Exit> {
    let name = args.shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let script = script(&name).map_err(|error| Error::internal(&format!("no completion script: {error}")))?;
    cx.output.write(&script)?;
    Ok(Exit::Good)
}
