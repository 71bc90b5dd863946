//! All checks under way at once. Whoever wants one waits for that one only; the others go on beside what a person does.

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::session::Session;
use crate::triage::checks::make;
use crate::triage::facts::TriageFacts;
use liveops_domain::error::{Error, Result};
use liveops_domain::incident::state::Incident;
use liveops_domain::triage::{CheckResult, Item};

/// The checks of a checklist.
pub struct CheckScheduler<'a> {
    pub facts: TriageFacts<'a>,
    items: &'a [Item],
    found: Vec<Option<CheckResult>>,
    pending: FuturesUnordered<LocalBoxFuture<'a, (usize, CheckResult)>>,
}

impl<'a> CheckScheduler<'a> {
    /// Starts every check.
    pub fn start(cx: &'a Session, items: &'a [Item], incident: Option<&'a Incident>) -> Self {
        let scheduler = Self {
            facts: TriageFacts::new(cx, incident),
            items,
            found: vec![None; items.len()],
            pending: FuturesUnordered::new(),
        };
        for index in 0..items.len() {
            scheduler.begin(index);
        }
        scheduler
    }

    fn begin(&self, index: usize) {
        let (facts, item) = (self.facts.clone(), &self.items[index]);
        let check = async move { (index, make(facts, item).await) };
        self.pending.push(check.boxed_local());
    }

    /// Makes one check anew, on fresh ground.
    pub fn again(&mut self, index: usize) -> Result<()> {
        let cx = self.facts.cx;
        cx.http()?.restart();
        self.facts = TriageFacts::new(cx, self.facts.incident);
        self.found[index] = None;
        self.begin(index);
        Ok(())
    }

    /// Is it known already?
    pub fn has(&self, index: usize) -> bool {
        self.found[index].is_some()
    }

    /// What the check of an item found, once it has.
    pub async fn of(&mut self, index: usize) -> CheckResult {
        loop {
            if let Some(found) = &self.found[index] {
                return found.clone();
            }
            match self.pending.next().await {
                Some((done, found)) => self.found[done] = Some(found),
                None => return CheckResult::unknown("it was not looked at"),
            }
        }
    }

    /// What all of them found.
    pub async fn all(&mut self) -> Vec<CheckResult> {
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
    pub async fn beside<T>(&mut self, wait: impl Future<Output = Result<T>>) -> Result<T> {
        let mut wait = std::pin::pin!(wait);
        let cx = self.facts.cx;
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
