//! The screen of `liveops status`: verdict, services, KPIs, alerts, targets, sources, next command. Fits 80×24.

mod alerts;
mod flags;
mod kpis;
mod rollouts;
pub(crate) mod slos;
mod sources;

use std::cmp::Reverse;

use crate::commands::incident::view::head;
use crate::commands::status::screen::alerts::alerts;
use crate::commands::status::screen::flags::flags;
use crate::commands::status::screen::kpis::kpis;
use crate::commands::status::screen::rollouts::rollouts;
use crate::commands::status::screen::slos::slos;
use crate::commands::status::screen::sources::{sources, targets};
use crate::output::block::{Block, Table, Tone, height, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::change::record::{ChangeRecord, ChangeState};
use liveops_domain::metric::level::Level;
use liveops_domain::status::ServiceReading;
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::Verdict;
use liveops_domain::text::duration::human;
use liveops_engine::status::past::NOT_KEPT;
use liveops_engine::status::report::{StatusReport, reason};

/// More healthy services than this are counted, not listed.
const LISTED: usize = 6;

/// More services in trouble than this are counted, too: the screen must not scroll away.
const AILING: usize = 10;

/// More open incidents than this are counted, not listed.
const INCIDENTS: usize = 3;

/// Suspects that a screen names.
const SUSPECTS: usize = 2;

/// More changes than this are counted, not listed.
const CHANGES: usize = 3;

/// The whole screen.
pub(crate) fn blocks(report: &StatusReport, view: &View) -> Vec<Block> {
    let whole = all(report, view, false);
    // A screen that is drawn again cannot be scrolled: what is normal gives way.
    match view.height {
        Some(rows) if report.watching.is_some() && rows < height(&whole) + 3 => all(report, view, true),
        _ => whole,
    }
}

fn all(report: &StatusReport, view: &View, folds: bool) -> Vec<Block> {
    let mut blocks = vec![title(report, view), headline(report)];
    if report.at.is_some() {
        blocks.push(Block::Whole(vec![span(format!("  {NOT_KEPT}"), Tone::Dim)]));
    }
    blocks.push(Block::Blank);
    let parts = [
        incidents(report, view),
        services(report, view, folds),
        kpis(report, view, folds),
        slos(report, view),
        alerts(report, view),
        rollouts(report, view),
    ];
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        blocks.extend(part);
        blocks.push(Block::Blank);
    }
    blocks.extend(changes(report, view));
    blocks.extend(suspects(report));
    blocks.extend(flags(report, view));
    blocks.extend(targets(report, view));
    blocks.extend(sources(report, view));
    if report.watching.is_none() && view.height.is_some_and(|rows| rows < height(&blocks) + 3) {
        // The top has scrolled away, and the verdict with it.
        blocks.extend([Block::Blank, title(report, view), headline(report)]);
    }
    blocks
}

/// The open incidents with their next deadline and what was missed, before all.
fn incidents(report: &StatusReport, view: &View) -> Vec<Block> {
    let open = &report.gathered.incidents;
    let mut blocks: Vec<Block> = open.iter().take(INCIDENTS).flat_map(|shown| head(shown, view)).collect();
    if open.len() > INCIDENTS {
        let more = open.len() - INCIDENTS;
        let text = format!("  and {more} more open: liveops incident list");
        blocks.push(Block::Line(vec![span(text, Tone::Bad)]));
    }
    blocks
}

pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "OK",
        Verdict::Warn => "WARNING",
        Verdict::Fail => "CRITICAL",
        Verdict::Unknown => "UNKNOWN",
    }
}

fn title(report: &StatusReport, view: &View) -> Block {
    let tone = tone::verdict(report.verdict());
    let place = match &report.project {
        Some(project) => format!("{project} {} {}", view.pick("·", "-"), report.environment),
        None => report.environment.clone(),
    };
    let took = report.gathered.took.as_secs_f64();
    let every = report.watching.map(human);
    let every = every.map_or_else(String::new, |every| format!(", every {every}"));
    Block::Line(vec![
        tone::mark(tone, view),
        span(format!(" {}  ", word(report.verdict())), tone),
        span(place, Tone::Strong),
        match report.at {
            Some(at) => span(format!("  as it was at {}", at.format("%Y-%m-%d %H:%M:%SZ")), Tone::Warn),
            None => span(format!("  {} in {took:.1} s{every}", view.now.format("%H:%M:%SZ")), Tone::Dim),
        },
    ])
}

/// Why, on a line of its own: it may be long, and nothing of it may be cut.
fn headline(report: &StatusReport) -> Block {
    Block::Whole(vec![plain(format!("  {}", report.judgement.headline))])
}

fn services(report: &StatusReport, view: &View, folds: bool) -> Vec<Block> {
    let services = &report.gathered.readings.services;
    if services.is_empty() {
        return Vec::new();
    }
    let few = services.len() <= LISTED && !folds;
    let shown = |service: &&ServiceReading| few || service.state != ServiceState::Healthy;
    let mut table = Table::new(["", "", "", "", ""]).right(&[3]).indent(2).fixed(&[0, 1, 2, 3]);
    let mut listed: Vec<&ServiceReading> = services.iter().filter(shown).collect();
    listed.sort_by_key(|service| Reverse(Level::from(service.state)));
    let more = listed.len().saturating_sub(AILING);
    for service in listed.into_iter().take(AILING) {
        let tone = tone::service(service.state);
        let latency = service.latency_ms.map_or_else(String::new, |ms| format!("{ms} ms"));
        let detail = if service.detail == service.state.word() { "" } else { &service.detail };
        table.row(vec![
            tone::mark(tone, view),
            plain(&service.name),
            span(service.state.word(), tone),
            span(latency, Tone::Dim),
            span(detail, Tone::Dim),
        ]);
    }
    let mut blocks = vec![Block::heading("Services"), Block::Table(table)];
    if more > 0 {
        let text = format!("    and {more} more that are not healthy: liveops health");
        blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
    }
    if !few {
        let healthy: Vec<&ServiceReading> =
            services.iter().filter(|service| service.state == ServiceState::Healthy).collect();
        if let Some(slowest) = healthy.iter().max_by_key(|service| service.latency_ms) {
            let text = format!(
                " {} healthy, the slowest {} in {} ms",
                healthy.len(),
                slowest.name,
                slowest.latency_ms.unwrap_or(0)
            );
            blocks.push(Block::Line(vec![plain("  "), tone::mark(Tone::Good, view), plain(text)]));
        }
    }
    blocks
}

/// Who made it; with the id by which this liveops can undo it, where it is its own.
fn who(change: &ChangeRecord) -> String {
    match change.undo {
        Some(_) => format!("{} {}  ", change.id, change.by),
        None => format!("{}  ", change.by),
    }
}

/// The likeliest two, where something is wrong.
fn suspects(report: &StatusReport) -> Vec<Block> {
    let suspects = report.gathered.suspects.iter().take(SUSPECTS);
    let lines = suspects.map(|one| {
        let why = format!("  {}", one.reasons.join("; "));
        Block::Whole(vec![span("Suspect ", Tone::Strong), plain(one.change.what.clone()), span(why, Tone::Dim)])
    });
    lines.collect()
}

/// What was changed in the last hour: often the cause, and undone by one command.
fn changes(report: &StatusReport, view: &View) -> Vec<Block> {
    let changes = &report.gathered.changes;
    if changes.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::heading("Changed in the last hour")];
    for change in changes.iter().take(CHANGES) {
        let tone = match change.state {
            ChangeState::Done | ChangeState::Undone => Tone::Dim,
            ChangeState::Failed => Tone::Warn,
            ChangeState::Unclear | ChangeState::Unfinished => Tone::Unknown,
        };
        let state = match change.state {
            ChangeState::Done => String::new(),
            state => format!("{}: ", state.word()),
        };
        blocks.push(Block::Line(vec![
            plain("  "),
            tone::mark(tone, view),
            plain(format!(" {}  ", view.time(change.at))),
            span(who(change), Tone::Dim),
            span(state, tone),
            plain(&change.summary),
            span(reason(change).map_or_else(String::new, |reason| format!("  {reason}")), Tone::Dim),
        ]));
    }
    if changes.len() > CHANGES {
        let text = format!("    and {} more: liveops audit list", changes.len() - CHANGES);
        blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
    }
    blocks.push(Block::Blank);
    blocks
}
