//! Does what the state machine says, look by look: reads the world and the evidence, stores the intent, writes, reads
//! back, stores again. Holds the lock. Hears interrupts and what people ask for from elsewhere.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::time::Instant;

use crate::change::{Confirmed, audit_log};
use crate::commands::rollout::evidence::Eyes;
use crate::commands::rollout::memory::Lock;
use crate::commands::rollout::open::Place;
use crate::commands::rollout::progress::Progress;
use crate::commands::rollout::target::Finish;
use crate::context::Context;
use crate::domain::guard::verdict::Verdict;
use crate::domain::rollout::exposure::{Fence, Reading};
use crate::domain::rollout::machine::{Look, Wrote};
use crate::domain::rollout::state::{HoldKind, Phase, Rollout, Wish, WishKind, Write};
use crate::error::{Error, Result};
use crate::output::prompt;

/// How often the lock is renewed, and how long one may go on without.
const RENEW: Duration = Duration::from_secs(5);
const LOST: Duration = Duration::from_secs(10);
/// Pauses between tries of a rollback.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a person may think after Ctrl-C.
const THINK: Duration = Duration::from_secs(10);

/// When the runner lets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// At the first hold that a person must end, or gate.
    Paused,
    /// As soon as it is promoted; the window is left to others.
    Promoted,
    /// At the end of the window, when the old version is gone.
    Finished,
    /// As soon as it has begun.
    Begun,
}

/// How it let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It came to where it should, or to its end.
    There,
    /// It waits for a person.
    Waiting,
    /// Somebody else holds it now.
    Taken,
    /// It should go back, and cannot.
    Stuck,
}

/// One rollout under way.
pub(super) struct Runner<'a> {
    pub(super) cx: &'a Context,
    pub(super) place: &'a Place<'a>,
    pub(super) eyes: Eyes<'a>,
    pub(super) confirmed: &'a Confirmed,
    pub(super) lock: Lock,
    pub(super) rollout: Rollout,
    pub(super) version: Option<String>,
    pub(super) progress: Progress<'a>,
    pub(super) until: Until,
    clock: Steady,
    renewed: Instant,
    /// The target knows our epoch: what the holder before us still has in hand is refused.
    claimed: bool,
    /// Something was written since it was last seen what others stored.
    wrote: bool,
    /// Somebody else holds it now.
    taken: bool,
    pause: Duration,
    told: usize,
    /// What the platform is still to be told.
    untold: Vec<String>,
}

/// A clock that goes on where the injected one stands still.
struct Steady {
    at: DateTime<Utc>,
    began: Instant,
}

impl Steady {
    fn now(&self) -> DateTime<Utc> {
        self.at + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default()
    }
}

/// What a runner works with.
pub(super) struct Begin<'a> {
    pub(super) cx: &'a Context,
    pub(super) place: &'a Place<'a>,
    pub(super) eyes: Eyes<'a>,
    pub(super) confirmed: &'a Confirmed,
    pub(super) lock: Lock,
    pub(super) rollout: Rollout,
    pub(super) version: Option<String>,
    pub(super) progress: Progress<'a>,
    pub(super) until: Until,
}

impl<'a> Runner<'a> {
    pub(super) fn new(begin: Begin<'a>) -> Self {
        let told = begin.rollout.transitions.len();
        let mut rollout = begin.rollout;
        rollout.epoch = begin.lock.epoch;
        Self {
            clock: Steady {
                at: begin.cx.clock.now(),
                began: Instant::now(),
            },
            cx: begin.cx,
            place: begin.place,
            eyes: begin.eyes,
            confirmed: begin.confirmed,
            lock: begin.lock,
            version: begin.version,
            progress: begin.progress,
            until: begin.until,
            renewed: Instant::now(),
            claimed: !rollout.touched,
            wrote: false,
            taken: false,
            rollout,
            pause: FIRST_PAUSE,
            told,
            untold: Vec::new(),
        }
    }

    /// Goes on until it is over, or until where it should let go. The lock is given back in any case.
    ///
    /// # Errors
    /// The state cannot be stored before anything was written.
    pub(super) async fn run(&mut self) -> Result<Left> {
        self.cx.interrupts.claim(self.last_words());
        let left = self.looks().await;
        self.cx.interrupts.unclaim();
        if !matches!(left, Ok(Left::Taken)) {
            // It expires by itself where it cannot be given back.
            let _ = self.place.memory.release(&self.lock, self.confirmed).await;
        }
        left
    }

    async fn looks(&mut self) -> Result<Left> {
        self.save().await?;
        loop {
            self.cx.http()?.restart();
            let began = Instant::now();
            let now = self.clock.now();
            let Ok(locked) = self.keep_lock().await else {
                return Ok(Left::Taken);
            };
            // A rollback waits for no metric.
            let (reading, verdicts) = if self.rollout.phase.is_back() {
                (Err("not asked".to_owned()), Vec::new())
            } else {
                let (reading, verdicts) =
                    tokio::join!(self.place.target.read(), self.eyes.look(&self.rollout, now));
                (reading.map_err(|error| error.to_string()), verdicts)
            };
            self.heed_others().await;
            if self.taken {
                return Ok(Left::Taken);
            }
            let look = Look {
                reading,
                verdicts,
                locked,
                delegated: self.place.target.is_delegated(),
            };
            let again = self.act(&look).await?;
            if self.taken {
                return Ok(Left::Taken);
            }
            self.progress
                .show(self.cx, &self.rollout, &look, self.clock.now())?;
            if let Some(left) = self.is_there() {
                return Ok(left);
            }
            if !again {
                self.wait(began).await?;
            }
        }
    }

    /// Decides on one look, and does it. True when there is more to do at once.
    async fn act(&mut self, look: &Look) -> Result<bool> {
        let now = self.clock.now();
        let phase = self.rollout.phase;
        let write = self.rollout.step(look, now);
        let decided = write.is_some() || self.rollout.phase != phase;
        for verdict in &look.verdicts {
            if decided || self.is_news(verdict) {
                self.rollout.remember(verdict.clone());
            }
        }
        if write == Some(Write::Restore) {
            return Ok(self.restore().await);
        }
        self.journal();
        let stored = self.save().await;
        let Some(write) = write else {
            self.announce().await;
            // What was not stored is decided again at the next look.
            return Ok(self.rollout.phase != phase && stored.is_ok());
        };
        if self.rollout.intent != Some(write) {
            // Somebody has decided otherwise between the look and now.
            return Ok(true);
        }
        // Only what is stored.
        if let Err(error) = stored {
            let text = format!("the state cannot be stored: {error}");
            self.rollout.wrote(write, Wrote::Failed(text), now);
            return Ok(false);
        }
        self.wrote = true;
        let version = look
            .reading
            .as_ref()
            .ok()
            .and_then(|reading| reading.version.clone());
        let how = self.write(write, version).await;
        let failed = matches!(how, Wrote::Failed(_));
        let waiting = matches!(how, Wrote::Waiting(_));
        self.rollout.wrote(write, how, self.clock.now());
        self.journal();
        let _ = self.save().await;
        self.announce().await;
        Ok(!failed && !waiting)
    }

    /// The way back, which waits for nothing: neither for the state nor for the audit log. Always more to do at once.
    async fn restore(&mut self) -> bool {
        let (target, memory) = (&self.place.target, &self.place.memory);
        let (how, stored) = tokio::join!(
            self.write(Write::Restore, None),
            memory.save(&self.rollout, self.version.as_deref(), self.confirmed),
        );
        if let Ok(version) = stored {
            self.version = Some(version);
        }
        let failed = matches!(how, Wrote::Failed(_));
        self.rollout.wrote(Write::Restore, how, self.clock.now());
        if self.rollout.phase == Phase::RollbackFailed
            && let Some(stuck) = &mut self.rollout.stuck
        {
            stuck.by_hand = Some(target.undo_by_hand(Some(&self.rollout.originals)));
        }
        self.journal();
        let _ = self.save().await;
        self.announce().await;
        if failed {
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        true
    }

    /// Does it, and reads back.
    async fn write(&self, write: Write, version: Option<String>) -> Wrote {
        let (target, rollout, confirmed) = (&self.place.target, &self.rollout, self.confirmed);
        let (image, originals) = (rollout.plan.image.as_str(), &rollout.originals);
        let fence = self.fence(version);
        let done: Result<Reading> = match write {
            Write::Prepare => target.prepare(image, originals, &fence, confirmed).await,
            Write::Weight { percent } => target.set_exposure(percent, &fence, confirmed).await,
            Write::Promote => target.promote(image, originals, &fence, confirmed).await,
            Write::Restore => target.restore(Some(originals), confirmed).await,
            Write::Finish => match target.finish(image, originals, &fence, confirmed).await {
                Ok(Finish::Done) => target.read().await,
                Ok(Finish::Waiting(why)) => return Wrote::Waiting(why),
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(reading) => Wrote::Done(reading),
            Err(error) => Wrote::Failed(error.to_string()),
        }
    }

    /// Is the verdict another one than the last of its condition?
    fn is_news(&self, verdict: &Verdict) -> bool {
        let last = self
            .rollout
            .verdicts
            .iter()
            .rev()
            .find(|old| old.condition == verdict.condition && old.role == verdict.role);
        last.is_none_or(|old| old.outcome != verdict.outcome)
    }

    /// Renews the lock when it is time, and has the target know our epoch; or says why nothing may go forward.
    ///
    /// # Errors
    /// Somebody else has taken the rollout over.
    async fn keep_lock(&mut self) -> Result<std::result::Result<(), String>> {
        if self.renewed.elapsed() >= RENEW {
            match self.place.memory.renew(&self.lock, self.confirmed).await {
                Ok(()) => self.renewed = Instant::now(),
                Err(error @ Error::Conflict { .. }) => return Err(error),
                Err(error) => tracing::info!(%error, "the lock was not renewed"),
            }
        }
        if self.renewed.elapsed() >= LOST {
            return Ok(Err("the lock could not be renewed".into()));
        }
        if !self.claimed && !self.rollout.phase.is_back() {
            let fence = self.fence(None);
            match self.place.target.claim(&fence, self.confirmed).await {
                Ok(()) => self.claimed = true,
                Err(error) => {
                    return Ok(Err(format!("the holder before may still write: {error}")));
                }
            }
        }
        Ok(Ok(()))
    }

    fn fence(&self, version: Option<String>) -> Fence {
        Fence {
            rollout: self.rollout.id.clone(),
            epoch: self.lock.epoch,
            version,
        }
    }

    /// Takes over what others have stored meanwhile, and sees whether the rollout is still ours.
    async fn heed_others(&mut self) {
        let Ok(Some(stored)) = self.place.memory.load().await else {
            return;
        };
        let wrote = std::mem::take(&mut self.wrote);
        if Some(&stored.version) == self.version.as_ref() {
            return;
        }
        if stored.rollout.id != self.rollout.id || stored.rollout.epoch > self.lock.epoch {
            self.taken = true;
            return;
        }
        self.version = Some(stored.version);
        let theirs = stored.rollout;
        match theirs.phase {
            // Another one gave up on what we are still at.
            Phase::RollbackFailed if self.rollout.phase == Phase::RollingBack => {}
            Phase::RollbackFailed => {
                self.rollout = theirs;
                let text = "tried again by the one who holds it".to_owned();
                self.rollout.go_back(text, self.clock.now());
            }
            Phase::RolledBack if wrote => {
                // What we wrote may have come after the way back that somebody else took.
                let originals = Some(&theirs.originals);
                let again = self.place.target.restore(originals, self.confirmed).await;
                if let Err(error) = again {
                    tracing::info!(%error, "taken back by somebody else already");
                }
                self.rollout = theirs;
            }
            Phase::RollingBack | Phase::RolledBack | Phase::Succeeded => self.rollout = theirs,
            _ => {
                self.rollout.wish = theirs.wish;
                self.rollout.approvals = theirs.approvals;
            }
        }
    }

    /// Stores the state; when others have stored meanwhile, with what they did.
    async fn save(&mut self) -> Result<()> {
        let memory = &self.place.memory;
        let mut tried = memory
            .save(&self.rollout, self.version.as_deref(), self.confirmed)
            .await;
        if matches!(tried, Err(Error::Conflict { .. })) {
            self.heed_others().await;
            if self.taken {
                return tried.map(|_| ());
            }
            tried = memory
                .save(&self.rollout, self.version.as_deref(), self.confirmed)
                .await;
        }
        self.version = Some(tried?);
        Ok(())
    }

    /// Journals what has happened since the last time; the platform is told of it later, when nothing waits for it.
    fn journal(&mut self) {
        let new: Vec<_> = self
            .rollout
            .transitions
            .iter()
            .skip(self.told)
            .cloned()
            .collect();
        // The ring drops old ones: then everything in it may be new, and is not told again.
        self.told = self.rollout.transitions.len();
        for transition in new {
            let data = json!({
                "change": self.rollout.change,
                "rollout": self.rollout.id,
                "service": self.rollout.service,
                "phase": transition.phase,
                "weight": transition.weight,
                "text": transition.text,
            });
            let log = audit_log(self.cx);
            if let Err(error) = log.append(transition.at, &self.cx.actor, "rollout.moved", data) {
                tracing::info!(%error, "a transition is not in the audit log");
            }
            self.untold.push(format!(
                "{} {}: {}",
                self.rollout.service, transition.weight, transition.text
            ));
        }
    }

    async fn announce(&mut self) {
        if self.rollout.phase == Phase::RollingBack || self.untold.is_empty() {
            return;
        }
        let texts = std::mem::take(&mut self.untold);
        let told = self.place.target.announce(&texts, self.confirmed).await;
        if let Err(error) = told {
            tracing::info!(%error, "the platform was not told");
        }
    }

    fn is_there(&self) -> Option<Left> {
        let phase = self.rollout.phase;
        if phase.is_terminal() {
            return Some(Left::There);
        }
        match phase {
            Phase::RollingBack => return None,
            Phase::RollbackFailed => return Some(Left::Stuck),
            _ => {}
        }
        let hold = self.rollout.hold.as_ref();
        let waits = phase == Phase::Gate || hold.is_some_and(|hold| !hold.why.ends_by_itself());
        match self.until {
            Until::Paused if waits => Some(Left::Waiting),
            Until::Promoted | Until::Paused if phase == Phase::Window => Some(Left::There),
            Until::Begun if self.rollout.touched || phase == Phase::Gate => Some(Left::There),
            _ => None,
        }
    }

    /// Until the next look, or an interrupt.
    async fn wait(&mut self, began: Instant) -> Result<()> {
        let next = began + self.rollout.plan.rules.poll;
        let code = tokio::select! {
            () = tokio::time::sleep_until(next) => return Ok(()),
            code = self.cx.interrupts.delivered() => code,
        };
        let now = self.clock.now();
        if code == 130 && prompt::can_prompt() {
            self.progress.leave();
            let question = format!(
                "h = hold here, d = detach, r = roll back (in {} s by itself): ",
                THINK.as_secs()
            );
            match prompt::answer_within(&question, THINK).await.as_deref() {
                Some("h" | "hold") => {
                    self.rollout.wish = Some(Wish {
                        what: WishKind::Pause,
                        by: self.cx.actor.clone(),
                        at: now,
                        reason: Some("Ctrl-C".into()),
                    });
                    self.until = Until::Paused;
                    return Ok(());
                }
                Some("d" | "detach") => {
                    self.until = Until::Begun;
                    return Ok(());
                }
                _ => {}
            }
        }
        self.rollout
            .go_back(format!("interrupted ({})", signal(code)), now);
        Ok(())
    }

    fn last_words(&self) -> String {
        format!(
            "the rollout is where it was; go on: `{}`, go back: `{}`",
            self.cx.command(&self.place.words("resume")),
            self.cx
                .command(&format!("{} --yes", self.place.words("abort")))
        )
    }

    /// Is it held for a person?
    pub(super) fn is_held(&self) -> bool {
        self.rollout.hold.as_ref().is_some_and(|hold| {
            matches!(
                hold.why,
                HoldKind::Paused | HoldKind::Undecided | HoldKind::Write
            )
        })
    }
}

fn signal(code: u8) -> &'static str {
    match code {
        130 => "Ctrl-C",
        143 => "SIGTERM",
        _ => "SIGHUP",
    }
}
