//! Why a flag is changed, and under which condition.

use std::path::PathBuf;

use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::name::FlagName;
use liveops_domain::text::shell::word;

/// Why, and at which revision.
#[derive(Debug, Clone, Default)]
pub struct ChangeReason {
    /// It stands in the flag's history.
    pub reason: Option<String>,
    /// Only if the flag is at this revision.
    pub expect_rev: Option<u64>,
    /// A file of users, of whom it is counted exactly who is switched.
    pub users: Option<PathBuf>,
}

impl ChangeReason {
    /// In a protected environment nothing is changed without a reason. A dry run needs none.
    ///
    /// # Errors
    /// `Usage`, with the command that has one.
    pub fn check(&self, cx: &Session) -> Result<()> {
        // What is refused in any case is not asked for a reason first.
        if self.reason.is_some() || cx.choices.dry_run || cx.is_read_only()? || !cx.config()?.settings.protected {
            return Ok(());
        }
        let environment = cx.environment()?;
        Err(Error::usage(
            format!("`{environment}` is protected: a change there needs a reason"),
            format!(
                "add it: `{} --reason {}{}`",
                cx.command_line,
                word("what the next engineer should know"),
                match &cx.choices.confirm {
                    None if cx.choices.yes => format!(" --confirm {}", word(environment)),
                    _ => String::new(),
                }
            ),
        ))
    }

    /// With `--expect-rev`: is the flag at that revision?
    ///
    /// # Errors
    /// `Conflict`, with the revision that it is at.
    pub fn at_revision(&self, cx: &Session, name: &FlagName, bytes: Option<&[u8]>) -> Result<()> {
        let found = bytes.and_then(|bytes| Flag::read(bytes).ok()?.rev());
        let Some(expected) = self.expect_rev.filter(|expected| found != Some(*expected)) else {
            return Ok(());
        };
        let is = match (bytes, found) {
            (None, _) => "it does not exist".to_owned(),
            (_, None) => "it has no revision, since liveops has never written it".to_owned(),
            (_, Some(rev)) => format!("it is at revision {rev}"),
        };
        Err(Error::Conflict {
            what: format!("flag `{name}` is not at revision {expected}: {is}"),
            hint: format!("see what happened: `{}`", cx.command(&format!("flag history {}", word(name.as_str())))),
        })
    }
}
