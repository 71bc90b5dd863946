//! `liveops check backups record`: a restore that somebody made.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::check::backups::restore::Restore;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::status::source::Recommendation;
use liveops_domain::text::duration::{human, parse_positive};
use liveops_domain::text::shell::word;
use liveops_engine::check::backups::record::{journal, write};

/// Write down a restore that was made: of which backup, how long, and was it right
///
/// The journal is a file of the project (backups/restores.jsonl): append-only, each line chained to the one before it.
/// The backup must be one that its source lists.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops check backups record orders-db --restored 20261130-020000F --duration 38m --rows-ok
  liveops check backups record orders-db --restored 4f1c2ab9 --rows-wrong --note 'players is empty'")]
pub(super) struct RecordArgs {
    /// What was restored, as `backups` of liveops.yaml names it
    #[arg(value_name = "NAME")]
    name: String,

    /// The backup, as its source names it
    #[arg(long, value_name = "ID")]
    restored: String,

    /// From the first command until the data could be used
    #[arg(long, value_name = "DURATION", value_parser = parse_positive)]
    duration: Option<Duration>,

    /// The data was compared, and is right
    #[arg(long, conflicts_with = "rows_wrong")]
    rows_ok: bool,

    /// The data was compared, and is wrong
    #[arg(long)]
    rows_wrong: bool,

    /// When, if not now: a time, or `5m ago`
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// In words
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// A link to the log, the ticket, the recording
    #[arg(long, value_name = "URL")]
    evidence: Option<String>,

    /// The source lists it no more
    #[arg(long)]
    unlisted: bool,

    /// Who did it [default: you]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(Debug, Serialize)]
struct RecordReport {
    #[serde(flatten)]
    restore: Restore,
    by: String,
    dry_run: bool,
    seq: Option<u64>,
    journal: String,
}

pub(super) async fn run(args: RecordArgs, cx: &Context) -> Result<Exit> {
    if cx.is_read_only()? && !cx.choices.dry_run {
        return Err(Error::Refused {
            why: "read-only: will not write into the journal".into(),
            hint: "leave out `--read-only`".into(),
        });
    }
    let now = cx.clock.now();
    let at = match &args.at {
        Some(text) => liveops_engine::query::window::time(text, now)?,
        None => now,
    };
    if at > now {
        return Err(Error::usage("a restore cannot be in the future", "leave out `--at`"));
    }
    let restore = Restore {
        name: args.name,
        backup: args.restored,
        at,
        seconds: args.duration.map(|duration| duration.as_secs()),
        rows_ok: if args.rows_ok || args.rows_wrong { Some(args.rows_ok) } else { None },
        note: args.note,
        evidence: args.evidence,
    };
    let by = args.by.unwrap_or_else(|| cx.actor.clone());
    let seq = write(cx, &restore, args.unlisted, &by).await?;
    let dry_run = cx.choices.dry_run;
    let journal = journal(cx)?.path().display().to_string();
    let next = Recommendation::new("what is left", format!("liveops check backups {}", word(&restore.name)));
    let report = RecordReport { restore, by, dry_run, seq: (!dry_run).then_some(seq), journal };
    cx.show(&report, Meta::steps(vec![next]).dense())?;
    Ok(Exit::Good)
}

impl Report for RecordReport {
    fn schema(&self) -> &'static str {
        "liveops.check.backups.record/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let head = if self.dry_run { " would be recorded: " } else { " recorded: " };
        let took = self.restore.took().map_or_else(String::new, |took| format!(" in {}", human(took)));
        let content = match self.restore.rows_ok {
            Some(true) => ", the data is right",
            Some(false) => ", the data is WRONG",
            None => ", the data was not compared",
        };
        let text = format!("{} restored from {}{took}{content}", self.restore.name, self.restore.backup);
        vec![Block::Whole(vec![tone::mark(Tone::Good, view), span(head, Tone::Good), plain(text)])]
    }
}
