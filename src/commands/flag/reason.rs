//! What every change of a flag may be given: why, and under which condition.

use std::path::PathBuf;

use clap::Args;

use liveops_domain::text::said;
use liveops_engine::flag::reason::ChangeReason;

/// Why, and at which revision.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReasonArgs {
    /// Why; it stands in the flag's history. Required in a protected environment
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: Option<String>,

    /// Only if the flag is at this revision
    #[arg(long, value_name = "N")]
    pub(crate) expect_rev: Option<u64>,

    /// Count exactly who is switched: a file of ids, JSON lines or CSV
    #[arg(long, value_name = "FILE", value_hint = clap::builder::ValueHint::FilePath)]
    users: Option<PathBuf>,
}

impl From<ReasonArgs> for ChangeReason {
    fn from(args: ReasonArgs) -> Self {
        Self { reason: args.reason, expect_rev: args.expect_rev, users: args.users }
    }
}
