//! `liveops help`: the help of a command, what all commands share, and the whole command line as data.

use clap::{Arg, ArgAction, Args, Command};
use serde::Serialize;

use crate::context::Context;
use crate::help::{about, exit_codes, heading, options, variables};
use crate::output::block::Block;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{EXIT_CODES, Error, Exit, Result};
use liveops_domain::text::suggest::nearest;

/// Print the help of a command, or what all commands share
///
/// Beside the commands there are the topics `options` (what every command takes), `environment` (the variables) and
/// `exit-codes`. With -o json it prints the command line as data, for scripts and agents: every command with its
/// arguments, options, kind of output and exit codes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops help flag set
  liveops help options
  liveops help -o json")]
pub(crate) struct HelpArgs {
    /// A command, or one of options, environment, exit-codes
    #[arg(value_name = "COMMAND")]
    topic: Vec<String>,
}

pub(crate) async fn run(args: HelpArgs, cx: &Context) -> Result<Exit> {
    let mut root = (cx.grammar.command)();
    root.build();
    let topic: Vec<&str> = args.topic.iter().map(String::as_str).collect();
    let text = match topic.as_slice() {
        ["options"] => options(&root),
        ["environment"] => variables(&root).iter().map(|(name, what)| format!("  {name}  {what}\n")).collect(),
        ["exit-codes"] => exit_codes(),
        _ => {
            let command = find(&root, &topic)?;
            if cx.output.format().is_machine() {
                cx.show_anywhere(&tree(&root, command, &topic), Meta::default())?;
                return Ok(Exit::Good);
            }
            let mut command = command.clone().display_name(topic.last().copied().unwrap_or("liveops").to_owned());
            command.render_long_help().ansi().to_string()
        }
    };
    let text = if cx.output.is_coloured() { text } else { console::strip_ansi_codes(&text).into_owned() };
    cx.output.write(&format!("{}\n", text.trim_end()))?;
    Ok(Exit::Good)
}

fn find<'a>(root: &'a Command, words: &[&str]) -> Result<&'a Command> {
    words.iter().try_fold(root, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            let topics = ["options", "environment", "exit-codes"].into_iter().filter(|_| words.len() == 1);
            let names = command.get_subcommands().map(Command::get_name).chain(topics);
            let hint = nearest(word, names).map_or_else(
                || "`liveops --help` lists the commands".to_owned(),
                |near| format!("did you mean `liveops help {near}`?"),
            );
            Error::usage(format!("there is no command `{}`", words.join(" ")), hint)
        })
    })
}

/// The command line as data.
#[derive(Debug, Serialize)]
struct CommandLine {
    /// Options that every command takes.
    global_options: Vec<Parameter>,
    commands: Vec<CommandEntry>,
    exit_codes: Vec<ExitCode>,
    environment: Vec<Variable>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CommandEntry {
    pub(crate) command: String,
    group: &'static str,
    purpose: String,
    output: OutputClass,
    /// Does it change something outside of its own memory?
    pub(crate) changes: bool,
    exit_codes: Vec<&'static str>,
    arguments: Vec<Parameter>,
    options: Vec<Parameter>,
    examples: Vec<String>,
}

/// What stdout carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum OutputClass {
    /// A report: a screen, or the envelope as JSON or YAML.
    Report,
    /// Reports, one after the other; with `-o json` one a line.
    Stream,
    /// A full screen; nothing without a terminal.
    Screen,
    /// Text for another program.
    Text,
}

#[derive(Debug, Serialize)]
struct Parameter {
    name: String,
    short: Option<char>,
    /// The name of its value; none for a switch.
    value: Option<String>,
    required: bool,
    repeated: bool,
    values: Vec<String>,
    default: Option<String>,
    variable: Option<String>,
    purpose: String,
}

#[derive(Debug, Serialize)]
struct ExitCode {
    code: &'static str,
    meaning: &'static str,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: String,
    purpose: String,
}

impl Report for CommandLine {
    fn schema(&self) -> &'static str {
        "liveops.help/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        self.commands.iter().map(|entry| Block::text(entry.command.clone())).collect()
    }
}

/// Verbs that only look, wherever they stand. A test holds that each exists.
pub(crate) const LOOKS: [&str; 37] = [
    "list",
    "show",
    "get",
    "eval",
    "explain",
    "lint",
    "preview",
    "overlap",
    "history",
    "diff",
    "export",
    "stale",
    "watch",
    "status",
    "plan",
    "check",
    "verify",
    "validate",
    "path",
    "schema",
    "timeline",
    "report",
    "who",
    "budget",
    "simulate",
    "basic",
    "detailed",
    "metrics",
    "query",
    "alerts",
    "changes",
    "doctor",
    "slo",
    "health",
    "completions",
    "man",
    "help",
];

fn tree(root: &Command, from: &Command, path: &[&str]) -> CommandLine {
    let mut commands = Vec::new();
    let path: Vec<String> = path.iter().map(ToString::to_string).collect();
    collect(from, &path, &mut commands);
    CommandLine {
        global_options: root.get_arguments().filter(|arg| arg.is_global_set()).map(parameter).collect(),
        commands,
        exit_codes: EXIT_CODES.iter().map(|(code, meaning)| ExitCode { code, meaning }).collect(),
        environment: variables(root).into_iter().map(|(name, purpose)| Variable { name, purpose }).collect(),
    }
}

pub(crate) fn collect(command: &Command, path: &[String], into: &mut Vec<CommandEntry>) {
    let subcommands = || command.get_subcommands().filter(|sub| sub.get_name() != "help" || path.is_empty());
    let runs_itself = subcommands().next().is_none() || !command.is_subcommand_required_set();
    if runs_itself && !path.is_empty() {
        into.push(entry(command, path));
    }
    for sub in subcommands() {
        let path: Vec<String> = path.iter().cloned().chain([sub.get_name().to_owned()]).collect();
        collect(sub, &path, into);
    }
}

fn entry(command: &Command, path: &[String]) -> CommandEntry {
    let (noun, verb) = (path[0].as_str(), path[path.len() - 1].as_str());
    let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help";
    // A noun that runs by itself lists.
    let lists = path.len() == 1 && command.has_subcommands();
    let changes = !(matches!(noun, "check" | "report") || LOOKS.contains(&verb) || lists);
    let output = match (noun, verb) {
        ("completions" | "man" | "help", _) | (_, "schema" | "export") => OutputClass::Text,
        ("watch", _) => OutputClass::Screen,
        (_, "watch") | ("demo", _) => OutputClass::Stream,
        _ => OutputClass::Report,
    };
    let codes =
        if changes { ["0", "1", "2", "3", "4", "5", "130/143"].to_vec() } else { vec!["0", "1", "2", "3", "130/143"] };
    CommandEntry {
        command: format!("liveops {}", path.join(" ")),
        group: heading(noun),
        purpose: about(command),
        output,
        changes,
        exit_codes: codes,
        arguments: command.get_positionals().filter(own).map(parameter).collect(),
        options: command
            .get_opts()
            .chain(command.get_arguments().filter(|arg| is_switch(arg)))
            .filter(own)
            .map(parameter)
            .collect(),
        // Sentences between them are for people.
        examples: crate::help::examples(command)
            .lines()
            .map(str::trim)
            .filter(|line| line.contains("liveops "))
            .map(ToOwned::to_owned)
            .collect(),
    }
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count)
}

fn parameter(arg: &Arg) -> Parameter {
    let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
    let name = arg.get_long().map_or_else(|| arg.get_id().to_string(), |long| format!("--{long}"));
    let value = arg.get_value_names().map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    Parameter {
        name,
        short: arg.get_short(),
        value: value.filter(|_| !is_switch(arg)),
        required: arg.is_required_set(),
        repeated: matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
            || arg.get_num_args().is_some_and(|count| count.max_values() > 1),
        values: if is_switch(arg) {
            Vec::new()
        } else {
            arg.get_possible_values()
                .iter()
                .filter(|value| !value.is_hide_set())
                .map(|value| value.get_name().to_owned())
                .collect()
        },
        default: arg.get_default_values().first().map(|value| text(value)).filter(|_| !is_switch(arg)),
        variable: arg.get_env().map(text),
        purpose: arg.get_help().map(ToString::to_string).unwrap_or_default(),
    }
}
