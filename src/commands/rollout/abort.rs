//! `liveops rollout abort` and `rollout undo`: give the old version its traffic back, now. Needs no lock, no metric,
//! and no state where the target carries an undo note.

use liveops_engine::session::Session;

use clap::Args;
use serde_json::json;

use crate::changed::ChangeReport;
use crate::commands::rollout::args::WhichArgs;
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::rollout::standing::Standing;
use liveops_domain::rollout::state::Phase;
use liveops_domain::text::shell::word;
use liveops_engine::change::Plan as Change;
use liveops_engine::rollout::regions::back_in;
use liveops_engine::rollout::regions::lookup::Found;
use liveops_engine::rollout::resolve::{Place, choose, place};
use liveops_engine::rollout::rollback::{go_back, summary, what};

/// Stop a rollout and give the old version its traffic back, at once
///
/// Works while another liveops holds it, after a crash, and from another machine. Doing it twice is doing it once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops rollout abort --yes
  liveops rollout abort game-backend --reason \"players report lag\" --yes")]
pub(crate) struct AbortArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

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
    pub(crate) which: WhichArgs,
}

pub(crate) async fn abort(args: AbortArgs, cx: &Context) -> Result<Exit> {
    let by = match &args.reason {
        Some(reason) => format!("aborted by {}: {reason}", cx.actor),
        None => format!("aborted by {}", cx.actor),
    };
    if let Some(found) = liveops_engine::rollout::regions::lookup::find(cx, args.which.service()).await? {
        return crate::commands::rollout::abort::take_back(cx, &found, ("rollout.abort", by), false).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    run(cx, &place, "rollout.abort", by, false).await
}

pub(crate) async fn undo(args: UndoArgs, cx: &Context) -> Result<Exit> {
    let by = format!("undone by {}", cx.actor);
    if let Some(found) = liveops_engine::rollout::regions::lookup::find(cx, args.which.service()).await? {
        return crate::commands::rollout::abort::take_back(cx, &found, ("rollout.undo", by), true).await;
    }
    let place = place(cx, choose(cx, args.which.service())?).await?;
    run(cx, &place, "rollout.undo", by, true).await
}

/// Goes back, unless it is back already; a finished one only where that is meant.
///
/// # Errors
/// `Conflict` when it has succeeded; as [`go_back`].
pub(crate) async fn run(
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
    let change = Change { action, summary: summary.clone(), undo: None, kill_switch: true, undoes: None };
    let planned = json!({ "service": service });
    let changed = cx
        .change(change, Vec::new(), async |confirmed| {
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

/// `rollout abort` and `rollout undo` of the whole: every region at once.
pub(crate) async fn take_back(
    cx: &Context,
    found: &Found,
    (action, reason): (&'static str, String),
    finished_too: bool,
) -> Result<Exit> {
    let standings = found.standings();
    let wanted = |region: &str| match standings.get(region) {
        Some(Standing::Pending | Standing::Back) => false,
        Some(Standing::Over) => finished_too,
        _ => true,
    };
    let regions: Vec<&Session> = found.contexts_where(wanted);
    let names: Vec<&str> = regions.iter().filter_map(|cx| cx.region.as_deref()).collect();
    let service = word(&found.service);
    if names.is_empty() {
        let over = found.fleet.regions().any(|region| standings.get(region) == Some(&Standing::Over));
        if over && !finished_too {
            return Err(Error::Conflict {
                what: format!("the rollout of {service} has succeeded in its regions, so there is nothing to abort"),
                hint: format!("to go back: `{}`", cx.command(&format!("rollout undo {service}"))),
            });
        }
        let text = format!("{service} is back already in every region");
        let report = ChangeReport::nothing(cx, action, text, json!({}))?;
        cx.output.show(&report, cx.clock.now())?;
        return Ok(Exit::Good);
    }
    let summary = format!("give the old version of {service} its traffic back in {}", names.join(", "));
    let change = Change { action, summary: summary.clone(), undo: None, kill_switch: true, undoes: None };
    let changed = cx
        .change(change, Vec::new(), async |confirmed| back_in(&regions, &found.service, &reason, confirmed).await)
        .await?;
    let report = ChangeReport::new(cx, action, summary, changed, json!({ "regions": names }))?;
    cx.output.show(&report, cx.clock.now())?;
    Ok(Exit::Good)
}
