//! What `-h`, `--help` and `liveops help` show: commands under the task that they serve, in one order everywhere.

use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use liveops_domain::error::EXIT_CODES;

/// Headings and their commands, in the order that a shift needs them. A test holds that none is missing.
pub(crate) const HEADINGS: [(&str, &[&str]); 7] = [
    ("Monitor", &["status", "watch", "health", "query", "alerts", "silence", "changes"]),
    ("Respond", &["incident", "page", "triage", "runbook", "postmortem", "undo"]),
    ("Change", &["flag", "rollout", "scale", "maintenance"]),
    ("Analyze", &["slo", "report", "players", "capacity", "cost"]),
    ("Check", &["check"]),
    ("Write", &["new"]),
    ("Tool", &["init", "config", "doctor", "audit", "demo", "drill", "completions", "man", "help"]),
];

/// Variables that are no option's: name, and what they do.
pub(crate) const VARIABLES: [(&str, &str); 5] = [
    ("NO_COLOR", "set: no colour"),
    ("CLICOLOR_FORCE", "1: colour also where the output is no terminal"),
    ("TERM", "dumb: plain lines, no full screen"),
    ("COLUMNS", "the width of the output where it is no terminal"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME", "folders of your own file, the audit log and the cache"),
];

const OPTIONS: &str = "Options of every command: liveops help options";

/// What one can start with: command, and what it does.
const START: [(&str, &str); 5] = [
    ("liveops status", "what is wrong, and what to do next"),
    ("liveops triage", "the on-call checklist: it looks by itself"),
    ("liveops demo", "try everything, with nothing installed"),
    ("liveops status --prometheus URL", "look, without any file"),
    ("liveops init", "write a liveops.yaml"),
];

/// Gives the root command its two pages, and every command the order purpose, paragraph, examples, own options.
pub(crate) fn dress(command: Command) -> Command {
    let command = command.mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    let (short, long) = (overview(&command), all(&command));
    command
        .mut_subcommands(|noun| page(noun, "liveops"))
        .help_template("{before-help}")
        .before_help(StyledStr::from(short))
        .before_long_help(StyledStr::from(long))
}

fn page(command: Command, parent: &str) -> Command {
    let path = format!("{parent} {}", command.get_name());
    let examples = command.get_after_help().cloned().unwrap_or_default();
    let bare = bare_verb(&command).map(|verb| format!("`{path}` alone is `{path} {verb}`.\n"));
    let command = command.mut_subcommands(|verb| page(verb, &path));
    let command = if examples.to_string().is_empty() { command } else { command.before_long_help(examples) };
    command
        .help_template("{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}")
        .after_help(format!("{}{OPTIONS}", bare.unwrap_or_default()))
}

/// What a noun alone does, where it has such a verb.
const BARE: [&str; 3] = ["list", "status", "show"];

/// The verb that a noun has when it is typed alone.
pub(crate) fn bare_verb(noun: &Command) -> Option<&'static str> {
    BARE.into_iter().find(|verb| noun.is_subcommand_required_set() && noun.find_subcommand(verb).is_some())
}

/// The examples of a command, as they stand in its help.
pub(crate) fn examples(command: &Command) -> String {
    let text = command.get_before_long_help().map(ToString::to_string).unwrap_or_default();
    console::strip_ansi_codes(&text).strip_prefix("Examples:\n").map(ToOwned::to_owned).unwrap_or_default()
}

/// The commands of a heading that exist.
pub(crate) fn listed<'a>(root: &'a Command, names: &'a [&str]) -> impl Iterator<Item = &'a Command> {
    names.iter().filter_map(|name| root.find_subcommand(name))
}

/// The heading that a command stands under.
pub(crate) fn heading(noun: &str) -> &'static str {
    HEADINGS.iter().find(|(_, names)| names.contains(&noun)).map_or("Tool", |(heading, _)| heading)
}

/// The page of `liveops` alone: 24 lines of 80 cells.
fn overview(root: &Command) -> String {
    // In plain letters: clap would wrap the page at its styles.
    let mut text = format!("{}\n\nUsage: liveops COMMAND [OPTIONS]\n\n", about(root));
    for (heading, names) in HEADINGS {
        let names: Vec<&str> = listed(root, names).map(Command::get_name).collect();
        if !names.is_empty() {
            let _ = writeln!(text, "{heading:<9}{}", names.join(" "));
        }
    }
    text.push('\n');
    for (command, purpose) in START {
        let _ = writeln!(text, "  {command:<33}{purpose}");
    }
    text.push_str("\n  liveops --help                   what each command is for; the exit codes\n");
    text.push_str("  liveops COMMAND --help           one of them, with examples\n");
    text.push_str("  liveops help options             what every command takes\n");
    text
}

/// The page of `liveops --help`.
fn all(root: &Command) -> String {
    let mut text = format!("{}\n\n{} liveops COMMAND [OPTIONS]\n", long_about(root), bold("Usage:"));
    for (heading, names) in HEADINGS {
        let commands: Vec<&Command> = listed(root, names).collect();
        if commands.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", bold(&format!("{heading}:")));
        for command in commands {
            let _ = writeln!(text, "  {:<12} {}", command.get_name(), about(command));
        }
    }
    let _ = writeln!(text, "\n{}", bold("Start here:"));
    for (command, purpose) in START {
        let _ = writeln!(text, "  {command:<33}{purpose}");
    }
    let _ = write!(text, "\n{}\n{}", bold("Exit codes:"), exit_codes());
    let _ = write!(text, "\n{OPTIONS}\n");
    text
}

/// What one can start with, a command a line.
pub(crate) fn start() -> String {
    START.iter().map(|(command, _)| format!("  {command}\n")).collect()
}

/// The one table of exit codes.
pub(crate) fn exit_codes() -> String {
    EXIT_CODES.iter().fold(String::new(), |mut text, (code, meaning)| {
        let _ = writeln!(text, "  {code:<8} {meaning}");
        text
    })
}

/// The options that every command takes, as `liveops help options` shows them.
pub(crate) fn options(root: &Command) -> String {
    let args = root.get_arguments().filter(|arg| arg.is_global_set() && arg.get_id() != "help");
    let shown = args.map(|arg| arg.clone().hide(false).help_heading("Options of every command"));
    let mut page = Command::new("liveops")
        .disable_help_flag(true)
        .max_term_width(100)
        .args(shown)
        .help_template("{all-args}")
        .after_help("");
    page.render_help().ansi().to_string()
}

/// The variables that liveops reads: those of options, and the usual ones of terminals.
pub(crate) fn variables(root: &Command) -> Vec<(String, String)> {
    let of = |arg: &Arg| {
        let name = arg.get_env()?.to_string_lossy().into_owned();
        Some((name, format!("as --{}", arg.get_long()?)))
    };
    let options = root.get_arguments().filter_map(of);
    options.chain(VARIABLES.map(|(name, what)| (name.to_owned(), what.to_owned()))).collect()
}

fn bold(text: &str) -> String {
    format!("\x1b[1m{text}\x1b[0m")
}

pub(crate) fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn long_about(command: &Command) -> String {
    command.get_long_about().map_or_else(|| about(command), ToString::to_string)
}
/// What was read, unless a word of an example still stands in the place of a value: `--service NAME` names no service.
pub(crate) fn filled_in(matches: ArgMatches, root: &Command) -> Result<ArgMatches, clap::Error> {
    let (mut given, mut command) = (&matches, root);
    while let Some((name, sub)) = given.subcommand() {
        (given, command) = (sub, command.find_subcommand(name).unwrap_or(command));
    }
    for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
        let id = arg.get_id().as_str();
        if given.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let typed = given.get_raw(id).into_iter().flatten().filter_map(|value| value.to_str());
        if let Some(word) = typed.into_iter().find(|word| is_placeholder(word, arg)) {
            let mut error = clap::Error::new(ErrorKind::ValueValidation).with_cmd(command);
            error.insert(ContextKind::InvalidArg, ContextValue::String(arg.to_string()));
            error.insert(ContextKind::InvalidValue, ContextValue::String(word.to_owned()));
            return Err(error);
        }
    }
    Ok(matches)
}

/// Is this the word that help and hints put where a value belongs? A single letter may be a name.
fn is_placeholder(word: &str, arg: &Arg) -> bool {
    let names = arg.get_value_names().unwrap_or_default();
    let is_word = word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '=');
    is_word && (word == WHY || names.iter().any(|name| name.as_str() == word))
}

/// What hints put where a reason belongs.
const WHY: &str = "WHY";
