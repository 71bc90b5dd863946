//! What a person, a log or a program sees while a rollout runs: a screen that is redrawn, a line for each thing that
//! happens, or an object a line.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::commands::rollout::fleet::board::Board;
use crate::commands::rollout::report::RolloutRow;
use crate::context::Context;
use crate::domain::guard::verdict::Verdict;
use crate::domain::rollout::machine::Look;
use crate::domain::rollout::state::{Phase, Rollout, Transition};
use crate::error::Result;
use crate::output::block::{Block, Tone, span};
use crate::output::format::Format;
use crate::output::report::Report;
use crate::output::screen::Screen;
use crate::output::view::View;

/// Values that the trend is drawn from.
const KEPT: usize = 400;
/// Without news, a log gets a line this often.
const QUIET: Duration = Duration::from_secs(60);

/// The view of one rollout under way.
pub(super) struct Progress<'a> {
    screen: Option<Screen<'a>>,
    /// Of a rollout over several regions, which are drawn side by side.
    board: Option<&'a Board>,
    told: usize,
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
    const SCHEMA: &'static str = "liveops.rollout.event/1";

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

impl<'a> Progress<'a> {
    /// On a terminal a screen, if the report is for people; that of the whole, where it is a part of one.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn begin(cx: &'a Context, told: usize, board: Option<&'a Board>) -> Result<Self> {
        let alone = board.is_none();
        let screen = if alone && cx.output.format() == Format::Table && cx.output.is_terminal() {
            Some(Screen::enter(&cx.output)?)
        } else {
            None
        };
        Ok(Self { screen, board, told, history: Vec::new(), spoke: None })
    }

    /// Gives the screen back, for a question.
    pub(super) fn leave(&mut self) {
        self.screen = None;
    }

    /// Shows one look.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn show(&mut self, cx: &Context, rollout: &Rollout, look: &Look, now: DateTime<Utc>) -> Result<()> {
        self.history.extend(look.verdicts.iter().cloned());
        let over = self.history.len().saturating_sub(KEPT);
        self.history.drain(..over);
        let row = || RolloutRow::held_by_us(rollout).with(&look.verdicts, &self.history);
        if let Some(board) = self.board.filter(|board| board.is_drawn()) {
            board.picture(row());
            return Ok(());
        }
        if let Some(screen) = &self.screen {
            let view = cx.output.view(now);
            let row = row();
            let mut blocks = row.blocks(&view);
            blocks.push(Block::Blank);
            blocks.push(Block::Line(vec![span("Ctrl-C asks whether to hold, detach or roll back", Tone::Dim)]));
            return screen.draw(&blocks, &view);
        }
        if matches!(cx.output.format(), Format::Csv | Format::Name) {
            return Ok(());
        }
        for transition in rollout.news(self.told) {
            self.spoke = Some(now);
            tell(cx, rollout, transition, &look.verdicts, now)?;
        }
        self.told = rollout.happened();
        let quiet = self.spoke.is_none_or(|spoke| (now - spoke).to_std().unwrap_or_default() >= QUIET);
        if quiet && rollout.phase != Phase::RollingBack {
            self.spoke = Some(now);
            let standing = Transition {
                at: now,
                phase: rollout.phase,
                weight: rollout.applied,
                text: match look.verdicts.iter().find(|verdict| !verdict.reason.is_empty()) {
                    Some(verdict) => format!("{}; {}: {}", rollout.phase.word(), verdict.condition, verdict.reason),
                    None => rollout.phase.word().to_owned(),
                },
            };
            tell(cx, rollout, &standing, &look.verdicts, now)?;
        }
        Ok(())
    }
}

fn tell(
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
