//! `liveops rollout abort` and `rollout undo`: give the old version its traffic back, now. Needs no lock, no metric,
//! and no state where the target carries an undo note.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::change::{Confirmed, Done, Plan as Change};
use crate::commands::changed::ChangeReport;
use crate::commands::rollout::archive;
use crate::commands::rollout::canary::stuck;
use crate::commands::rollout::fleet;
use crate::commands::rollout::memory::Stored;
use crate::commands::rollout::open::{Place, WhichArgs, choose, place};
use crate::context::Context;
use crate::domain::rollout::machine::Wrote;
use crate::domain::rollout::plan::Rules;
use crate::domain::rollout::state::{Phase, Rollout, Write};
use crate::error::{Error, Exit, Result};

/// Tries of the rollback before a person is told the command to do it by hand.
const TRIES: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Stop a rollout and give the old version its traffic back, at once
///
/// Works while another liveops holds it, after a crash, and from another machine. Doing it twice is doing it once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout abort --yes
  liveops rollout abort game-backend --reason \"players report lag\" --yes")]
pub(crate) struct AbortArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Go back to the version before the last rollout
///
/// To what was recorded when the rollout began, not to whatever came before.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout undo --dry-run
  liveops rollout undo game-backend --yes")]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    pub(super) which: WhichArgs,
}

pub(super) async fn abort(args: AbortArgs, cx: &Context) -> Result<Exit> {
    let by = match &args.reason {
        Some(reason) => format!("aborted by {}: {reason}", cx.actor),
        None => format!("aborted by {}", cx.actor),
    };
    if let Some(found) = fleet::find(cx, args.which.service()).await? {
        return fleet::take_back(cx, &found, ("rollout.abort", by), false).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    run(cx, &place, "rollout.abort", by, false).await
}

pub(super) async fn undo(args: UndoArgs, cx: &Context) -> Result<Exit> {
    let by = format!("undone by {}", cx.actor);
    if let Some(found) = fleet::find(cx, args.which.service()).await? {
        return fleet::take_back(cx, &found, ("rollout.undo", by), true).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    run(cx, &place, "rollout.undo", by, true).await
}

/// Goes back, unless it is back already; a finished one only where that is meant.
///
/// # Errors
/// `Conflict` when it has succeeded; as [`go_back`].
pub(super) async fn run(
    cx: &Context,
    place: &Place<'_>,
    action: &'static str,
    reason: String,
    finished_too: bool,
) -> Result<Exit> {
    let service = &place.name;
    // A state that cannot be read keeps nobody from going back. What carries the weight is read with it, for the patch.
    let (_, stored) = place.see().await;
    let summary = match &stored {
        Ok(None) => {
            // The state may have been deleted: the object that carries the weight says whether a rollout holds it.
            let held = place.target.read().await?.epoch.is_some();
            if !held {
                return nothing(cx, action, format!("no {} of {service} was ever begun", place.noun()));
            }
            cx.output.warn("the state of the rollout is gone, going back by the undo note");
            format!("give the old version of {service} its traffic back")
        }
        Ok(Some(stored)) => {
            let rollout = &stored.rollout;
            match rollout.phase {
                Phase::RolledBack => {
                    let text = format!("{service} is back already: {} is rolled back", what(rollout));
                    return nothing(cx, action, text);
                }
                Phase::Succeeded if !finished_too => {
                    return Err(Error::Conflict {
                        what: format!(
                            "the {} of {} has succeeded, so there is nothing to abort",
                            place.noun(),
                            what(rollout)
                        ),
                        hint: format!(
                            "to go back to {}: `{}`",
                            rollout.originals.stable_image.as_deref().unwrap_or("what was before"),
                            cx.command(&place.words("undo"))
                        ),
                    });
                }
                _ => summary(rollout),
            }
        }
        Err(error) => {
            cx.output.warn(&format!("the state of the rollout cannot be read, going back by the undo note: {error}"));
            format!("give the old version of {service} its traffic back")
        }
    };
    let change =
        Change { action, summary: summary.clone(), preview: Vec::new(), undo: None, kill_switch: true, undoes: None };
    let planned = json!({ "service": service });
    let changed = change
        .carry_out(cx, async |confirmed| {
            let stored = stored.ok().flatten();
            go_back(cx, place, stored, reason, confirmed).await
        })
        .await?;
    let report = ChangeReport::new(cx, action, summary, changed, planned)?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

fn nothing(cx: &Context, action: &'static str, text: String) -> Result<Exit> {
    let report = ChangeReport::nothing(cx, action, text, json!({}))?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}

/// What is moved, in a sentence.
pub(super) fn what(rollout: &Rollout) -> String {
    match rollout.plan.is_exact() {
        true => format!("flag `{}`", rollout.service),
        false => rollout.plan.image.clone(),
    }
}

/// What going back does, in words.
pub(super) fn summary(rollout: &Rollout) -> String {
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
pub(super) async fn go_back(
    cx: &Context,
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
            cx.output.note(&failure);
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
        archive::keep(cx, rollout);
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
async fn mark(
    cx: &Context,
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
