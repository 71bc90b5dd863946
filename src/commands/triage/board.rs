//! All checks under way at once. Whoever wants one waits for that one only; the others go on beside what a person does.

use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::commands::triage::checks::make;
use crate::commands::triage::ground::Ground;
use crate::context::Context;
use crate::domain::incident::state::Incident;
use crate::domain::triage::{Found, Item};
use crate::error::{Error, Result};

/// The checks of a checklist.
pub(super) struct Board<'a> {
    pub(super) ground: Ground<'a>,
    items: &'a [Item],
    found: Vec<Option<Found>>,
    pending: FuturesUnordered<LocalBoxFuture<'a, (usize, Found)>>,
}

impl<'a> Board<'a> {
    /// Starts every check.
    pub(super) fn start(cx: &'a Context, items: &'a [Item], incident: Option<&'a Incident>) -> Self {
        let board = Self {
            ground: Ground::new(cx, incident),
            items,
            found: vec![None; items.len()],
            pending: FuturesUnordered::new(),
        };
        for index in 0..items.len() {
            board.begin(index);
        }
        board
    }

    fn begin(&self, index: usize) {
        let (ground, item) = (self.ground.clone(), &self.items[index]);
        let check = async move { (index, make(ground, item).await) };
        self.pending.push(check.boxed_local());
    }

    /// Makes one check anew, on fresh ground.
    ///
    /// # Errors
    /// Those of the configuration.
    pub(super) fn again(&mut self, index: usize) -> Result<()> {
        let cx = self.ground.cx;
        cx.http()?.restart();
        self.ground = Ground::new(cx, self.ground.incident);
        self.found[index] = None;
        self.begin(index);
        Ok(())
    }

    /// Is it known already?
    pub(super) fn has(&self, index: usize) -> bool {
        self.found[index].is_some()
    }

    /// What the check of an item found, once it has.
    pub(super) async fn of(&mut self, index: usize) -> Found {
        loop {
            if let Some(found) = &self.found[index] {
                return found.clone();
            }
            match self.pending.next().await {
                Some((done, found)) => self.found[done] = Some(found),
                None => return Found::unknown("it was not looked at"),
            }
        }
    }

    /// What all of them found.
    pub(super) async fn all(&mut self) -> Vec<Found> {
        let mut all = Vec::new();
        for index in 0..self.items.len() {
            all.push(self.of(index).await);
        }
        all
    }

    /// Waits for something else, and lets the checks go on meanwhile. An interrupt ends the wait.
    ///
    /// # Errors
    /// `Interrupted`, and those of what is waited for.
    pub(super) async fn beside<T>(&mut self, wait: impl Future<Output = Result<T>>) -> Result<T> {
        let mut wait = std::pin::pin!(wait);
        let cx = self.ground.cx;
        loop {
            tokio::select! {
                done = &mut wait => return done,
                code = cx.interrupts.delivered() => return Err(Error::Interrupted { code }),
                Some((done, found)) = self.pending.next(), if !self.pending.is_empty() => {
                    self.found[done] = Some(found);
                }
            }
        }
    }
}
