//! The error budgets on the screen: those that burn or are not known, the worst first; the others in a line.

use std::cmp::Reverse;
use std::mem::take;

use crate::commands::slo::view::{detail, headline_burn};
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::metric::level::Level;
use liveops_domain::text::count::count;
use liveops_engine::slo::status::SloStatus;
use liveops_engine::status::judge::slo_level;
use liveops_engine::status::report::StatusReport;

/// More of them are counted, not listed.
const LISTED: usize = 3;

/// Below this width there is no room for the burn, and the reasons stand below the rows.
const NARROW: usize = 60;

/// What a tired person needs beside the numbers, without what its source says of itself.
pub(crate) fn why(one: &SloStatus, report: &StatusReport, view: &View) -> String {
    let mut first = detail(one, view).into_iter().next().unwrap_or_default();
    // `slo status` calls it critical, and rightly; this screen is of what wakes somebody.
    if one.budget.level == Level::Critical && slo_level(one) != Level::Critical {
        first.push_str(", and burns too slowly to page");
    }
    report.beside_source(&first).unwrap_or_default().to_owned()
}

pub(super) fn slos(report: &StatusReport, view: &View) -> Vec<Block> {
    let slos = &report.gathered.slos;
    if slos.is_empty() {
        return Vec::new();
    }
    let mut bad: Vec<&SloStatus> = slos.iter().filter(|one| one.budget.level != Level::Ok).collect();
    bad.sort_by_key(|one| Reverse(one.budget.level));
    let mut table = Table::new(["", "", "", "", ""]).right(&[2, 3]).indent(2).fixed(&[0, 1, 2, 3]);
    // Where nothing is wrong, the one that has the least left is the news.
    let least = || {
        let left = |one: &&SloStatus| one.budget.remaining.clone().unwrap_or(f64::INFINITY);
        slos.iter().min_by(|a, b| left(a).total_cmp(&left(b)))
    };
    let shown: Vec<&SloStatus> =
        if bad.is_empty() { least().into_iter().collect() } else { bad.iter().take(LISTED).copied().collect() };
    let is_narrow = view.width < NARROW;
    let mut below = Vec::new();
    for one in &shown {
        let tone = tone::level(slo_level(one));
        let mut why = why(one, report, view);
        if is_narrow && !why.is_empty() {
            below.push(Block::Whole(vec![span(format!("    {}: {}", one.slo.name, take(&mut why)), Tone::Dim)]));
        }
        let left = match &one.budget.remaining {
            Ok(left) => format!("{:.1} % left", left * 100.0),
            Err(_) => "unknown".into(),
        };
        table.row(vec![
            tone::mark(tone, view),
            plain(&one.slo.name),
            span(left, if one.budget.level == Level::Ok { Tone::Strong } else { tone }),
            span(if is_narrow { String::new() } else { headline_burn(one, view) }, Tone::Plain),
            span(why, Tone::Dim),
        ]);
    }
    let mut blocks = vec![Block::heading("Error budgets"), Block::Table(table)];
    blocks.extend(below);
    let rest = slos.len() - shown.len();
    if rest > 0 {
        let more = bad.len().saturating_sub(shown.len());
        let text = match more {
            0 => format!("    {} within budget", count(rest, "more SLO")),
            more => format!("    and {}, {more} of them not within budget: liveops slo", count(rest, "more SLO")),
        };
        blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
    }
    blocks
}
