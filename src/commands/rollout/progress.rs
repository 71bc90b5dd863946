//! What a person, a log or a program sees while a rollout runs: a screen that is redrawn, a line for each thing that
//! happens, or an object a line.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::commands::rollout::regions::live_view::RegionsScreen;
use crate::commands::rollout::report;
use crate::context::Context;
use crate::output::block::{Block, Tone, span};
use crate::output::format::Format;
use crate::output::report::Report;
use crate::output::screen::Screen;
use crate::output::view::View;
use liveops_domain::error::Result;
use liveops_domain::guard::verdict::Verdict;
use liveops_domain::rollout::machine::Observation;
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::{Phase, Rollout, Transition};
use liveops_engine::rollout::regions::coordinator::RegionCoordinator;
use liveops_engine::rollout::watch::{RegionsWatch, Watch, Watchers};

/// Values that the trend is drawn from.
const KEPT: usize = 400;

/// Without news, a log gets a line this often.
const QUIET: Duration = Duration::from_secs(60);

/// The view of one rollout under way.
pub(crate) struct RolloutProgress<'a> {
    cx: &'a Context,
    screen: Option<Screen<'a>>,
    /// Of a rollout over several regions, which are drawn side by side.
    coordinator: Option<&'a RegionCoordinator>,
    shown: usize,
    history: Vec<Verdict>,
    spoke: Option<DateTime<Utc>>,
}

/// Something that happened.
#[derive(Debug, Serialize)]
struct RolloutEvent<'a> {
    event: &'static str,
    rollout: &'a str,
    service: &'a str,
    region: Option<&'a str>,
    #[serde(flatten)]
    transition: &'a Transition,
    step: usize,
    verdicts: &'a [Verdict],
}

impl Report for RolloutEvent<'_> {
    fn schema(&self) -> &'static str {
        "liveops.rollout.event/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let Transition { at, weight, text, .. } = self.transition;
        vec![Block::Whole(vec![
            span(
                format!("{} {} {:>4} ", at.format("%FT%TZ"), self.region.unwrap_or(self.service), weight.to_string()),
                Tone::Dim,
            ),
            span(text.clone(), Tone::Plain),
        ])]
    }
}

impl<'a> RolloutProgress<'a> {
    /// On a terminal a screen, if the report is for people; that of all regions, where it is one of several.
    pub(crate) fn begin(cx: &'a Context, shown: usize, coordinator: Option<&'a RegionCoordinator>) -> Result<Self> {
        let alone = coordinator.is_none();
        let screen = if alone && cx.output.format() == Format::Table && cx.output.is_terminal() {
            Some(Screen::enter(&cx.output)?)
        } else {
            None
        };
        Ok(Self { cx, screen, coordinator, shown, history: Vec::new(), spoke: None })
    }
}

impl Watchers for Context {
    fn one<'a>(&'a self, shown: usize, coordinator: Option<&'a RegionCoordinator>) -> Result<Box<dyn Watch + 'a>> {
        Ok(Box::new(RolloutProgress::begin(self, shown, coordinator)?))
    }

    fn regions<'a>(&'a self) -> Result<Box<dyn RegionsWatch + 'a>> {
        Ok(Box::new(RegionsScreen::enter(self)?))
    }
}

impl Watch for RolloutProgress<'_> {
    fn leave(&mut self) {
        self.screen = None;
    }

    fn ask(&mut self) {
        // A terminal that has gone away answers nothing, either.
        let _ = self.screen.take().map(Screen::keep);
    }

    fn show(&mut self, rollout: &Rollout, look: &Observation, now: DateTime<Utc>) -> Result<()> {
        let cx = self.cx;
        self.history.extend(look.verdicts.iter().cloned());
        let over = self.history.len().saturating_sub(KEPT);
        self.history.drain(..over);
        let row = || RolloutRow::held_by_us(rollout).with(&look.verdicts, &self.history);
        if let Some(coordinator) = self.coordinator.filter(|coordinator| coordinator.is_drawn()) {
            coordinator.update_row(row());
            return Ok(());
        }
        if let Some(screen) = &self.screen {
            let view = cx.output.view(now);
            let row = row();
            let mut blocks = report::blocks(&row, &view);
            blocks.push(Block::Blank);
            blocks.push(Block::Line(vec![span("Ctrl-C asks whether to hold, detach or roll back", Tone::Dim)]));
            return screen.draw(&blocks, &view);
        }
        if matches!(cx.output.format(), Format::Csv | Format::Name) {
            return Ok(());
        }
        for transition in rollout.transitions_since(self.shown) {
            self.spoke = Some(now);
            show_event(cx, rollout, transition, &look.verdicts, now)?;
        }
        self.shown = rollout.transition_count();
        let quiet = self.spoke.is_none_or(|spoke| (now - spoke).to_std().unwrap_or_default() >= QUIET);
        if quiet && rollout.phase != Phase::RollingBack {
            self.spoke = Some(now);
            let unchanged = Transition {
                at: now,
                phase: rollout.phase,
                weight: rollout.applied,
                text: match look.verdicts.iter().find(|verdict| !verdict.reason.is_empty()) {
                    Some(verdict) => format!("{}; {}: {}", rollout.phase.word(), verdict.condition, verdict.reason),
                    None => rollout.phase.word().to_owned(),
                },
            };
            show_event(cx, rollout, &unchanged, &look.verdicts, now)?;
        }
        Ok(())
    }
}

fn show_event(
    cx: &Context,
    rollout: &Rollout,
    transition: &Transition,
    verdicts: &[Verdict],
    now: DateTime<Utc>,
) -> Result<()> {
    let event = RolloutEvent {
        event: "moved",
        rollout: &rollout.id,
        service: &rollout.service,
        region: rollout.region.as_deref(),
        transition,
        step: rollout.step,
        verdicts,
    };
    cx.output.show_line(&event, now)
}
