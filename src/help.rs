//! The root help: commands under the headings of the task that they serve, and the exit codes.

use std::fmt::Write as _;

use clap::Command;

use liveops_domain::error::EXIT_CODES;

/// Headings and their commands, in the order that a shift needs them. A test holds that none is missing.
pub(crate) const HEADINGS: [(&str, &[&str]); 8] = [
    ("Monitor", &["status", "watch", "health", "query", "alerts", "silence", "changes"]),
    ("Change", &["flag", "rollout", "scale"]),
    ("Respond", &["incident", "page", "triage", "runbook", "postmortem", "undo"]),
    ("Analyze", &["slo", "report"]),
    ("Check", &["check"]),
    ("Write", &["new"]),
    ("Tool", &["init", "config", "doctor", "audit", "demo", "completions", "man"]),
    ("More", &["help"]),
];

/// Gives the root command its grouped help and every page its exit codes.
pub(crate) fn dress(command: Command) -> Command {
    let mut groups = String::new();
    for (heading, names) in HEADINGS {
        let rows: Vec<(&str, String)> = names.iter().filter_map(|name| Some((*name, about(&command, name)?))).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(groups, "\x1b[1m\x1b[4m{heading}:\x1b[0m");
        for (name, about) in rows {
            let _ = writeln!(groups, "  \x1b[1m{name:<12}\x1b[0m {about}");
        }
        groups.push('\n');
    }
    let codes =
        EXIT_CODES.iter().fold(String::from("\x1b[1m\x1b[4mExit codes:\x1b[0m\n"), |mut text, (code, meaning)| {
            let _ = writeln!(text, "  {code:<8} {meaning}");
            text
        });
    let start = "\x1b[1m\x1b[4mStart here:\x1b[0m\n  liveops demo                             try everything, with nothing installed\n  liveops status --prometheus URL          look, without any file\n  liveops init                             write a liveops.yaml\n";
    command
        .help_template(
            "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}\x1b[1m\x1b[4mGlobal options:\x1b[0m\n{options}\n{after-help}",
        )
        .before_help(clap::builder::StyledStr::from(groups.clone()))
        .before_long_help(clap::builder::StyledStr::from(groups))
        .after_help(clap::builder::StyledStr::from(format!("{start}\n{codes}")))
}

fn about(command: &Command, name: &str) -> Option<String> {
    if name == "help" {
        return Some("Print this, or the help of a command".into());
    }
    Some(command.find_subcommand(name)?.get_about()?.to_string())
}
