//! What Tab offers: names from files and from the last answers, never from the network, so that it is instant.

mod names;
mod shells;

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};
use clap_complete::CompletionCandidate;
use clap_complete::engine::ArgValueCompleter;

pub(crate) use shells::{SHELLS, script};

use names::Name;

/// What an argument has names of. In the order of the rows the first that fits counts: noun, id of the argument, names.
/// An empty noun is any.
const NAMES: &[(&str, &str, Name)] = &[
    ("", "env", Name::Environment),
    ("", "confirm", Name::Environment),
    ("flag", "from", Name::Environment),
    ("flag", "to", Name::Environment),
    ("slo", "name", Name::Slo),
    ("slo", "names", Name::Slo),
    ("slo", "files", Name::Slo),
    ("flag", "name", Name::Flag),
    ("flag", "names", Name::Flag),
    ("flag", "a", Name::Flag),
    ("flag", "b", Name::Flag),
    ("alerts", "name", Name::Alert),
    ("silence", "matchers", Name::Alert),
    ("incident", "alert", Name::Alert),
    ("incident", "from_alert", Name::Alert),
    ("silence", "id", Name::Silence),
    ("audit", "id", Name::Change),
    ("undo", "id", Name::Change),
    ("runbook", "name", Name::Runbook),
    ("postmortem", "id", Name::Incident),
    ("incident", "id", Name::Incident),
    ("", "incident", Name::Incident),
    ("", "sev", Name::Severity),
    ("incident", "severity", Name::Severity),
    ("alerts", "severity", Name::AlertSeverity),
    ("", "service", Name::Service),
    ("", "services", Name::Service),
    ("", "kpi", Name::Kpi),
    ("", "around", Name::Kpi),
    ("", "policy", Name::Policy),
    ("", "region", Name::Region),
    ("", "regions", Name::Region),
    ("page", "channel", Name::Channel),
];

thread_local! {
    /// The line that is completed: `-e` and `--config` in it say where to look.
    static LINE: RefCell<Vec<OsString>> = const { RefCell::new(Vec::new()) };
}

/// Remembers the line that is completed.
pub(crate) fn begin(line: Vec<OsString>) {
    LINE.set(line);
}

/// Gives every argument that has names its completion.
pub(crate) fn attach(root: Command) -> Command {
    let root = root.mut_args(|arg| with_names("", arg));
    root.mut_subcommands(|noun| {
        let name = noun.get_name().to_owned();
        below(noun, &name)
    })
}

fn below(command: Command, noun: &str) -> Command {
    command.mut_args(|arg| with_names(noun, arg)).mut_subcommands(|verb| below(verb, noun))
}

fn with_names(noun: &str, arg: Arg) -> Arg {
    match of(noun, &arg) {
        Some(what) => arg.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(what, typed))),
        None => arg,
    }
}

/// What this argument names.
fn of(noun: &str, arg: &Arg) -> Option<Name> {
    let id = arg.get_id().as_str();
    let fits = |row: &&(&str, &str, Name)| (row.0 == noun || row.0.is_empty()) && row.1 == id;
    NAMES.iter().find(fits).map(|(.., name)| *name).filter(|_| arg.get_action().takes_values())
}

fn candidates(what: Name, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let found = LINE.with_borrow(|line| names::all(what, line));
    let found = found.into_iter().filter(|(name, _)| name.starts_with(&*typed));
    let candidate = |(name, help): (String, String)| {
        let shown = (!help.is_empty()).then(|| help.into());
        CompletionCandidate::new(name).help(shown)
    };
    found.map(candidate).collect()
}

/// The names that could stand for an argument that was left out, each with what it is.
pub(crate) fn choices(noun: &str, arg: &Arg, line: &[OsString]) -> Vec<(String, String)> {
    of(noun, arg).map(|what| names::all(what, line)).unwrap_or_default()
}
