//! Who was asked, on the screen: scrape targets, and the systems that answered or did not.

use crate::output::block::{Block, Tone, plain, span};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::NOT_ASKED;
use liveops_domain::status::source::{Source, SourceState};
use liveops_engine::status::report::StatusReport;

/// More failing sources than this are counted, not listed.
const FAILING: usize = 3;

pub(super) fn targets(report: &StatusReport, view: &View) -> Vec<Block> {
    let Some(targets) = &report.gathered.readings.targets else {
        if !report.gathered.targets_expected {
            return Vec::new();
        }
        let text = plain(" unknown: prometheus does not answer");
        return vec![Block::Line(vec![span("Targets ", Tone::Strong), tone::mark(Tone::Unknown, view), text])];
    };
    if targets.down.is_empty() && targets.unknown == 0 {
        let tone = if targets.up == 0 { Tone::Unknown } else { Tone::Good };
        let text = if targets.up == 0 {
            " none: Prometheus scrapes nothing".to_owned()
        } else {
            format!(" all {} up", targets.up)
        };
        return vec![Block::Line(vec![span("Targets ", Tone::Strong), tone::mark(tone, view), plain(text)])];
    }
    let counts = format!(
        " {} up, {} down{}",
        targets.up,
        targets.down.len(),
        if targets.unknown > 0 { format!(", {} not scraped yet", targets.unknown) } else { String::new() }
    );
    let mark = tone::mark(if targets.down.is_empty() { Tone::Unknown } else { Tone::Warn }, view);
    let mut blocks = vec![Block::Line(vec![span("Targets ", Tone::Strong), mark, plain(counts)])];
    for (name, error) in targets.down.iter().take(3) {
        // The end of an error says most; it is wrapped, never cut.
        blocks.push(Block::Whole(vec![
            plain("  "),
            tone::mark(Tone::Bad, view),
            plain(format!(" {name}  ")),
            span(error, Tone::Dim),
        ]));
    }
    if targets.down.len() > 3 {
        blocks.push(Block::Line(vec![span(
            format!("    and {} more: liveops doctor", targets.down.len() - 3),
            Tone::Dim,
        )]));
    }
    blocks
}

/// Those that answer on one line, each that does not on its own, with the reason.
pub(super) fn sources(report: &StatusReport, view: &View) -> Vec<Block> {
    let (good, bad): (Vec<&Source>, Vec<&Source>) =
        report.gathered.sources.iter().partition(|source| source.state == SourceState::Ok);
    let mut blocks = Vec::new();
    for source in bad.iter().take(FAILING) {
        let tone = tone::source(source.state);
        let state = match source.state {
            SourceState::Degraded => "partly",
            _ => "down",
        };
        let reason = source.error.as_deref().unwrap_or("no answer");
        let said = if reason.starts_with(NOT_ASKED) { reason.to_owned() } else { format!("{state}: {reason}") };
        blocks.push(Block::Whole(vec![
            span("Sources ", Tone::Strong),
            tone::mark(tone, view),
            plain(format!(" {} ", source.name)),
            span(said, tone),
        ]));
    }
    let mut spans = vec![span("Sources ", Tone::Strong)];
    if bad.len() > FAILING {
        let more = format!("and {} more are down{}", bad.len() - FAILING, view.pick(" · ", ", "));
        spans.push(span(more, Tone::Bad));
    }
    match good.as_slice() {
        [] => return blocks,
        [_, _, _, _, _, ..] => {
            spans.push(tone::mark(Tone::Good, view));
            spans.push(plain(format!(" {} answer", good.len())));
        }
        few => {
            for (index, source) in few.iter().enumerate() {
                let dot = if index > 0 { view.pick(" · ", ", ") } else { "" };
                let latency = source.latency_ms.map(|ms| format!(" {ms} ms"));
                spans.push(plain(dot));
                spans.push(tone::mark(Tone::Good, view));
                spans.push(plain(format!(" {}", source.name)));
                spans.push(span(latency.unwrap_or_default(), Tone::Dim));
            }
        }
    }
    blocks.push(Block::Line(spans));
    blocks
}
