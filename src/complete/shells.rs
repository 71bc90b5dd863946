//! The scripts of the shells, and what each is answered.

use std::ffi::OsString;
use std::io::{Result, Write};
use std::path::Path;

use clap::Command;
use clap_complete::CompletionCandidate;
use clap_complete::engine::complete;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use liveops_engine::config::environment::variable;

/// A shell, as clap's script asks for it; what is offered and how it is written is ours.
pub(crate) struct Shell(&'static dyn EnvCompleter);

/// Those that can be completed for.
pub(crate) const SHELLS: [&dyn EnvCompleter; 5] =
    [&Shell(&Bash), &Shell(&Elvish), &Shell(&Fish), &Shell(&Powershell), &Shell(&Zsh)];

/// The script of a shell.
///
/// # Errors
/// When the shell is not known, and as writing fails.
pub(crate) fn script(shell: &str) -> Result<String> {
    let known = SHELLS.into_iter().find(|known| known.is(shell));
    let known = known.ok_or_else(|| std::io::Error::other(format!("there is no shell `{shell}`")))?;
    let mut script = Vec::new();
    known.write_registration("COMPLETE", "liveops", "liveops", "liveops", &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

impl EnvCompleter for Shell {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is(&self, name: &str) -> bool {
        self.0.is(name)
    }

    fn write_registration(&self, var: &str, name: &str, bin: &str, completer: &str, buf: &mut dyn Write) -> Result<()> {
        let mut script = Vec::new();
        self.0.write_registration(var, name, bin, completer, &mut script)?;
        let script = String::from_utf8_lossy(&script);
        // As a file of `fpath`, the script is the function's body at each Tab, the first one included.
        let register = "compdef _clap_dynamic_completer_liveops liveops";
        let both = format!(
            "if [ \"${{funcstack[1]}}\" = \"_liveops\" ]; then\n    _clap_dynamic_completer_liveops \"$@\"\nelse\n    {register}\nfi"
        );
        buf.write_all(script.replace(register, &both).as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        mut args: Vec<OsString>,
        here: Option<&Path>,
        buf: &mut dyn Write,
    ) -> Result<()> {
        let index = variable("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok());
        let index: usize = index.unwrap_or(args.len().saturating_sub(1));
        if args.len() == index {
            args.push(OsString::new());
        }
        let typed = args.get(index).cloned().unwrap_or_default();
        super::begin(args.clone());
        let mut found = narrowed(complete(command, args, index, here)?, &typed.to_string_lossy());
        found.retain(|one| is_plain(&one.get_value().to_string_lossy()));
        let between = variable("_CLAP_IFS").unwrap_or_else(|| "\n".into());
        let lines: Vec<String> = found.iter().map(|candidate| self.line(candidate)).collect();
        buf.write_all(lines.join(&between).as_bytes())
    }
}

impl Shell {
    /// A candidate as this shell reads it, with what it is where the shell shows that.
    fn line(&self, candidate: &CompletionCandidate) -> String {
        let value = candidate.get_value().to_string_lossy().into_owned();
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.as_deref().and_then(|help| help.lines().next()).filter(|help| !help.is_empty());
        match (self.name(), help) {
            ("zsh", help) => {
                let value = value.replace('\\', "\\\\").replace(':', "\\:");
                help.map_or_else(|| value.clone(), |help| format!("{value}:{}", help.replace('\\', "\\\\")))
            }
            ("fish" | "powershell", Some(help)) => format!("{value}\t{help}"),
            _ => value,
        }
    }
}

/// Names come from files of others: what a shell would read as more than a word is not put onto its line.
fn is_plain(value: &str) -> bool {
    let may_stand = |c: char| c.is_alphanumeric() || "-_.:/@+=%, ".contains(c) || (cfg!(windows) && c == '\\');
    value.chars().all(may_stand)
}

/// Where nothing is typed yet and a name or a verb can follow, options are not what is looked for.
fn narrowed(mut found: Vec<CompletionCandidate>, typed: &str) -> Vec<CompletionCandidate> {
    let is_option = |one: &CompletionCandidate| one.get_value().to_string_lossy().starts_with('-');
    if typed.is_empty() && found.iter().any(|one| !is_option(one)) {
        found.retain(|one| !is_option(one));
    }
    found
}
