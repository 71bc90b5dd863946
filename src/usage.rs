//! A command line that is not understood, in our words: what is wrong, and the fix typed out.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::complete::choices;
use crate::help::examples;
use crate::output::prompt::search;
use liveops_domain::error::Error;
use liveops_domain::text::redact::redact_url;
use liveops_domain::text::shell::word;
use liveops_domain::text::suggest::nearest;
use liveops_engine::config::environment;

/// Is it an error at all, and not a page that was asked for?
pub(crate) fn is_error(error: &clap::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// What clap says of these arguments (without the program's name) as an error of ours.
pub(crate) fn explain(error: &clap::Error, args: &[String], root: &Command) -> Error {
    let line = Line::new(args, root);
    let (message, hint) = line.explain(error);
    Error::usage(message, hint)
}

/// How the variables of our options begin.
const PREFIX: &str = "LIVEOPS_";

/// A variable that nobody reads, and whose name is near one that is read: a slip that would go unseen.
pub(crate) fn misspelt_variable() -> Option<Error> {
    let set = environment::liveops_variables();
    if set.is_empty() {
        // The tree of all commands is built for nobody.
        return None;
    }
    let mut known: Vec<String> =
        crate::help::variables(&crate::cli::command()).into_iter().map(|(name, _)| name).collect();
    known.extend(environment::OTHERS.map(ToOwned::to_owned));
    let (name, near) = set.into_iter().find_map(|name| {
        if known.contains(&name) {
            return None;
        }
        let near = nearest(name.strip_prefix(PREFIX)?, known.iter().filter_map(|known| known.strip_prefix(PREFIX)))?;
        Some((name.clone(), format!("{PREFIX}{near}")))
    })?;
    Some(Error::usage(format!("no option has the variable {name}"), format!("did you mean {near}? Else unset {name}")))
}

/// A name that was left out, as somebody at the terminal chooses it from a list; none where there is nothing to choose.
pub(crate) fn pick_left_out(error: &clap::Error, args: &[OsString], root: &Command) -> Option<String> {
    let typed: Vec<String> = args.iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let line = Line::new(&typed, root);
    let missing = strings(error.get(ContextKind::InvalidArg));
    let noun = line.path.split(' ').nth(1)?;
    // Those before it would be filled by what is chosen.
    let arg = line.command.get_positionals().find(|arg| missing.contains(&arg.to_string()))?;
    let choices = choices(noun, arg, args);
    if choices.is_empty() {
        return None;
    }
    let items: Vec<String> =
        choices.iter().map(|(name, help)| format!("{name}  {help}").trim_end().to_owned()).collect();
    let question = format!("{} {arg}: type to search", line.path);
    let chosen = search(&question, &items).ok()?;
    Some(choices[chosen].0.clone())
}

/// What was typed, and the command that it reached.
struct Line<'a> {
    args: &'a [String],
    root: &'a Command,
    command: &'a Command,
    path: String,
}

impl<'a> Line<'a> {
    fn new(args: &'a [String], root: &'a Command) -> Self {
        let (mut command, mut path) = (root, "liveops".to_owned());
        for arg in args {
            if let Some(sub) = command.find_subcommand(arg) {
                command = sub;
                path = format!("{path} {}", sub.get_name());
            }
        }
        Self { args, root, command, path }
    }

    fn explain(&self, error: &clap::Error) -> (String, String) {
        let text = |kind| strings(error.get(kind)).into_iter().next().unwrap_or_default();
        let option = option_name(&text(ContextKind::InvalidArg));
        let path = &self.path;
        match error.kind() {
            ErrorKind::InvalidSubcommand => {
                let wrong = text(ContextKind::InvalidSubcommand);
                let near = nearest(&wrong, self.command.get_subcommands().map(Command::get_name));
                let fix = near.map(|near| self.retyped(&wrong, &[near]));
                (
                    format!("there is no command `{}`", format!("{path} {wrong}").trim_start_matches("liveops ")),
                    self.hint(fix),
                )
            }
            ErrorKind::UnknownArgument if option.starts_with('-') => {
                let near = self.nearest_option(&option);
                let fix = near.map(|near| self.retyped(&option, &[&near]));
                (format!("`{path}` has no option `{option}`"), self.hint(fix))
            }
            ErrorKind::UnknownArgument => {
                let fix = self.option_for(&option).map(|name| self.retyped(&option, &[&name, &option]));
                (format!("`{path}` takes no argument `{option}`"), self.hint(fix))
            }
            ErrorKind::InvalidValue | ErrorKind::ValueValidation => self.wrong_value(error, &option),
            ErrorKind::MissingRequiredArgument => {
                let missing = strings(error.get(ContextKind::InvalidArg));
                let missing: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
                (format!("`{path}` needs {}", missing.join(" and ")), self.hint(None))
            }
            ErrorKind::ArgumentConflict => {
                let prior: Vec<String> = strings(error.get(ContextKind::PriorArg))
                    .iter()
                    .map(|name| format!("`{}`", option_name(name)))
                    .collect();
                if prior.is_empty() || prior == [format!("`{option}`")] {
                    return (format!("`{option}` stands there twice"), self.hint(None));
                }
                (format!("`{option}` cannot be used with {}", prior.join(" and ")), self.hint(None))
            }
            _ => {
                let said = error.to_string();
                let first = said.lines().next().unwrap_or("the command line is not understood");
                (first.trim_start_matches("error: ").replace('\'', "`"), self.hint(None))
            }
        }
    }

    fn wrong_value(&self, error: &clap::Error, option: &str) -> (String, String) {
        let value = strings(error.get(ContextKind::InvalidValue)).into_iter().next().unwrap_or_default();
        let known = strings(error.get(ContextKind::ValidValue));
        let why = std::error::Error::source(error).map(ToString::to_string);
        if let Some(variable) = self.variable(option) {
            let why = why.unwrap_or_else(|| format!("one of {}", known.join(", ")));
            return (
                format!("the variable {variable} is `{value}`: {why}"),
                format!("correct it, or unset {variable}"),
            );
        }
        if value.is_empty() && why.is_none() {
            let of = if known.is_empty() { String::new() } else { format!(": {}", known.join(", ")) };
            return (format!("`{option}` needs a value{of}"), self.hint(None));
        }
        if known.is_empty() && why.is_none() {
            return (
                format!("`{value}` stands for a value of yours"),
                format!("type yours in its place; {}", self.hint(None)),
            );
        }
        if known.is_empty() {
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            return (format!("`{value}` does not fit `{option}`{why}"), self.hint(None));
        }
        let near = nearest(&value, known.iter().map(String::as_str)).map(|near| self.retyped(&value, &[near]));
        // `flag allow NAME qa_1`, where `flag allow NAME add qa_1` was meant.
        let is_word = !option.starts_with('-');
        let left_out =
            || known.iter().map(|word| self.with(&value, &[word, &value])).find(|args| is_word && self.parses(args));
        let fix = near.or_else(|| left_out().map(|args| typed(&args)));
        let hint = fix.map_or_else(String::new, |fix| format!("; did you mean `{fix}`?"));
        (format!("`{value}` does not fit `{option}`"), format!("one of {}{hint}", known.join(", ")))
    }

    /// The variable that sets this option, where it was not typed.
    fn variable(&self, option: &str) -> Option<String> {
        let arg =
            self.root.get_arguments().find(|arg| arg.get_long().is_some_and(|long| option == format!("--{long}")))?;
        let short = arg.get_short().map(|short| format!("-{short}"));
        let was_typed =
            |word: &String| word.starts_with(option) || short.as_ref().is_some_and(|short| word.starts_with(short));
        let variable = arg.get_env()?.to_string_lossy().into_owned();
        (environment::variable(&variable).is_some() && !self.args.iter().any(was_typed)).then_some(variable)
    }

    fn options(&self) -> impl Iterator<Item = &'a Arg> {
        let own = self.command.get_arguments().chain(self.root.get_arguments());
        own.filter(|arg| arg.get_long().is_some())
    }

    fn nearest_option(&self, option: &str) -> Option<String> {
        let typed = option.trim_start_matches('-');
        let named = |arg: &'_ Arg| {
            let long = arg.get_long()?.to_owned();
            let others = arg.get_all_aliases().unwrap_or_default().into_iter().map(str::to_owned);
            Some(others.chain([long.clone()]).map(|name| (name, long.clone())).collect::<Vec<_>>())
        };
        let names: Vec<(String, String)> = self.options().filter_map(named).flatten().collect();
        let near = nearest(typed, names.iter().map(|(name, _)| name.as_str()))?;
        names.iter().find(|(name, _)| name == near).map(|(_, long)| format!("--{long}"))
    }

    /// The option that would take a word that stands alone: the first that the examples name, else one that does not
    /// take just any word.
    fn option_for(&self, value: &str) -> Option<String> {
        let is_number = value.parse::<f64>().is_ok();
        let fits =
            |arg: &&Arg| is_number || arg.get_value_names().is_none_or(|names| names.iter().all(|name| *name != "N"));
        let own = self.command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_action().takes_values());
        let names: Vec<String> = own
            .filter(fits)
            .filter_map(|arg| Some(format!("--{}", arg.get_long()?)))
            .filter(|name| self.parses(&self.with(value, &[name, value])))
            .collect();
        let examples = examples(self.command);
        let shown =
            names.iter().filter_map(|name| Some((examples.find(name.as_str())?, name))).min().map(|(_, name)| name);
        let picky = || names.iter().find(|name| !self.parses(&self.with(value, &[name, "\u{1}"])));
        shown.or_else(picky).cloned()
    }

    fn parses(&self, args: &[String]) -> bool {
        let line = std::iter::once("liveops".to_owned()).chain(args.iter().cloned());
        self.root.clone().try_get_matches_from(line).is_ok()
    }

    /// The arguments with other words in the place of one.
    fn with(&self, wrong: &str, right: &[&str]) -> Vec<String> {
        let mut is_done = false;
        let replace = |arg: &String| {
            let rest = arg.strip_prefix(wrong).filter(|rest| rest.is_empty() || rest.starts_with('='));
            match rest.filter(|_| !is_done) {
                Some(rest) => {
                    is_done = true;
                    let last = right.len() - 1;
                    right
                        .iter()
                        .enumerate()
                        .map(|(at, word)| if at == last { format!("{word}{rest}") } else { (*word).to_owned() })
                        .collect()
                }
                None => vec![arg.clone()],
            }
        };
        self.args.iter().flat_map(replace).collect()
    }

    fn retyped(&self, wrong: &str, right: &[&str]) -> String {
        typed(&self.with(wrong, right))
    }

    /// The fix; without one, an example of the command, or where all of them are.
    fn hint(&self, fix: Option<String>) -> String {
        if let Some(fix) = fix {
            return format!("did you mean `{fix}`?");
        }
        let examples = examples(self.command);
        let example =
            examples.lines().next().map(|line| line.trim().split("   ").next().unwrap_or_default().to_owned());
        match example.filter(|line| !line.is_empty()) {
            Some(example) => format!("an example: `{example}`; more: `{} --help`", self.path),
            None => "`liveops --help` lists the commands".into(),
        }
    }
}

fn typed(args: &[String]) -> String {
    let words: Vec<String> = args.iter().map(|arg| word(&redact_url(arg))).collect();
    format!("liveops {}", words.join(" "))
}

fn strings(value: Option<&ContextValue>) -> Vec<String> {
    match value {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(list)) => list.clone(),
        _ => Vec::new(),
    }
}

/// `--env` of `--env <NAME>`; the name of an argument stays as it is.
fn option_name(shown: &str) -> String {
    let name = if shown.starts_with('-') { shown.split([' ', '=', '[']).next().unwrap_or(shown) } else { shown };
    name.trim_end_matches("...").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let args: Vec<String> = line.split(' ').map(ToOwned::to_owned).collect();
        let whole: Vec<OsString> = std::iter::once("liveops").chain(line.split(' ')).map(Into::into).collect();
        let error = crate::cli::parse(&whole).expect_err(line);
        let mut root = crate::cli::command();
        root.build();
        let error = explain(&error, &args, &root);
        format!("{error} / {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn the_fix_is_typed_out() {
        for (line, want) in [
            ("statu -o json", "there is no command `statu` / did you mean `liveops status -o json`?"),
            ("flag sett x", "there is no command `flag sett` / did you mean `liveops flag set x`?"),
            (
                "status --enviroment x",
                "`liveops status` has no option `--enviroment` / did you mean `liveops status --env x`?",
            ),
            (
                "status --servce x",
                "`liveops status` has no option `--servce` / did you mean `liveops status --service x`?",
            ),
            ("status --servce=x", "did you mean `liveops status --service=x`?"),
            (
                "flag set x 30",
                "`liveops flag set` takes no argument `30` / did you mean `liveops flag set x --pct 30`?",
            ),
            ("flag allow x qa_1", "did you mean `liveops flag allow x add qa_1`?"),
            (
                "flag allow x",
                "`liveops flag allow` needs `<add|rm>` and `<USER>...` / an example: `liveops flag allow new_",
            ),
            (
                "status --fail-on critcal",
                "`critcal` does not fit `--fail-on` / one of warn, critical, never; did you mean `liveops status --fail-on critical`?",
            ),
            ("status --watch --nagios", "cannot be used with"),
            ("-o xml status", "one of table, json, yaml, csv, name"),
            ("--timeout soon status", "`soon` does not fit `--timeout`: "),
            ("-e", "`--env` needs a value"),
            (
                "flag set NAME --pct 10",
                "`NAME` stands for a value of yours / type yours in its place; an example: `liveops flag set ",
            ),
            ("changes record --kind deploy --service NAME --version 1", "`NAME` stands for"),
            ("silence add Slow --for 1h --reason WHY", "`WHY` stands for"),
            ("-e NAME status", "`NAME` stands for"),
        ] {
            let said = said(line);
            assert!(said.contains(want), "{line}: {said}");
        }
    }

    #[test]
    fn the_percentage_may_be_written_out() {
        let mut root = crate::cli::command();
        for option in ["--percent", "--percentage"] {
            assert!(root.try_get_matches_from_mut(["liveops", "flag", "set", "x", option, "30"]).is_ok());
        }
    }
}
