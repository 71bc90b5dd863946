//! The rollouts under way on the screen of `liveops status`: one line each, and the command that looks closer.

use crate::commands::status::report::StatusReport;
use crate::commands::tone;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::view::View;

pub(super) fn rollouts(report: &StatusReport, view: &View) -> Vec<Block> {
    let rows = &report.gathered.rollouts;
    if rows.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::heading("Rollouts")];
    for row in rows {
        let tone = if row.needs_somebody() {
            Tone::Warn
        } else {
            Tone::Dim
        };
        let held = match (&row.stuck, &row.held) {
            (Some(stuck), _) => format!("  not back: {}", stuck.text),
            (None, Some(held)) => format!("  held: {}", held.text),
            (None, None) => String::new(),
        };
        blocks.push(Block::Line(vec![
            plain("  "),
            tone::mark(tone, view),
            plain(match row.is_ramp() {
                true => format!(" flag {}  ramp  ", row.service),
                false => format!(" {}  {}  ", row.title(), row.image),
            }),
            span(row.state(), tone),
            plain(format!("  {}%", row.weight)),
            span(held, Tone::Warn),
        ]));
    }
    for (is_ramp, look) in [(false, "rollout status"), (true, "flag ramp status")] {
        if rows.iter().any(|row| row.is_ramp() == is_ramp) {
            blocks.push(Block::next("  look", format!("liveops {look}")));
        }
    }
    blocks
}
