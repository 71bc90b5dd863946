//! Does what the state machine says, look by look: reads the world and the evidence, stores the intent, writes, reads
//! back, stores again. Holds the lock. Hears interrupts and what people ask for from elsewhere.

mod coordination;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::time::Instant;

use crate::change::confirmed::Confirmed;
use crate::rollout::evidence::Eyes;
use crate::rollout::regions::coordinator::{Board, Said};
use crate::rollout::resolve::Place;
use crate::rollout::runner::coordination::RENEW;
use crate::rollout::target::Finish;
use crate::rollout::watch::Watch;
use crate::session::Session;
use liveops_domain::error::Result;
use liveops_domain::guard::verdict::Verdict;
use liveops_domain::rollout::exposure::Reading;
use liveops_domain::rollout::holder::Lock;
use liveops_domain::rollout::machine::{Look, Wrote};
use liveops_domain::rollout::state::{HoldKind, Phase, Rollout, Wish, WishKind, Write};

/// Pauses between tries of a rollback.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a person may think after Ctrl-C.
const THINK: Duration = Duration::from_secs(10);

/// When the runner lets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
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
pub enum Left {
    /// It came to where it should, or to its end.
    There,
    /// It waits for a person.
    Waiting,
    /// Somebody else holds it now.
    Taken,
    /// It should go back, and cannot.
    Stuck,
}

/// Who calls the runner while it looks or waits.
enum Call {
    Interrupt(u8),
    All(Said),
}

/// One rollout under way.
pub struct Runner<'a> {
    pub cx: &'a Session,
    pub place: &'a Place<'a>,
    pub eyes: Eyes<'a>,
    pub confirmed: &'a Confirmed,
    pub lock: Lock,
    pub rollout: Rollout,
    pub version: Option<String>,
    pub progress: Box<dyn Watch + 'a>,
    pub until: Until,
    /// The rollout over several regions that this is a part of.
    board: Option<&'a Board>,
    /// What was said to all regions was heard.
    heard: bool,
    clock: Steady,
    renewed: Instant,
    /// The target knows our epoch: what the holder before us still has in hand is refused.
    claimed: bool,
    /// Something was written since it was last seen what others stored.
    wrote: bool,
    /// Somebody else holds it now.
    taken: bool,
    /// What was stored last, and when.
    stored: Option<(Rollout, Instant)>,
    pause: Duration,
    told: usize,
    /// What the platform is still to be told.
    untold: Vec<Value>,
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
pub struct Begin<'a> {
    pub cx: &'a Session,
    pub place: &'a Place<'a>,
    pub eyes: Eyes<'a>,
    pub confirmed: &'a Confirmed,
    pub lock: Lock,
    pub rollout: Rollout,
    pub version: Option<String>,
    pub progress: Box<dyn Watch + 'a>,
    pub until: Until,
    pub board: Option<&'a Board>,
}

impl<'a> Runner<'a> {
    pub fn new(begin: Begin<'a>) -> Self {
        let told = begin.rollout.happened();
        let mut rollout = begin.rollout;
        rollout.epoch = begin.lock.epoch;
        Self {
            clock: Steady { at: begin.cx.clock.now(), began: Instant::now() },
            cx: begin.cx,
            place: begin.place,
            eyes: begin.eyes,
            confirmed: begin.confirmed,
            lock: begin.lock,
            version: begin.version,
            progress: begin.progress,
            until: begin.until,
            board: begin.board,
            heard: false,
            renewed: Instant::now(),
            claimed: !rollout.touched,
            wrote: false,
            taken: false,
            stored: None,
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
    pub async fn run(&mut self) -> Result<Left> {
        if self.board.is_none() {
            self.cx.interrupts.claim(self.last_words());
        }
        let left = self.looks().await;
        if self.board.is_none() {
            self.cx.interrupts.unclaim();
        }
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
                return Ok(self.lost().await);
            };
            let seen = self.look(now).await?;
            let Some((reading, verdicts)) = seen else {
                continue;
            };
            if self.taken {
                return Ok(Left::Taken);
            }
            let look = Look { reading, verdicts, locked, delegated: self.place.target.is_delegated() };
            let again = self.act(&look).await?;
            if self.taken {
                return Ok(Left::Taken);
            }
            if let (Some(board), Some(region)) = (self.board, &self.cx.region) {
                board.note(region, self.rollout.phase);
            }
            self.progress.show(&self.rollout, &look, self.clock.now())?;
            if let Some(left) = self.is_there() {
                let _ = self.save().await;
                return Ok(left);
            }
            if self.renew().await.is_err() {
                return Ok(self.lost().await);
            }
            if !again && self.wait(began).await.is_err() {
                return Ok(self.lost().await);
            }
        }
    }

    /// The lock is somebody else's, or nobody's: is the rollout, too, or has somebody ended it?
    async fn lost(&mut self) -> Left {
        let stored = self.place.memory.load().await;
        self.heed(stored).await;
        match !self.taken && self.rollout.phase.is_terminal() {
            true => Left::There,
            false => Left::Taken,
        }
    }

    /// The world and the evidence, all at once; none when somebody has said meanwhile what is to be done: a backend that
    /// hangs keeps nobody from going back.
    async fn look(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Option<(std::result::Result<Reading, String>, Vec<Verdict>)>> {
        // A rollback waits for no metric; and not for the state either, as long as the lock is ours for sure.
        if self.rollout.phase.is_back() {
            if !self.is_ours() {
                let stored = self.place.memory.load().await;
                self.heed(stored).await;
            }
            return Ok(Some((Err("not asked".to_owned()), Vec::new())));
        }
        let call = called(self.cx, self.board, self.heard);
        let all = async { tokio::join!(self.place.see(), self.eyes.look(&self.rollout, now)) };
        let ((reading, stored), verdicts) = tokio::select! {
            seen = all => seen,
            call = call => {
                self.answer(call).await;
                return Ok(None);
            }
        };
        self.heed(stored).await;
        Ok(Some((reading.map_err(|error| error.to_string()), verdicts)))
    }

    /// Decides on one look, and does it. True when there is more to do at once. What a write has come to is stored at the
    /// next look, or when the runner lets go: until then its intent tells whoever comes after a crash.
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
            return Ok(false);
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
        let version = look.reading.as_ref().ok().and_then(|reading| reading.version.clone());
        let how = self.write(write, version).await;
        self.rollout.wrote(write, how, self.clock.now());
        self.journal();
        if !self.place.memory.is_dear() {
            let _ = self.save().await;
        }
        Ok(false)
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
        target.because(rollout.because(write));
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
        if hold.is_some_and(|hold| hold.why == HoldKind::Foreign) {
            // There is nothing to watch for: somebody else has taken it into their hands.
            return Some(Left::Waiting);
        }
        let waits = phase == Phase::Gate || hold.is_some_and(|hold| !hold.why.ends_by_itself());
        match self.until {
            Until::Paused if waits => Some(Left::Waiting),
            Until::Promoted | Until::Paused if phase == Phase::Window => Some(Left::There),
            Until::Begun if self.rollout.touched || phase == Phase::Gate => Some(Left::There),
            _ => None,
        }
    }

    /// Until the next look, or until somebody says what is to be done.
    ///
    /// # Errors
    /// Somebody else has taken the rollout over.
    async fn wait(&mut self, began: Instant) -> Result<()> {
        let next = began + self.rollout.plan.rules.poll;
        let mut renewal = self.renewed + RENEW;
        loop {
            let call = tokio::select! {
                () = tokio::time::sleep_until(next) => return Ok(()),
                () = tokio::time::sleep_until(renewal), if renewal < next => None,
                call = called(self.cx, self.board, self.heard) => Some(call),
            };
            let Some(call) = call else {
                self.renew().await?;
                renewal = Instant::now() + RENEW;
                continue;
            };
            self.answer(call).await;
            return Ok(());
        }
    }

    async fn answer(&mut self, call: Call) {
        let said = match call {
            Call::All(said) => said,
            Call::Interrupt(code) => {
                self.progress.leave();
                ask(self.cx, code).await
            }
        };
        self.heard = true;
        let now = self.clock.now();
        match said {
            Said::Hold => {
                if let Err(error) = self.place.target.halt(true, self.confirmed).await {
                    self.cx.voice.warn(&format!("its controller goes on: {error}"));
                }
                self.rollout.wish = Some(Wish {
                    what: WishKind::Pause,
                    by: self.cx.actor.clone(),
                    at: now,
                    reason: Some("Ctrl-C".into()),
                });
                self.until = Until::Paused;
            }
            Said::Detach => self.until = Until::Begun,
            Said::Back(why) => self.rollout.go_back(why, now),
        }
    }

    fn last_words(&self) -> String {
        format!(
            "the rollout is where it was; go on: `{}`, go back: `{}`",
            self.cx.command(&self.place.words("resume")),
            self.cx.command(&format!("{} --yes", self.place.words("abort")))
        )
    }

    /// Is it held for a person?
    pub fn is_held(&self) -> bool {
        self.rollout.hold.as_ref().is_some_and(|hold| {
            matches!(hold.why, HoldKind::Paused | HoldKind::Undecided | HoldKind::Write | HoldKind::Foreign)
        })
    }
}

/// What an interrupt means: at a terminal a person says so, and may think for a while.
pub async fn ask(cx: &Session, code: u8) -> Said {
    if code == 130 && cx.ask.can_ask() {
        let question = format!("h = hold here, d = detach, r = roll back (in {} s by itself): ", THINK.as_secs());
        match cx.ask.answer_within(&question, THINK).await.as_deref() {
            Some("h" | "hold") => return Said::Hold,
            Some("d" | "detach") => return Said::Detach,
            _ => {}
        }
    }
    Said::Back(format!("interrupted ({})", signal(code)))
}

/// Waits until somebody calls: by an interrupt, or with what was said to all regions, which is heard once.
async fn called(cx: &Session, board: Option<&Board>, heard: bool) -> Call {
    match board {
        None => Call::Interrupt(cx.interrupts.delivered().await),
        Some(_) if heard => std::future::pending().await,
        Some(board) => Call::All(board.said().await),
    }
}

fn signal(code: u8) -> &'static str {
    match code {
        130 => "Ctrl-C",
        143 => "SIGTERM",
        _ => "SIGHUP",
    }
}
