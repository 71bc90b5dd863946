//! How flags look on every screen: marks, who is on in words, the columns of a list, what to type next.

use unicode_width::UnicodeWidthStr as _;

use crate::context::Context;
use crate::output::block::{Block, Span, Tone, plain};
use crate::output::report::Meta;
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::Error;
use liveops_domain::flag::evaluate::Answer;
use liveops_domain::status::source::{Recommendation, Source, SourceState, Verdict};
use liveops_engine::flag::summary::{State, Summary};

/// The tone of an answer: off is nothing bad.
pub(crate) fn answer(answer: Answer) -> Tone {
    match answer {
        Answer::On => Tone::Good,
        Answer::Off => Tone::Plain,
        Answer::CannotTell => Tone::Unknown,
    }
}

pub(crate) fn answer_mark(answer: Answer, view: &View) -> Span {
    match answer {
        Answer::On => tone::mark(Tone::Good, view),
        Answer::Off => tone::mark(Tone::Dim, view),
        Answer::CannotTell => tone::mark(Tone::Unknown, view),
    }
}

pub(crate) fn next(step: &Recommendation) -> Vec<Block> {
    let command = step.command.iter();
    command.map(|command| Block::next("next", command)).collect()
}

/// The frame of a report on flags, with the step that comes next.
pub(crate) fn frame(step: Recommendation, source: Source) -> Meta {
    let tail = [Block::Blank].into_iter().chain(next(&step)).collect();
    Meta { tail, recommendations: vec![step], sources: vec![source], ..Meta::default() }
}

/// The step with its command as it is to be pasted.
pub(crate) fn command(cx: &Context, text: &str, words: &str) -> Recommendation {
    Recommendation::new(text, cx.command(words))
}

/// A second question to a store that has answered the first: its failure makes the source degraded, and a warning.
pub(crate) fn partly(source: &mut Source, failed: Option<&Error>) -> Vec<String> {
    let Some(error) = failed else {
        return Vec::new();
    };
    source.state = SourceState::Degraded;
    source.error = Some(error.reason());
    vec![format!("the history of the flags is not known: {error}")]
}

/// The columns of a list with a line for each flag. Drawn by hand: a grid that measures every cell would take longer
/// than asking for ten thousand flags.
pub(crate) struct Columns {
    widths: Vec<usize>,
}

impl Columns {
    /// As wide as the widest cell, but not wider than these limits; a wider cell pushes its line to the right.
    pub(crate) fn new<'a>(rows: impl Iterator<Item = Vec<&'a str>>, limits: &[usize]) -> Self {
        let mut widths = vec![0; limits.len()];
        for row in rows {
            for ((width, limit), cell) in widths.iter_mut().zip(limits).zip(row) {
                *width = (*width).max(cell.width()).min(*limit);
            }
        }
        Self { widths }
    }

    pub(crate) fn line(&self, mark: Span, cells: Vec<Span>) -> Block {
        let mut line = vec![mark, plain(" ")];
        for (place, cell) in cells.into_iter().enumerate() {
            let width = self.widths.get(place).copied().unwrap_or(0);
            // What is escaped on the screen is longer than it is here; such names are rare, and only lose their column.
            let gap = width.saturating_sub(cell.text.width()) + 2;
            // A column in which nothing stands takes no room.
            if width > 0 || !cell.text.is_empty() {
                line.push(cell);
                line.push(plain(" ".repeat(gap)));
            }
        }
        Block::Line(line)
    }
}

/// What the worst finding makes of the whole.
pub(crate) fn verdict(worst: Option<Tone>) -> Verdict {
    match worst {
        Some(_) => Verdict::Warn,
        None => Verdict::Pass,
    }
}

/// Its mark, when nothing is wrong with it.
pub(crate) fn mark(summary: &Summary) -> Tone {
    match summary.state {
        State::On => Tone::Good,
        State::Off => Tone::Dim,
        State::Malformed => Tone::Bad,
    }
}

/// How its audience looks.
pub(crate) fn tone(summary: &Summary) -> Tone {
    match summary.state {
        State::On => Tone::Plain,
        State::Off => Tone::Dim,
        State::Malformed => Tone::Bad,
    }
}
