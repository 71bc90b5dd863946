//! Telling a rollout that runs elsewhere what to do.

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::evidence::Eyes;
use crate::rollout::launch::{How, go, holder};
use crate::rollout::resolve::Place;
use crate::rollout::rollback::what;
use crate::rollout::runner::Begin;
use crate::rollout::state_store::Stored;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::state::{Rollout, Wish, WishKind};

/// What is asked for, by us and now.
pub fn wish(cx: &Session, what: WishKind, reason: Option<String>) -> Wish {
    Wish { what, by: cx.actor.clone(), at: cx.clock.now(), reason }
}

/// The rollout that is not over.
pub async fn under_way(cx: &Session, place: &Place<'_>) -> Result<Stored> {
    let service = &place.name;
    match place.memory.load().await? {
        Some(stored) if !stored.rollout.phase.is_terminal() => Ok(stored),
        other => Err(Error::Refused {
            why: match other {
                Some(stored) => format!(
                    "no {} of {service} is under way: {} is {}",
                    place.noun(),
                    what(&stored.rollout),
                    stored.rollout.phase.word_on(&stored.rollout.plan.target)
                ),
                None => format!("no {} of {service} was ever begun", place.noun()),
            },
            hint: format!("begin one: `{}`", cx.command(&place.beginning())),
        }),
    }
}

/// What was typed: the last part of the change's name.
pub fn verb_of(action: &str) -> &str {
    action.rsplit('.').next().unwrap_or(action)
}

/// Writes something into the state of what is under way there, and has a controller of its own stand still, or go on.
/// Gives what is stored then, and what such a controller does.
///
/// # Errors
/// `Refused` when nothing is under way; `Conflict` when others write all the time; `HalfDone` when the controller was not
/// told.
pub async fn tell(
    cx: &Session,
    place: &Place<'_>,
    (action, still): (&str, Option<bool>),
    what: &impl Fn(&mut Rollout, &Session),
    confirmed: &Confirmed,
) -> Result<(Rollout, Option<String>)> {
    for _ in 0..8 {
        let stored = under_way(cx, place).await?;
        let mut rollout = stored.rollout;
        what(&mut rollout, cx);
        let before = Some(stored.version.as_str());
        match place.memory.save(&rollout, before, confirmed).await {
            // The holder was faster; look again.
            Err(Error::Conflict { .. }) => continue,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let Some(still) = still else {
            return Ok((rollout, None));
        };
        let told = place.target.halt(still, confirmed).await;
        return match told {
            Ok(said) => Ok((rollout, said)),
            Err(error) => Err(Error::HalfDone {
                done: format!("said it to the {}", place.noun()),
                left: format!("its controller was not told: {error}"),
                command: cx.command(&place.words(verb_of(action))),
            }),
        };
    }
    Err(Error::Conflict { what: "the state of the rollout changes too fast".into(), hint: "try again".into() })
}

/// Takes the lock of a rollout that is under way, and goes on with it.
///
/// # Errors
/// As [`go`]; `Refused` when it is over, or somebody holds it.
pub async fn carry_on(
    cx: &Session,
    place: &Place<'_>,
    how: &How<'_>,
    what: WishKind,
    confirmed: &Confirmed,
) -> Result<Done> {
    let stored = under_way(cx, place).await?;
    let eyes = Eyes::open(cx, &place.scene, &stored.rollout.plan.rules)?;
    let lock = place.memory.acquire(&holder(cx), how.stay.takeover, confirmed).await?;
    let again = async {
        let stored = under_way(cx, place).await?;
        place.target.halt(false, confirmed).await?;
        Ok(stored)
    };
    let stored = match again.await {
        Ok(stored) => stored,
        Err(error) => {
            let _ = place.memory.release(&lock, confirmed).await;
            return Err(error);
        }
    };
    let mut rollout = stored.rollout;
    let told = rollout.happened();
    // What was seen before the crash is not known here: each step is observed anew.
    rollout.wish = rollout.wish.or_else(|| Some(wish(cx, what, None)));
    let begin = Begin {
        cx,
        place,
        eyes,
        confirmed,
        lock,
        rollout,
        version: Some(stored.version),
        progress: how.watchers.one(told, how.part.map(|(_, board)| board))?,
        until: how.stay.until,
        board: how.part.map(|(_, board)| board),
    };
    go(begin).await
}
