//! `liveops flag history`: every revision of a flag, with who, when, why, and what it changed.

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use crate::commands::flag::{labels, name};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::Report;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::delta;
use liveops_domain::flag::delta::{Delta, deltas};
use liveops_domain::flag::history::{Revision, drift};
use liveops_domain::flag::name::FlagName;
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;
use liveops_domain::text::time::rfc3339;
use liveops_engine::flag::catalog::{FlagCatalog, answered};
use liveops_engine::flagstore::FlagStore as _;

/// Show who changed a flag, when, why, and what
///
/// The newest first. What somebody changed past liveops is in no history: it shows as a difference between the newest
/// revision and the flag as it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag history new_matchmaking
  liveops flag history new_matchmaking --limit 100 -o csv
  liveops flag history new_matchmaking -o json | jq '.data.revisions[].by'")]
pub(super) struct HistoryArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    /// At most this many revisions
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// One revision.
#[derive(Debug, Serialize)]
pub(super) struct RevisionEntry {
    op: String,
    rev: u64,
    at: String,
    by: String,
    reason: Option<String>,
    command: String,
    /// Member by member: what it changed.
    changes: Vec<Delta>,
    /// The bytes before and after, as text; `null` where there was no flag.
    before: Option<String>,
    after: Option<String>,
    /// The same in a line.
    changed: String,
    #[serde(skip)]
    when: chrono::DateTime<chrono::Utc>,
}

impl RevisionEntry {
    pub(super) fn new(revision: &Revision) -> Self {
        let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Self {
            op: revision.op.clone(),
            rev: revision.rev,
            at: rfc3339(revision.at),
            by: revision.by.clone(),
            reason: revision.reason.clone(),
            command: revision.command.clone(),
            changes: deltas(revision.before.as_deref(), revision.after.as_deref()),
            changed: delta::words(revision.before.as_deref(), revision.after.as_deref()),
            before: text(&revision.before),
            after: text(&revision.after),
            when: revision.at,
        }
    }

    pub(super) fn blocks(&self, view: &View) -> Vec<Block> {
        let reason = self.reason.as_deref().unwrap_or("no reason given");
        let mut blocks = vec![Block::Line(vec![
            span(format!("rev {}", self.rev), Tone::Strong),
            plain(format!("  {}  {}  ", view.time(self.when), self.by)),
            span(reason, Tone::Dim),
        ])];
        blocks.push(Block::Whole(vec![plain(format!("    {}", self.changed))]));
        blocks
    }
}

/// The revisions of a flag.
#[derive(Debug, Serialize)]
struct FlagHistory {
    flag: String,
    revisions: Vec<RevisionEntry>,
    /// There are older ones.
    more: bool,
    /// Is the flag as it is something else than the newest revision made it?
    drifted: bool,
    /// What was changed past liveops since.
    drift: Vec<Delta>,
    #[serde(skip)]
    drift_words: String,
    #[serde(skip)]
    environment: String,
}

impl Report for FlagHistory {
    fn schema(&self) -> &'static str {
        "liveops.flag.history/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let count = match (self.revisions.len(), self.more) {
            (0, _) => "nothing was changed through liveops".to_owned(),
            (n, true) => format!("the last {}", count(n, "revision")),
            (1, false) => "1 revision".to_owned(),
            (n, false) => count(n, "revision"),
        };
        let mut blocks = vec![
            Block::Line(vec![span(&self.flag, Tone::Strong), plain(format!(" in {}: {count}", self.environment))]),
            Block::Blank,
        ];
        if self.drifted {
            blocks.push(Block::Line(vec![span(
                "now  changed past liveops since the revision below, by nobody knows whom",
                Tone::Warn,
            )]));
            blocks.push(Block::Whole(vec![plain(format!("    {}", self.drift_words))]));
        }
        for revision in &self.revisions {
            blocks.extend(revision.blocks(view));
        }
        if self.more {
            blocks.push(Block::Line(vec![span("older ones: `--limit` shows more", Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["rev", "at", "by", "reason", "changes", "command"]);
        for revision in &self.revisions {
            table.row(vec![
                plain(revision.rev.to_string()),
                plain(&revision.at),
                plain(&revision.by),
                plain(revision.reason.clone().unwrap_or_default()),
                plain(&revision.changed),
                plain(&revision.command),
            ]);
        }
        Some(table)
    }
}

pub(super) async fn run(args: HistoryArgs, cx: &Context) -> Result<Exit> {
    let store = cx.flags()?;
    let began = Instant::now();
    // One more than is shown says whether there are more.
    let limit = args.limit.saturating_add(1);
    let (current, history) = tokio::join!(store.get(&args.name), store.history(Some(&args.name), Some(limit)));
    let (current, mut history) = (current?, history?);
    if current.is_none() && history.is_empty() {
        return Err(FlagCatalog::of(cx, &store).await?.no_such(&args.name));
    }
    let more = history.len() > args.limit;
    history.truncate(args.limit);
    let drifted = !history.is_empty() && drift(current.as_deref(), history.first());
    let newest = history.first().and_then(|revision| revision.after.as_deref());
    let named = word(args.name.as_str());
    let next = if drifted || history.is_empty() {
        labels::command(cx, "the flag as it is", &format!("flag get {named}"))
    } else {
        labels::command(cx, "take the newest back", &format!("flag undo {named}"))
    };
    let report = FlagHistory {
        drift_words: delta::words(newest, current.as_deref()),
        drift: if drifted { deltas(newest, current.as_deref()) } else { Vec::new() },
        drifted,
        flag: args.name.to_string(),
        revisions: history.iter().map(RevisionEntry::new).collect(),
        more,
        environment: cx.environment()?.to_owned(),
    };
    cx.show(&report, labels::frame(next, answered(began)))?;
    Ok(Exit::Good)
}
