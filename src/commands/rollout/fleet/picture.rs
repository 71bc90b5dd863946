//! The regions of a rollout on a terminal while one process has them in hand: a row a region, redrawn when one of them was
//! looked at, and every second for what is counted down.

use std::time::Duration;

use super::board::Board;
use super::whole::Whole;
use crate::commands::rollout::report::RolloutRow;
use crate::context::Context;
use crate::error::Result;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::format::Format;
use crate::output::screen::Screen;

/// Between two frames when nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// Transitions that are shown below the regions.
const SHOWN: usize = 8;

/// The screen, as long as it is ours.
pub(super) struct Picture<'a> {
    cx: &'a Context,
    screen: Option<Screen<'a>>,
}

impl<'a> Picture<'a> {
    /// Is there a terminal, and a person before it?
    pub(super) fn is_wanted(cx: &Context) -> bool {
        cx.output.format() == Format::Table && cx.output.is_terminal()
    }

    /// Takes the terminal, where there is one.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn enter(cx: &'a Context) -> Result<Self> {
        let screen = match Self::is_wanted(cx) {
            true => Some(Screen::enter(&cx.output)?),
            false => None,
        };
        Ok(Self { cx, screen })
    }

    /// Gives it back: from now on, what happens is told line by line.
    pub(super) fn leave(&mut self, board: &Board) {
        self.screen = None;
        board.undraw();
    }

    /// Waits until there is something new to draw; without a screen, for ever.
    pub(super) async fn due(&self, board: &Board) {
        if self.screen.is_none() {
            return std::future::pending().await;
        }
        tokio::select! {
            () = board.seen() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }

    /// Draws what is known now.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn draw(&self, board: &Board) -> Result<()> {
        let Some(screen) = &self.screen else {
            return Ok(());
        };
        let view = self.cx.output.view(self.cx.clock.now());
        let rows = board.rows();
        let all: Vec<&RolloutRow> = rows.iter().collect();
        let mut blocks = match Whole::of(&all, &[]) {
            Some(whole) => whole.table(&view),
            None => vec![Block::text("looking at the gates of the first wave")],
        };
        blocks.push(Block::Blank);
        let mut moved: Vec<_> =
            rows.iter().flat_map(|row| row.transitions.iter().map(move |moved| (row, moved))).collect();
        moved.sort_by_key(|(_, moved)| moved.at);
        let regions = rows.iter().filter_map(|row| row.region.as_ref());
        let wide = regions.map(|region| region.chars().count()).max();
        let wide = wide.unwrap_or_default();
        for (row, moved) in moved.iter().skip(moved.len().saturating_sub(SHOWN)) {
            let region = row.region.as_deref().unwrap_or_default();
            blocks.push(Block::Line(vec![
                span(
                    format!("{}  {region:<wide$} {:>4}  ", moved.at.format("%H:%M:%S"), moved.weight.to_string()),
                    Tone::Dim,
                ),
                plain(moved.text.clone()),
            ]));
        }
        blocks.push(Block::Blank);
        blocks.push(Block::Line(vec![span(
            "Ctrl-C asks whether to hold, detach or roll back, in every region",
            Tone::Dim,
        )]));
        screen.draw(&blocks, &view)
    }
}
