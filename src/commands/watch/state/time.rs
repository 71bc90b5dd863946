//! Looks at other times: those that were taken, those that were asked for, and those of a recording.

use chrono::{DateTime, Utc};
use liveops_engine::status::past::STEP;

use crate::commands::watch::board::Board;
use crate::commands::watch::state::{Action, App, Mode};

impl App {
    /// Takes a look at another time, and shows it.
    pub(crate) fn insert(&mut self, board: Board) {
        let at = self.looks.partition_point(|known| known.at < board.at);
        if self.looks.get(at).is_none_or(|known| known.at != board.at) {
            self.looks.insert(at, board);
        }
        self.back = Some(at).filter(|at| at + 1 < self.looks.len());
        self.mode = Mode::Lists;
        self.settle();
    }

    /// To the look before or after this one; between looks that are far apart, to how it was a step away.
    pub(super) fn travel(&mut self, later: bool) -> Option<Action> {
        let last = self.looks.len().checked_sub(1)?;
        let here = self.back.unwrap_or(last);
        let there = if later { Some(here + 1).filter(|at| *at <= last) } else { here.checked_sub(1) };
        let apart = there.map(|there| (self.looks[there].at - self.looks[here].at).abs());
        if there.is_none() && (later || self.replaying) {
            return None;
        }
        match (there, apart) {
            (Some(there), Some(apart)) if self.replaying || apart < STEP + STEP / 2 => {
                self.back = Some(there).filter(|at| *at < last);
                None
            }
            _ => Some(Action::Past(self.looks[here].at + if later { STEP } else { -STEP })),
        }
    }

    /// The time that is looked at, where it is not now.
    pub(crate) fn then(&self) -> Option<DateTime<Utc>> {
        self.board().filter(|_| self.is_back() || self.replaying).map(|board| board.at)
    }

    /// Which look is shown, of how many.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.back.map_or(self.looks.len(), |at| at + 1), self.looks.len())
    }

    /// Shows the look of that time, or the one before.
    pub(crate) fn go_to(&mut self, at: DateTime<Utc>) {
        let after = self.looks.partition_point(|known| known.at <= at);
        self.back = Some(after.saturating_sub(1)).filter(|at| at + 1 < self.looks.len());
        self.settle();
    }
}
