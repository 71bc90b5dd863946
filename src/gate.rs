//! What all gates share: their options, how they look, how they end.

use std::collections::{BTreeMap, BTreeSet};
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
use liveops_domain::check::finding::{Finding, Findings, Level, Unknown};
use liveops_domain::check::gate::{Gate, Policy};
use liveops_domain::check::{codequality, junit, sarif, workflow};
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::source::{Outcome, Recommendation, Source, SourceState, Verdict};
use liveops_domain::text::shell::word;
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
    pub(crate) strict: bool,

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
    /// What to type next; none: what the first fix or the verdict asks for.
    pub(crate) next: Option<Recommendation>,
    /// This call, with what it was given: what a baseline is proposed for. Empty where old findings are no debt.
    pub(crate) call: String,
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
    let Extra { data, blocks, sources, next, call, warnings, limit } = extra;
    let next = next.or_else(|| step(&gate, &call, args.baseline.is_some() || args.write_baseline.is_some()));
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

/// What helps next: the first command that a fix names, a look at who did not answer, or a baseline for what is old.
fn step(gate: &Gate, call: &str, has_baseline: bool) -> Option<Recommendation> {
    if let Some(command) = gate.counting().find_map(|finding| command(finding.fix.as_deref()?)) {
        return Some(Recommendation::new("do what the first finding asks for", command));
    }
    if gate.silent || (gate.findings.is_empty() && gate.verdict() == Verdict::Unknown) {
        return Some(Recommendation::new("see who does not answer, and what is not configured", "liveops doctor"));
    }
    let fails = gate.verdict() == Verdict::Fail;
    (fails && !has_baseline && !call.is_empty()).then(|| {
        let name = gate.name.rsplit(' ').next().unwrap_or("findings");
        let command = format!("{call} --write-baseline {name}.json");
        Recommendation::new("accept what is old, and fail for what is new", command)
    })
}

/// The first command of liveops in a text that runs as it stands.
fn command(text: &str) -> Option<&str> {
    let is_blank =
        |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '_' | '…'));
    text.split('`')
        .skip(1)
        .step_by(2)
        .find(|code| code.starts_with("liveops ") && !code.split([' ', '=']).any(is_blank))
}

/// `liveops check security --manifests deploy/`: a call as it can be typed again.
pub(crate) fn call(name: &str, option: &str, paths: &[PathBuf]) -> String {
    let paths = paths.iter().map(|path| format!(" {option}{}", word(&path.display().to_string())));
    std::iter::once(format!("liveops {name}")).chain(paths).collect()
}

fn weight(level: Level) -> Tone {
    match level {
        Level::Blocker | Level::High => Tone::Bad,
        Level::Medium => Tone::Warn,
        Level::Low => Tone::Dim,
    }
}

/// Findings that say the same of several places, in the order of the first of each.
fn alike<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let mut known = BTreeMap::new();
    for one in findings {
        // What proves each of them tells them apart; how to check one of them does not.
        let proof: Vec<_> = one.evidence.iter().filter(|text| !text.starts_with("check it: ")).collect();
        let at = *known.entry((one.level, one.id, &one.why, &one.fix, proof)).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

/// `also: CpuSaturated docs/cpu.md:67, 81`: where the same was found, beside the first place.
fn also(group: &[&Finding]) -> Option<Block> {
    let mut text = String::new();
    for pair in group.windows(2) {
        let (before, one) = (pair[0], pair[1]);
        match one.line.filter(|_| before.subject == one.subject && before.file == one.file) {
            Some(line) if text.is_empty() => text = format!("line {line}"),
            Some(line) => text.push_str(&format!(", {line}")),
            None => {
                let place = one.place().map_or_else(String::new, |place| format!(" {place}"));
                let comma = if text.is_empty() { "" } else { "; " };
                text.push_str(&format!("{comma}{}{place}", one.subject));
            }
        }
    }
    (!text.is_empty()).then(|| Block::Whole(vec![span("    also: ", Tone::Dim), plain(text)]))
}

/// What is unknown for one reason.
struct Gap<'a> {
    rules: Vec<&'a str>,
    subjects: Vec<&'a str>,
    why: &'a str,
    times: usize,
}

/// What is unknown, each reason told once. A reason that only says who was asked before another one is that other one.
fn gaps(unknown: &[Unknown]) -> Vec<Gap<'_>> {
    let reasons: BTreeSet<&str> = unknown.iter().map(|one| one.why.as_str()).collect();
    let mut gaps: Vec<Gap<'_>> = Vec::new();
    let mut known = BTreeMap::new();
    for one in unknown {
        let ends = one.why.rmatch_indices(": ").map(|(at, colon)| &one.why[at + colon.len()..]);
        let why = ends.into_iter().find(|end| reasons.contains(end)).unwrap_or(&one.why);
        let at = *known.entry(why).or_insert_with(|| {
            gaps.push(Gap { rules: Vec::new(), subjects: Vec::new(), why, times: 0 });
            gaps.len() - 1
        });
        let gap = &mut gaps[at];
        if !gap.rules.contains(&one.id) {
            gap.rules.push(one.id);
        }
        if !gap.subjects.contains(&one.subject.as_str()) {
            gap.subjects.push(&one.subject);
        }
        gap.times += 1;
    }
    gaps
}

/// `brief`: a few of many, that one screen holds; the place is cut before the terminal would wrap it.
fn finding(finding: &Finding, whole: bool, brief: bool, view: &View) -> Vec<Block> {
    let tone = weight(finding.level);
    let mut place = finding.place().map_or_else(String::new, |place| format!("  {place}"));
    let before = "x BLOCKER M00 ".len() + finding.subject.chars().count();
    if brief && before + place.chars().count() > view.width {
        place = format!("  {}", shortened(place.trim_start(), view.width.saturating_sub(before + 2)));
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

/// As many of its last folders as there is room for. A file that is called like all others (`migration.sql`) keeps its
/// folder, cut.
fn shortened(place: &str, room: usize) -> String {
    let Some((folders, name)) = place.rsplit_once('/') else { return place.to_owned() };
    let is_common = ["migration.sql", "up.sql"].iter().any(|common| name.starts_with(common));
    let fits = |text: &String| text.chars().count() <= room;
    let mut ends = place.match_indices('/').map(|(at, _)| format!("…{}", &place[at..]));
    if let Some(end) = ends.find(|end| fits(end) && !(is_common && *end == format!("…/{name}"))) {
        return end;
    }
    let folder = folders.rsplit('/').next().filter(|_| is_common);
    folder.map_or_else(
        || format!("…/{name}"),
        |folder| {
            let room = room.saturating_sub(name.chars().count() + 4).max(15);
            format!("…/{}…/{name}", folder.chars().take(room).collect::<String>())
        },
    )
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
        let brief = self.limit.is_some();
        let groups = match brief {
            true => self.gate.counting().take(limit).map(|one| vec![one]).collect(),
            false => alike(self.gate.counting()),
        };
        for (at, group) in groups.iter().enumerate() {
            if at < SHOWN && (at == 0 || !brief) {
                blocks.push(Block::Blank);
            }
            blocks.extend(finding(group[0], at < SHOWN, brief, view));
            blocks.extend(also(group));
        }
        blocks.extend(more(self.gate.counting().skip(limit)));
        if !self.gate.unknown.is_empty() && self.limit.is_none() {
            blocks.push(Block::Blank);
        }
        // Of a few findings, one reason of what is unknown; the first line has said how much there is.
        let gaps = gaps(&self.gate.unknown);
        let shown = if brief { 1 } else { gaps.len() };
        for gap in gaps.iter().take(shown) {
            let line = vec![
                tone::mark(Tone::Unknown, view),
                span(" unknown ", Tone::Unknown),
                plain(format!("{} ", gap.rules.join(", "))),
                span(gap.subjects.join(", "), Tone::Strong),
                plain(format!("  {}", gap.why)),
            ];
            blocks.push(if brief { Block::Line(line) } else { Block::Whole(line) });
        }
        let beyond: usize = gaps.iter().skip(shown).map(|gap| gap.times).sum();
        if beyond > 0 && !brief {
            blocks.push(Block::Line(vec![plain(format!("… and {beyond} more unknown"))]));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once() {
        let unknown = |id, subject: &str, why: &str| Unknown { id, subject: subject.into(), why: why.into() };
        let all = [
            unknown("D01", "game", "no rules: nobody answers"),
            unknown("D02", "game", "nobody answers"),
            unknown("D03", "chat", "not: nobody answers at all"),
        ];
        let told: Vec<String> =
            gaps(&all).into_iter().map(|gap| format!("{:?} {:?} {}", gap.rules, gap.subjects, gap.why)).collect();
        let want = [r#"["D01", "D02"] ["game"] nobody answers"#, r#"["D03"] ["chat"] not: nobody answers at all"#];
        assert_eq!(told, want);
    }

    #[test]
    fn a_place_keeps_what_tells_it_apart() {
        let prisma = "packages/prisma/migrations/20230620181114_restructure/migration.sql:9";
        let rows = [
            (prisma, 80, "…/prisma/migrations/20230620181114_restructure/migration.sql:9"),
            (prisma, 50, "…/20230620181114_restructure/migration.sql:9"),
            (prisma, 40, "…/20230620181114_restru…/migration.sql:9"),
            ("a/b/1513895878_update_timestamp.up.sql:2", 38, "…/1513895878_update_timestamp.up.sql:2"),
            ("a/b/1513895878_update_timestamp.up.sql:2", 9, "…/1513895878_update_timestamp.up.sql:2"),
            ("1.sql:2", 3, "1.sql:2"),
        ];
        for (place, room, expected) in rows {
            assert_eq!(shortened(place, room), expected, "{room}");
        }
    }

    #[test]
    fn a_command_with_a_blank_is_no_next_step() {
        assert_eq!(command("see `x` or `liveops runbook new NAME`, or `liveops slo`"), Some("liveops slo"));
        assert_eq!(command("`liveops runbook new GameServerDown`"), Some("liveops runbook new GameServerDown"));
        assert_eq!(command("write it"), None);
    }
}
