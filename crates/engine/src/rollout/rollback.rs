//! Taking a rollout back: what `abort` and `undo` share.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::history;
use crate::rollout::regions::lookup::RegionalRollout;
use crate::rollout::regions::roll_back_in;
use crate::rollout::resolve::RolloutSubject;
use crate::rollout::state_store::StoredRollout;
use crate::rollout::steering::Scope;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::exposure::Reading;
use liveops_domain::rollout::machine::WriteOutcome;
use liveops_domain::rollout::plan::Rules;
use liveops_domain::rollout::region_phase::RegionPhase;
use liveops_domain::rollout::state::{Phase, Rollout, Write};
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;

/// Tries of the rollback before a person is told the command to do it by hand.
const TRIES: usize = 12;

const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is moved, in a sentence.
pub fn describe(rollout: &Rollout) -> String {
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

/// A way back that is decided, and not yet taken.
pub struct RollbackPlan<'s> {
    pub summary: String,
    /// What it would be about, for a dry run.
    pub planned: Value,
    /// The state, where it is one place and could be read.
    stored: Option<StoredRollout>,
    regions: Vec<&'s Session>,
}

/// Decides on the way back, or says why there is nothing to do. A finished rollout is taken back only where that is meant.
pub async fn plan<'s>(
    cx: &Session,
    scope: &'s Scope<'_>,
    finished_too: bool,
) -> Result<std::result::Result<RollbackPlan<'s>, String>> {
    let subject = match scope {
        Scope::One(subject) => subject,
        Scope::Regions(regional) => return plan_regions(cx, regional, finished_too),
    };
    let service = &subject.name;
    let by_the_note = |why: &str| {
        cx.voice.warn(&format!("the state of the rollout {why}"));
        format!("give the old version of {service} its traffic back")
    };
    // A state that cannot be read keeps nobody from going back. What carries the weight is read with it, for the patch.
    let (reading, stored) = subject.read_all().await;
    let summary = match &stored {
        Ok(None) => {
            // The state may have been deleted, or be on another machine: what carries the weight says whether a rollout
            // holds it, and whether the canary has traffic.
            let reading = subject.target.read().await?;
            if reading.epoch.is_none() && reading.live.is_zero() {
                return Ok(Err(format!("no {} of {service} was ever begun", subject.noun())));
            }
            by_the_note("is not here, going back by what carries the weight")
        }
        Ok(Some(StoredRollout { rollout, .. })) => match rollout.phase {
            Phase::RolledBack => {
                return Ok(Err(format!("{service} is back already: {} is rolled back", describe(rollout))));
            }
            Phase::Succeeded if !finished_too => {
                return Err(Error::Conflict {
                    what: format!(
                        "the {} of {} has succeeded, so there is nothing to abort",
                        subject.noun(),
                        describe(rollout)
                    ),
                    hint: format!(
                        "to go back to {}: `{}`",
                        rollout.originals.stable_image.as_deref().unwrap_or("what was before"),
                        cx.command(&subject.words("undo"))
                    ),
                });
            }
            Phase::Succeeded => {
                refuse_later_release(cx, subject, rollout, reading.as_ref().ok())?;
                summary(rollout)
            }
            _ => summary(rollout),
        },
        Err(error) => by_the_note(&format!("cannot be read, going back by the undo note: {error}")),
    };
    let planned = json!({ "service": service });
    Ok(Ok(RollbackPlan { summary, planned, stored: stored.ok().flatten(), regions: Vec::new() }))
}

/// Refuses to take back what is no longer there: another release came after the one that is to be undone.
pub fn refuse_later_release<'r>(
    cx: &Session,
    subject: &RolloutSubject<'_>,
    rollout: &Rollout,
    reading: Option<&'r Reading>,
) -> Result<()> {
    // While a controller leads another one through its steps, there is no stable image.
    let canary = |reading: &'r Reading| reading.canary_image.as_ref().filter(|_| subject.target.is_delegated());
    let Some(now) = reading.and_then(|reading| reading.stable_image.as_ref().or_else(|| canary(reading))) else {
        return Ok(());
    };
    if *now == rollout.plan.image || rollout.originals.stable_image.as_ref() == Some(now) {
        return Ok(());
    }
    Err(Error::Conflict {
        what: format!("{} is {now} now: another release came after {}", rollout.service, rollout.plan.image),
        hint: format!(
            "look at it: `{}`; an older version is rolled out like a newer one: `{}`",
            cx.command(&subject.words("history")),
            cx.command(&subject.start_command())
        ),
    })
}

fn plan_regions<'s>(
    cx: &Session,
    regional: &'s RegionalRollout,
    finished_too: bool,
) -> Result<std::result::Result<RollbackPlan<'s>, String>> {
    let phases = regional.phases();
    let regions = regional.contexts_where(|region| match phases.get(region) {
        Some(RegionPhase::Pending | RegionPhase::RolledBack) => false,
        Some(RegionPhase::Succeeded) => finished_too,
        _ => true,
    });
    let names: Vec<&str> = regions.iter().filter_map(|cx| cx.region.as_deref()).collect();
    let service = word(&regional.service);
    if names.is_empty() {
        if !finished_too && regional.fleet.regions().any(|region| phases.get(region) == Some(&RegionPhase::Succeeded)) {
            return Err(Error::Conflict {
                what: format!("the rollout of {service} has succeeded in its regions, so there is nothing to abort"),
                hint: format!("to go back: `{}`", cx.command(&format!("rollout undo {service}"))),
            });
        }
        return Ok(Err(format!("{service} is back already in every region")));
    }
    let summary = format!("give the old version of {service} its traffic back in {}", names.join(", "));
    let planned = json!({ "regions": names });
    Ok(Ok(RollbackPlan { summary, planned, stored: None, regions }))
}

/// Takes the decided way back, in all regions at once.
pub async fn act(
    cx: &Session,
    scope: &Scope<'_>,
    plan: RollbackPlan<'_>,
    reason: String,
    confirmed: &Confirmed,
) -> Result<Done> {
    match scope {
        Scope::One(subject) => roll_back(cx, subject, plan.stored, reason, confirmed).await,
        Scope::Regions(regional) => roll_back_in(&plan.regions, &regional.service, &reason, confirmed).await,
    }
}

/// Goes back, tells whoever holds the rollout at the same time, and reads back that it is so. `stored` is the state, where
/// it was read just now.
///
/// # Errors
/// `HalfDone` with the command to do it by hand.
pub async fn roll_back(
    cx: &Session,
    subject: &RolloutSubject<'_>,
    stored: Option<StoredRollout>,
    reason: String,
    confirmed: &Confirmed,
) -> Result<Done> {
    let asked = cx.clock.now();
    let began = Instant::now();
    let stored = match stored {
        Some(stored) => Some(stored),
        None => subject.store.load().await.ok().flatten(),
    };
    let originals = stored.as_ref().map(|stored| stored.rollout.originals.clone());
    let touched = stored.as_ref().is_none_or(|stored| stored.rollout.touched);
    subject.target.because(reason.clone());
    cx.http()?.restart();
    // A forward write that is under way meanwhile is refused by its preconditions, or comes before this one.
    let (mut known, first) = tokio::join!(mark_rolling_back(cx, subject, stored, &reason, confirmed), async {
        match touched {
            true => Some(subject.target.restore(originals.as_ref(), confirmed).await),
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
                subject.target.restore(originals.as_ref(), confirmed).await
            }
        };
        let failure = match tried {
            Ok(reading) if !reading.live.exceeds(goal) => break Some(reading),
            Ok(reading) => format!("the weight is still {}", reading.live),
            Err(error) => error.to_string(),
        };
        let over = match subject.target.is_delegated() {
            true => began.elapsed() >= patience,
            false => tries >= TRIES,
        };
        if !over && subject.target.is_delegated() && failure != said {
            cx.voice.note(&failure);
            said.clone_from(&failure);
        }
        if over {
            let by_hand = subject.target.undo_by_hand(originals.as_ref());
            let Some((rollout, version)) = &mut known else {
                return Err(Error::HalfDone {
                    done: format!("tried to roll back {}", count(tries, "time")),
                    left: failure,
                    command: by_hand,
                });
            };
            rollout.give_up(&failure, Some(by_hand), cx.clock.now());
            // Whoever holds it is still at it, and stores what comes of that.
            let saved = subject.store.save(rollout, Some(version), confirmed).await;
            if let Err(error) = saved {
                tracing::info!(%error, "that it failed is not stored");
            }
            return Err(stuck_error(cx, subject, rollout));
        }
        tries += 1;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    if let Some((rollout, version)) = &mut known {
        let now = cx.clock.now();
        match reading {
            Some(reading) => rollout.record_write(Write::Restore, WriteOutcome::Done(reading), now),
            None => rollout.phase = Phase::RolledBack,
        }
        history::keep(cx, rollout);
        let new = rollout.transitions.iter().filter(|one| one.at >= asked);
        let notices = subject.notices(rollout, &new.cloned().collect::<Vec<_>>());
        let saved = subject.store.keep(rollout, Some(version), &notices, confirmed).await;
        if let Err(error) = saved {
            // The one that holds it may have come to the same end.
            tracing::info!(%error, "the end of the rollout is not stored");
        }
        if let Err(error) = subject.store.clear(confirmed).await {
            tracing::info!(%error, "the lock of the one before stays until it expires");
        }
    }
    let rollout = known.map(|(rollout, _)| rollout);
    Ok(Done {
        result: json!({
            "service": subject.name,
            "rollout": rollout.as_ref().map(|rollout| &rollout.id),
            "weight": goal,
        }),
        undo: None,
    })
}

/// Stores that it goes back, so that whoever holds it writes nothing forward any more. Best effort.
async fn mark_rolling_back(
    cx: &Session,
    subject: &RolloutSubject<'_>,
    mut stored: Option<StoredRollout>,
    reason: &str,
    confirmed: &Confirmed,
) -> Option<(Rollout, String)> {
    for _ in 0..5 {
        let found = match stored.take() {
            Some(stored) => stored,
            None => subject.store.load().await.ok()??,
        };
        let mut rollout = found.rollout;
        let now = cx.clock.now();
        if rollout.phase.is_terminal() {
            // A finished one is taken back all the same: by `undo`.
            rollout.phase = Phase::Window;
        }
        rollout.roll_back(reason.to_owned(), now);
        match subject.store.save(&rollout, Some(&found.version), confirmed).await {
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
pub fn stuck_error(cx: &Session, subject: &RolloutSubject<'_>, rollout: &Rollout) -> Error {
    let again = cx.command(&format!("{} --yes", subject.words("abort")));
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
