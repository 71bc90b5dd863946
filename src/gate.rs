//! What all gates share: their options, how they look, how they end.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::builder::ValueHint;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::format::Format;
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::check::finding::{Finding, Findings, Level};
use liveops_domain::check::gate::{Gate, Policy};
use liveops_domain::check::{codequality, junit, sarif, workflow};
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::{Outcome, Recommendation, Source, SourceState, Verdict};
use liveops_engine::check::gate::{About, Options, weigh};

/// Findings that a screen shows whole; of the others one line each.
const SHOWN: usize = 20;

/// Options of every gate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Gate")]
pub(crate) struct GateArgs {
    /// Fail from this level on
    #[arg(long, value_enum, default_value_t = LevelArg::High, value_name = "LEVEL", ignore_case = true)]
    fail_on: LevelArg,

    /// What is unknown fails, too (exit code 3)
    #[arg(long)]
    strict: bool,

    /// Findings of this file are known, and do not fail
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    baseline: Option<PathBuf>,

    /// Write what is found now as a baseline
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    write_baseline: Option<PathBuf>,

    /// Only waivers that stand in this git ref count, such as origin/main
    #[arg(long, value_name = "REF")]
    waivers_from: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    Low,
    Medium,
    High,
    Blocker,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Low => Self::Low,
            LevelArg::Medium => Self::Medium,
            LevelArg::High => Self::High,
            LevelArg::Blocker => Self::Blocker,
        }
    }
}

impl Default for GateArgs {
    fn default() -> Self {
        Self { fail_on: LevelArg::High, strict: false, baseline: None, write_baseline: None, waivers_from: None }
    }
}

impl GateArgs {
    /// Do only waivers of a git ref count?
    pub(crate) fn is_from_ref(&self) -> bool {
        self.waivers_from.is_some()
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            policy: Policy { fail_on: self.fail_on.into(), strict: self.strict },
            baseline: self.baseline.clone(),
            write_baseline: self.write_baseline.clone(),
            waivers_from: self.waivers_from.clone(),
        }
    }
}

/// What a gate adds to its report.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Members of `data` beside the findings.
    pub(crate) data: serde_json::Map<String, Value>,
    /// Lines between the verdict and the findings.
    pub(crate) blocks: Vec<Block>,
    /// Systems that were asked.
    pub(crate) sources: Vec<Source>,
    /// What to type next; none: the first finding's rule.
    pub(crate) next: Option<Recommendation>,
    pub(crate) warnings: Vec<String>,
    /// Findings that a screen shows; of the others it says how many.
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct GateReport {
    #[serde(flatten)]
    gate: Gate,
    #[serde(skip)]
    exit: Exit,
    #[serde(flatten)]
    data: serde_json::Map<String, Value>,
    #[serde(skip)]
    blocks: Vec<Block>,
    #[serde(skip)]
    limit: Option<usize>,
}

/// Weighs the findings, shows them in the format that was asked for, and ends as the contract says.
pub(crate) async fn finish(about: About, found: Findings, args: &GateArgs, extra: Extra, cx: &Context) -> Result<Exit> {
    let gate = weigh(cx, about, found, &args.options()).await?;
    let verdict = gate.verdict();
    let partial =
        extra.sources.iter().any(|source| !matches!(source.state, SourceState::Ok | SourceState::Unconfigured));
    let exit = match verdict {
        Verdict::Fail => Exit::Bad,
        // What was asked and did not answer is an outage, and not a rule that cannot tell.
        Verdict::Unknown if args.strict || !gate.looked || gate.silent || partial => Exit::Unknown,
        _ => Exit::Good,
    };
    let Extra { data, blocks, sources, next, warnings, limit } = extra;
    let meta = Meta {
        verdict,
        outcome: if partial { Outcome::Partial } else { Outcome::Success },
        sources,
        warnings,
        ..next.map_or_else(Meta::default, |next| Meta::steps(vec![next]))
    };
    let report = GateReport { gate, exit, data, blocks, limit };
    match meta.sources.is_empty() {
        true => cx.show_anywhere(&report, meta)?,
        false => cx.show(&report, meta)?,
    }
    Ok(exit)
}

fn weight(level: Level) -> Tone {
    match level {
        Level::Blocker | Level::High => Tone::Bad,
        Level::Medium => Tone::Warn,
        Level::Low => Tone::Dim,
    }
}

/// `brief`: a few of many, that one screen holds; the place is cut before the terminal would wrap it.
fn finding(finding: &Finding, whole: bool, brief: bool, view: &View) -> Vec<Block> {
    let tone = weight(finding.level);
    let mut place = finding.place().map_or_else(String::new, |place| format!("  {place}"));
    let before = "x BLOCKER M00 ".len() + finding.subject.chars().count();
    if brief && before + place.chars().count() > view.width {
        place = place.rsplit_once('/').map_or(place.clone(), |(_, name)| format!("  …/{name}"));
    }
    let mut head = vec![
        tone::mark(tone, view),
        span(format!(" {:<8}", finding.level.name()), tone),
        plain(format!("{} ", finding.id)),
        span(finding.subject.clone(), Tone::Strong),
        span(place, Tone::Dim),
    ];
    if !whole {
        head.push(plain(format!("  {}", finding.why)));
        return vec![Block::Line(head)];
    }
    let mut blocks = vec![Block::Whole(head), Block::Whole(vec![plain(format!("    {}", finding.why))])];
    if let Some(fix) = &finding.fix {
        blocks.push(Block::Whole(vec![span("    fix: ", Tone::Dim), plain(fix.clone())]));
    }
    let proof = finding.evidence.iter().flat_map(|text| text.lines().take(3));
    let line = |line: &str| vec![span(format!("    {line}"), Tone::Dim)];
    match brief {
        true => blocks.extend(proof.take(1).map(|text| Block::Line(line(text)))),
        false => blocks.extend(proof.map(|text| Block::Whole(line(text)))),
    }
    blocks
}

/// `… and 170 more: 2 BLOCKER, 168 LOW`
fn more<'a>(rest: impl Iterator<Item = &'a Finding>) -> Option<Block> {
    let rest: Vec<Level> = rest.map(|finding| finding.level).collect();
    let by_level = Level::ALL.iter().map(|level| (level, rest.iter().filter(|one| *one == level).count()));
    let words: Vec<String> =
        by_level.filter(|(_, n)| *n > 0).map(|(level, n)| format!("{n} {}", level.name())).collect();
    (!rest.is_empty()).then(|| Block::Line(vec![plain(format!("… and {} more: {}", rest.len(), words.join(", ")))]))
}

impl Report for GateReport {
    fn schema(&self) -> &'static str {
        "liveops.check/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let verdict = self.gate.verdict();
        let tone = tone::verdict(verdict);
        let word = match verdict {
            Verdict::Pass => "PASS",
            Verdict::Warn => "PASS, with findings below the level that fails",
            Verdict::Fail => "FAIL",
            Verdict::Unknown if !self.gate.looked => "UNKNOWN, nothing could be checked",
            Verdict::Unknown if self.exit == Exit::Unknown => "UNKNOWN, does not pass",
            Verdict::Unknown => "UNKNOWN in part, which fails with --strict",
        };
        let mut blocks = vec![Block::Whole(vec![
            tone::mark(tone, view),
            span(format!(" {word}  "), tone),
            plain(self.gate.summary()),
        ])];
        blocks.extend(self.blocks.iter().cloned());
        let limit = self.limit.unwrap_or(usize::MAX);
        for (at, one) in self.gate.counting().take(limit).enumerate() {
            let brief = self.limit.is_some();
            if at < SHOWN && (at == 0 || !brief) {
                blocks.push(Block::Blank);
            }
            blocks.extend(finding(one, at < SHOWN, brief, view));
        }
        blocks.extend(more(self.gate.counting().skip(limit)));
        if !self.gate.unknown.is_empty() && self.limit.is_none() {
            blocks.push(Block::Blank);
        }
        // Of a few findings, one of what is unknown; the first line has said how many there are.
        for one in self.gate.unknown.iter().take(self.limit.map_or(usize::MAX, |_| 1)) {
            let line = vec![
                tone::mark(Tone::Unknown, view),
                span(" unknown ", Tone::Unknown),
                plain(format!("{} ", one.id)),
                span(one.subject.clone(), Tone::Strong),
                plain(format!("  {}", one.why)),
            ];
            blocks.push(if self.limit.is_some() { Block::Line(line) } else { Block::Whole(line) });
        }
        if self.limit.is_some() && self.gate.unknown.len() > 1 {
            blocks.push(Block::Line(vec![plain(format!("… and {} more unknown", self.gate.unknown.len() - 1))]));
        }
        let waived: Vec<_> = self.gate.findings.iter().filter(|one| one.waived.is_some()).collect();
        if !waived.is_empty() {
            blocks.push(Block::Blank);
        }
        for one in waived {
            let Some(by) = &one.waived else { continue };
            let text = format!("waived  {} {}  by {} until {}: {}", one.id, one.subject, by.owner, by.until, by.reason);
            blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["subject", "id", "level", "file", "line", "why", "fix", "waived_by", "known"]);
        for one in &self.gate.findings {
            let text = |text: &Option<String>| plain(text.clone().unwrap_or_default());
            table.row(vec![
                plain(&one.subject),
                plain(one.id),
                plain(one.level.name()),
                text(&one.file),
                plain(one.line.map_or_else(String::new, |line| line.to_string())),
                plain(&one.why),
                text(&one.fix),
                plain(one.waived.as_ref().map_or("", |waived| &waived.owner)),
                plain(if one.known { "yes" } else { "no" }),
            ]);
        }
        Some(table)
    }

    fn names(&self) -> Option<Vec<String>> {
        let mut names: Vec<String> = self.gate.counting().map(|one| one.subject.clone()).collect();
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Some(names)
    }

    fn document(&self, format: Format) -> Option<String> {
        match format {
            Format::Sarif => Some(sarif::sarif(&self.gate, env!("CARGO_PKG_VERSION"))),
            Format::Github => Some(workflow::annotations(&self.gate)),
            Format::Gitlab => Some(codequality::report(&self.gate)),
            Format::Junit => Some(junit::report(&self.gate)),
            _ => None,
        }
    }
}
