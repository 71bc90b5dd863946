//! Commands of liveops that a runbook names and that do not exist: at 3 am nobody wants to find out. Steps, their
//! checks and rollbacks, and all other code that a shell may be given, are read as a shell would.

use clap::Command;
use clap::error::ErrorKind;

use liveops_domain::check::finding::Finding;
use liveops_domain::text::shell::commands;
use liveops_engine::runbook::library::RunbookFile;

/// What is wrong with the commands of a runbook.
pub(super) fn check(book: &RunbookFile, grammar: &Command) -> Vec<Finding> {
    let filed = &book.filed;
    let finding = |line: usize, why: String| filed.finding("R11", Some(line), why);
    let mut findings = Vec::new();
    for step in &filed.book.steps {
        let parts = [
            Some(("", &step.command)),
            step.check.as_ref().map(|text| ("the check of ", text)),
            step.rollback.as_ref().map(|text| ("the rollback of ", text)),
        ];
        for (what, text) in parts.into_iter().flatten() {
            for why in wrong(text, grammar, true) {
                findings.push(finding(step.line, format!("{what}step `{}`: {why}", step.name)));
            }
        }
    }
    for code in &filed.book.code {
        for why in wrong(&code.text, grammar, !code.is_inline) {
            findings.push(finding(code.line, why));
        }
    }
    findings
}

/// Why commands of liveops in a script are none. Values that a shell fills in are not judged. `whole`: it is there to be
/// run, and not a verb that prose names, so it must have all that it needs.
fn wrong(script: &str, grammar: &Command, whole: bool) -> Vec<String> {
    let mut found = Vec::new();
    for words in commands(script) {
        let program = words.iter().position(|word| is_ours(word));
        let Some(start) = program.filter(|at| words[..*at].iter().all(|word| leads(word))) else {
            continue;
        };
        let typed = &words[start + 1..];
        // `liveops` alone names the program, and `liveops …` any command.
        if typed.is_empty() || typed[0] == "…" {
            continue;
        }
        let line = std::iter::once("liveops".to_owned()).chain(typed.iter().cloned());
        let Err(error) = grammar.clone().try_get_matches_from(line) else {
            continue;
        };
        let known = typed.iter().any(|word| word.contains('$') || word.chars().any(char::is_uppercase));
        let is_wrong = match error.kind() {
            ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument => true,
            ErrorKind::InvalidValue | ErrorKind::ValueValidation => !known,
            ErrorKind::ArgumentConflict | ErrorKind::NoEquals | ErrorKind::TooManyValues => true,
            // A variable may be all that is missing.
            ErrorKind::MissingRequiredArgument | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
                whole && !typed.iter().any(|word| word.starts_with('$'))
            }
            _ => false,
        };
        if is_wrong {
            let text = error.to_string();
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let said = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            // What is missing stands on the lines below.
            let said = match said.ends_with(':') {
                true => format!("{said} {}", lines.next().unwrap_or_default()),
                false => said,
            };
            let tip = lines.find_map(|line| line.strip_prefix("tip: "));
            let tip = tip.map_or_else(String::new, |tip| format!("; {tip}"));
            found.push(format!("`liveops {}` would fail: {said}{tip}", typed.join(" ")));
        }
    }
    found
}

fn is_ours(word: &str) -> bool {
    matches!(word, "liveops" | "${LIVEOPS:-liveops}") || word.ends_with("/liveops")
}

/// What may stand before a program: assignments and words of the shell.
fn leads(word: &str) -> bool {
    let assigned = word.split_once('=').is_some_and(|(name, _)| liveops_domain::runbook::step::is_variable(name));
    assigned
        || ["if", "then", "else", "elif", "while", "until", "do", "!", "{", "exec", "time", "env", "sudo", "$"]
            .contains(&word)
}

#[cfg(test)]
mod tests {
    use clap::arg;

    use super::*;
    use liveops_domain::text::duration::parse_positive;

    /// As much of the command line as the scripts below use.
    fn grammar() -> Command {
        let noun = |name: &'static str| Command::new(name).subcommand_required(true);
        Command::new("liveops").subcommand_required(true).arg(arg!(-o <format>).global(true)).subcommands([
            Command::new("status").arg(arg!(--watch)),
            Command::new("undo").arg(arg!(--yes)),
            Command::new("scale").args([arg!(<service>), arg!(--replicas <n>)]),
            Command::new("changes").arg(arg!(--since <duration>).value_parser(parse_positive)),
            noun("flag").subcommand(Command::new("kill").args([arg!(<name>), arg!(--yes)])),
            noun("incident")
                .subcommands([Command::new("note").arg(arg!(<text>)), Command::new("mitigate").arg(arg!([text]))]),
        ])
    }

    #[test]
    fn what_does_not_exist_is_named_and_what_a_shell_fills_in_is_not_judged() {
        let grammar = grammar();
        for good in [
            "liveops status",
            "liveops",
            "liveops …",
            "if liveops status -o json | grep x; then liveops undo --yes; fi",
            "liveops flag kill \"$FLAG\" --yes",
            "liveops scale game --replicas \"$N\"",
            "X=1 liveops incident note \"it is liveops nonsense\"",
            "echo liveops nonsense",
            "kubectl get pods",
            "liveops incident mitigate",
        ] {
            assert_eq!(wrong(good, &grammar, true), Vec::<String>::new(), "{good}");
        }
        for (bad, want) in [
            ("liveops staus", "unrecognized subcommand"),
            ("true && liveops flag slay x", "unrecognized subcommand"),
            ("liveops status --watsh", "unexpected argument '--watsh'"),
            ("x=$(liveops nope)", "unrecognized subcommand"),
            ("liveops changes --since yesterdayish", "yesterdayish"),
        ] {
            let found = wrong(bad, &grammar, false);
            assert!(found.len() == 1 && found[0].contains(want), "{bad}: {found:?}");
        }
        // Prose may name a verb; what is there to be run must be whole.
        for bare in ["liveops flag kill", "liveops scale --replicas 3"] {
            assert_eq!(wrong(bare, &grammar, false), Vec::<String>::new(), "{bare}");
            let found = wrong(bare, &grammar, true);
            assert!(found.len() == 1 && found[0].contains("were not provided: <"), "{bare}: {found:?}");
        }
        assert_eq!(wrong("liveops flag kill $FLAG_AND_MORE", &grammar, true), Vec::<String>::new());
    }
}
