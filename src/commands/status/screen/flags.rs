//! The feature flags in a line, and a line more for each that is broken.

use crate::output::block::{Block, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::status::GoneFlag;
use liveops_domain::status::source::SourceState;
use liveops_engine::status::report::StatusReport;

/// More broken flags than this are counted, not listed.
const BROKEN: usize = 2;

pub(super) fn flags(report: &StatusReport, view: &View) -> Vec<Block> {
    let heading = span("Flags   ", Tone::Strong);
    let Some(flags) = &report.gathered.readings.flags else {
        let mut sources = report.gathered.sources.iter();
        let down = sources.find(|source| source.name == "flags" && source.state == SourceState::Down);
        let unknown = |_| {
            let text = plain(" unknown: their store does not answer");
            Block::Line(vec![heading, tone::mark(Tone::Unknown, view), text])
        };
        return down.map(unknown).into_iter().collect();
    };
    let faulty = flags.faulty();
    let tone = match (flags.gone.is_empty(), flags.count, flags.broken()) {
        (false, 0, _) => Tone::Bad,
        (true, _, 0) => Tone::Good,
        _ => Tone::Warn,
    };
    let mut parts = vec![match flags.count {
        0 => "none".to_owned(),
        n => n.to_string(),
    }];
    let others = flags.off - flags.killed;
    for (n, what) in [
        (flags.killed, "killed"),
        (others, "off"),
        (flags.changed, "changed in the last hour"),
        (faulty, "with errors"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    let text = plain(format!(" {}", parts.join(", ")));
    let mut blocks = vec![Block::Line(vec![heading, tone::mark(tone, view), text])];
    if let Some(text) = GoneFlag::words(&flags.gone, view.now) {
        blocks.push(Block::Whole(vec![plain("  "), tone::mark(tone, view), span(format!(" {text}"), tone)]));
    }
    for error in flags.errors.iter().take(BROKEN) {
        let tone = if error.breaks() { Tone::Warn } else { Tone::Dim };
        blocks.push(Block::Line(vec![
            plain("  "),
            tone::mark(tone, view),
            plain(format!(" {}  ", error.flag)),
            span(format!("{} {}", error.code, error.message), Tone::Dim),
        ]));
    }
    if flags.errors.len() > BROKEN {
        let more = flags.errors.len() - BROKEN;
        blocks.push(Block::Line(vec![span(format!("    and {more} more: liveops flag lint"), Tone::Dim)]));
    }
    blocks
}
