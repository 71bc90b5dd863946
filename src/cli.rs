//! The command line: what can be typed, and what runs it. No logic.

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

#[cfg(feature = "demo")]
use crate::commands::demo;
use crate::commands::{
    alerts, audit, changes, check, completions, config, doctor, flag, health, help, incident, init, man, new, page,
    postmortem, query, report, rollout, runbook, scale, silence, slo, status, triage, undo, watch,
};
use crate::context::{Context, Grammar};
use crate::globals::GlobalArgs;
use crate::output::format::Format;
use crate::output::no_document;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::config::environment;

/// One terminal from the page to the postmortem
///
/// liveops sits on what you already run (Prometheus, Alertmanager, health APIs, Redis, Kubernetes) and shows one
/// truth on one screen. What it cannot know it shows as unknown, never as green. Every change that it makes is
/// previewed, confirmed, journalled, and can be undone.
#[derive(Debug, Parser)]
#[command(
    name = "liveops",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done. The headings of `--help` stand in [`crate::help`].
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(status::StatusArgs),
    Watch(watch::WatchArgs),
    Health(health::HealthArgs),
    Query(query::QueryArgs),
    Flag(flag::FlagArgs),
    Alerts(alerts::AlertsArgs),
    Silence(silence::SilenceArgs),
    Changes(changes::ChangesArgs),
    Postmortem(postmortem::PostmortemArgs),
    Triage(triage::TriageArgs),
    Runbook(runbook::RunbookArgs),
    Incident(incident::IncidentArgs),
    Page(page::PageArgs),
    Rollout(rollout::RolloutArgs),
    Undo(undo::UndoArgs),
    Scale(scale::ScaleArgs),
    Slo(slo::SloArgs),
    Report(report::ReportArgs),
    Check(check::CheckArgs),
    New(new::NewArgs),
    Init(init::InitArgs),
    Config(config::ConfigArgs),
    Doctor(doctor::DoctorArgs),
    Audit(audit::AuditArgs),
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    Completions(completions::CompletionsArgs),
    Help(help::HelpArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Is there a document of this format? Asked before anything is done.
    fn writes(&self, format: Format) -> bool {
        match self {
            Self::Report(_) => matches!(format, Format::Markdown | Format::Html),
            _ => self.is_gate() && matches!(format, Format::Sarif | Format::Github | Format::Gitlab | Format::Junit),
        }
    }

    /// Does it end with findings?
    fn is_gate(&self) -> bool {
        match self {
            Self::Check(_) | Self::Doctor(_) => true,
            Self::Flag(args) => args.is_gate(),
            Self::Runbook(args) => args.is_gate(),
            Self::Postmortem(args) => args.is_gate(),
            _ => false,
        }
    }

    /// What the command itself says of the global options.
    pub(crate) fn settle(&self, global: &mut GlobalArgs) {
        match self {
            Self::Flag(args) => args.settle(global),
            Self::Report(args) => args.settle(global),
            _ => {}
        }
    }
}

/// The whole command line with grouped help and the exit codes.
pub(crate) fn command() -> clap::Command {
    let mut command = crate::complete::attach(crate::help::dress(Cli::command()));
    // A variable that is set to nothing is as good as none: CI and compose files set those that they do not know so.
    let is_empty = |arg: &&clap::Arg| arg.get_env().is_some_and(environment::is_empty);
    let empty: Vec<clap::Id> = command.get_arguments().filter(is_empty).map(|arg| arg.get_id().clone()).collect();
    for id in empty {
        command = command.mut_arg(id, |arg| arg.env(None::<&str>));
    }
    command
}

/// Reads a command line; a noun alone lists.
pub(crate) fn parse(args: &[std::ffi::OsString]) -> Result<clap::ArgMatches, clap::Error> {
    let mut grammar = command();
    let error = match grammar.try_get_matches_from_mut(args) {
        Ok(matches) => return crate::help::filled_in(matches, &grammar),
        Err(error) => error,
    };
    let is_option = || {
        use clap::error::{ContextKind, ContextValue};
        matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(name)) if name.starts_with('-'))
    };
    let is_bare = match error.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => true,
        ErrorKind::UnknownArgument => is_option(),
        _ => false,
    };
    let root = command();
    let (mut noun, mut at) = (&root, 0);
    for (place, arg) in args.iter().enumerate().skip(1) {
        if let Some(sub) = arg.to_str().and_then(|arg| noun.find_subcommand(arg)) {
            (noun, at) = (sub, place);
        }
    }
    let Some(verb) = crate::help::bare_verb(noun).filter(|_| is_bare && at > 0) else {
        return Err(error);
    };
    let mut whole = args.to_vec();
    whole.insert(at + 1, verb.into());
    command().try_get_matches_from(whole).map_err(|_| error)
}

/// Runs the command and returns the exit code. One match, no logic.
pub(crate) async fn dispatch(command: Command, cx: &Context) -> Result<u8> {
    let format = cx.output.format();
    if format.is_document() && !command.writes(format) {
        return Err(no_document(format));
    }
    let exit = match command {
        Command::Status(args) if args.watch && !args.plain && watch::has_room(cx) => {
            let (service, interval) = (args.service, args.interval);
            watch::run(watch::WatchArgs { service, interval, record: None, replay: None }, cx).await
        }
        Command::Status(args) => status::run(args, cx).await,
        Command::Watch(args) if !args.needs_screen() && !watch::has_room(cx) => {
            status::run(status::StatusArgs::lines(args.service, args.interval), cx).await
        }
        Command::Watch(args) => watch::run(args, cx).await,
        Command::Health(args) => health::run(args, cx).await,
        Command::Query(args) => query::run(args, cx).await,
        Command::Flag(args) => flag::run(args, cx).await,
        Command::Alerts(args) => alerts::run(args, cx).await,
        Command::Changes(args) => changes::run(args, cx).await,
        Command::Silence(args) => silence::run(args, cx).await,
        Command::Postmortem(args) => postmortem::run(args, cx).await,
        Command::Triage(args) => triage::run(args, cx).await,
        Command::Runbook(args) => runbook::run(args, cx).await,
        Command::Incident(args) => incident::run(args, cx).await,
        Command::Page(args) => page::run(args, cx).await,
        Command::Rollout(args) => rollout::run(args, cx).await,
        Command::Undo(args) => undo::run(args, cx).await,
        Command::Scale(args) => scale::run(args, cx).await,
        Command::Slo(args) => slo::run(args, cx).await,
        Command::Report(args) => report::run(args, cx).await,
        Command::Check(args) => check::run(args, cx).await,
        Command::New(args) => new::run(args, cx).await,
        Command::Init(args) => init::run(args, cx).await,
        Command::Config(args) => config::run(args, cx).await,
        Command::Doctor(args) => doctor::run(args, cx).await,
        Command::Audit(args) => audit::run(args, cx).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(args, cx).await,
        Command::Completions(args) => completions::run(args, cx).await,
        Command::Help(args) => help::run(args, cx).await,
        Command::Man(args) => man::run(args, cx).await,
    };
    exit.map(Exit::code)
}

/// The command line, for those that check or run a line of it.
pub(crate) const GRAMMAR: Grammar = Grammar {
    command,
    dispatch: |matches, cx| {
        Box::pin(async move {
            let parsed = Cli::from_arg_matches(&matches).map_err(|error| Error::internal(&error.to_string()))?;
            dispatch(parsed.command, cx).await
        })
    },
    line: |_, _, _| Box::pin(std::future::ready(2)),
};

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::commands::help;
    use crate::help::HEADINGS;

    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }

    #[test]
    fn every_command_stands_under_a_heading() {
        let listed: Vec<&str> = HEADINGS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for command in super::Cli::command().get_subcommands() {
            assert!(listed.contains(&command.get_name()), "{} has no heading", command.get_name());
            assert!(command.get_about().is_some(), "{} has no purpose line", command.get_name());
        }
    }

    #[test]
    fn every_verb_that_looks_exists() {
        let mut root = super::command();
        root.build();
        let mut commands = Vec::new();
        help::collect(&root, &[], &mut commands);
        for verb in help::LOOKS {
            assert!(commands.iter().any(|entry| entry.command.rsplit(' ').next() == Some(verb)), "{verb}");
        }
        for (command, changes) in [("flag set", true), ("flag list", false), ("rollout abort", true), ("status", false)]
        {
            let entry = commands.iter().find(|entry| entry.command == format!("liveops {command}"));
            assert_eq!(entry.map(|entry| entry.changes), Some(changes), "{command}");
        }
    }
}
