//! What every change of a flag may be given: why, and under which condition.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::domain::flag::definition::Flag;
use crate::domain::flag::name::FlagName;
use crate::domain::shell::word;
use crate::error::{Error, Result};

/// Why, and at which revision.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Why {
    /// Why; it stands in the flag's history. Required in a protected environment
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) reason: Option<String>,

    /// Only if the flag is at this revision
    #[arg(long, value_name = "N")]
    pub(crate) expect_rev: Option<u64>,

    /// Count exactly who is switched: a file of ids, JSON lines or CSV
    #[arg(long, value_name = "FILE", value_hint = clap::builder::ValueHint::FilePath)]
    pub(crate) users: Option<PathBuf>,
}

impl Why {
    /// In a protected environment nothing is changed without a reason. A dry run needs none.
    ///
    /// # Errors
    /// `Usage`, with the command that has one.
    pub(crate) fn check(&self, cx: &Context) -> Result<()> {
        if self.reason.is_some() || cx.global.dry_run || !cx.config()?.settings.protected {
            return Ok(());
        }
        let environment = cx.environment()?;
        Err(Error::usage(
            format!("`{environment}` is protected: a change there says why"),
            format!("add a reason: `{} --reason {}`", cx.command_line, word("what the next engineer should know")),
        ))
    }

    /// With `--expect-rev`: is the flag at that revision?
    ///
    /// # Errors
    /// `Conflict`, with the revision that it is at.
    pub(super) fn at_revision(&self, cx: &Context, name: &FlagName, bytes: Option<&[u8]>) -> Result<()> {
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
