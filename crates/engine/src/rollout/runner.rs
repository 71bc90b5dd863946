//! Does what the state machine says, look by look: reads the world and the evidence, stores the intent, writes, reads
//! back, stores again. Holds the lock. Hears interrupts and what people ask for from elsewhere.

mod coordination;
mod time;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::Instant;

use crate::change::confirmed::Confirmed;
use crate::rollout::evidence::EvidenceCollector;
use crate::rollout::launch::RunOptions;
use crate::rollout::regions::coordinator::{OperatorDecision, RegionCoordinator};
use crate::rollout::resolve::RolloutSubject;
use crate::rollout::runner::coordination::RENEW;
use crate::rollout::runner::time::ServerClock;
use crate::rollout::target::{Finish, Release};
use crate::rollout::watch::Watch;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::guard::verdict::Verdict;
use liveops_domain::rollout::exposure::Reading;
use liveops_domain::rollout::lock::RolloutLock;
use liveops_domain::rollout::machine::{Observation, WriteOutcome};
use liveops_domain::rollout::plan::HTTP;
use liveops_domain::rollout::state::{HoldKind, OperatorRequest, Phase, RequestKind, Rollout, Write};

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

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// It came to where it should, or to its end.
    Finished,
    /// It waits for a person.
    Waiting,
    /// Somebody else holds it now.
    TakenOver,
    /// It should go back, and cannot.
    Stuck,
}

/// Who calls the runner while it looks or waits.
enum Interruption {
    Signal(u8),
    Decision(OperatorDecision),
}

/// A rollout that is to be run: under its lock, from where it stands.
pub struct RolloutRun<'a> {
    pub cx: &'a Session,
    pub subject: &'a RolloutSubject<'a>,
    pub evidence: EvidenceCollector<'a>,
    pub confirmed: &'a Confirmed,
    pub lock: RolloutLock,
    pub rollout: Rollout,
    pub version: Option<String>,
    /// Transitions that were shown already.
    pub shown: usize,
    pub options: RunOptions<'a>,
}

/// One rollout under way.
pub struct Runner<'a> {
    pub run: RolloutRun<'a>,
    pub progress: Box<dyn Watch + 'a>,
    /// What was decided for all regions was heard.
    heard: bool,
    clock: ServerClock,
    /// When the lock was last renewed; none where it may have been lost unseen.
    renewed: Option<Instant>,
    /// The target knows our epoch: what the holder before us still has in hand is refused.
    claimed: bool,
    /// Something was written since it was last seen what others stored.
    wrote: bool,
    /// Somebody else holds it now.
    taken_over: bool,
    /// What was stored last, and when.
    stored: Option<(Rollout, Instant)>,
    pause: Duration,
    /// Transitions that are in the audit log.
    journalled: usize,
    /// What the platform is still to be told.
    pending_notices: Vec<Value>,
}

impl<'a> Runner<'a> {
    pub fn new(mut run: RolloutRun<'a>) -> Result<Self> {
        run.rollout.epoch = run.lock.epoch;
        Ok(Self {
            clock: ServerClock::new(&run.cx.clock),
            progress: run.options.watchers.one(run.shown, run.options.coordinator())?,
            heard: false,
            renewed: Some(Instant::now()),
            claimed: !run.rollout.touched,
            wrote: false,
            taken_over: false,
            stored: None,
            pause: FIRST_PAUSE,
            journalled: run.rollout.transition_count(),
            pending_notices: Vec::new(),
            run,
        })
    }

    /// Goes on until it is over, or until where it should let go. The lock is given back in any case.
    pub async fn run(&mut self) -> Result<RunOutcome> {
        if self.run.options.coordinator().is_none() {
            self.run.cx.interrupts.claim(self.last_words());
        }
        // In the heap: several regions run beside each other on one stack.
        let outcome = Box::pin(self.run_loop()).await;
        if self.run.options.coordinator().is_none() {
            self.run.cx.interrupts.unclaim();
        }
        if !matches!(outcome, Ok(RunOutcome::TakenOver)) {
            // It expires by itself where it cannot be given back.
            let _ = self.run.subject.store.release(&self.run.lock, self.run.confirmed).await;
        }
        outcome
    }

    async fn run_loop(&mut self) -> Result<RunOutcome> {
        Box::pin(self.synchronize()).await;
        self.save().await?;
        loop {
            self.run.cx.http()?.restart();
            let began = Instant::now();
            Box::pin(self.wake()).await;
            let now = self.clock.now();
            let Ok(locked) = self.keep_lock().await else {
                return Ok(self.lost().await);
            };
            let seen = Box::pin(self.look(now)).await?;
            let Some((reading, verdicts)) = seen else {
                continue;
            };
            if self.taken_over {
                return Ok(RunOutcome::TakenOver);
            }
            let look = Observation { reading, verdicts, locked, delegated: self.run.subject.target.is_delegated() };
            let again = Box::pin(self.act(&look)).await?;
            if self.taken_over {
                return Ok(RunOutcome::TakenOver);
            }
            if let (Some(coordinator), Some(region)) = (self.run.options.coordinator(), &self.run.cx.region) {
                coordinator.note_phase(region, self.run.rollout.phase);
            }
            self.progress.show(&self.run.rollout, &look, self.clock.now())?;
            if let Some(outcome) = self.stop_reason() {
                let _ = self.save().await;
                return Ok(outcome);
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
    async fn lost(&mut self) -> RunOutcome {
        let stored = self.run.subject.store.load().await;
        self.adopt_stored(stored).await;
        match !self.taken_over && self.run.rollout.phase.is_terminal() {
            true => RunOutcome::Finished,
            false => RunOutcome::TakenOver,
        }
    }

    /// The world and the evidence, all at once; none when somebody has said meanwhile what is to be done: a backend that
    /// hangs keeps nobody from going back.
    async fn look(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Option<(std::result::Result<Reading, String>, Vec<Verdict>)>> {
        // A rollback waits for no metric; and not for the state either, as long as the lock is ours for sure.
        if self.run.rollout.phase.is_back() {
            if !self.is_ours() {
                let stored = self.run.subject.store.load().await;
                self.adopt_stored(stored).await;
            }
            return Ok(Some((Err("not asked".to_owned()), Vec::new())));
        }
        let call = called(self.run.cx, self.run.options.coordinator(), self.heard);
        let asked = Instant::now();
        let all =
            async { tokio::join!(self.run.subject.read_all(), self.run.evidence.collect(&self.run.rollout, now)) };
        let ((reading, stored), (verdicts, server)) = tokio::select! {
            seen = all => seen,
            call = call => {
                self.answer(call).await;
                return Ok(None);
            }
        };
        self.adopt_stored(stored).await;
        if !self.is_in_time(server, asked) {
            return Ok(None);
        }
        let reading = match reading {
            Ok(reading) => self.run.subject.target.digests().await.map(|digests| Reading { digests, ..reading }),
            Err(error) => Err(error),
        };
        Ok(Some((reading.map_err(|error| error.to_string()), verdicts)))
    }

    /// Decides on one look, and does it. True when there is more to do at once. What a write has come to is stored at the
    /// next look, or when the runner lets go: until then its intent tells whoever comes after a crash.
    async fn act(&mut self, look: &Observation) -> Result<bool> {
        let now = self.clock.now();
        let phase = self.run.rollout.phase;
        let write = self.run.rollout.step(look, now);
        let decided = write.is_some() || self.run.rollout.phase != phase;
        for verdict in &look.verdicts {
            if decided || self.is_news(verdict) {
                self.run.rollout.remember(verdict.clone());
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
        if self.run.rollout.intent != Some(write) {
            // Somebody has decided otherwise between the look and now.
            return Ok(true);
        }
        // Only what is stored.
        if let Err(error) = stored {
            let text = format!("the state cannot be stored: {error}");
            self.run.rollout.record_write(write, WriteOutcome::Failed(text), now);
            return Ok(false);
        }
        self.wrote = true;
        let version = look.reading.as_ref().ok().and_then(|reading| reading.version.clone());
        let how = self.write(write, version).await;
        self.run.rollout.record_write(write, how, self.clock.now());
        self.journal();
        if !self.run.subject.store.is_costly() {
            let _ = self.save().await;
        }
        Ok(false)
    }

    /// The way back, which waits for nothing: neither for the state nor for the audit log. Always more to do at once.
    async fn restore(&mut self) -> bool {
        let (target, store) = (&self.run.subject.target, &self.run.subject.store);
        let (how, stored) = tokio::join!(
            self.write(Write::Restore, None),
            store.save(&self.run.rollout, self.run.version.as_deref(), self.run.confirmed),
        );
        if let Ok(version) = stored {
            self.run.version = Some(version);
        }
        let failed = matches!(how, WriteOutcome::Failed(_));
        self.run.rollout.record_write(Write::Restore, how, self.clock.now());
        if self.run.rollout.phase == Phase::RollbackFailed
            && let Some(stuck) = &mut self.run.rollout.stuck
        {
            stuck.by_hand = Some(target.undo_by_hand(Some(&self.run.rollout.originals)));
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
    async fn write(&self, write: Write, version: Option<String>) -> WriteOutcome {
        let (target, rollout, confirmed) = (&self.run.subject.target, &self.run.rollout, self.run.confirmed);
        let (originals, fence) = (&rollout.originals, self.fence(version));
        let release = Release { image: &rollout.plan.image, originals, fence: &fence };
        target.because(rollout.because(write));
        let done: Result<Reading> = match write {
            Write::Prepare => target.prepare(release, confirmed).await,
            Write::Weight { percent } => target.set_exposure(percent, &fence, confirmed).await,
            Write::Promote => target.promote(release, confirmed).await,
            Write::Restore => target.restore(Some(originals), confirmed).await,
            Write::Finish => match target.finish(release, confirmed).await {
                Ok(Finish::Done) => target.read().await,
                Ok(Finish::Waiting(why)) => return WriteOutcome::Waiting(why),
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(reading) => WriteOutcome::Done(reading),
            // No cluster's lock has kept two from beginning at once: the first write says who was first.
            Err(error @ Error::Conflict { .. }) if write == Write::Prepare && rollout.plan.target == HTTP => {
                WriteOutcome::Lost(error.to_string())
            }
            Err(error @ Error::Conflict { .. })
                if matches!(write, Write::Weight { .. }) && rollout.plan.target == HTTP =>
            {
                WriteOutcome::Refused(error.to_string())
            }
            Err(error) => WriteOutcome::Failed(error.to_string()),
        }
    }

    /// Is the verdict another one than the last of its condition?
    fn is_news(&self, verdict: &Verdict) -> bool {
        let last = self
            .run
            .rollout
            .verdicts
            .iter()
            .rev()
            .find(|old| old.condition == verdict.condition && old.role == verdict.role);
        last.is_none_or(|old| old.outcome != verdict.outcome)
    }

    fn stop_reason(&self) -> Option<RunOutcome> {
        let phase = self.run.rollout.phase;
        if phase.is_terminal() {
            return Some(RunOutcome::Finished);
        }
        match phase {
            Phase::RollingBack => return None,
            Phase::RollbackFailed => return Some(RunOutcome::Stuck),
            _ => {}
        }
        let hold = self.run.rollout.hold.as_ref();
        if self.run.rollout.plan.is_exact() && hold.is_some_and(|hold| hold.why == HoldKind::Foreign) {
            // There is nothing to watch for: somebody else has taken it into their hands.
            return Some(RunOutcome::Waiting);
        }
        let waits = phase == Phase::Gate || hold.is_some_and(|hold| !hold.why.ends_by_itself());
        match self.run.options.stay.until {
            Until::Paused if waits => Some(RunOutcome::Waiting),
            Until::Promoted | Until::Paused if phase == Phase::Window => Some(RunOutcome::Finished),
            Until::Begun if self.run.rollout.touched || phase == Phase::Gate => Some(RunOutcome::Finished),
            _ => None,
        }
    }

    /// Until the next look, or until somebody says what is to be done.
    async fn wait(&mut self, began: Instant) -> Result<()> {
        let next = began + self.run.rollout.plan.rules.poll;
        let mut renewal = self.renewed.map_or(began, |renewed| renewed + RENEW);
        loop {
            let call = tokio::select! {
                () = tokio::time::sleep_until(next) => return Ok(()),
                () = tokio::time::sleep_until(renewal), if renewal < next => None,
                call = called(self.run.cx, self.run.options.coordinator(), self.heard) => Some(call),
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

    async fn answer(&mut self, call: Interruption) {
        let said = match call {
            Interruption::Decision(said) => said,
            Interruption::Signal(code) => {
                self.progress.ask();
                ask(self.run.cx, code).await
            }
        };
        self.heard = true;
        let now = self.clock.now();
        match said {
            OperatorDecision::Hold => {
                if let Err(error) = self.run.subject.target.halt(true, self.run.confirmed).await {
                    self.run.cx.voice.warn(&format!("its controller goes on: {error}"));
                }
                self.run.rollout.request = Some(OperatorRequest {
                    what: RequestKind::Pause,
                    by: self.run.cx.actor.clone(),
                    at: now,
                    reason: Some("Ctrl-C".into()),
                });
                self.run.options.stay.until = Until::Paused;
            }
            OperatorDecision::Detach => self.run.options.stay.until = Until::Begun,
            OperatorDecision::RollBack(why) => self.run.rollout.roll_back(why, now),
        }
    }

    fn last_words(&self) -> String {
        format!(
            "the rollout is where it was; go on: `{}`, go back: `{}`",
            self.run.cx.command(&self.run.subject.words("resume")),
            self.run.cx.command(&format!("{} --yes", self.run.subject.words("abort")))
        )
    }

    /// Is it held for a person?
    pub fn is_held(&self) -> bool {
        self.run.rollout.hold.as_ref().is_some_and(|hold| {
            matches!(hold.why, HoldKind::Paused | HoldKind::Undecided | HoldKind::Write | HoldKind::Foreign)
        })
    }
}

/// What an interrupt means: at a terminal a person says so, and may think for a while.
pub async fn ask(cx: &Session, code: u8) -> OperatorDecision {
    if code == 130 && cx.ask.can_ask() {
        let question =
            format!("h = hold here, d = detach, r = roll back (without an answer, in {} s): ", THINK.as_secs());
        match cx.ask.answer_within(&question, THINK).await.as_deref() {
            Some("h" | "hold") => return OperatorDecision::Hold,
            Some("d" | "detach") => return OperatorDecision::Detach,
            _ => {}
        }
    }
    OperatorDecision::RollBack(format!("interrupted ({})", signal(code)))
}

/// Waits until somebody calls: by an interrupt, or with what was said to all regions, which is heard once.
async fn called(cx: &Session, coordinator: Option<&RegionCoordinator>, heard: bool) -> Interruption {
    match coordinator {
        None => Interruption::Signal(cx.interrupts.delivered().await),
        Some(_) if heard => std::future::pending().await,
        Some(coordinator) => Interruption::Decision(coordinator.decision().await),
    }
}

fn signal(code: u8) -> &'static str {
    match code {
        130 => "Ctrl-C",
        143 => "SIGTERM",
        _ => "SIGHUP",
    }
}
