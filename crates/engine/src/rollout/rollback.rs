//! Taking a rollout back: what `abort` and `undo` share.

use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::history;
use crate::rollout::resolve::Place;
use crate::rollout::state_store::Stored;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::machine::Wrote;
use liveops_domain::rollout::plan::Rules;
use liveops_domain::rollout::state::{Phase, Rollout, Write};

/// Tries of the rollback before a person is told the command to do it by hand.
const TRIES: u32 = 12;

const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is moved, in a sentence.
pub fn what(rollout: &Rollout) -> String {
    match rollout.plan.is_exact() {
        true => format!("flag `{}`", rollout.service),
        false => rollout.plan.image.clone(),
    }
}

/// What going back does, in words.
pub fn summary(rollout: &Rollout) -> String {
    let (from, to) = (rollout.applied, rollout.originals.weight);
    match rollout.plan.is_exact() {
        true => format!("take flag `{}` back from {from} to {to}", rollout.service),
        false => format!("take {} of {} back from {from} to {to}", rollout.plan.image, rollout.service),
    }
}

/// Goes back, tells whoever holds the rollout at the same time, and reads back that it is so. `stored` is the state, where
/// it was read just now.
///
/// # Errors
/// `HalfDone` with the command to do it by hand.
pub async fn go_back(
    cx: &Session,
    place: &Place<'_>,
    stored: Option<Stored>,
    reason: String,
    confirmed: &Confirmed,
) -> Result<Done> {
    let asked = cx.clock.now();
    let began = Instant::now();
    let stored = match stored {
        Some(stored) => Some(stored),
        None => place.memory.load().await.ok().flatten(),
    };
    let originals = stored.as_ref().map(|stored| stored.rollout.originals.clone());
    let touched = stored.as_ref().is_none_or(|stored| stored.rollout.touched);
    place.target.because(reason.clone());
    cx.http()?.restart();
    // A forward write that is under way meanwhile is refused by its preconditions, or comes before this one.
    let (mut known, first) = tokio::join!(mark(cx, place, stored, &reason, confirmed), async {
        match touched {
            true => Some(place.target.restore(originals.as_ref(), confirmed).await),
            false => None,
        }
    });
    let mut done = first;
    let touched = known.as_ref().is_none_or(|(rollout, _)| rollout.touched);
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    // A controller goes back at its own ticks, which Flagger's are a minute apart by default.
    let patience = known.as_ref().map(|(rollout, _)| &rollout.plan.rules);
    let patience = patience.map_or_else(|| Rules::default().rollback_timeout, |rules| rules.rollback_timeout);
    let mut said = String::new();
    let goal = originals.as_ref().map(|originals| originals.weight).unwrap_or_default();
    let reading = loop {
        if !touched {
            break None;
        }
        let tried = match done.take() {
            Some(tried) => tried,
            None => {
                cx.http()?.restart();
                place.target.restore(originals.as_ref(), confirmed).await
            }
        };
        let failure = match tried {
            Ok(reading) if !reading.live.exceeds(goal) => break Some(reading),
            Ok(reading) => format!("the weight is still {}", reading.live),
            Err(error) => error.to_string(),
        };
        let over = match place.target.is_delegated() {
            true => began.elapsed() >= patience,
            false => tries >= TRIES,
        };
        if !over && place.target.is_delegated() && failure != said {
            cx.voice.note(&failure);
            said.clone_from(&failure);
        }
        if over {
            let by_hand = place.target.undo_by_hand(originals.as_ref());
            let Some((rollout, version)) = &mut known else {
                return Err(Error::HalfDone {
                    done: format!("tried {tries} times to go back"),
                    left: failure,
                    command: by_hand,
                });
            };
            rollout.give_up(&failure, Some(by_hand), cx.clock.now());
            // Whoever holds it is still at it, and stores what comes of that.
            let saved = place.memory.save(rollout, Some(version), confirmed).await;
            if let Err(error) = saved {
                tracing::info!(%error, "that it failed is not stored");
            }
            return Err(stuck(cx, place, rollout));
        }
        tries += 1;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    if let Some((rollout, version)) = &mut known {
        let now = cx.clock.now();
        match reading {
            Some(reading) => rollout.wrote(Write::Restore, Wrote::Done(reading), now),
            None => rollout.phase = Phase::RolledBack,
        }
        history::keep(cx, rollout);
        let new = rollout.transitions.iter().filter(|one| one.at >= asked);
        let notices = place.notices(rollout, &new.cloned().collect::<Vec<_>>());
        let saved = place.memory.keep(rollout, Some(version), &notices, confirmed).await;
        if let Err(error) = saved {
            // The one that holds it may have come to the same end.
            tracing::info!(%error, "the end of the rollout is not stored");
        }
        if let Err(error) = place.memory.clear(confirmed).await {
            tracing::info!(%error, "the lock of the one before stays until it expires");
        }
    }
    let rollout = known.map(|(rollout, _)| rollout);
    Ok(Done {
        result: json!({
            "service": place.name,
            "rollout": rollout.as_ref().map(|rollout| &rollout.id),
            "weight": goal,
        }),
        undo: None,
    })
}

/// Stores that it goes back, so that whoever holds it writes nothing forward any more. Best effort.
pub async fn mark(
    cx: &Session,
    place: &Place<'_>,
    mut stored: Option<Stored>,
    reason: &str,
    confirmed: &Confirmed,
) -> Option<(Rollout, String)> {
    for _ in 0..5 {
        let found = match stored.take() {
            Some(stored) => stored,
            None => place.memory.load().await.ok()??,
        };
        let mut rollout = found.rollout;
        let now = cx.clock.now();
        if rollout.phase.is_terminal() {
            // A finished one is taken back all the same: by `undo`.
            rollout.phase = Phase::Window;
        }
        rollout.go_back(reason.to_owned(), now);
        match place.memory.save(&rollout, Some(&found.version), confirmed).await {
            Ok(version) => return Some((rollout, version)),
            Err(Error::Conflict { .. }) => {}
            Err(error) => {
                tracing::info!(%error, "that it goes back is not stored");
                return Some((rollout, found.version));
            }
        }
    }
    None
}

/// The old version does not have its traffic: what is left, and the command for it.
pub fn stuck(cx: &Session, place: &Place<'_>, rollout: &Rollout) -> Error {
    let again = cx.command(&format!("{} --yes", place.words("abort")));
    let (text, by_hand) = match &rollout.stuck {
        Some(stuck) => (stuck.text.clone(), stuck.by_hand.clone()),
        None => ("it was not said why".into(), None),
    };
    Error::HalfDone {
        done: format!("tried to take {} of {} back", rollout.plan.image, rollout.service),
        left: format!(
            "the old version does not have its traffic yet: {text}; by hand or again, then `{again}` finishes it"
        ),
        command: by_hand.unwrap_or(again),
    }
}
