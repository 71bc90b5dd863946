//! The rollouts under way on the screen of `liveops status`: one line each, a line a region where there are several, and
//! the command that looks closer. Where it is not known whether there is one, that is said.

use crate::commands::rollout::regions::report::tone as tone_of;
use crate::output::block::{Block, Span, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::rollout::regional::{RegionEntry, RegionalOverview};
use liveops_domain::rollout::row::{RolloutRow, UnseenRow};
use liveops_domain::text::count::count;
use liveops_engine::status::report::StatusReport;

/// More regions than this stand on one line.
const LISTED: usize = 4;

pub(super) fn rollouts(report: &StatusReport, view: &View) -> Vec<Block> {
    let seen = &report.gathered.rollouts;
    let rows = &seen.rollouts;
    if rows.is_empty() && seen.unseen.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::heading("Rollouts")];
    let (regional, alone) = liveops_domain::rollout::regional::group(rows, &seen.unseen);
    for overview in &regional {
        blocks.extend(regions(overview, view));
    }
    blocks.extend(alone.into_iter().map(|row| line(row, view)));
    let told = |row: &UnseenRow| regional.iter().any(|overview| overview.tells(row));
    for row in seen.unseen.iter().filter(|row| !told(row)) {
        blocks.push(Block::Line(vec![
            plain("  "),
            tone::mark(Tone::Unknown, view),
            plain(format!(" {}  ", row.title())),
            span(format!("unknown: {}", row.why), Tone::Unknown),
        ]));
    }
    for (is_ramp, look) in [(false, "rollout status"), (true, "flag ramp status")] {
        let unseen = !is_ramp && !seen.unseen.is_empty();
        if unseen || rows.iter().any(|row| row.is_ramp() == is_ramp) {
            blocks.push(Block::next("  look", format!("liveops {look}")));
        }
    }
    blocks
}

/// A rollout over several regions, the worst region first.
fn regions(overview: &RegionalOverview<'_>, view: &View) -> Vec<Block> {
    let (service, image) = overview.title();
    let lines = overview.worst_first();
    let tone = lines.first().map_or(Tone::Dim, |line| tone_of(line));
    let mut head = vec![
        plain("  "),
        tone::mark(tone, view),
        plain(format!(" {service}  {image}  in {}", count(lines.len(), "region"))),
    ];
    if lines.len() > LISTED {
        for line in lines {
            head.push(plain("  "));
            head.extend(place(line));
        }
        return vec![Block::Whole(head)];
    }
    let mut blocks = vec![Block::Line(head)];
    for line in lines {
        let mut spans = vec![plain("    "), tone::mark(tone_of(line), view), plain(" ")];
        spans.extend(place(line));
        spans.push(span(format!("  {}", line.summary()), Tone::Dim));
        blocks.push(Block::Line(spans));
    }
    blocks
}

/// `eu observing 20%`.
fn place(line: &RegionEntry<'_>) -> Vec<Span> {
    let (state, tone) = (line.state(), tone_of(line));
    let share = line.share().map_or_else(String::new, |share| format!(" {share}%"));
    vec![plain(format!("{} ", line.region)), span(state, tone), plain(share)]
}

fn line(row: &RolloutRow, view: &View) -> Block {
    let tone = if row.needs_somebody() { Tone::Warn } else { Tone::Dim };
    let held = match (&row.stuck, &row.held) {
        (Some(stuck), _) => format!("  not back: {}", stuck.text),
        (None, Some(held)) => format!("  held: {}", held.text),
        (None, None) => String::new(),
    };
    Block::Line(vec![
        plain("  "),
        tone::mark(tone, view),
        plain(match row.is_ramp() {
            true => format!(" flag {}  ramp  ", row.service),
            false => format!(" {}  {}  ", row.title(), row.image),
        }),
        span(row.state(), tone),
        plain(format!("  {}%", row.weight)),
        span(held, Tone::Warn),
    ])
}
