//! Beginning a rollout.

use serde_json::json;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::evidence::EvidenceCollector;
use crate::rollout::history;
use crate::rollout::regions::coordinator::RegionCoordinator;
use crate::rollout::resolve::RolloutSubject;
use crate::rollout::rollback::stuck_error;
use crate::rollout::runner::{RolloutRun, RunOutcome, Runner, Until};
use crate::rollout::state_store::StoredRollout;
use crate::rollout::watch::Watchers;
use crate::session::Session;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::exposure::Originals;
use liveops_domain::rollout::fleet::Fleet;
use liveops_domain::rollout::lock::RolloutLock;
use liveops_domain::rollout::plan::Plan;
use liveops_domain::rollout::state::Rollout;

/// How long to stay with a rollout.
#[derive(Debug, Clone, Copy)]
pub struct Stay {
    pub until: Until,
    /// Take the lock from a holder that hangs.
    pub takeover: bool,
}

/// How a rollout is gone through with.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions<'a> {
    pub stay: Stay,
    pub watchers: &'a dyn Watchers,
    /// Of a rollout over several regions.
    pub part: Option<(&'a Fleet, &'a RegionCoordinator)>,
}

impl<'a> RunOptions<'a> {
    pub fn coordinator(&self) -> Option<&'a RegionCoordinator> {
        self.part.map(|(_, coordinator)| coordinator)
    }
}

/// A rollout by this plan that has not begun.
pub fn new_rollout(cx: &Session, subject: &RolloutSubject<'_>, plan: Plan, originals: Originals) -> Result<Rollout> {
    let id = format!("r{:08x}", fastrand::u32(..));
    let originals = Originals { release: Some(plan.image.clone()), ..originals };
    let names = (subject.name.clone(), cx.environment()?.to_owned());
    Ok(Rollout::new(id, names, cx.actor.clone(), plan, originals, cx.clock.now()))
}

/// Takes the lock, and begins.
pub async fn launch(
    cx: &Session,
    subject: &RolloutSubject<'_>,
    (rollout, evidence): (impl FnOnce() -> Result<Rollout>, EvidenceCollector<'_>),
    options: &RunOptions<'_>,
    confirmed: &Confirmed,
) -> Result<Done> {
    let again = refuse_if_under_way(cx, subject);
    let (lock, stored) = acquire(cx, subject, options.stay.takeover, again, confirmed).await?;
    let mut rollout = rollout()?;
    rollout.change = Some(confirmed.id().to_owned());
    rollout.region.clone_from(&cx.region);
    rollout.fleet = options.part.map(|(fleet, _)| fleet.clone());
    rollout.note(cx.clock.now(), format!("begun by {}", cx.actor));
    // What the new rollout takes the place of is kept for the history.
    let version = stored.map(|stored| {
        history::keep(cx, &stored.rollout);
        stored.version
    });
    run(RolloutRun { cx, subject, evidence, confirmed, lock, rollout, version, shown: 0, options: *options }).await
}

/// Takes the lock, and looks again: somebody may have been faster between the first look and the lock.
pub async fn acquire<T>(
    cx: &Session,
    subject: &RolloutSubject<'_>,
    takeover: bool,
    again: impl Future<Output = Result<T>>,
    confirmed: &Confirmed,
) -> Result<(RolloutLock, T)> {
    let identity = format!("{}#{:08x}", cx.actor, fastrand::u32(..));
    let lock = subject.store.acquire(&identity, takeover, confirmed).await?;
    match again.await {
        Ok(found) => Ok((lock, found)),
        Err(error) => {
            let _ = subject.store.release(&lock, confirmed).await;
            Err(error)
        }
    }
}

/// A second rollout of a service waits until the first is over. Gives the state that is there.
pub async fn refuse_if_under_way(cx: &Session, subject: &RolloutSubject<'_>) -> Result<Option<StoredRollout>> {
    let Some(stored) = subject.store.load().await? else {
        return Ok(None);
    };
    let there = &stored.rollout;
    if there.phase.is_terminal() {
        return Ok(Some(stored));
    }
    Err(Error::Refused {
        why: format!(
            "{} of {} is under way ({} at {})",
            match there.plan.is_exact() {
                true => "a ramp",
                false => &there.plan.image,
            },
            there.service,
            there.phase.word_on(&there.plan.target),
            there.applied
        ),
        hint: format!(
            "look: `{}`, go on: `{}`, go back: `{}`",
            cx.command(&subject.words("status")),
            cx.command(&subject.words("resume")),
            cx.command(&subject.words("abort"))
        ),
    })
}

/// Runs it, and says how it went.
///
/// # Errors
/// `HalfDone` when it waits for somebody, `Conflict` when it was taken over.
pub async fn run(run: RolloutRun<'_>) -> Result<Done> {
    let (cx, subject, until) = (run.cx, run.subject, run.options.stay.until);
    let mut runner = Runner::new(run)?;
    let outcome = runner.run().await?;
    runner.progress.leave();
    let rollout = &runner.run.rollout;
    let result = match rollout.plan.is_exact() {
        true => json!({
            "ramp": rollout.id,
            "flag": rollout.service,
            "phase": rollout.phase,
            "percentage": rollout.applied,
            "reason": rollout.reason,
        }),
        false => json!({
        "rollout": rollout.id,
        "service": rollout.service,
        "image": rollout.plan.image,
        "policy": rollout.plan.policy,
        "phase": rollout.phase,
        "weight": rollout.applied,
        "reason": rollout.reason,
        "waived": rollout.plan.waived,
        }),
    };
    match outcome {
        RunOutcome::TakenOver => Err(Error::Conflict {
            what: format!("somebody else has taken the {} over", subject.noun()),
            hint: format!("look at it: `{}`", cx.command(&subject.words("status"))),
        }),
        RunOutcome::Stuck => Err(stuck_error(cx, subject, rollout)),
        RunOutcome::Waiting => {
            let why = match &rollout.hold {
                Some(hold) => hold.text.clone(),
                None => "it waits for approval".into(),
            };
            let verb = if runner.is_held() { "resume" } else { "approve" };
            Err(Error::HalfDone {
                done: match rollout.plan.is_exact() {
                    true => format!("flag `{}` is at {}", rollout.service, rollout.applied),
                    false => format!("{} has {} of the traffic", rollout.plan.image, rollout.applied),
                },
                left: why,
                command: cx.command(&subject.words(verb)),
            })
        }
        RunOutcome::Finished => {
            if until == Until::Begun && !rollout.phase.is_terminal() {
                let resume = cx.command(&subject.words("resume"));
                cx.voice.note(&format!("detached; nobody watches it until `{resume}`"));
            }
            let undo = RolloutUndo::of(rollout);
            Ok(Done { result, undo: (!rollout.phase.is_back()).then(|| undo.into()) })
        }
    }
}
