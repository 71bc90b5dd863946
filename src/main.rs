//! `liveops`: one terminal from the page to the postmortem.
//!
//! [`main`] is the whole program: parse → config → context → dispatch → report error → exit code. There is no library
//! beside it: of a library, all that clap derives and nobody calls would be compiled, too.
//! `commands` is what you type, `output` what you see; how it is done is in `liveops-engine`, what it means in
//! `liveops-domain`.

mod changed;
mod choice;
mod cli;
mod commands;
mod complete;
mod context;
mod gate;
mod globals;
mod help;
mod output;
mod person;
mod usage;
mod watch;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};
use clap_complete::CompleteEnv;
use clap_complete::env::Shells;
use futures_util::future::LocalBoxFuture;

use crate::cli::Cli;
use crate::context::{Context, Grammar};
use crate::globals::GlobalArgs;
use crate::output::format::Format;
use crate::output::prompt::can_prompt;
use crate::output::terminal::Terminal;
use crate::output::{Colour, Output, TerminalHints};
use liveops_domain::error::{Error, Result};
use liveops_domain::text::duration;
use liveops_domain::text::paste::Repeat;
use liveops_domain::text::redact::redact_url;
use liveops_domain::text::shell::{word, words};
use liveops_engine::clock::Clock;
use liveops_engine::config::environment::{Dirs, actor, fixed_now, hints};
use liveops_engine::config::layers::Quick;
use liveops_engine::session::{Person, Session};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // The shell asks for completions through an environment variable; then this prints them and ends.
    let shells = Shells(&complete::SHELLS);
    if CompleteEnv::with_factory(cli::command).shells(shells).try_complete(args.clone(), None).unwrap_or(true) {
        return ExitCode::SUCCESS;
    }
    let (args, parsed) = asked(args);
    let matches = match parsed {
        Ok(matches) => matches,
        Err(error) => {
            if usage::is_error(&error) || (error.use_stderr() && wants_json(&args)) {
                let json = wants_json(&args);
                let (format, colour) = if json { (Format::Json, Colour::Never) } else { Default::default() };
                Output::new(format, colour, json, terminal()).error(&misunderstood(&error, &args));
                return ExitCode::from(2);
            }
            return ExitCode::from(print(&error));
        }
    };
    let parsed = Cli::from_arg_matches(&matches);
    let Cli { mut global, command } = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            return ExitCode::from(print(&error));
        }
    };
    command.settle(&mut global);
    let output = Output::new(global.output, global.color, global.quiet, terminal());
    trace(global.verbose);
    if let Some(error) = usage::misspelt_variable() {
        output.error(&error);
        return ExitCode::from(error.exit_code());
    }
    let (clock, dirs) = match surroundings() {
        Ok(surroundings) => surroundings,
        Err(error) => {
            output.error(&error);
            return ExitCode::from(error.exit_code());
        }
    };
    let terminal = Terminal::keep();
    let cx = context(global, &matches, output, (clock, dirs), &args);
    match execute(command, &cx) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            match error {
                Error::Interrupted { .. } => terminal.interrupted(),
                _ => cx.output.error(&error),
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// What was typed, with the names that were left out and that somebody at the terminal chose from a list.
fn asked(mut args: Vec<OsString>) -> (Vec<OsString>, std::result::Result<ArgMatches, clap::Error>) {
    loop {
        let error = match cli::parse(&args) {
            Err(error) if error.kind() == ErrorKind::MissingRequiredArgument && can_prompt() => error,
            parsed => return (args, parsed),
        };
        let mut root = cli::command();
        root.build();
        match usage::pick_left_out(&error, &args, &root) {
            Some(name) => args.push(name.into()),
            None => return (args, Err(error)),
        }
    }
}

/// clap's error in our words.
fn misunderstood(error: &clap::Error, args: &[OsString]) -> Error {
    let mut root = cli::command();
    root.build();
    let args: Vec<String> = args.iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    usage::explain(error, &args, &root)
}

/// clap's own words, on the stream that fits; a closed pipe is nobody's fault, a full disk is told.
fn print(error: &clap::Error) -> u8 {
    match error.print().and_then(|()| std::io::stdout().flush()) {
        Err(failed) if failed.kind() != std::io::ErrorKind::BrokenPipe => 3,
        _ => u8::try_from(error.exit_code()).unwrap_or(2),
    }
}

/// What the process was given: the time, and the folders.
fn surroundings() -> Result<(Clock, Dirs)> {
    Ok((Clock::new(fixed_now()?), Dirs::from_environment()?))
}

/// What the environment says about the terminal, in the words of the output.
fn terminal() -> TerminalHints {
    let hints = hints();
    TerminalHints {
        no_color: hints.no_color,
        force_color: hints.force_color,
        dumb: hints.dumb,
        utf8: hints.utf8,
        columns: hints.columns,
    }
}

/// Was `-o json` said, on a command line that does not parse?
fn wants_json(args: &[OsString]) -> bool {
    let lenient = cli::command().ignore_errors(true).try_get_matches_from(args);
    let understood = lenient.is_ok_and(|matches| matches.get_one::<Format>("output") == Some(&Format::Json));
    let is = |arg: &OsString, words: &[&str]| words.iter().any(|word| arg == word);
    understood
        || args.iter().any(|arg| is(arg, &["-ojson", "--output=json"]))
        || args.windows(2).any(|pair| is(&pair[0], &["-o", "--output"]) && is(&pair[1], &["json"]))
}

fn context(
    global: GlobalArgs,
    matches: &ArgMatches,
    output: Output,
    (clock, dirs): (Clock, Dirs),
    args: &[OsString],
) -> Context {
    let quick = quick(&global, matches);
    let repeat = match matches.subcommand_name() {
        // The file that it writes holds what was typed.
        Some("init") => Repeat::default(),
        _ => repeat(&global, &quick, matches),
    };
    let output = Rc::new(output.repeating(repeat.clone()));
    let line: Vec<String> = args.iter().skip(1).map(|arg| word(&redact_url(&arg.to_string_lossy()))).collect();
    let (voice, ask) = (Rc::clone(&output), Rc::clone(&output));
    let command_line = format!("liveops {}", line.join(" "));
    let person = Person { voice, ask, actor: actor(), command_line, repeat };
    Context::new(
        Session::new(global.into(), quick, person, clock, dirs),
        output,
        Grammar { line: crate::line, ..cli::GRAMMAR },
    )
}

/// Runs a line inside of a run: in this environment, unless the line names another; never with more rights.
pub(crate) fn line<'a>(text: &'a str, cx: &'a Context, output: Option<Output>) -> LocalBoxFuture<'a, u8> {
    Box::pin(async move {
        let words = words(&cx.command(text));
        let args: Vec<OsString> = words.iter().map(Into::into).collect();
        let parsed = cli::parse(&args);
        let parsed = parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
        let (Cli { mut global, command }, matches) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                match &output {
                    _ if usage::is_error(&error) => {
                        output.as_ref().unwrap_or(&cx.output).error(&misunderstood(&error, &args));
                    }
                    // It goes nowhere else.
                    Some(output) => drop(output.write(&error.to_string())),
                    None => drop(error.print()),
                }
                return u8::try_from(error.exit_code()).unwrap_or(2);
            }
        };
        command.settle(&mut global);
        global.read_only |= cx.choices.read_only;
        global.quiet |= output.is_some();
        let own = || Output::new(global.output, global.color, global.quiet, terminal());
        let output = output.unwrap_or_else(own);
        let inner = context(global, &matches, output, (cx.clock, cx.dirs.clone()), &args).within(cx);
        match cli::dispatch(command, &inner).await {
            Ok(code) => code,
            Err(error) => {
                if !matches!(error, Error::Interrupted { .. }) {
                    inner.output.error(&error);
                }
                error.exit_code()
            }
        }
    })
}

/// What was typed and the next command needs, too; no secrets.
fn repeat(global: &GlobalArgs, quick: &Quick, matches: &ArgMatches) -> Repeat {
    let config = global.config.as_ref().map(|path| path.display().to_string());
    let config = config.filter(|_| matches.value_source("config") == Some(ValueSource::CommandLine));
    let typed = |said: &(String, String)| said.1.starts_with("--").then(|| said.0.clone());
    let mut flags = vec![
        ("-e", quick.env.as_ref().and_then(typed)),
        ("--config", config),
        ("--prometheus", quick.prometheus.as_ref().and_then(typed)),
        ("--alertmanager", quick.alertmanager.as_ref().and_then(typed)),
        ("--redis", quick.redis.as_ref().and_then(typed)),
    ];
    let services: Vec<String> = quick.health.iter().filter_map(typed).collect();
    // Of a long list nothing could be read any more.
    if !services.is_empty() && services.len() <= 3 {
        flags.push(("--health", Some(services.join(","))));
    }
    let shown = |value: &String| redact_url(value) == *value;
    let flags = flags.into_iter().filter_map(|(flag, value)| Some((flag, word(&value.filter(shown)?))));
    Repeat::new(flags.collect())
}

/// What the command line sets, with who said it.
fn quick(global: &GlobalArgs, matches: &ArgMatches) -> Quick {
    let by = |name: &str| match matches.value_source(name) {
        Some(ValueSource::EnvVariable) => format!("LIVEOPS_{}", name.to_uppercase()),
        _ => format!("--{}", name.replace('_', "-")),
    };
    let said = |name: &str, value: &Option<String>| {
        value.clone().filter(|value| !value.is_empty()).map(|value| (value, by(name)))
    };
    Quick {
        prometheus: said("prometheus", &global.prometheus),
        alertmanager: said("alertmanager", &global.alertmanager),
        redis: said("redis", &global.redis),
        timeout: global.timeout.map(|limit| (duration::to_promql(limit), by("timeout"))),
        read_only: global.read_only.then(|| ("true".to_owned(), by("read_only"))),
        env: global.env.clone().map(|name| (name, by("env"))),
        health: global
            .health
            .iter()
            .filter(|value| !value.is_empty())
            .map(|value| (value.clone(), by("health")))
            .collect(),
    }
}

fn no_runtime(error: &std::io::Error) -> Error {
    // ENFILE, EMFILE.
    match error.raw_os_error() {
        Some(23 | 24) => Error::Tool {
            program: "liveops".into(),
            reason: error.to_string(),
            hint: "raise the limit of open files: `ulimit -n 256`".into(),
        },
        _ => Error::internal(&format!("no runtime: {error}")),
    }
}

/// The one runtime and the one `block_on`.
fn execute(command: cli::Command, cx: &Context) -> Result<u8> {
    // Without descriptors for its signals it would panic.
    #[cfg(unix)]
    {
        let spare: std::io::Result<Vec<_>> = (0..3).map(|_| std::os::unix::net::UnixStream::pair()).collect();
        drop(spare.map_err(|error| no_runtime(&error))?);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| no_runtime(&error))?;
    let done = runtime.block_on(async {
        let mut signals = Signals::new();
        let work = cli::dispatch(command, cx);
        let mut work = std::pin::pin!(work);
        let mut was_delivered = false;
        let done = loop {
            tokio::select! {
                // First, so that it is listened to before a question blocks this thread.
                biased;
                code = signals.next() => {
                    if was_delivered && !cx.interrupts.is_settled() {
                        cx.interrupts.last_words().iter().for_each(|words| cx.output.note(words));
                        break Err(Error::Interrupted { code });
                    }
                    if cx.interrupts.deliver(code) {
                        // A rollout goes back, or asks; a second interrupt ends it where it is.
                        was_delivered = true;
                    } else if cx.interrupts.is_held() {
                        cx.output.note("finishing the change that has begun; once more to stop at once");
                        cx.interrupts.end(code);
                        break tokio::select! {
                            done = &mut work => done,
                            () = cx.interrupts.free() => Err(Error::Interrupted { code }),
                            code = signals.next() => Err(Error::Interrupted { code }),
                        };
                    } else {
                        break Err(Error::Interrupted { code });
                    }
                }
                done = &mut work => break done,
            }
        };
        // A question that was interrupted cannot say by which signal.
        match done {
            Err(Error::Interrupted { code }) => {
                let code = tokio::time::timeout(LATE, signals.next()).await.unwrap_or(code);
                Err(Error::Interrupted { code })
            }
            done => done,
        }
    });
    // A resolver thread or a child that hangs must not keep the terminal.
    runtime.shutdown_background();
    done
}

/// How long a signal takes from the system to us, at most.
const LATE: std::time::Duration = std::time::Duration::from_millis(200);

/// Ctrl-C is 130, SIGTERM and SIGHUP are 143 and 129 (128 + signal).
struct Signals {
    #[cfg(unix)]
    kinds: Vec<(tokio::signal::unix::Signal, u8)>,
}

impl Signals {
    /// From here on they are ours.
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            kinds: {
                use tokio::signal::unix::{SignalKind, signal};
                // In this order: a question that any signal has interrupted raises an interrupt of its own.
                [(SignalKind::terminate(), 143), (SignalKind::hangup(), 129), (SignalKind::interrupt(), 130)]
                    .into_iter()
                    .filter_map(|(kind, code)| Some((signal(kind).ok()?, code)))
                    .collect()
            },
        }
    }

    async fn next(&mut self) -> u8 {
        #[cfg(unix)]
        {
            std::future::poll_fn(|cx| {
                let arrived = |(signal, code): &mut (tokio::signal::unix::Signal, u8)| {
                    signal.poll_recv(cx).is_ready().then_some(*code)
                };
                self.kinds.iter_mut().find_map(arrived).map_or(std::task::Poll::Pending, std::task::Poll::Ready)
            })
            .await
        }
        #[cfg(not(unix))]
        {
            let _ = tokio::signal::ctrl_c().await;
            130
        }
    }
}

/// `-v`: our own requests; `-vv`: the libraries' too.
fn trace(verbose: u8) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::prelude::*;
    if verbose == 0 {
        return;
    }
    let targets = if verbose == 1 {
        Targets::new().with_target("liveops", LevelFilter::INFO)
    } else {
        Targets::new().with_default(LevelFilter::DEBUG)
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(output::masked_stderr)
        .with_ansi(false)
        .without_time()
        .with_target(verbose > 1);
    // Set once a process; a second run in the same process keeps the first.
    let _ = tracing_subscriber::registry().with(layer).with(targets).try_init();
}
