//! `liveops changes record`: what CI or a person did elsewhere, written into the project's own journal.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::status::source::Recommendation;
use liveops_engine::changes::record::{Entry, RECORDED, Recorded, journal};
use liveops_engine::incident::resolve;

/// Write down a change that was made elsewhere, such as a deployment by CI
///
/// The journal is a file of the project (`changes/deployments.jsonl`, or `changes.journal` of the configuration):
/// append-only, each line chained to the one before it. Nothing is asked, since nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops changes record --kind deploy --service game-backend --version 1.42
  liveops changes record --kind migration --note 'players.region becomes NOT NULL'
  liveops changes record --kind deploy --service lobby --version $TAG --commit $GITHUB_SHA --at '2m ago'
  liveops changes record --kind hotfix --service lobby --version 1.42.1 --incident lobby-down")]
pub(crate) struct RecordArgs {
    /// What it was
    #[arg(long, value_enum)]
    kind: RecordedArg,

    /// Service that it was done to
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Version that runs since
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,

    /// What it was built from, for `report dora`; without it, the version is looked for among the tags
    #[arg(long, value_name = "REV")]
    commit: Option<String>,

    /// The incident that it answers
    #[arg(long, value_name = "ID")]
    incident: Option<String>,

    /// In words
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// When, if not now: a time, or `5m ago`
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// Who did it [default: you]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// What can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RecordedArg {
    Deploy,
    Hotfix,
    Rollback,
    Config,
    Migration,
    Scale,
    Other,
}

impl From<RecordedArg> for Recorded {
    fn from(arg: RecordedArg) -> Self {
        match arg {
            RecordedArg::Deploy => Self::Deploy,
            RecordedArg::Hotfix => Self::Hotfix,
            RecordedArg::Rollback => Self::Rollback,
            RecordedArg::Config => Self::Config,
            RecordedArg::Migration => Self::Migration,
            RecordedArg::Scale => Self::Scale,
            RecordedArg::Other => Self::Other,
        }
    }
}

#[derive(Debug, Serialize)]
struct RecordReport {
    #[serde(flatten)]
    entry: Entry,
    by: String,
    dry_run: bool,
    seq: Option<u64>,
    journal: String,
}

pub(super) fn run(args: RecordArgs, cx: &Context) -> Result<Exit> {
    if cx.is_read_only()? && !cx.choices.dry_run {
        return Err(Error::Refused {
            why: "read-only: will not write into the journal".into(),
            hint: "leave out `--read-only`".into(),
        });
    }
    if args.service.is_none() && args.version.is_none() && args.note.is_none() {
        return Err(Error::usage("nothing is said of the change", "add `--service`, `--version` or `--note`"));
    }
    let now = cx.clock.now();
    let occurred_at = match &args.at {
        Some(text) => liveops_engine::query::window::time(text, now)?,
        None => now,
    };
    let entry = Entry {
        kind: args.kind.into(),
        environment: cx.environment()?.to_owned(),
        service: args.service,
        version: args.version,
        commit: args.commit,
        incident: args.incident.map(|id| resolve::id_of(cx, Some(&id), "changes record")).transpose()?,
        note: args.note,
        occurred_at,
    };
    let by = args.by.unwrap_or_else(|| cx.actor.clone());
    let journal = journal(cx)?;
    let seq = if cx.choices.dry_run {
        None
    } else {
        let data = serde_json::to_value(&entry)?;
        Some(journal.append(now, &by, RECORDED, data)?.seq)
    };
    let report =
        RecordReport { entry, by, dry_run: cx.choices.dry_run, seq, journal: journal.path().display().to_string() };
    let warnings = report.entry.service.iter().filter_map(|name| cx.odd_service(name)).collect();
    let next = Meta::steps(vec![Recommendation::new("see it", "liveops changes")]).dense();
    cx.show(&report, Meta { warnings, ..next })?;
    Ok(Exit::Good)
}

impl Report for RecordReport {
    fn schema(&self) -> &'static str {
        "liveops.changes.record/1"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.seq.iter().map(ToString::to_string).collect())
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let head = if self.dry_run { "would be recorded: " } else { "recorded: " };
        vec![Block::Whole(vec![
            tone::mark(Tone::Good, view),
            span(format!(" {head}"), Tone::Good),
            plain(self.entry.words()),
        ])]
    }
}
