//! The regions of a rollout on a terminal while one process has them in hand: a row a region, redrawn when one of them was
//! looked at, and every second for what is counted down.

use std::time::Duration;

use async_trait::async_trait;

use crate::commands::rollout::regions::report::table;
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::format::Format;
use crate::output::screen::Screen;
use liveops_domain::error::Result;
use liveops_domain::rollout::regional::RegionalOverview;
use liveops_domain::rollout::row::RolloutRow;
use liveops_engine::rollout::regions::coordinator::RegionCoordinator;
use liveops_engine::rollout::watch::RegionsWatch;

/// Between two frames when nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// Transitions that are shown below the regions.
const SHOWN: usize = 8;

/// The screen, as long as it is ours.
pub(crate) struct RegionsScreen<'a> {
    cx: &'a Context,
    screen: Option<Screen<'a>>,
}

impl<'a> RegionsScreen<'a> {
    /// Takes the terminal, where there is one.
    pub(crate) fn enter(cx: &'a Context) -> Result<Self> {
        let screen = match cx.output.format() == Format::Table && cx.output.is_terminal() {
            true => Some(Screen::enter(&cx.output)?),
            false => None,
        };
        Ok(Self { cx, screen })
    }
}

#[async_trait(?Send)]
impl RegionsWatch for RegionsScreen<'_> {
    fn is_drawn(&self) -> bool {
        self.screen.is_some()
    }

    fn leave(&mut self, coordinator: &RegionCoordinator) {
        self.screen = None;
        coordinator.stop_drawing();
    }

    fn ask(&mut self, coordinator: &RegionCoordinator) {
        // A terminal that has gone away answers nothing, either.
        let _ = self.screen.take().map(Screen::keep);
        coordinator.stop_drawing();
    }

    async fn due(&self, coordinator: &RegionCoordinator) {
        if self.screen.is_none() {
            return std::future::pending().await;
        }
        tokio::select! {
            () = coordinator.row_changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }

    fn draw(&self, coordinator: &RegionCoordinator) -> Result<()> {
        let Some(screen) = &self.screen else {
            return Ok(());
        };
        let view = self.cx.output.view(self.cx.clock.now());
        let rows = coordinator.rows();
        let all: Vec<&RolloutRow> = rows.iter().collect();
        let mut blocks = match RegionalOverview::of(&all, &[]) {
            Some(overview) => table(&overview, &view),
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
