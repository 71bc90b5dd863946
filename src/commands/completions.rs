//! `liveops completions SHELL`: the script that makes a shell ask liveops what can follow.

use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};

/// Print the completion script of a shell
///
/// The script asks liveops itself at each Tab, so that environments, services and KPIs of your liveops.yaml are
/// completed too. It asks no server.
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
    let completer: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Elvish => &Elvish,
    };
    let mut script = Vec::new();
    completer
        .write_registration("COMPLETE", "liveops", "liveops", "liveops", &mut script)
        .map_err(|error| Error::internal(&format!("no completion script: {error}")))?;
    cx.output.write(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Good)
}
