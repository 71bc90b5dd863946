//! Beginning a rollout.

use serde_json::json;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::evidence::Eyes;
use crate::rollout::history;
use crate::rollout::regions::coordinator::Board;
use crate::rollout::resolve::Place;
use crate::rollout::rollback::stuck;
use crate::rollout::runner::{Begin, Left, Runner, Until};
use crate::rollout::state_store::Stored;
use crate::rollout::watch::Watchers;
use crate::session::Session;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::exposure::Originals;
use liveops_domain::rollout::fleet::Fleet;
use liveops_domain::rollout::plan::Plan;
use liveops_domain::rollout::state::Rollout;

/// Who we are, for the lock.
pub fn holder(cx: &Session) -> String {
    format!("{}#{:08x}", cx.actor, fastrand::u32(..))
}

/// How long to stay with a rollout.
#[derive(Debug, Clone, Copy)]
pub struct Stay {
    pub until: Until,
    /// Take the lock from a holder that hangs.
    pub takeover: bool,
}

/// How a rollout is gone through with.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    pub stay: Stay,
    pub watchers: &'a dyn Watchers,
    /// Of a rollout over several regions.
    pub part: Option<(&'a Fleet, &'a Board)>,
}

/// Takes the lock, and begins.
///
/// # Errors
/// As [`go`]; `Refused` when somebody was faster.
pub async fn launch(
    cx: &Session,
    place: &Place<'_>,
    (plan, originals, eyes): (Plan, Originals, Eyes<'_>),
    how: &How<'_>,
    confirmed: &Confirmed,
) -> Result<Done> {
    let lock = place.memory.acquire(&holder(cx), how.stay.takeover, confirmed).await?;
    // Somebody may have been faster between the look and the lock.
    let stored = match refuse_second(cx, place).await {
        Ok(stored) => stored,
        Err(error) => {
            let _ = place.memory.release(&lock, confirmed).await;
            return Err(error);
        }
    };
    let now = cx.clock.now();
    let id = format!("r{:08x}", fastrand::u32(..));
    let names = (place.name.clone(), cx.environment()?.to_owned());
    let mut rollout = Rollout::new(id, names, cx.actor.clone(), plan, originals, now);
    rollout.change = Some(confirmed.id().to_owned());
    rollout.region.clone_from(&cx.region);
    rollout.fleet = how.part.map(|(fleet, _)| fleet.clone());
    rollout.note(now, format!("begun by {}", cx.actor));
    let begin = Begin {
        cx,
        place,
        eyes,
        confirmed,
        lock,
        rollout,
        version: stored.map(|stored| archived(cx, stored)),
        progress: how.watchers.one(0, how.part.map(|(_, board)| board))?,
        until: how.stay.until,
        board: how.part.map(|(_, board)| board),
    };
    go(begin).await
}

/// Keeps what the new rollout takes the place of, for the history. Gives its version.
pub fn archived(cx: &Session, stored: Stored) -> String {
    history::keep(cx, &stored.rollout);
    stored.version
}

/// A second rollout of a service waits until the first is over. Gives the state that is there.
pub async fn refuse_second(cx: &Session, place: &Place<'_>) -> Result<Option<Stored>> {
    let Some(stored) = place.memory.load().await? else {
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
            cx.command(&place.words("status")),
            cx.command(&place.words("resume")),
            cx.command(&place.words("abort"))
        ),
    })
}

/// Runs it, and says how it went.
///
/// # Errors
/// `HalfDone` when it waits for somebody, `Conflict` when it was taken over.
pub async fn go(begin: Begin<'_>) -> Result<Done> {
    let (cx, until) = (begin.cx, begin.until);
    let place = begin.place;
    let mut runner = Runner::new(begin);
    let left = runner.run().await?;
    runner.progress.leave();
    let rollout = &runner.rollout;
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
    match left {
        Left::Taken => Err(Error::Conflict {
            what: format!("somebody else has taken the {} over", place.noun()),
            hint: format!("look at it: `{}`", cx.command(&place.words("status"))),
        }),
        Left::Stuck => Err(stuck(cx, place, rollout)),
        Left::Waiting => {
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
                command: cx.command(&place.words(verb)),
            })
        }
        Left::There => {
            if until == Until::Begun && !rollout.phase.is_terminal() {
                let resume = cx.command(&place.words("resume"));
                cx.voice.note(&format!("detached; nobody watches it until `{resume}`"));
            }
            let undo = RolloutUndo::of(rollout);
            Ok(Done { result, undo: (!rollout.phase.is_back()).then(|| undo.into()) })
        }
    }
}
