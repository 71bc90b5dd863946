//! The runner among others: its lock, what they have stored meanwhile, and whom it tells of what happens.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::rollout::history;
use crate::rollout::runner::Runner;
use crate::rollout::state_store::StoredRollout;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::exposure::Fence;
use liveops_domain::rollout::state::Phase;

/// How often the lock is renewed, and how long one may go on without: a little below five seconds, so that looks which
/// are five seconds apart renew it each time.
pub const RENEW: Duration = Duration::from_millis(4_500);

const LOST: Duration = Duration::from_secs(10);

/// Others that may store between our look and our write before we give up.
const RIVALS: u32 = 8;

impl Runner<'_> {
    /// Has the target know our epoch, and the lock renewed where it would soon be lost; or says why nothing may go
    /// forward. Where there is more time, it is renewed with what a look stores, or after it ([`Self::renew`]).
    pub async fn keep_lock(&mut self) -> Result<std::result::Result<(), String>> {
        if !self.is_ours() {
            self.renew().await?;
        }
        if !self.is_ours() {
            return Ok(Err("the lock could not be renewed".into()));
        }
        if !self.claimed && !self.run.rollout.phase.is_back() {
            let fence = self.fence(None);
            match self.run.subject.target.claim(&fence, self.run.confirmed).await {
                Ok(()) => self.claimed = true,
                Err(error) => {
                    return Ok(Err(format!("the holder before may still write: {error}")));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Is the lock ours for sure, because it was renewed lately?
    pub fn is_ours(&self) -> bool {
        self.renewed.is_some_and(|renewed| renewed.elapsed() < LOST)
    }

    /// Renews the lock when it is time.
    pub async fn renew(&mut self) -> Result<()> {
        if self.renewed.is_some_and(|renewed| renewed.elapsed() < RENEW) {
            return Ok(());
        }
        match self.run.subject.store.renew(&self.run.lock, self.run.confirmed).await {
            Ok(()) => self.renewed = Some(Instant::now()),
            Err(error @ Error::Conflict { .. }) => return Err(error),
            Err(error) => tracing::info!(%error, "the lock was not renewed"),
        }
        Ok(())
    }

    pub fn fence(&self, version: Option<String>) -> Fence {
        Fence { rollout: self.run.rollout.id.clone(), epoch: self.run.lock.epoch, version }
    }

    /// Takes over what others have stored meanwhile, and sees whether the rollout is still ours.
    pub async fn adopt_stored(&mut self, stored: Result<Option<StoredRollout>>) {
        let Ok(Some(stored)) = stored else {
            return;
        };
        let wrote = std::mem::take(&mut self.wrote);
        if Some(&stored.version) == self.run.version.as_ref() {
            return;
        }
        let is_ours = stored.rollout.id == self.run.rollout.id;
        let is_last = stored.rollout.phase.is_terminal() && stored.rollout.epoch < self.run.lock.epoch;
        if !is_ours && is_last {
            // The one before ours, which stands there until ours is stored; somebody has touched what holds it.
            self.run.version = Some(stored.version);
            return;
        }
        if !is_ours || stored.rollout.epoch > self.run.lock.epoch {
            self.taken_over = true;
            return;
        }
        self.run.version = Some(stored.version);
        self.stored = None;
        let theirs = stored.rollout;
        match theirs.phase {
            // Another one gave up on what we are still at.
            Phase::RollbackFailed if self.run.rollout.phase == Phase::RollingBack => {}
            Phase::RollbackFailed => {
                self.run.rollout = theirs;
                let text = "tried again by the one who holds it".to_owned();
                self.run.rollout.roll_back(text, self.clock.now());
            }
            Phase::RolledBack if wrote => {
                // What we wrote may have come after the way back that somebody else took.
                let originals = Some(&theirs.originals);
                let again = self.run.subject.target.restore(originals, self.run.confirmed).await;
                if let Err(error) = again {
                    tracing::info!(%error, "taken back by somebody else already");
                }
                self.run.rollout = theirs;
            }
            Phase::RollingBack | Phase::RolledBack | Phase::Succeeded => self.run.rollout = theirs,
            _ => {
                self.run.rollout.request = theirs.request;
                self.run.rollout.approvals = theirs.approvals;
            }
        }
    }

    /// Stores the state, where it has changed; when others have stored meanwhile, with what they did.
    pub async fn save(&mut self) -> Result<()> {
        if self.is_stored() {
            return Ok(());
        }
        let mut tries = 1;
        let kept = loop {
            let version = self.run.version.as_deref();
            let kept = self
                .run
                .subject
                .store
                .keep(&self.run.rollout, version, &self.pending_notices, self.run.confirmed)
                .await;
            match kept {
                Err(Error::Conflict { .. }) if tries < RIVALS => {
                    let stored = self.run.subject.store.load().await;
                    self.adopt_stored(stored).await;
                    if self.taken_over {
                        return kept.map(drop);
                    }
                }
                kept => break kept?,
            }
            tries += 1;
        };
        self.run.version = Some(kept.version);
        self.stored = Some((self.run.rollout.clone(), Instant::now()));
        if kept.renewed {
            self.renewed = Some(Instant::now());
        }
        if !kept.posted {
            tracing::info!("the platform was not told");
        }
        // Nobody waits for a notice: one that was refused is not tried again.
        self.pending_notices.clear();
        Ok(())
    }

    /// Is there nothing new to store? How a hold puts itself into words changes with every sample, and can wait.
    fn is_stored(&self) -> bool {
        let Some((stored, at)) = &self.stored else {
            return false;
        };
        if self.run.rollout == *stored && self.pending_notices.is_empty() {
            return true;
        }
        let mut same = self.run.rollout.clone();
        if let (Some(hold), Some(old)) = (&mut same.hold, &stored.hold)
            && hold.why == old.why
        {
            hold.text.clone_from(&old.text);
        }
        same == *stored && at.elapsed() < RENEW
    }

    /// Journals what has happened since the last time; the platform is told of it with what is stored next.
    pub fn journal(&mut self) {
        let new = self.run.rollout.transitions_since(self.journalled).to_vec();
        self.journalled = self.run.rollout.transition_count();
        if !new.is_empty() {
            history::keep(self.run.cx, &self.run.rollout);
        }
        self.pending_notices.extend(self.run.subject.notices(&self.run.rollout, &new));
        for transition in new {
            let data = json!({
                "change": self.run.rollout.change,
                "rollout": self.run.rollout.id,
                "service": self.run.rollout.service,
                "environment": self.run.rollout.environment,
                "region": self.run.rollout.region,
                "target": self.run.rollout.plan.target,
                "phase": transition.phase,
                "weight": transition.weight,
                "text": transition.text,
            });
            let log = self.run.cx.audit_log();
            if let Err(error) = log.append(transition.at, &self.run.cx.actor, "rollout.moved", data) {
                tracing::info!(%error, "a transition is not in the audit log");
            }
        }
    }
}
