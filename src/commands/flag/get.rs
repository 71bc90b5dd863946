//! `liveops flag get`: one flag, whole: its members, who is on, and the very bytes.

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use crate::commands::flag::findings::worst;
use crate::commands::flag::history::RevisionEntry;
use crate::commands::flag::{findings, labels, name};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::history::{Revision, drift};
use liveops_domain::flag::lint::Finding;
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::reader::Reader;
use liveops_domain::text::shell::word;
use liveops_engine::flag::catalog::{FlagCatalog, StoredFlag, answered};
use liveops_engine::flag::findings::findings;
use liveops_engine::flag::summary::Summary;
use liveops_engine::flagstore::FlagStore as _;

/// Changes that `--history` shows.
const CHANGES: usize = 5;

/// Show one flag: its members, who is on, what is wrong with it
///
/// One question to the store. `data.raw` of the JSON report holds the very bytes that the services read. With --history
/// the last changes are asked for too, and whether somebody has changed the flag past liveops.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag get new_matchmaking
  liveops flag get new_matchmaking --history
  liveops flag get new_matchmaking -o json | jq -r .data.raw")]
pub(super) struct GetArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    /// Also its last changes, and whether it was changed past liveops
    #[arg(long)]
    history: bool,
}

/// One flag.
#[derive(Debug, Serialize)]
struct FlagDetail {
    name: String,
    reader: Reader,
    #[serde(flatten)]
    summary: Summary,
    /// The bytes as text.
    raw: String,
    /// The bytes, where they are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_hex: Option<String>,
    /// The bytes as JSON; `null` where they are none.
    value: Option<serde_json::Value>,
    findings: Vec<Finding>,
    /// `null` where it was not asked for.
    changes: Option<Vec<RevisionEntry>>,
    /// Was it changed past liveops since its newest revision? `null` where it was not asked for.
    drifted: Option<bool>,
    #[serde(skip)]
    members: Vec<(String, String)>,
    #[serde(skip)]
    environment: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl FlagDetail {
    fn title(&self, view: &View) -> Block {
        let rev = self.summary.rev;
        let rev = rev.map_or_else(String::new, |rev| format!(", rev {rev}"));
        let mark = worst(&self.findings).unwrap_or(labels::mark(&self.summary));
        Block::Line(vec![
            tone::mark(mark, view),
            span(format!(" {}", self.name), Tone::Strong),
            span(format!("  {}{rev}", self.environment), Tone::Dim),
        ])
    }
}

impl Report for FlagDetail {
    fn schema(&self) -> &'static str {
        "liveops.flag.get/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let who = span(format!("  {}", self.summary.audience), labels::tone(&self.summary));
        let mut blocks = vec![self.title(view), Block::Whole(vec![who]), Block::Blank];
        let widest = self.members.iter().map(|(name, _)| name.chars().count());
        let widest = widest.max().unwrap_or(0);
        for (name, raw) in &self.members {
            blocks.push(Block::Line(vec![span(format!("  {name:widest$}  "), Tone::Dim), plain(raw)]));
        }
        if self.members.is_empty() {
            blocks.push(Block::Line(vec![plain(format!("  {}", self.raw))]));
        }
        if !self.findings.is_empty() {
            blocks.push(Block::Blank);
            blocks.extend(self.findings.iter().map(|finding| findings::block(finding, view)));
        }
        if let Some(changes) = &self.changes {
            blocks.push(Block::Blank);
            if self.drifted == Some(true) && !changes.is_empty() {
                blocks.push(Block::Line(vec![span("changed past liveops since the newest revision", Tone::Warn)]));
            }
            if changes.is_empty() {
                blocks.push(Block::text("nothing was changed through liveops"));
            }
            blocks.extend(changes.iter().flat_map(|change| change.blocks(view)));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let titles = ["name"].iter().chain(&Summary::TITLES).chain(&["raw"]);
        let mut table = Table { columns: titles.map(ToString::to_string).collect(), ..Table::default() };
        let cells = self.summary.cells().map(plain);
        table.row([plain(&self.name)].into_iter().chain(cells).chain([plain(&self.raw)]).collect());
        Some(table)
    }
}

pub(super) async fn run(args: GetArgs, cx: &Context) -> Result<Exit> {
    let store = cx.flags()?;
    let began = Instant::now();
    let history = async {
        match args.history {
            // One more than is shown would only say that there are more.
            true => store.history(Some(&args.name), Some(CHANGES)).await.map(Some),
            false => Ok(None),
        }
    };
    let (raw, history) = tokio::join!(store.get(&args.name), history);
    let (raw, history) = (raw?, history?);
    let source = answered(began);
    let Some(raw) = raw else {
        return Err(FlagCatalog::of(cx, &store).await?.no_such(&args.name));
    };
    let stored = StoredFlag::new(args.name.to_string(), raw);
    let reader = cx.config()?.settings.flags.reader;
    let newest = history.as_deref().and_then(<[Revision]>::first);
    let members = stored.read.iter().flat_map(|flag| flag.document().members());
    let members = members.map(|(name, raw)| (name.to_owned(), raw.to_owned())).collect();
    let named = word(args.name.as_str());
    let report = FlagDetail {
        name: stored.name.clone(),
        reader,
        summary: Summary::new(&stored, reader),
        raw: String::from_utf8_lossy(&stored.raw).into_owned(),
        raw_hex: std::str::from_utf8(&stored.raw).err().map(|_| hex(&stored.raw)),
        value: serde_json::from_slice(&stored.raw).ok(),
        findings: findings(&stored, reader, newest.map(|newest| (newest, cx.clock.now()))),
        drifted: history.as_ref().map(|_| drift(Some(&stored.raw), newest)),
        changes: history.as_ref().map(|history| history.iter().map(RevisionEntry::new).collect()),
        members,
        environment: cx.environment()?.to_owned(),
    };
    let next = if args.history {
        labels::command(cx, "why a user has it, or not", &format!("flag explain USER {named}"))
    } else {
        labels::command(cx, "who changed it", &format!("flag history {named}"))
    };
    let verdict = labels::verdict(worst(&report.findings));
    cx.show(&report, Meta { verdict, ..labels::frame(next, source) })?;
    Ok(Exit::Good)
}
