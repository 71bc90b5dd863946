//! `liveops flag list`: every flag on a line: who is on, who changed it last, what is wrong with it.

use chrono::{DateTime, Utc};
use clap::Args;
use liveops_domain::text::count;
use serde::Serialize;

use crate::commands::flag::findings::worst;
use crate::commands::flag::stale::StaleArgs;
use crate::commands::flag::{labels, stale};
use crate::context::Context;
use crate::output::block::{Block, Span, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::flag::history::Revision;
use liveops_domain::flag::reader::Reader;
use liveops_domain::status::GoneFlag;
use liveops_domain::status::source::{Outcome, Recommendation, Verdict};
use liveops_domain::text::escape::escape;
use liveops_domain::text::shell::word;
use liveops_domain::text::time::rfc3339;
use liveops_engine::flag::catalog::{FlagCatalog, StoredFlag, newest};
use liveops_engine::flag::findings::findings;
use liveops_engine::flag::summary::{State, Summary};
use liveops_engine::flagstore::FlagStore as _;
use liveops_engine::observe::gone_flags::gone_flags;

/// So many of the newest changes say who changed a flag last; a flag that is not among them was changed before.
const RECENT: usize = 500;

/// List all flags: who is on, who changed them, what is wrong
///
/// The audience is computed as the services' reader computes it, so a flag at 25 % that is on for nobody says so. Marks
/// such as E06 are findings of `liveops flag lint`. Who changed a flag last is read from the newest 500 changes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag list
  liveops flag list -e prod -o csv
  liveops flag list --stale
  liveops flag list -o name | xargs -n 1 liveops flag get")]
pub(super) struct ListArgs {
    /// Only those that are the same for everybody, and have long been, as `flag stale`
    #[arg(long)]
    stale: bool,
}

/// Who changed a flag last.
#[derive(Debug, Clone, Serialize)]
struct LastChange {
    at: String,
    by: String,
    reason: Option<String>,
    #[serde(skip)]
    when: DateTime<Utc>,
}

impl LastChange {
    fn of(revision: &Revision) -> Self {
        Self { at: rfc3339(revision.at), by: revision.by.clone(), reason: revision.reason.clone(), when: revision.at }
    }
}

/// One flag.
#[derive(Debug, Serialize)]
struct FlagEntry {
    name: String,
    #[serde(flatten)]
    summary: Summary,
    /// `null` where it is not among the newest changes.
    changed: Option<LastChange>,
    /// Codes of what `flag lint` finds.
    findings: Vec<&'static str>,
    #[serde(skip)]
    tone: Tone,
}

impl FlagEntry {
    fn new(stored: &StoredFlag, reader: Reader, last: Option<&Revision>, now: DateTime<Utc>) -> Self {
        let findings = findings(stored, reader, last.map(|last| (last, now)));
        let summary = Summary::new(stored, reader);
        Self {
            changed: last.map(LastChange::of),
            tone: worst(&findings).unwrap_or(labels::mark(&summary)),
            findings: findings.iter().map(|finding| finding.code).collect(),
            summary,
            name: stored.name.clone(),
        }
    }
}

/// The flags.
#[derive(Debug, Serialize)]
struct FlagList {
    reader: Reader,
    /// Where they are, without credentials.
    store: String,
    flags: Vec<FlagEntry>,
    #[serde(skip)]
    environment: String,
}

impl FlagList {
    fn heading(&self) -> Block {
        let count = |tone: Tone| self.flags.iter().filter(|flag| flag.tone == tone).count();
        let off = self.flags.iter().filter(|flag| flag.summary.state == State::Off).count();
        let mut text = format!("{} in {}", count::count(self.flags.len(), "flag"), self.environment);
        for (n, what) in [(off, "off"), (count(Tone::Bad), "with errors"), (count(Tone::Warn), "with warnings")] {
            if n > 0 {
                text.push_str(&format!(", {n} {what}"));
            }
        }
        Block::text(text)
    }

    /// Where they are, and who decides.
    fn place(&self) -> Block {
        let text = format!("{}, reader {}", self.store, self.reader.word());
        Block::Line(vec![span(text, Tone::Dim)])
    }
}

impl Report for FlagList {
    fn schema(&self) -> &'static str {
        "liveops.flag.list/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = vec![self.heading(), self.place()];
        let when = |flag: &FlagEntry| {
            let last = flag.changed.as_ref();
            last.map_or_else(String::new, |last| format!("{} {}", view.time(last.when), last.by))
        };
        let rows: Vec<[Span; 4]> = self
            .flags
            .iter()
            .map(|flag| {
                [
                    plain(&flag.name),
                    span(flag.summary.audience.clone(), labels::tone(&flag.summary)),
                    span(few(&flag.findings), flag.tone),
                    span(when(flag), Tone::Dim),
                ]
            })
            .collect();
        let texts = rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect());
        let columns = labels::Columns::new(texts, &[28, 40, 11, 20]);
        for (flag, row) in self.flags.iter().zip(rows) {
            blocks.push(columns.line(tone::mark(flag.tone, view), row.into()));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let last = ["changed_at", "changed_by", "reason", "findings"];
        let titles = ["name"].iter().chain(&Summary::TITLES).chain(&last);
        let mut table = Table { columns: titles.map(ToString::to_string).collect(), ..Table::default() };
        for flag in &self.flags {
            let mut row = vec![plain(&flag.name)];
            row.extend(flag.summary.cells().into_iter().map(plain));
            let last = flag.changed.as_ref();
            row.extend([
                plain(last.map(|last| last.at.clone()).unwrap_or_default()),
                plain(last.map(|last| last.by.clone()).unwrap_or_default()),
                plain(last.and_then(|last| last.reason.clone()).unwrap_or_default()),
                plain(flag.findings.join(" ")),
            ]);
            table.row(row);
        }
        Some(table)
    }

    /// The first column, without making the others.
    fn names(&self) -> Option<Vec<String>> {
        let name = |flag: &FlagEntry| escape(&flag.name).into_owned();
        Some(self.flags.iter().map(name).collect())
    }
}

/// What to type next: the worst flag, or the first.
fn next(cx: &Context, flags: &[FlagEntry]) -> Recommendation {
    let worst = [Tone::Bad, Tone::Warn].iter().find_map(|tone| flags.iter().find(|flag| flag.tone == *tone));
    match (worst, flags.first()) {
        (Some(flag), _) => labels::command(cx, "what is wrong with it", &format!("flag lint {}", word(&flag.name))),
        (None, Some(flag)) => labels::command(cx, "all of one", &format!("flag get {}", word(&flag.name))),
        (None, None) => labels::command(cx, "make one", "flag set NAME --pct 10 --dry-run"),
    }
}

/// Two codes, and how many more there are.
fn few(codes: &[&str]) -> String {
    match codes {
        [first, second, rest @ ..] if !rest.is_empty() => {
            format!("{first} {second} +{}", rest.len())
        }
        few => few.join(" "),
    }
}

pub(super) async fn run(args: ListArgs, cx: &Context) -> Result<Exit> {
    if args.stale {
        return stale::run(StaleArgs::default(), cx).await;
    }
    let store = cx.flags()?;
    let (catalog, history) = tokio::join!(FlagCatalog::of(cx, &store), store.history(None, Some(RECENT)));
    let mut catalog = catalog?;
    // The flags are there: what is lost is only who changed them.
    let mut warnings: Vec<String> = labels::partly(&mut catalog.source, history.as_ref().err());
    let outcome = if warnings.is_empty() { Outcome::Success } else { Outcome::Partial };
    let history = history.unwrap_or_default();
    let names = catalog.flags.iter().map(|stored| stored.name.as_str());
    let gone = GoneFlag::words(&gone_flags(cx, names, &history), cx.clock.now());
    let is_bad = |flags: &[FlagEntry]| gone.is_some() || flags.iter().any(|flag| flag.tone == Tone::Bad);
    let newest = newest(&history);
    let flags: Vec<FlagEntry> = catalog
        .flags
        .iter()
        .map(|stored| {
            let last = newest.get(stored.name.as_str()).copied();
            FlagEntry::new(stored, catalog.reader, last, cx.clock.now())
        })
        .collect();
    let meta = Meta {
        outcome,
        verdict: if is_bad(&flags) { Verdict::Warn } else { Verdict::Pass },
        warnings: {
            warnings.extend(gone.clone());
            warnings
        },
        ..labels::frame(next(cx, &flags), catalog.source)
    };
    let report = FlagList { reader: catalog.reader, store: catalog.shown, flags, environment: catalog.environment };
    cx.show(&report, meta)?;
    Ok(Exit::Good)
}
