//! What is refused, in the words of whoever typed it: the reason, what would have happened to whom, and the command that
//! means it.

use crate::flagstore::{FlagStore, Flags};
use crate::session::Session;
use liveops_domain::error::Error;
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::edit::EditError;
use liveops_domain::flag::lint::{Finding, LintContext, Severity, lint};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::text::shell::word;

/// The error for a flag that is not there, with the names that are.
pub async fn missing(store: &Flags, name: &FlagName) -> Error {
    match store.all().await {
        Ok(all) => Error::NotFound {
            what: "flag",
            name: name.to_string(),
            candidates: all.into_iter().map(|(name, _)| name).collect(),
        },
        Err(error) => error,
    }
}

/// The error for an edit that would not do what it says.
pub fn refused(cx: &Session, name: &FlagName, before: Option<&[u8]>, error: &EditError) -> Error {
    let quoted = word(name.as_str());
    let flag = before.and_then(|bytes| Flag::read(bytes).ok());
    let line = &cx.command_line;
    let (why, hint) = match error {
        EditError::NoSuchFlag => (
            error.to_string(),
            format!("see what there is: `{}`", cx.command("flag list")),
        ),
        EditError::Malformed(_) => (
            error.to_string(),
            format!(
                "`{}` switches it off all the same; to start anew, `{}` and `{}`",
                cx.command(&format!("flag kill {quoted}")),
                cx.command(&format!("flag rm {quoted}")),
                cx.command(&format!("flag set {quoted} --pct 0")),
            ),
        ),
        EditError::Duplicate(_) => (
            error.to_string(),
            format!(
                "`{}` still works; write the flag anew with `{}`",
                cx.command(&format!("flag kill {quoted}")),
                cx.command("flag import FILE --apply"),
            ),
        ),
        EditError::NoArray { member, .. } => (
            error.to_string(),
            format!(
                "the services' reader fails on this flag now; look at `{member}` with `{}`, and write it anew with `{}`",
                cx.command(&format!("flag get {quoted}")),
                cx.command("flag import FILE --apply"),
            ),
        ),
        EditError::NobodyOn(percentage) => (
            format!("{error}; {}", as_it_stands(flag.as_ref())),
            format!("to have {percentage} % of all users on: `{line} --default true`"),
        ),
        EditError::Decimals(percentage) => (
            format!("{error}; {}", rounded(percentage.value())),
            "take a whole number; reader `v2` (`contrib/readers`) knows thousandths of a percent".into(),
        ),
        EditError::Salt => (
            format!("{error}: the same users as ever would be on"),
            "leave `--salt` out; reader `v2` (`flags.reader` of the configuration, `contrib/readers`) hashes each flag with its own salt".into(),
        ),
    };
    Error::usage(format!("flag `{name}`: {why}"), hint)
}

/// What decides now about those whom the percentage lets pass.
fn as_it_stands(flag: Option<&Flag>) -> String {
    let Some(flag) = flag else {
        return "nothing was changed".into();
    };
    let lists = flag.allowlist().ids().len();
    match (lists, flag.rules().is_empty()) {
        (0, true) => "nobody at all would have been switched on".into(),
        (0, false) => "only whom a rule turns on would have been".into(),
        (1, true) => "only the one user of the allowlist could have been, if the percentage lets that one pass".into(),
        (n, _) => format!(
            "only users of the allowlist ({n}) and of rules could have been, those whom the percentage lets pass"
        ),
    }
}

/// What `bucket >= percentage` makes of decimals.
fn rounded(percentage: f64) -> String {
    format!("its {percentage} would have switched on {} % (every bucket below it)", percentage.ceil())
}

/// Why readers would not take the flag as it will be, where they took it before: a wrong type, a value that means
/// something else to them.
pub fn unfit(name: &FlagName, (before, after): (Option<&[u8]>, Option<&[u8]>), reader: Reader) -> Option<String> {
    let lint = |bytes| lint(name, bytes, reader, LintContext::default());
    let known: Vec<Finding> = before.map(lint).unwrap_or_default();
    // A flag that is on for nobody (E06) is read as it is meant, and the preview says so.
    let breaks =
        |finding: &Finding| finding.severity == Severity::Error && finding.code != "E06" && !known.contains(finding);
    let found = lint(after?).into_iter().find(breaks)?;
    Some(format!("{} ({})", found.message, found.code))
}
