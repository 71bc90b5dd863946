//! Commands on a screen go where this one went.

use crate::output::block::{Block, Span, Tone};
use liveops_domain::text::paste::Repeat;

/// Every command among the blocks.
pub(crate) fn repeated(repeat: &Repeat, blocks: Vec<Block>) -> Vec<Block> {
    if repeat.is_empty() {
        return blocks;
    }
    let spans = |spans: Vec<Span>| spans.into_iter().map(|span| repeated_span(repeat, span)).collect();
    let block = |block| match block {
        Block::Line(line) => Block::Line(spans(line)),
        Block::Whole(line) => Block::Whole(spans(line)),
        Block::Verbatim(line) => Block::Verbatim(line),
        Block::Table(mut table) => {
            table.rows = table.rows.into_iter().map(spans).collect();
            Block::Table(table)
        }
        Block::Blank => Block::Blank,
    };
    blocks.into_iter().map(block).collect()
}

fn repeated_span(repeat: &Repeat, span: Span) -> Span {
    match span.tone {
        Tone::Command => Span { text: repeat.apply(&span.text), ..span },
        _ => span,
    }
}
